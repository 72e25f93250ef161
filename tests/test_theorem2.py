"""Theorem 2 as a function: its slopes, where it is vacuous, and where its powers come from."""

from __future__ import annotations

import math

import pytest
import strategies as our
from hypothesis import given
from hypothesis import strategies as st

from constructions import build
from unroll import ArgumentError, Exponential, GaussianProcess
from unroll.theorem2 import covering_scale, theorem2_bound

BASE = {
    "samples": 1e6,
    "frames": 64,
    "channels": 4,
    "length_scale": 8.0,
    "exponent": 1.0,
    "condition": 700.0,
    "t_min": 0.01,
}


def by_hand(values: dict) -> float:
    n, size = values["samples"], values["frames"] * values["channels"]
    nu, d = values["exponent"], values["channels"]
    root = values["length_scale"] * values["condition"] ** 2 * values["frames"] * d**3 / n
    logarithm = math.log(n * size / values["t_min"])
    return math.sqrt(root) * logarithm ** ((5 * nu + 1) / (2 * nu))


@given(
    st.fixed_dictionaries(
        {
            "samples": our.log_uniform(10, 1e12),
            "frames": st.integers(1, 1000),
            "channels": st.integers(1, 10),
            "length_scale": our.log_uniform(0.1, 100),
            "exponent": st.floats(0.2, 2.0),
            "condition": our.log_uniform(1, 1e6),
            "t_min": our.log_uniform(1e-4, 1.0),
        }
    )
)
def test_value_and_vacuity(values: dict) -> None:
    found = theorem2_bound(**values)
    assert found.value == pytest.approx(by_hand(values), rel=1e-9)
    assert found.vacuous == (found.value >= 1)
    if found.samples_needed < 1e300:
        assert theorem2_bound(**values | {"samples": 1.01 * found.samples_needed}).value < 1
        if found.samples_needed > 2:
            less = theorem2_bound(**values | {"samples": 0.99 * found.samples_needed})
            assert less.vacuous
    assert "second hand" in str(found)


@pytest.mark.parametrize(
    ("name", "power"),
    [
        ("samples", -0.5),
        ("frames", 0.5),
        ("channels", 1.5),
        ("length_scale", 0.5),
        ("condition", 1),
    ],
)
def test_slopes_of_the_root(name: str, power: float) -> None:
    factor = 4 if name in ("frames", "channels") else 4.0
    ratio = theorem2_bound(**BASE | {name: BASE[name] * factor}).root / theorem2_bound(**BASE).root
    assert math.log(ratio, 4) == pytest.approx(power)


def test_what_the_readers_should_be_told() -> None:
    usual = theorem2_bound(**BASE)
    assert usual.vacuous
    assert "vacuous, even without its logarithm" in str(usual)
    assert usual.samples_needed > 1e18
    easy = theorem2_bound(1e15, 4, 1, 1.0, 2.0, 1.5, 0.5)
    assert not easy.vacuous
    assert "below 1" in str(easy)
    assert theorem2_bound(2.0, 1, 1, 1e-8, 2.0, 1.0, 1.0).samples_needed == 1.0


@given(st.floats(0.2, 2.0), our.log_uniform(2.0, 50.0))
def test_covering_number_gives_the_powers(nu: float, logarithm: float) -> None:
    # D = d, M = l^{1/nu} log^{1/nu}, L = kappa log^2, one log of the covering number itself,
    # times the loss scale N d over n: the theorem's root and power of the logarithm.
    d, frames, n, scale, kappa = 3, 10, 1e4, 5.0, 7.0
    heads, depth = scale * logarithm ** (1 / nu), kappa * logarithm**2
    by_class = math.sqrt(d**2 * heads * depth**2 * logarithm * frames * d / n)
    theorem = theorem2_bound(n, frames, d, scale, nu, kappa, 0.1)
    assert by_class == pytest.approx(theorem.root * logarithm**theorem.log_power)


def test_covering_scale_of_a_model() -> None:
    gp = GaussianProcess(Exponential(2.0), 8, [[1.0]])
    sizes = build(gp, tol=1e-2).summary()
    names = ("token_dimension", "blocks", "heads", "weight_norm", "output_range")
    numbers = {name: getattr(sizes, name) for name in names}
    found = covering_scale(**numbers, frames=8, channels=1, samples=1000)
    d, depth, heads = sizes.token_dimension, sizes.blocks, sizes.heads
    log = math.log(d * depth * heads * sizes.weight_norm * sizes.output_range * 8 * 1000)
    assert found.log_covering == pytest.approx(d**2 * heads * depth**2 * log)
    assert found.value == pytest.approx(math.sqrt(8 * found.log_covering / 1000))
    assert found.vacuous
    later = covering_scale(**numbers, frames=8, channels=1, samples=1e12)
    assert not later.vacuous


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", 0.0),
        ("samples", math.inf),
        ("frames", 0),
        ("channels", 1.5),
        ("length_scale", 0.0),
        ("exponent", 0.0),
        ("exponent", 2.5),
        ("condition", 0.5),
        ("t_min", 0.0),
    ],
)
def test_bad_input_is_named(name: str, value: float) -> None:
    with pytest.raises(ArgumentError) as error:
        theorem2_bound(**BASE | {name: value})
    assert error.value.argument == name
