"""The score evaluated by the hand-built transformer and by every solver a user might pick instead.

``make bench`` runs the suite; ``python -m benchmarks --help`` lists what can be chosen. Rules:

- *Equal error*: whoever has a tolerance gets the loosest one whose **measured** relative rms score
  error is at most the target; the measured error of everyone is in the table.
- *One run*: all methods of a case are timed in turns, in one process with one thread; numbers are
  medians, and what counts are their ratios.
- *Two costs*: a score at a new diffusion time t, set-up included, and one more at the same t.
- *Nobody is left out silently*: a method that is skipped says why.

==============  ===================================================================
problem         the Gaussian process, noisy sequences, nothing of size N x N
reference       the exact score that errors are measured against
method          the interface: constructor, ``setup(t)``, ``solve(v)``
peers           one solver per file
ours            the same interface for our models: the one file that knows our API
measure         error, seconds and memory of the methods in one case
suite           the cases, and when a method is skipped
models          build seconds, size, layers and heads
tables, plots   Markdown and figures from the saved JSON; `page` puts them together
==============  ===================================================================
"""
