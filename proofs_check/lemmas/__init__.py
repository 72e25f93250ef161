"""The lemmas, one per file; every module in this folder that defines LEMMA is found.

To add a lemma, add a file; there is no list to keep, and the tests run over what is found.
`gradient_descent` is the pattern:

- the docstring has the sections Statement, Assumptions, Proof, Kind, Source, Example;
- ``steps(...)`` builds the proof from the claimed formulas, whose defaults are the true ones, so
  that a wrong variant is the same proof with a wrong formula and must get stuck;
- ``bound`` is the expression that the proof is about, its symbols named like the parameters;
- ``measure`` computes the bounded quantity another way, with loops, mpmath or scipy;
- ``witness`` is where a tight bound is attained; a dropped assumption has a counterexample.

Discharges are listed in `proofs_check.discharge`.  A step that no machine decided is ``cited`` or
``checked numerically``, never ``proved``.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from proofs_check.lemma import Lemma
from unroll.errors import ArgumentError


@cache
def names() -> tuple[str, ...]:
    """Names of all lemmas, sorted; a name with a leading underscore is a helper, not a lemma."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@cache
def get(name: str) -> Lemma:
    """The lemma called `name`.

    Raises
    ------
    ArgumentError
        If there is none of that name, or its file defines no LEMMA.
    """
    if name not in names():
        raise ArgumentError("name", name, "no such lemma", f"choose one of {', '.join(names())}")
    lemma = getattr(importlib.import_module(f"{__name__}.{name}"), "LEMMA", None)
    if not isinstance(lemma, Lemma):
        raise ArgumentError("name", name, "its file defines no LEMMA", "add one")
    if lemma.name != name:
        raise ArgumentError("name", lemma.name, f"differs from its file {name}", "rename one")
    return lemma


def every() -> tuple[Lemma, ...]:
    """All lemmas, in the order of their names."""
    return tuple(get(name) for name in names())
