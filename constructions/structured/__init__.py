"""Structured execution: the very same weights, run in ``O(N log N)`` or ``O(N)`` per layer.

`accelerate` reads the weights of a model once and recognises what its layers do. It never looks at
the plan: other weights are another function here too, and a layer without structure runs as it
stands.

==================================================  ===================  =========================
seen in the weights                                 runs as              cost for N frames
==================================================  ===================  =========================
softmax or ReLU scores that depend on the lag       ``convolution``      ``N log N``
the same, short sequences                           ``matrix``           ``N^2``, small
the same, zero beyond a lag J                       ``band``             ``N J``
the same, logits linear in the lag                  ``scan``             ``N``
linear attention on sinusoids ``m / C``, gated      ``circulant``        ``N log N``
linear attention on position features               ``features``         ``N H``
feed-forward layers of units and mirror images      a linear map         ``N``
other scores that depend on positions alone         ``matrix``           ``N^2``
anything else                                       the plain layer      ``N^2`` for attention
==================================================  ===================  =========================

Channel maps act on channel groups of the residual stream alone, factors that are zero or one cost
nothing, and what no later block reads is not computed.
"""

from constructions.structured.model import ScoreAt, StructuredTransformer, accelerate

__all__ = ["ScoreAt", "StructuredTransformer", "accelerate"]
