"""Products by ReLUs, as feed-forward blocks: against multiplication and exact rational teeth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import strategies as ours
import tolerances as tol
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import blocks
from constructions.compile.products import Factor, Product, product_blocks
from constructions.stream import ResidualStream
from unroll import ArgumentError
from unroll.relu_product import ReluProducts, approximate_product, product_error

STREAM = ResidualStream({"x": 1, "y": 2, "target": 2, "plus": 2, "minus": 2})
sizes = ours.log_uniform(1e-3, 1e3)
places = st.one_of(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0**-5]))


def run(product: Product, levels: int, x: float, y: list[float], **clear: list[str]) -> np.ndarray:
    """The residual stream after every block, array (1 + levels, width)."""
    token = np.zeros((1, 1, STREAM.width))
    token[..., STREAM["x"]], token[..., STREAM["y"]] = x, y
    states = []
    for block in product_blocks(STREAM, [product], levels, **clear):
        assert block.attention is None
        assert block.modulation is None
        assert block.feed_forward is not None
        token = token + blocks.feed_forward(token, block.feed_forward, "relu")
        states.append(token[0, 0])
    return np.array(states)


def product_of(big_x: float, big_y: float, sign: float = 1.0) -> Product:
    return Product(Factor("x", big_x), Factor("y", big_y), "target", sign)


@given(sizes, sizes, places, places, places, st.integers(1, 20), st.sampled_from([1.0, -1.0]))
def test_error_is_within_the_bound(
    big_x: float, big_y: float, a: float, b: float, c: float, levels: int, sign: float
) -> None:
    x, y = a * big_x, np.array([b, c]) * big_y
    last = run(product_of(big_x, big_y, sign), levels, x, list(y))[-1]
    scale = big_x * big_y
    allowed = scale * 4.0 ** (-levels - 1) + 64 * tol.EPS * scale
    assert np.all(np.abs(last[STREAM["target"]] - sign * x * y) <= allowed)
    assert np.all(last[STREAM["plus"]] == 0)
    assert np.all(last[STREAM["minus"]] == 0)


@given(sizes, sizes, places, st.integers(1, 20))
def test_a_zero_factor_gives_zero(big_x: float, big_y: float, a: float, levels: int) -> None:
    product = product_of(big_x, big_y)
    for x, y in ((0.0, a * big_y), (a * big_x, 0.0)):
        last = run(product, levels, x, [y, -y])[-1]
        # both squares are one number; only the order of a sum can tell them apart
        assert np.all(np.abs(last[STREAM["target"]]) <= 8 * tol.EPS * big_x * big_y)


@pytest.mark.parametrize("levels", [1, 2, 5, 10, 20])
def test_the_bound_is_attained(levels: int) -> None:
    """At x = y = 2^{-m-1} B the error is B^2 4^{-m-1}, all of it."""
    size = 4.0
    x = 2.0 ** (-levels - 1) * size
    last = run(product_of(size, size), levels, x, [x, x])[-1]
    assert np.all(last[STREAM["target"]] - x * x == size**2 * 4.0 ** (-levels - 1))
    assert product_error(size**2, levels) == size**2 * 4.0 ** (-levels - 1)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 40))
def test_teeth_are_exact_in_floating_point(a: float, b: float, levels: int) -> None:
    """The registers hold the iterates of the tooth of what the first block wrote, to the bit."""
    states = run(product_of(1.0, 1.0), levels, a, [b, -b])
    for name in ("plus", "minus"):
        expected = [Fraction(float(z)) for z in states[0, STREAM[name]]]
        for state in states[1:-1]:
            expected = [
                max(2 * z - 4 * max(z - Fraction(1, 2), 0) + 2 * max(z - 1, 0), Fraction(0))
                for z in expected
            ]
            assert [Fraction(float(z)) for z in state[STREAM[name]]] == expected


@given(st.floats(0, 1), st.floats(1, 50), st.integers(1, 20))
def test_beyond_their_range_products_saturate(a: float, b: float, levels: int) -> None:
    """Between zero and the product; x Y sign(y) from three times the range on."""
    last = run(product_of(1.0, 1.0), levels, a, [b, -b])[-1]
    found = last[STREAM["target"]]
    slack = 4.0 ** (-levels - 1) + 64 * tol.EPS * b
    assert abs(found[0] + found[1]) <= 64 * tol.EPS * b
    assert -slack <= found[0] <= a * b + slack
    if b >= 3:
        assert abs(found[0] - a) <= 64 * tol.EPS * b


@given(sizes, sizes, places, places, st.integers(1, 20))
def test_blocks_and_formula_agree(
    big_x: float, big_y: float, a: float, b: float, levels: int
) -> None:
    x, y = a * big_x, b * big_y
    last = run(product_of(big_x, big_y), levels, x, [y, 0.0])[-1]
    formula = float(approximate_product(np.array(x), np.array(y), (big_x, big_y), levels))
    assert abs(last[STREAM["target"]][0] - formula) <= 64 * tol.EPS * big_x * big_y


def test_a_group_is_cleared_while_it_is_read() -> None:
    states = run(product_of(1.0, 1.0), 8, 0.5, [0.25, -0.75], clear=["y"])
    assert np.all(states[0, STREAM["y"]] == 0)
    assert np.allclose(states[-1, STREAM["target"]], [0.125, -0.375], atol=4.0**-9)


def test_one_level_too_few_would_break_the_bound() -> None:
    """The test above can fail: with one level less the error is four times what is promised."""
    x = 2.0**-6
    last = run(product_of(1.0, 1.0), 4, x * 2, [x * 2, 0.0])[-1]
    assert abs(last[STREAM["target"]][0] - 4 * x * x) > 2 * product_error(1.0, 5)


GOOD = dict.fromkeys(
    ("eta", "alpha", "alpha_sq", "sigma_sq", "mixed", "iterate", "gradient", "quantile", "radius"),
    1.0,
) | {"levels": 3, "mean_levels": 0, "mean": 0.0}


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(0, 20), st.integers(1, 100))
def test_blocks_are_counted(levels: int, mean_levels: int, steps: int) -> None:
    mean = float(mean_levels > 0)
    products = ReluProducts(**GOOD | {"levels": levels, "mean_levels": mean_levels, "mean": mean})
    step = len(["mix"]) + 2 * len(product_blocks(STREAM, [product_of(1.0, 1.0)], levels))
    before = mean_levels and len(product_blocks(STREAM, [product_of(1.0, 1.0)], mean_levels))
    assert products.layers(steps) == before + steps * step
    assert ReluProducts.from_dict(products.to_dict()) == products


@pytest.mark.parametrize(
    ("name", "value"),
    [("levels", 0), ("mean_levels", -1), ("eta", 0.0), ("radius", float("nan")), ("mean", 1.0)],
)
def test_impossible_products_are_refused(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"products.{name}"):
        ReluProducts(**GOOD | {name: value})


def test_a_foreign_document_is_refused() -> None:
    with pytest.raises(ArgumentError, match="products"):
        ReluProducts.from_dict(GOOD | {"more": 1})
    with pytest.raises(ArgumentError, match="products"):
        ReluProducts.from_dict([1, 2])
