"""Theorems: composed of lemmas only, sound, falsifiable, in step with planner and certificate."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
import strategies as our
import sympy
import tolerances
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from proofs_check import certify, lemmas, theorems
from proofs_check.discharge import positive
from proofs_check.evaluate import evaluate
from proofs_check.lemma import SECTIONS, section
from proofs_check.outcome import FAILED, PROVED_SYMPY
from proofs_check.prove import selected
from proofs_check.step import Range, Step
from proofs_check.theorems import Design, _mixture_logarithmic, _mixture_polynomial
from proofs_check.theorems.apply import design_for
from proofs_check.theorems.formulas import elementary_kappa, formulas, scaling_rows
from proofs_check.theorems.numbers import number
from proofs_check.theorems.quantities import DEPTH, DEPTH_SIMPLE, KAPPA, SYMBOL, T_0
from proofs_check.theorems.theorem import uses
from unroll import (
    ArgumentError,
    CircleExponential,
    Exponential,
    GaussianProcess,
    Kernel,
    Logarithmic,
    Plan,
    Polynomial,
    make_plan,
)

by_name = pytest.mark.parametrize("name", theorems.NAMES)
draws = settings(max_examples=20, deadline=None, derandomize=True)

#: kappa of a theorem against the planner's: at most 3 from the row sum and the integral (the
#: largest eigenvalue is at least one plus the lags up to N/2, lemma growth_floor), and 2 from f(pi)
#: (lemma symbol_elementary), where gamma is completely monotone and there are two frames or more.
KAPPA_FACTOR = 6.0


# --- the proofs -------------------------------------------------------------------------------


@by_name
def test_composed_of_lemmas_and_nothing_else(name: str) -> None:
    report = theorems.get(name).check()
    assert report.ok, report.first_failure
    assert report.role == "theorem"
    own = [step for step in report.steps if not step.how.startswith("lemma ")]
    assert own
    assert {step.status for step in own} == {PROVED_SYMPY}, "a theorem cites and samples nothing"
    assert not report.citations


@by_name
def test_rests_on_exactly_what_its_steps_name(name: str) -> None:
    theorem = theorems.get(name)
    direct = {used for step in theorem.steps for used in uses(step)}
    indirect = {used for at in theorem.rests_on for s in lemmas.get(at).steps for used in uses(s)}
    assert set(theorem.rests_on) == direct | indirect
    assert direct <= set(lemmas.names())
    assert selected(name) == (theorem, *(lemmas.get(used) for used in theorem.rests_on))
    tails = {"exponential": "tail_geometric", "polynomial": "tail_polynomial_slow"}
    assert tails.get(name, "band_norm_floor") in direct


@by_name
def test_docstring_follows_the_skeleton(name: str) -> None:
    theorem = theorems.get(name)
    assert not [title for title in SECTIONS if not section(theorem.doc, title)]
    assert section(theorem.doc, "Kind").split(":")[0].strip() == theorem.kind == "upper"


@by_name
def test_a_false_lemma_brings_the_theorem_down(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = sympy.Symbol("x", positive=True)
    truth = lemmas.get
    broken = replace(truth("gradient_descent"), steps=[Step("False.", "-x>0", positive(-x))])
    monkeypatch.setattr(lemmas, "get", lambda n: broken if n == broken.name else truth(n))
    report = theorems.get(name).check()
    assert not report.ok
    assert [step.how for step in report.steps if step.status == FAILED] == [
        "lemma gradient_descent"
    ]


@by_name
def test_wrong_variants_are_rejected(name: str) -> None:
    theorem = theorems.get(name)
    rejections = [theorem.reject(variant) for variant in theorem.wrong_variants]
    assert not [f"{r.variant}: {r.detail}" for r in rejections if not r.rejected]
    said = " ".join(r.variant for r in rejections)
    for claim in ("block of gradient", "block of the Chebyshev", "lag too few", "dropped"):
        assert claim in said


@by_name
@draws
@given(data=st.data())
def test_sound_where_drawn(name: str, data: st.DataObject) -> None:
    theorem = theorems.get(name)

    def one(span: Range) -> st.SearchStrategy[Any]:
        if span.integer:
            return st.integers(int(span.low), int(span.high))
        return st.floats(span.low, span.high, allow_subnormal=False)

    drawn = {key: data.draw(one(span), key) for key, span in theorem.parameters.items()}
    value, bound = theorem.sample(drawn)
    assert 0 <= value <= bound * (1 + tolerances.LEMMA)
    assert bound <= 0.75 * 10 ** -drawn["digits"] * (1 + tolerances.LEMMA)


# --- the numbers ------------------------------------------------------------------------------


def problem(kernel: Kernel, frames: int = 64, tol: float = 1e-3, t_min: float = 0.05) -> Design:
    gp = GaussianProcess(kernel, frames, np.diag([0.5, 2.0]))
    return design_for(gp, tolerance=tol, t_min=t_min)


@pytest.mark.parametrize(
    "kernel",
    [
        Exponential(4.0),
        Exponential(4.0, 0.6),
        Exponential(4.0, 1.7),
        Polynomial(4.0, 3.0),
        Polynomial(4.0, 1.0),
        Polynomial(4.0, 0.5),
        Logarithmic(4.0, 1.0),
    ],
    ids=str,
)
def test_the_band_drops_no_more_than_it_may(kernel: Kernel) -> None:
    for frames, tol in ((2, 0.3), (30, 0.1), (200, 1e-2), (1000, 1e-4)):
        design = problem(kernel, frames, tol)
        gamma = kernel.autocov(np.arange(frames))
        allowed = tol * (float(design.values["f_pi"]) * 0.5 + math.expm1(0.05))
        allowed /= 2 * 2.0 * (4 + 5 * tol)
        assert 0 <= design.bandwidth < frames
        assert math.fsum(gamma[design.bandwidth + 1 :]) <= allowed


def weights_polynomial(p: float, u: np.ndarray) -> np.ndarray:
    return np.exp(p * u - np.exp(u)) / math.gamma(p)


def weights_logarithmic(q: float, u: np.ndarray) -> np.ndarray:
    """The average of polynomial weights over a Gamma distribution of the power, by a fine sum."""
    log_y = np.linspace(-40, 6, 4000)
    powers = np.exp(log_y)
    rates = [float(mpmath.loggamma(y)) if y < 1e-3 else math.lgamma(y) for y in powers]
    exponent = q * log_y - powers - np.array(rates) + np.outer(u, powers) - np.exp(u)[:, None]
    return np.exp(exponent).sum(axis=1) * (log_y[1] - log_y[0]) / math.gamma(q)


@pytest.mark.parametrize(("regime", "power"), [("p", 0.5), ("p", 2.0), ("q", 1.0), ("q", 2.5)])
def test_so_many_exponentials_reach_their_error_at_every_lag(regime: str, power: float) -> None:
    kernel = Polynomial(4.0, power) if regime == "p" else Logarithmic(4.0, power)
    choice = _mixture_polynomial if regime == "p" else _mixture_logarithmic
    design = problem(kernel, frames=300, tol=1e-2)
    values = dict(design.values)
    values["eta"] = number(choice.SPACING, values)
    eta = float(values["eta"])
    small = max(1, math.ceil(number(choice.SMALLEST, values)))
    large = max(1, math.ceil(math.log(number(choice.CORNER, values)) / eta))
    u = eta * np.arange(1 - small, large)
    weights = eta * (weights_polynomial if regime == "p" else weights_logarithmic)(power, u)
    constant = 0.0 if regime == "p" else 1 - weights.sum()
    assert design.exponentials == len(u) + (regime == "q")
    lags = np.arange(300)
    carried = np.exp(-np.outer(lags, np.exp(u)) / 4.0) @ weights + constant
    error = np.abs(kernel.autocov(lags) - carried).max()
    assert error <= float(values["tau"])
    # and the spacing is not idle: three times as wide is too coarse
    coarse = weights_polynomial if regime == "p" else weights_logarithmic
    wide = 3 * eta * np.arange(-small, large)
    total = 3 * eta * coarse(power, wide)
    constant = 0.0 if regime == "p" else 1 - total.sum()
    carried = np.exp(-np.outer(lags, np.exp(wide)) / 4.0) @ total + constant
    assert np.abs(kernel.autocov(lags) - carried).max() > float(values["tau"])


@pytest.mark.parametrize("kernel", [Logarithmic(4.0, 1.0), Polynomial(4.0, 0.5)], ids=str)
def test_slow_kernels_cannot_be_truncated(kernel: Kernel) -> None:
    theorem = theorems.get(kernel.regime)
    assert "truncation_floor" in theorem.rests_on
    values = {**problem(kernel, 2, tol=0.2, t_min=1.0).values}
    shares = []
    for frames in (100, 700, 5000):
        design = theorem.design({**values, "N": frames})
        allowed = float(design.values["delta_T"])
        gamma = kernel.autocov(np.arange(frames))
        tails = np.cumsum(gamma[::-1])[::-1]  # tails[k] sums the lags from k on
        narrowest = next(j for j in range(frames) if j == frames - 1 or tails[j + 1] <= allowed)
        assert narrowest >= frames - 1 - allowed / gamma[-1] - 1e-9
        shares.append(narrowest / frames)
    assert shares == sorted(shares)
    assert shares[-1] > 0.99


def test_a_truncated_logarithmic_kernel_is_indefinite() -> None:
    """Not only the bound fails: all but eight lags kept, and A_t has a negative eigenvalue."""
    column = Logarithmic(8.0, 1.0).autocov(np.arange(256))
    column[-8:] = 0
    banded = np.array([[column[abs(i - j)] for j in range(256)] for i in range(256)])
    assert np.linalg.eigvalsh(banded)[0] < -math.expm1(0.01)


def test_extreme_parameters() -> None:
    for kernel in (Exponential(1e-3), Exponential(2.0, 2.0), Polynomial(8.0, 1 + 1e-9)):
        for frames in (1, 2):
            for tol in (0.9, 1e-9):
                design = problem(kernel, frames, tol, t_min=1e-3)
                assert 0 <= design.bandwidth < frames
                assert min(design.depth.values()) >= 1
    late = problem(Logarithmic(8.0, 1.0), t_min=50.0)
    assert late.depth == {"gradient": 1, "chebyshev": 1}
    assert late.bandwidth == 0


@pytest.mark.parametrize("kappa", [1.01, 1.5, 4.0, 300.0, 1e5])
@pytest.mark.parametrize("tol", [0.5, 1e-3, 1e-9])
def test_depth_is_the_smallest_for_its_share(kappa: float, tol: float) -> None:
    values = {"kappa": kappa, "tol": tol}
    root = math.sqrt(kappa)
    rates = {
        "gradient": lambda k: ((kappa - 1) / (kappa + 1)) ** k,
        "chebyshev": lambda k: 1 / mpmath.cosh(k * mpmath.log((root + 1) / (root - 1))),
    }
    for method, rate in rates.items():
        depth = math.ceil(number(DEPTH[method], values))
        assert rate(depth) <= tol / 2
        assert depth <= 1 or rate(depth - 1) > tol / 2
        assert number(DEPTH_SIMPLE[method], values) >= number(DEPTH[method], values)


@pytest.mark.parametrize("row", scaling_rows(), ids=lambda row: f"{row.regime} {row.condition}")
def test_orders_of_the_table_are_those_of_the_formulas(row: Any) -> None:
    theorem = theorems.get(row.regime)
    case = next(case for case in theorem.cases if case.condition == row.condition)
    shape = {r"\nu=1": 1.0, r"\nu>1": 1.5, r"0<\nu<1": 0.5, "p>1": 2.0, "p=1": 1.0, "p<1": 0.5}
    values: dict[str, Any] = {"ell": 3.0, "nu": shape.get(row.condition, 1.0), "tol": 1e-4}
    values |= {"power": values["nu"], "f_pi": 0.1, "mu_min": 1.0, "mu_max": 1.0, "w": 0.01}
    assert case.holds(values)
    kappa = KAPPA.subs(T_0, case.total_limit)
    ratios = [
        float(number(kappa, {**values, "N": n}) / number(row.orders["kappa"], {**values, "N": n}))
        for n in (10**6, 10**9, 10**12, 10**15)
    ]
    steps = [b / a for a, b in itertools.pairwise(ratios)]
    assert all(0.8 < step < 1.25 for step in steps), ratios
    assert number(row.orders["gradient"], {**values, "N": 100}) == pytest.approx(
        float(number(row.orders["kappa"], {**values, "N": 100})) * math.log(1e4)
    )
    if row.orders["exponentials"] is None:
        assert row.latex("exponentials") == r"\text{–}"
    elif case.exponentials is not None and not case.exponentials.is_Integer:
        values |= {"N": 1000}
        counts = [
            number(case.exponentials, {**values, "tau": 10.0**-k})
            / number(row.orders["exponentials"], {**values, "tau": 10.0**-k})
            for k in (50, 100, 200)
        ]
        assert all(0.8 < b / a < 1.25 for a, b in itertools.pairwise(counts)), counts


def test_paper_row() -> None:
    """The paper's Theorem 1: (ell log(N / (eps sigma)))^(1/nu) lags, its ell being ours^nu."""
    theorem = theorems.get("exponential")
    paper = next(expr for left, words, expr in theorem.parts if "paper" in words)
    for nu, ours in ((0.5, 9.0), (1.0, 4.0), (2.0, 3.0)):
        values = problem(Exponential(ours, nu), frames=2, tol=1e-3).values
        design = theorem.design({**values, "N": 10**5})
        band = number(paper, design.values)
        ell = ours**nu
        assert float(band) == pytest.approx(
            (ell * math.log(10**5 / float(design.values["delta_T"]))) ** (1 / nu)
        )
        assert design.bandwidth <= math.ceil(band)
        # w >= sigma^2 and tol < 1
        sigma_sq = -math.expm1(-0.05)
        assert band <= (ell * math.log(18 * 2.0 * 10**5 / (1e-3 * sigma_sq))) ** (1 / nu)


