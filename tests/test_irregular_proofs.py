"""Irregular frame times: the certificate and the audit, against dense eigenvalues and damage."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import mpmath
import numpy as np
import plan_oracles as oracle
import pytest
from safetensors.numpy import load_file, save_file
from test_irregular import KERNELS, MEAN, SPATIAL, TIMES, exact_error, process

from constructions import build
from proofs_check import CertificateError, audit, certify
from proofs_check.balls import precision
from proofs_check.certify_first_order import rests_on
from proofs_check.irregular import MOST_FRAMES, carried_table, enclose_irregular
from unroll import Exponential, GaussianProcess, Kernel, Logarithmic, Plan, make_plan
from unroll.attention.irregular import IrregularAlibi
from unroll.spectrum import Spectrum

OPTIONS = {"tol": 1e-4, "t_min": 0.05}
CASES = [
    (kernel, attention)
    for kernel in KERNELS
    for attention in ("softmax", "alibi")
    if (kernel, attention) != (KERNELS[1], "alibi")  # no mixture of exponentials
]


def eigenvalues(gp: GaussianProcess) -> list[mpmath.mpf]:
    """Of ``Gamma kron Sigma``, with 40 digits."""
    assert gp.frame_times is not None
    with mpmath.workdps(40):
        times = [mpmath.mpf(float(t)) for t in gp.frame_times]
        gamma = mpmath.matrix(len(times), len(times))
        for i, a in enumerate(times):
            for j, b in enumerate(times):
                gamma[i, j] = oracle.autocov(gp.kernel, abs(a - b))
        spatial = mpmath.matrix(gp.spatial_cov.tolist())
        pairs = [mpmath.eigsy(m, eigvals_only=True) for m in (gamma, spatial)]
        return sorted(x * y for x in pairs[0] for y in pairs[1])


@pytest.mark.parametrize(
    ("kernel", "attention", "method"),
    [*((*case, "chebyshev") for case in CASES), (*CASES[0], "gradient")],
    ids=str,
)
def test_certificate_and_audit_are_above_the_error(
    kernel: Kernel, attention: str, method: str, tmp_path: Path
) -> None:
    plan = make_plan(process(kernel), method=method, attention=attention, **OPTIONS)
    build(plan).save(tmp_path / "model")
    for found in (certify(plan), audit(tmp_path / "model")):
        assert max(exact_error(plan, t) for t in (0.05, 0.4, 5.0)) <= found.bound <= plan.tol
        assert found.bound <= plan.budget.total * 1.001
        assert "floating_cholesky" in found.lemmas


@pytest.mark.parametrize(("kernel", "attention"), CASES, ids=str)
def test_the_enclosure_holds_every_eigenvalue_and_little_else(
    kernel: Kernel, attention: str
) -> None:
    plan = make_plan(process(kernel), attention=attention, **OPTIONS)
    values = eigenvalues(plan.gp)
    found = enclose_irregular(plan.gp, plan.lowering)
    error = float(found.band_error.upper())
    assert float(found.lower.upper()) <= values[0] <= values[-1] <= float(found.upper.lower())
    slack = 1e-11 * float(values[-1]) + 2 * error
    assert float(values[0]) - float(found.lower.lower()) <= slack
    assert float(found.upper.upper()) - float(values[-1]) <= slack
    assert plan.spectrum.lower <= float(found.lower.lower())
    if attention == "softmax":
        assert error == 0.0


def test_what_exponentials_leave_is_at_least_the_norm() -> None:
    plan = make_plan(process(Logarithmic(4.0, 1.0)), attention="alibi", **OPTIONS)
    with precision(128):
        table = carried_table(plan.gp, plan.lowering)
    carried = np.array([[float(entry) for entry in row] for row in table])
    norm = np.linalg.norm(carried - plan.gp.temporal_cov, 2) * np.linalg.norm(SPATIAL, 2)
    error = float(enclose_irregular(plan.gp, plan.lowering).band_error)
    assert norm <= error <= 3 * norm
    np.testing.assert_allclose(carried, plan.lowering.operator(plan.gp.kernel, 10), rtol=1e-12)


def test_closely_spaced_and_many_frames() -> None:
    """Frames so close that ``Gamma`` is singular to rounding; and a few hundred of them."""
    close = GaussianProcess(Exponential(5.0, 1.9), 30, SPATIAL, frame_times=np.linspace(0, 1, 30))
    spread = np.cumsum(np.random.default_rng(0).exponential(size=200))
    many = GaussianProcess(Exponential(4.0), 200, [[1.0]], frame_times=spread)
    for gp in (close, many):
        plan = make_plan(gp, tol=1e-4)
        assert plan.budget.total <= certify(plan).bound * (1 + 1e-12) <= plan.tol * (1 + 1e-12)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(process(KERNELS[2]), **OPTIONS)


@pytest.fixture(scope="module")
def saved(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    build(plan).save(folder)
    return folder


def test_claims_that_are_wrong_are_refused(plan: Plan) -> None:
    narrow = Spectrum(plan.spectrum.lower * 1.01, plan.spectrum.upper)
    low = Spectrum(plan.spectrum.lower, plan.spectrum.upper * 0.99)
    for spectrum in (narrow, low):
        with pytest.raises(CertificateError, match="not shown to contain"):
            certify(replace(plan, spectrum=spectrum))
    with pytest.raises(CertificateError, match="exceeds tol"):
        certify(replace(plan, depth=plan.depth - 3))
    other = make_plan(
        GaussianProcess(KERNELS[2], 10, SPATIAL, MEAN, frame_times=np.append(TIMES[:-1], 22.0)),
        **OPTIONS,
    )
    with pytest.raises(CertificateError, match="other frame times"):
        enclose_irregular(plan.gp, other.lowering)
    regular = make_plan(GaussianProcess(KERNELS[2], 10, SPATIAL), **OPTIONS)
    with pytest.raises(CertificateError, match="not for irregular"):
        enclose_irregular(plan.gp, regular.lowering)


def test_an_exponential_sum_that_is_off_is_charged(plan: Plan) -> None:
    made = make_plan(process(KERNELS[2]), attention="alibi", **OPTIONS)
    assert isinstance(made.lowering, IrregularAlibi)
    wrong = replace(
        made.lowering,
        amplitudes=(made.lowering.amplitudes[0] + 1e-3, *made.lowering.amplitudes[1:]),
    )
    with pytest.raises(CertificateError):
        certify(replace(made, lowering=wrong))


def test_more_frames_than_can_be_certified() -> None:
    times = np.arange(MOST_FRAMES + 1) * 1.5
    many = GaussianProcess(Exponential(0.5), len(times), [[1.0]], frame_times=times)
    with pytest.raises(CertificateError, match=f"frames={len(times)}.*up to {MOST_FRAMES}"):
        certify(make_plan(many, tol=1e-2))


@pytest.mark.parametrize(
    ("tensor", "place"),
    [
        ("blocks.3.attention.pair_bias", (0, 2, 5)),
        ("blocks.0.attention.pair_bias", (0, 9, 0)),
        ("blocks.5.attention.value", None),
        ("blocks.5.attention.output", None),
        ("blocks.2.attention.sink_key", None),
        ("blocks.2.modulation.attention_gate", None),
        ("position", None),
        ("position_end", None),
        ("embed", None),
        ("readout", None),
        ("time.spectrum", None),
    ],
)
def test_damaged_weights_are_refused(
    tensor: str, place: tuple[int, ...] | None, saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    array = tensors[tensor]
    where = place or tuple(np.argwhere(array)[0])
    array[where] += 0.05 * max(1.0, abs(array[where]))
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CertificateError):
        audit(folder)


def test_a_table_of_another_shape_is_refused(saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    name = "blocks.1.attention.pair_bias"
    tensors[name] = tensors[name][:, :, :-1].copy()
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CertificateError, match=f"{name}: has shape"):
        audit(folder)


def test_lemmas_are_named(plan: Plan) -> None:
    assert "floating_cholesky" in rests_on(plan)
    regular = make_plan(GaussianProcess(KERNELS[2], 10, SPATIAL), **OPTIONS)
    assert "floating_cholesky" not in rests_on(regular)
