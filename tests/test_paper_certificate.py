"""The certificate of the paper's model: it agrees with the plan, and does not trust it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_links import model_outputs, time_at

from constructions import build
from proofs_check import CertificateError, audit, certify, lemmas
from unroll import Exponential, GaussianProcess, Plan
from unroll.paper import plan_paper

SPATIAL = np.array([[1.0, 0.3], [0.3, 0.5]])
MEAN = np.random.default_rng(0).standard_normal((6, 2))
GP = GaussianProcess(Exponential(1.0), 6, SPATIAL, MEAN)
PLAN = plan_paper(GP, tol=0.1, t_min=0.4, t_max=5.0)
assert PLAN.products is not None


@settings(max_examples=20)
@given(ours.paper_plans(), st.floats(0, 1))
def test_plans_are_certified_at_what_they_budget(plan: Plan, where: float) -> None:
    certificate, budget = certify(plan), plan.budget
    assert certificate.bound <= plan.tol
    for cause in ("rate", "truncation", "conditioning", "rounding", "tail"):
        planned = getattr(budget, cause)
        assert certificate.terms[cause] == pytest.approx(planned, rel=1e-5, abs=1e-12)
    assert {"relu_product", "iterate_range", "projected_tail"} <= {*certificate.lemmas}
    assert all(name in lemmas.names() for name in certificate.lemmas)
    sampled = oracle.SampledError(plan.gp, time_at(plan, where), 64)
    assert sampled(model_outputs(plan, sampled.inputs, sampled.t)) <= certificate.bound


@settings(max_examples=8)
@given(ours.paper_plans(dtype="float32"))
def test_float32_plans_are_certified(plan: Plan) -> None:
    assert certify(plan).bound <= plan.tol


def changed(**entries: float) -> Plan:
    assert PLAN.products is not None
    return replace(PLAN, products=replace(PLAN.products, **entries))


@pytest.mark.parametrize(
    "name",
    ["eta", "alpha", "alpha_sq", "sigma_sq", "mixed", "iterate", "gradient", "mean", "radius"],
)
def test_a_range_that_is_too_small_is_named(name: str) -> None:
    narrow = 0.999 * getattr(PLAN.products, name)
    with pytest.raises(CertificateError, match=f"products.{name}=.*not shown to be enough"):
        certify(changed(**{name: narrow}))


def test_wider_ranges_cost_accuracy() -> None:
    assert PLAN.products is not None
    vectors = {name: getattr(PLAN.products, name) for name in ("iterate", "mixed", "gradient")}
    wide = certify(changed(**{name: 1.05 * size for name, size in vectors.items()}))
    assert wide.terms["conditioning"] > 1.01 * certify(PLAN).terms["conditioning"]
    with pytest.raises(CertificateError, match=r"exceeds tol=0\.1, most of it conditioning"):
        certify(changed(**{name: 100 * size for name, size in vectors.items()}))


def test_fewer_levels_than_needed() -> None:
    assert PLAN.products is not None
    with pytest.raises(CertificateError):
        certify(changed(levels=PLAN.products.levels - 3))


def test_another_good_event() -> None:
    """A larger one needs wider ranges; a smaller one leaves more to the tail."""
    assert PLAN.products is not None
    quantile = PLAN.products.quantile
    with pytest.raises(CertificateError, match=r"products\.\w+=.*not shown"):
        certify(changed(quantile=1.01 * quantile))
    with pytest.raises(CertificateError, match="most of it tail"):
        certify(changed(quantile=0.5 * quantile))


def test_the_audit_says_that_it_does_not_understand(tmp_path: Path) -> None:
    build(PLAN).save(tmp_path / "model")
    with pytest.raises(CertificateError, match="products: the audit does not understand"):
        audit(tmp_path / "model")
