"""The machinery around lemmas must not be fooled: by true variants, crashes or disagreement."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import flint
import pytest
import sympy

import proofs_check.step
from proofs_check import lemmas, prove
from proofs_check.discharge import cited, identity, positive, smt, z3_available
from proofs_check.discharge import lemma as by_lemma
from proofs_check.enclose import ball, enclose
from proofs_check.evaluate import exact
from proofs_check.lemma import section
from proofs_check.outcome import CITED, FAILED, PROVED_SYMPY, Discharge
from proofs_check.report import ProofReport
from proofs_check.step import Rejection, Step, WrongVariant
from unroll.errors import ArgumentError

x = sympy.Symbol("x", positive=True)
TRUE_STEP = Step("A square.", "(x+1)^2", identity((x + 1) ** 2, x**2 + 2 * x + 1))
FALSE_STEP = Step("Negative.", "-x>0", positive(-x))
LEMMA = lemmas.get("gradient_descent")
WITNESS = LEMMA.witness
assert WITNESS is not None


def crash() -> Any:
    raise RuntimeError("broken")


CRASHING_STEP = Step("Broken.", "?", Discharge("crash", crash))


@pytest.mark.parametrize(
    ("variant", "why"),
    [
        (WrongVariant("a true proof", steps=lambda: [TRUE_STEP]), "goes through"),
        (WrongVariant("a crash", steps=lambda: [TRUE_STEP, CRASHING_STEP]), "crashed"),
        (WrongVariant("the lemma's own bound", counterexample=WITNESS), "obeys"),
        (
            WrongVariant(
                "a bound larger by rounding only",
                counterexample=WITNESS,
                bound=LEMMA.bound * (1 - sympy.Rational(1, 10**12)),
            ),
            "obeys",
        ),
        (
            WrongVariant(
                "false proof, but the counterexample does not bite",
                steps=lambda: [FALSE_STEP],
                counterexample=WITNESS,
            ),
            "obeys",
        ),
        (WrongVariant("nothing stored"), "no refutation"),
    ],
)
def test_not_rejected_without_a_refutation(variant: WrongVariant, why: str) -> None:
    rejection = LEMMA.reject(variant)
    assert not rejection.rejected
    assert why in rejection.detail


def test_bound_smaller_by_a_tenth_is_refuted_at_the_witness() -> None:
    smaller = WrongVariant(
        "nine tenths", counterexample=WITNESS, bound=LEMMA.bound * sympy.Rational(9, 10)
    )
    assert LEMMA.reject(smaller).rejected


@pytest.mark.parametrize("bad", [FALSE_STEP, CRASHING_STEP])
def test_one_bad_step_fails_the_report_and_is_named(bad: Step) -> None:
    report = replace(LEMMA, steps=[TRUE_STEP, bad]).check()
    assert not report.ok
    assert not report.proved
    assert report.first_failure is not None
    assert bad.sentence in report.first_failure
    assert report.counts[FAILED] == 1
    assert "FAILED" in str(report)


def test_no_steps_is_no_proof() -> None:
    assert not replace(LEMMA, steps=[]).check().ok


def test_citation_is_not_a_proof() -> None:
    step = Step("Known.", "x", cited("Somebody, Theorem 1.2", "all is well"))
    report = replace(LEMMA, steps=[TRUE_STEP, step]).check()
    assert report.ok
    assert not report.proved


@pytest.mark.skipif(not z3_available(), reason="z3 is an optional extra")
def test_second_opinion_can_overrule_the_first() -> None:
    step = Step("Contested.", "x", TRUE_STEP.discharge, smt(x >= 2))
    result = step.run()
    assert result.outcome.status == PROVED_SYMPY
    assert result.status == FAILED
    assert "counterexample" in result.why


def test_without_z3_the_step_stands_on_sympy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs_check.step, "z3_available", lambda: False)
    result = Step("Contested.", "x", TRUE_STEP.discharge, smt(x >= 2)).run()
    assert result.second is None
    assert result.status == PROVED_SYMPY
    assert "second" not in result.to_dict()


@pytest.mark.parametrize(
    "changes", [{"kind": "exact"}, {"witness": None}, {"wrong_variants": ()}], ids=str
)
def test_incomplete_lemma_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        replace(LEMMA, **changes)


def test_prove_reports_every_lemma_and_every_variant() -> None:
    report = prove("neumann", falsify=True)
    assert report.ok
    as_json = json.loads(json.dumps(report.to_dict()))
    assert as_json["lemmas"][0]["name"] == "neumann"
    assert len(as_json["wrong_variants"]) == len(lemmas.get("neumann").wrong_variants)
    assert not replace(report, rejections=(Rejection("true", False, ""),)).ok
    assert not ProofReport(()).ok


@pytest.mark.parametrize(
    "name", ["gradient_descent", "neumann", "chebyshev", "perturbation", "rounding"]
)
def test_bound_in_ball_arithmetic_encloses_its_number(name: str) -> None:
    lemma = lemmas.get(name)
    assert lemma.witness is not None
    values = lemma.derive(lemma.witness) if lemma.derive else lemma.witness
    balls = {
        symbol: ball(exact(values[symbol.name]))
        for symbol in lemma.bound.free_symbols
        if not symbol.is_integer
    }
    whole = {s: exact(values[s.name]) for s in lemma.bound.free_symbols if s.is_integer}
    found = enclose(lemma.bound.subs(whole), balls)
    number = lemma.bound_at(lemma.witness)
    assert found.overlaps(flint.arb(str(number)) + flint.arb(0, 1e-14))
    assert 0 <= float(found.rad()) < 1e-9


def test_another_lemma_passes_on_its_weakest_status() -> None:
    assert by_lemma("gradient_descent").run().status == PROVED_SYMPY
    inherited = by_lemma("perturbation").run()
    assert inherited.status == CITED
    assert "perturbation: " in inherited.detail
    unknown = by_lemma("gradient_ascent").run()
    assert unknown.status == FAILED
    assert unknown.error


def test_a_lemma_cannot_rest_on_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    circular = replace(LEMMA, steps=[Step("Itself.", "x", by_lemma("neumann"))])
    monkeypatch.setattr(lemmas, "get", lambda _: circular)
    report = circular.check()
    assert not report.ok
    assert "circular" in str(report.first_failure)


def test_unknown_lemma_is_refused_with_the_choices() -> None:
    with pytest.raises(ArgumentError, match="gradient_descent"):
        prove("gradient_ascent")


def test_sections_of_a_docstring() -> None:
    assert (
        section("T.\n\nKind\n----\ntight: yes.\n\nSource\n------\nhere\n", "Kind") == "tight: yes."
    )
    assert section("T.\n", "Kind") == ""
