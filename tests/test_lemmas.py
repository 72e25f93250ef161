"""Every lemma of the registry: proved, sound where drawn, attained at its witness, falsifiable."""

# Lemmas are loaded inside the tests, so that a broken file fails its own tests only.
from __future__ import annotations

import json
from typing import Any

import mpmath
import pytest
import tolerances
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check import lemmas
from proofs_check.lemma import SECTIONS, Lemma, section
from proofs_check.outcome import CITED, FAILED, STATUSES
from proofs_check.step import Range

ROUNDING = tolerances.LEMMA
DRAWS = 15

by_name = pytest.mark.parametrize("name", lemmas.names())


def drawn(lemma: Lemma) -> st.SearchStrategy[dict[str, Any]]:
    def one(span: Range) -> st.SearchStrategy[Any]:
        if span.integer:
            return st.integers(int(span.low), int(span.high))
        return st.floats(span.low, span.high, allow_subnormal=False)

    return st.fixed_dictionaries({name: one(span) for name, span in lemma.parameters.items()})


@by_name
def test_proof_goes_through(name: str) -> None:
    report = lemmas.get(name).check()
    assert report.ok, report.first_failure
    assert all(step.status in STATUSES for step in report.steps)
    assert any(step.status != CITED for step in report.steps), "citing alone proves nothing"
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True
    assert report.title in report.to_markdown()
    assert "lemma" in report.to_latex()
    assert FAILED not in str(report)


@by_name
def test_docstring_follows_the_skeleton(name: str) -> None:
    lemma = lemmas.get(name)
    missing = [title for title in SECTIONS if not section(lemma.doc, title)]
    assert not missing
    assert ">>>" in section(lemma.doc, "Example")
    assert section(lemma.doc, "Kind").split(":")[0].strip() == lemma.kind


@by_name
@settings(max_examples=DRAWS, deadline=None, derandomize=True)
@given(data=st.data())
def test_sound_where_drawn(name: str, data: st.DataObject) -> None:
    lemma = lemmas.get(name)
    value, bound = lemma.sample(data.draw(drawn(lemma)))
    assert mpmath.isfinite(value)
    assert mpmath.isfinite(bound)
    if lemma.kind == "equality":
        assert abs(value - bound) <= ROUNDING * max(abs(value), abs(bound))
    else:
        assert value <= bound + ROUNDING * abs(bound)


@by_name
def test_attained_at_its_witness(name: str) -> None:
    lemma = lemmas.get(name)
    if lemma.kind == "upper":
        assert lemma.witness is None, "an upper bound with a witness is tight: say so"
        return
    assert lemma.witness is not None
    value, bound = lemma.sample(lemma.witness)
    assert bound > 0
    assert abs(value - bound) <= max(lemma.witness_gap, ROUNDING) * bound
    assert value > mpmath.mpf("0.9") * bound, "a bound made smaller by a tenth must fail here"


@by_name
def test_wrong_variants_are_rejected(name: str) -> None:
    lemma = lemmas.get(name)
    rejections = [lemma.reject(variant) for variant in lemma.wrong_variants]
    assert rejections
    assert not [f"{r.variant}: {r.detail}" for r in rejections if not r.rejected]
