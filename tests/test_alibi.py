"""ALiBi heads: sums of exponentials, from the fit to the certificate of the saved weights."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import toeplitz

from constructions import build, verify
from proofs_check import CertificateError, audit, certify
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Polynomial, make_plan
from unroll.attention import Alibi
from unroll.attention.exponential_sum import fit_exponentials

SLOW = [Exponential(4.0, 0.5), Polynomial(4.0, 2.0), Polynomial(4.0, 0.5), Logarithmic(4.0, 1.0)]
COV = np.array([[1.0, 0.4], [0.4, 1.5]])


@given(
    slowest=st.floats(0.02, 0.1),
    ratios=st.lists(st.floats(3.0, 6.0), max_size=2),
    weight=st.floats(0.1, 0.9),
)
def test_fit_finds_sums_of_exponentials(slowest, ratios, weight):
    """Rates that lie apart are found."""
    lags, rates = np.arange(80), slowest * np.cumprod([1.0, *ratios])
    amplitudes = weight ** np.arange(len(rates))
    target = np.exp(-np.outer(lags, rates)) @ amplitudes
    found, sizes = fit_exponentials(target, len(rates))
    left = np.abs(np.exp(-np.outer(lags, found)) @ sizes - target).max()
    assert left <= 1e-6 * amplitudes.sum()
    assert (found > 0).all()


def test_a_search_that_strays_stays_finite():
    """Four exponentials over 4096 lags: the search passes rates whose exponential overflows."""
    lags = np.arange(4096)
    gamma = Polynomial(8.0, 2.0).autocov(lags)
    rates, amplitudes = fit_exponentials(gamma, 4)
    assert np.isfinite(rates).all()
    assert np.abs(np.exp(-np.outer(lags, rates)) @ amplitudes - gamma).max() <= 3e-3


@pytest.mark.parametrize("kernel", SLOW, ids=str)
def test_error_falls_geometrically_with_heads(kernel):
    errors = [Alibi.design(kernel, 48, terms).operator_error(kernel, 48) for terms in (2, 4, 6, 8)]
    assert all(later < 0.2 * earlier for earlier, later in pairwise(errors))


@pytest.mark.parametrize("kernel", SLOW, ids=str)
def test_operator_error_bounds_the_norm_at_50_digits(kernel):
    frames = 24
    lowering = Alibi.design(kernel, frames, 4)
    with mpmath.workdps(50):
        column = [
            sum(
                mpmath.mpf(w) * mpmath.exp(-mpmath.mpf(a) * lag)
                for w, a in zip(lowering.amplitudes, lowering.slopes, strict=True)
            )
            - mpmath.mpf(float(kernel.autocov(lag)))
            for lag in range(frames)
        ]
    norm = np.linalg.norm(toeplitz([float(c) for c in column]), 2)
    assert norm <= lowering.operator_error(kernel, frames) <= 5 * norm


def test_exponential_kernel_is_one_head_with_the_slope_one_over_length():
    plan = make_plan(GaussianProcess(Exponential(8.0), 32, COV), attention="alibi")
    assert plan.heads == 1
    assert plan.lowering.slopes == (1 / 8.0,)


@pytest.mark.parametrize("kernel", [Exponential(4.0), *SLOW], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_model_keeps_its_promise(kernel, dtype):
    tol = 1e-5 if dtype == "float64" else 1e-2
    model = build(GaussianProcess(kernel, 24, COV), attention="alibi", tol=tol, dtype=dtype)
    result = verify(model)
    assert result.passed
    assert result.worst <= model.plan.budget.total <= tol


@pytest.mark.parametrize("kernel", [Exponential(4.0), *SLOW], ids=str)
def test_heads_are_exponentials(kernel):
    model = build(GaussianProcess(kernel, 16, COV), attention="alibi", tol=1e-3)
    lowering, total = model.plan.lowering, 0
    for head, (slope, w, z) in enumerate(
        zip(lowering.slopes, lowering.amplitudes, lowering.normalizers, strict=True)
    ):
        pattern = model.attention_matrix(0, head)
        assert np.allclose(pattern.sum(axis=1), 1)
        for i in range(16):
            for j in range(16):
                assert math.isclose(pattern[i, j] * z, math.exp(-slope * abs(i - j)), rel_tol=1e-12)
        total = total + w * z * pattern[:, :16]
    assert np.linalg.norm(total - toeplitz(kernel.autocov(np.arange(16))), 2) <= (
        lowering.operator_error(kernel, 16) * (1 + 1e-9)
    )


def test_certificate_and_audit_agree_and_tampering_is_named(tmp_path):
    model = build(GaussianProcess(Logarithmic(4.0, 1.0), 24, COV), attention="alibi", tol=1e-5)
    model.save(tmp_path / "model")
    certified, audited = certify(model.plan), audit(tmp_path / "model")
    assert audited.bound == pytest.approx(certified.bound, rel=1e-3)
    assert 0 < certified.terms["truncation"] < 0.7e-5
    block, head = len(model.blocks) - 3, int(np.argmax(model.plan.lowering.amplitudes))
    with torch.no_grad():
        model.blocks[block].attention.relative_bias[head, 27] *= 1.01
    model.save(tmp_path / "model")
    with pytest.raises(CertificateError, match=rf"block {block}\b.*relative_bias.*head {head}"):
        audit(tmp_path / "model")


def test_kernels_out_of_reach_are_refused():
    gp = GaussianProcess(Exponential(8.0, 2.0), 64, COV)
    with pytest.raises(ArgumentError, match=r"20 exponentials fitted to .*use attention='softmax'"):
        make_plan(gp, attention="alibi", tol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("slopes", (0.0,)), ("normalizers", (-1.0,)), ("amplitudes", (1.0, 2.0)), ("slopes", ("x",))],
)
def test_bad_parameters_are_refused(field, value):
    good = {"slopes": (0.5,), "amplitudes": (1.0,), "normalizers": (4.0,)}
    with pytest.raises(ArgumentError, match=field):
        Alibi(**(good | {field: value}))