@pytest.mark.parametrize(
    "kernel", [Exponential(4.0, 0.7), Polynomial(4.0, 2.0), Logarithmic(4.0, 2.0)]
)
def test_closed_form_of_kappa_is_not_smaller(kernel: Kernel) -> None:
    theorem, design = theorems.get(kernel.regime), problem(kernel, 200)
    closed = elementary_kappa(theorem, theorem.case(design.values))
    assert closed is not None
    assert SYMBOL not in closed.free_symbols
    assert number(closed, design.values) >= design.condition_number
    assert {formula.words for formula in formulas(theorem)} >= {"condition number at t_min"}


# --- planner and certificate ------------------------------------------------------------------


@st.composite
def planned(draw: st.DrawFn) -> tuple[Plan, Design]:
    """Plans of kernels that are completely monotone in the lag, and what the theorem says."""
    kernel: Kernel = draw(
        st.one_of(
            st.builds(Exponential, our.length_scales(0.3, 20.0), st.floats(0.3, 1.0)),
            st.builds(Polynomial, our.length_scales(0.3, 20.0), our.log_uniform(0.2, 5.0)),
            st.builds(Logarithmic, our.length_scales(0.3, 20.0), our.log_uniform(0.2, 4.0)),
        )
    )
    channels = draw(st.integers(1, 3))
    gp = GaussianProcess(kernel, draw(st.integers(2, 80)), draw(our.spatial_covs(channels, 30.0)))
    tol, t_min = draw(our.log_uniform(1e-7, 0.1)), draw(our.log_uniform(0.01, 1.0))
    try:
        plan = make_plan(
            gp,
            method=draw(st.sampled_from(["gradient", "chebyshev"])),
            attention=draw(st.sampled_from(["softmax", "relu"])),
            tol=tol,
            t_min=t_min,
        )
    except ArgumentError:  # too deep, or below the floor of float64
        reject()
    if plan.budget.rounding > tol / 4:  # the theorem's condition on the arithmetic
        reject()
    return plan, design_for(gp, tolerance=tol, t_min=t_min)


