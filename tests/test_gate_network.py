"""A network of t: what it computes, how many units it needs, and how far its gates are off."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import gate_plans as ours
import mpmath
import numpy as np
import pytest
import tolerances as tol
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from unroll import ArgumentError
from unroll.gate_design import (
    GateErrors,
    design_gates,
    no_network,
    resolvent_units,
    scaled_spectrum,
)
from unroll.gate_network import HINGE_GAPS, GateNetwork
from unroll.spectrum import Spectrum

ACTIVATIONS = ("relu", "silu", "gelu", "gelu_tanh")
TYPICAL = GateErrors(Spectrum(0.06, 25.0), 0.01, 5.0)


@st.composite
def broken_lines(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and values."""
    count = draw(st.integers(2, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes = np.sort(rng.uniform(0.0, 5.0, count)) + 0.01 * np.arange(count)
    return nodes, rng.standard_normal((count, 3))


def exactly(network: GateNetwork, t: float, q: int) -> Fraction:
    """A ReLU network in fractions, hinge by hinge."""
    total = Fraction(network.offset[q])
    for knot, changes in zip(network.knots, network.slopes, strict=True):
        total += Fraction(changes[q]) * max(Fraction(t) - Fraction(knot), Fraction(0))
    return total


@given(broken_lines(), st.floats(0, 1))
def test_it_interpolates(line: tuple[np.ndarray, np.ndarray], where: float) -> None:
    nodes, values = line
    network = GateNetwork.through(nodes, values)
    steepest = np.abs(np.diff(values, axis=0) / np.diff(nodes)[:, None]).max()
    t = nodes[0] + where * (nodes[-1] - nodes[0])
    for q in range(3):
        wanted = np.interp(t, nodes, values[:, q])
        slack = tol.FORMULA * len(nodes) * (1 + steepest * 5)
        assert abs(network.evaluate(t)[q] - wanted) <= slack


@given(broken_lines(), st.floats(0, 1))
def test_rounding_stays_below_its_bound(line: tuple[np.ndarray, np.ndarray], where: float) -> None:
    network = GateNetwork.through(*line)
    t = float(line[0][0] + where * (line[0][-1] - line[0][0]))
    for q, (found, bound) in enumerate(
        zip(network.evaluate(t), network.imprecision(t), strict=True)
    ):
        assert abs(Fraction(float(found)) - exactly(network, t, q)) <= Fraction(float(bound))
    assert network.imprecision(t).max() <= 1e-11 * (1 + np.abs(network.slopes).sum())


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
@given(line=broken_lines(), where=st.floats(0, 1), power=st.integers(0, 40))
def test_smooth_hinges_are_as_close_as_they_are_sharp(
    activation: str, line: tuple[np.ndarray, np.ndarray], where: float, power: int
) -> None:
    network = GateNetwork.through(*line, activation, 2.0**power)
    t = float(line[0][0] + where * (line[0][-1] - line[0][0]))
    for q, (found, bound) in enumerate(
        zip(network.evaluate(t), network.imprecision(t), strict=True)
    ):
        assert abs(Fraction(float(found)) - exactly(network, t, q)) <= Fraction(float(bound))


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
def test_the_gap_of_a_hinge_is_attained_to_a_percent(activation: str) -> None:
    forms: dict[str, Callable[[Any], Any]] = {
        "silu": lambda x: x / (1 + mpmath.exp(-x)),
        "gelu": lambda x: x * mpmath.ncdf(x),
        "gelu_tanh": lambda x: (
            x * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (x + 0.044715 * x**3))) / 2
        ),
    }
    widest = max(abs(forms[activation](mpmath.mpf(-i) / 200)) for i in range(2000))
    assert 0.99 * HINGE_GAPS[activation] <= widest <= HINGE_GAPS[activation]


# --- the design


@settings(max_examples=40)
@given(
    ours.gate_errors(),
    st.floats(-7, -1).map(lambda x: 10.0**x),
    st.sampled_from(ACTIVATIONS),
    st.floats(0, 1),
)
def test_gates_are_off_by_at_most_the_bound_at_every_t(
    errors: GateErrors, allowance: float, activation: str, where: float
) -> None:
    try:
        network, x = design_gates(errors, allowance, activation, most_units=3000)
    except ArgumentError:
        reject()
    drawn = errors.t_min + where * (errors.t_max - errors.t_min)
    t = np.append(ours.times(errors), min(drawn, errors.t_max))
    assert ours.measured(errors, network, t) <= x <= allowance
    # and the operator that they scale stays where the step sizes expect it
    scaled = scaled_spectrum(network, errors.spectrum, errors.t_max)
    _, _, p, r = np.moveaxis(network.evaluate(t), -1, 0)
    assert np.min(p * errors.spectrum.lower + r) >= scaled.lower > 0
    assert np.max(p * errors.spectrum.upper + r) <= scaled.upper
    at_start = errors.spectrum.condition_number(errors.t_min)
    # smooth hinges widen it, by what they may cost
    assert scaled.upper / scaled.lower <= at_start * (1 + 4 * allowance) * (1 + 1e-12)


@pytest.mark.parametrize("mean_size", [0.0, 1.0])
@pytest.mark.parametrize(("allowance", "tightness"), [(1e-3, 0.6), (1e-5, 0.8), (1e-6, 0.8)])
def test_the_bound_is_tight(allowance: float, tightness: float, mean_size: float) -> None:
    errors = GateErrors(TYPICAL.spectrum, 0.01, 5.0, mean_size)
    network, x = design_gates(errors, allowance)
    found = ours.measured(errors, network, ours.times(errors, min(40 * network.units, 10_000)))
    assert tightness * x <= found <= x


