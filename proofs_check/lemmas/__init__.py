"""The lemmas, one per file; every module in this folder that defines LEMMA is found.

To add a lemma, add a file.  There is no list to keep.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from proofs_check.lemma import Lemma


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
    ValueError
        If there is none of that name, or its file defines no LEMMA.
    """
    if name not in names():
        raise ValueError(f"name={name!r}: no such lemma; choose one of {', '.join(names())}")
    lemma = getattr(importlib.import_module(f"{__name__}.{name}"), "LEMMA", None)
    if not isinstance(lemma, Lemma):
        raise ValueError(f"name={name!r}: the file defines no LEMMA; add one")
    if lemma.name != name:
        raise ValueError(f"name={lemma.name!r}: differs from its file {name}; rename one of them")
    return lemma


def every() -> tuple[Lemma, ...]:
    """All lemmas, in the order of their names."""
    return tuple(get(name) for name in names())