@settings(draws, max_examples=40)
@given(both=planned())
def test_planner_needs_no_more_than_the_theorem_and_not_much_less(
    both: tuple[Plan, Design],
) -> None:
    plan, design = both
    banded = plan.bandwidth is not None
    depth = (design.depth_banded if banded else design.depth)[plan.method_name]
    planned_kappa = plan.spectrum.condition_number(plan.t_min)
    allowed = 1 + plan.tol / 2 if banded else 1.0
    assert planned_kappa <= design.condition_number * allowed
    assert design.condition_number <= KAPPA_FACTOR * planned_kappa
    assert plan.depth <= depth
    if planned_kappa >= 2:
        # artanh(1/kappa) <= 1.1/kappa from there on
        spread = 1.1 * allowed * design.condition_number / planned_kappa
        if plan.method_name == "chebyshev":
            spread = 1.25 * math.sqrt(allowed * design.condition_number / planned_kappa)
        accuracy = math.log(4 / plan.tol) / math.log(1 / plan.tol)
        assert depth <= spread * accuracy * plan.depth + 1
    if plan.bandwidth is not None:
        assert plan.bandwidth <= design.bandwidth


@settings(draws, max_examples=15)
@given(both=planned())
def test_certificates_are_below_the_theorem(both: tuple[Plan, Design]) -> None:
    plan, design = both
    theorem = theorems.get(plan.gp.kernel.regime)
    method, band = plan.method_name, plan.bandwidth
    certified = certify(plan)
    found = certified.terms["rate"] + certified.terms["truncation"]
    assert found <= theorem.error(design, method, plan.depth, band)
    # and the theorem's own choice, certified
    depth = (design.depth if band is None else design.depth_banded)[method]
    deeper = certify(replace(plan, depth=depth))
    found = deeper.terms["rate"] + deeper.terms["truncation"]
    promised = theorem.error(design, method, depth, design.bandwidth if band is not None else None)
    assert promised <= 0.75 * plan.tol
    assert found <= theorem.error(design, method, depth, band) <= plan.tol


# --- refusals ---------------------------------------------------------------------------------


def test_unknown_regimes_and_kernels_are_refused() -> None:
    with pytest.raises(ArgumentError, match="exponential, polynomial, logarithmic"):
        theorems.get("gaussian")
    with pytest.raises(ArgumentError, match="no theorem is about it"):
        problem(CircleExponential(4.0, period=128))
    with pytest.raises(ArgumentError, match="fit no case"):
        theorems.get("logarithmic").case({"power": -1.0})


def test_numbers_from_formulas() -> None:
    x = sympy.Symbol("x", positive=True)
    expr = sympy.log(1 + x / 3) ** sympy.Rational(1, 3)
    exact = evaluate(expr, {"x": 0.3})
    assert abs(number(expr, {"x": 0.3}) - exact) <= mpmath.mpf(10) ** -37 * exact
    with pytest.raises(ArgumentError, match="lack x"):
        number(expr, {})
    with pytest.raises(ArgumentError, match="is no real number"):
        number(sympy.sqrt(x - 1), {"x": 0.5})
    with pytest.raises(ArgumentError, match="is no real number"):
        number(sympy.log(x), {"x": float("inf")})