def test_units_grow_like_the_cube_root() -> None:
    """A thousand times the accuracy takes ten times the units, and 32 times with a mean."""
    for mean_size, power in ((0.0, 1 / 3), (1.0, 1 / 2)):
        errors = GateErrors(TYPICAL.spectrum, 0.01, 5.0, mean_size)
        few, many = (design_gates(errors, eps)[0].units for eps in (1e-5, 1e-8))
        assert math.log(many / few) / math.log(1e3) == pytest.approx(power, abs=0.03)


def test_the_scale_is_what_makes_it_third_order() -> None:
    """With the same knots but no scale of its own, the gates are far worse."""
    network, x = design_gates(TYPICAL, 1e-6)
    nodes = np.array([*network.knots, TYPICAL.t_max])
    a = np.exp(-nodes)
    plain = GateNetwork.through(
        nodes, np.stack([1 + 0 * a, np.exp(-nodes / 2), a, -np.expm1(-nodes)], axis=-1)
    )
    assert ours.measured(TYPICAL, plain, ours.times(TYPICAL, 4000)) > 50 * x


def test_a_common_factor_is_no_error() -> None:
    network, x = design_gates(TYPICAL, 1e-4)
    doubled = GateNetwork(
        network.knots,
        tuple(tuple(2 * s for s in row) for row in network.slopes),
        tuple(2 * y for y in network.offset),
    )
    assert TYPICAL.bound(doubled) == pytest.approx(x, rel=1e-9)


@pytest.mark.parametrize(
    ("errors", "allowance", "words"),
    [
        (TYPICAL, 1e-15, "hidden units"),
        (GateErrors(TYPICAL.spectrum, 0.01, 5.0, 100.0), 1e-8, "more than 65536"),
        (GateErrors(Spectrum(1.0, 1.0), 0.01, 5.0), 1e-17, "float64 rounds, and leaves"),
    ],
)
def test_too_many_units_are_refused(errors: GateErrors, allowance: float, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        design_gates(errors, allowance)
    assert caught.value.argument == "conditioning"
    assert "conditioning='exact'" in caught.value.remedy


@pytest.mark.parametrize("allowance", [1e-3, 1e-5])
def test_gates_of_direct_methods_would_need_that_many_units(allowance: float) -> None:
    """At knots of that density the gates are off by about as much."""
    lower, upper, t_min, t_max = 0.06, 25.0, 0.01, 5.0
    units = resolvent_units(Spectrum(lower, upper), t_min, t_max, allowance)
    eigenvalues = np.geomspace(lower, upper, 25)

    def gate(t: np.ndarray, eigenvalue: float) -> np.ndarray:
        return 1 / (np.exp(-t) * eigenvalue - np.expm1(-t))

    def worst(count: int) -> float:
        # the density of the leading order, from second differences
        t = np.geomspace(t_min, t_max, 40_001)
        bend = np.zeros_like(t)
        for end in eigenvalues:
            h = 1e-3 * t
            second = (gate(t - h, end) - 2 * gate(t, end) + gate(t + h, end)) / h**2
            bend = np.maximum(bend, np.abs(second / gate(t, end)))
        steps = np.diff(t) * np.sqrt(bend[1:])
        placed = np.concatenate([[0.0], np.cumsum(steps)])
        nodes = np.interp(np.linspace(0, placed[-1], count + 1), placed, t)
        return max(
            float(np.max(np.abs(np.interp(t, nodes, gate(nodes, end)) / gate(t, end) - 1)))
            for end in eigenvalues
        )

    assert worst(units) == pytest.approx(allowance, rel=0.25)
    assert worst(units // 2) > 3 * allowance
    refusal = no_network("spectral", 256, Spectrum(lower, upper), t_min, t_max, allowance)
    assert str(units) in str(refusal)
    assert str(256 * units) in str(refusal)


# --- as a document


@given(broken_lines(), st.sampled_from(ACTIVATIONS))
def test_documents_come_back(line: tuple[np.ndarray, np.ndarray], activation: str) -> None:
    network = GateNetwork.through(*line, activation, 8.0)
    assert GateNetwork.from_dict(network.to_dict()) == network


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"knots": [1.0, 0.5]}, "conditioning.knots"),
        ({"knots": [0.0, math.nan]}, "conditioning.knots"),
        ({"knots": []}, "conditioning.knots"),
        ({"slopes": [[1.0]]}, "conditioning.slopes"),
        ({"slopes": [[1.0], [math.inf]]}, "conditioning.slopes"),
        ({"offset": [0.0, 1.0]}, "conditioning.slopes"),
        ({"activation": "tanh"}, "conditioning.activation"),
        ({"sharpness": 3.0}, "conditioning.sharpness"),
        ({"sharpness": -2.0}, "conditioning.sharpness"),
        ({"slopes": 7}, "conditioning"),
        ({"colour": "red"}, "conditioning"),
    ],
)
def test_foreign_documents_are_refused(changes: dict[str, Any], argument: str) -> None:
    sound = {"knots": [0.0, 1.0], "slopes": [[1.0], [-2.0]], "offset": [0.0]}
    assert GateNetwork.from_dict(sound).units == 2
    with pytest.raises(ArgumentError) as caught:
        GateNetwork.from_dict(sound | changes)
    assert caught.value.argument == argument
