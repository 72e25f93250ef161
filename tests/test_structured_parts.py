"""The parts of structured execution against loops, and feed-forward layers with mirror images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tolerances as tol
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions.architecture import Architecture, BlockShape
from constructions.layers import FeedForward
from constructions.structured.convolution import Band, Convolution
from constructions.structured.feed_forward import read_feed_forward
from constructions.structured.mixing import Dense, Mixing
from constructions.structured.moment import Moment
from constructions.structured.scan import Scan


def apply(mixing: Mixing, x: np.ndarray) -> np.ndarray:
    moment = Moment(np.ones(1), 1.0, 1.0)
    result = mixing.apply(torch.as_tensor(x), mixing.prepare(moment, None, None))
    assert result.shape == x.shape
    return result.numpy()  # type: ignore[no-any-return]


def loop(kernel: Callable[[int], float], x: np.ndarray) -> np.ndarray:
    """``y_i = sum_j k(j - i) x_j``."""
    frames = x.shape[-1]
    matrix = np.array([[kernel(j - i) for j in range(frames)] for i in range(frames)])
    return np.einsum("ij,bcj->bci", matrix, x)  # type: ignore[no-any-return]


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(actual - expected).max() <= 1e-12 * max(1.0, np.abs(expected).max())


@settings(max_examples=30)
@given(st.integers(1, 70), st.integers(0, 2**32 - 1), st.booleans())
def test_toeplitz_products(frames: int, seed: int, symmetric: bool) -> None:
    rng = np.random.default_rng(seed)
    k, x = rng.standard_normal(2 * frames - 1), rng.standard_normal((2, 3, frames))
    k = (k + k[::-1]) / 2 if symmetric else k
    expected = loop(lambda lag: k[lag + frames - 1], x)
    assert_close(apply(Convolution(torch.as_tensor(k), torch.float64), x), expected)
    assert_close(apply(Dense.toeplitz(torch.as_tensor(k), torch.float64), x), expected)


@settings(max_examples=30)
@given(st.integers(1, 100), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_bands(frames: int, reach: int, seed: int) -> None:
    rng, reach = np.random.default_rng(seed), min(reach, frames - 1)
    k, x = rng.standard_normal(2 * frames - 1), rng.standard_normal((2, 3, frames))
    k[np.abs(np.arange(1 - frames, frames)) > reach] = 0.0
    band = Band(torch.as_tensor(k), reach, torch.float64)
    assert_close(apply(band, x), loop(lambda lag: k[lag + frames - 1], x))


@settings(max_examples=30)
@given(st.sampled_from([1, 2, 63, 64, 65, 200, 2500]), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_scans(frames: int, heads: int, seed: int) -> None:
    """Lengths within a chunk, and beyond one and two levels of the recursion."""
    rng = np.random.default_rng(seed)
    slopes, weights = np.exp(rng.uniform(-9, 2, heads)), rng.standard_normal(heads)
    x = rng.standard_normal((2, 1, frames))
    scan = Scan(torch.as_tensor(slopes), torch.as_tensor(weights), frames, torch.float64)
    lags = np.abs(np.subtract.outer(np.arange(frames), np.arange(frames)))
    matrix = sum(w * np.exp(-a * lags) for w, a in zip(weights, slopes, strict=True))
    assert_close(apply(scan, x), np.einsum("ij,bcj->bci", matrix, x))


# --- feed-forward layers


def architecture(activation: str, shape: BlockShape) -> Architecture:
    return Architecture(
        frames=4,
        channels=1,
        stream={"s": 3, "v": 2},
        kinds={"only": shape},
        blocks=("only",),
        two_ended=False,
        activation=activation,
        time_features="gradient",
        time_steps=1,
        t_min=0.1,
        t_max=1.0,
        dtype="float64",
    )


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["relu", "gelu", "silu"]), st.data())
def test_feed_forward_pairs(seed: int, activation: str, data: st.DataObject) -> None:
    """Mirror images in any order, with biases, among units without one."""
    units = data.draw(st.integers(1, 9))
    pairs, rng = data.draw(st.integers(0, units // 2)), np.random.default_rng(seed)
    shape = BlockShape(attention=None, hidden=units, listens=1)
    layer = FeedForward(shape, architecture(activation, shape))
    order = torch.as_tensor(rng.permutation(units))
    with torch.no_grad():
        for tensor in layer.parameters():
            tensor.copy_(torch.as_tensor(rng.standard_normal(tuple(tensor.shape))))
        one, other = order[:pairs], order[pairs : 2 * pairs]
        layer.up[:, other], layer.up_bias[other] = -layer.up[:, one], -layer.up_bias[one]
        layer.down[other] = -layer.down[one]
        reading = read_feed_forward(layer)
        x = torch.as_tensor(rng.standard_normal((5, layer.up.shape[0])))
        result = x @ reading.pairs_up @ reading.pairs_down + reading.constant
        if reading.rest is not None:
            up, bias, down = reading.rest
            result = result + reading.activation(x @ up + bias) @ down
        assert reading.pairs_up.shape[1] == pairs
        expected = layer(x)
        assert float((result - expected).norm()) <= tol.TWIN * float(expected.norm())
