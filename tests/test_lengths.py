"""One model, sequences of different lengths: no padding, the score of each exact for its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from constructions import build
from unroll import ArgumentError, Exponential, GaussianProcess, Logarithmic, Polynomial, make_plan

FRAMES = 20
SPATIAL = np.array([[1.0, 0.6], [0.6, 2.0]])
MEAN = np.outer(np.cos(np.arange(FRAMES)), [2.0, 1.0])


@pytest.mark.parametrize("attention", ["softmax", "relu", "alibi", "fourier"])
@pytest.mark.parametrize("kernel", [Exponential(4.0), Logarithmic(8.0, 1.0)], ids=str)
@pytest.mark.parametrize("mean", [None, MEAN], ids=["centred", "mean"])
def test_every_length_is_served(
    kernel: Exponential | Logarithmic, attention: str, mean: np.ndarray | None
) -> None:
    gp = GaussianProcess(kernel, FRAMES, SPATIAL, mean)
    model = build(gp, method="chebyshev", attention=attention, tol=1e-4)
    lengths = [FRAMES, 1, 7, 2, FRAMES, 7, 19]
    times = torch.tensor([0.01, 0.02, 0.05, 0.1, 1.0, 2.0, 5.0], dtype=torch.float64)
    shorter = [
        GaussianProcess(kernel, n, SPATIAL, None if mean is None else mean[:n]) for n in lengths
    ]
    v = [
        torch.as_tensor(one.sample_noisy(1, float(t), rng=i)[0])
        for i, (one, t) in enumerate(zip(shorter, times, strict=True))
    ]
    with torch.no_grad():
        scores = model.score_sequences(v, times)
        for i, (one, t) in enumerate(zip(shorter, times, strict=True)):
            exact = one.score(v[i].numpy(), float(t))
            error = np.linalg.norm(scores[i].numpy() - exact)
            # the promise is a root mean square; one sequence may exceed it a few times
            assert error <= 5e-4 * np.linalg.norm(exact)
        alone = [model.score_sequences([x], t)[0] for x, t in zip(v, times, strict=True)]
        assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(alone, scores, strict=True))
        full = model(torch.stack([v[0], v[4]]), times[[0, 4]])
    assert torch.allclose(full, torch.stack([scores[0], scores[4]]), rtol=1e-12)


def test_what_is_refused() -> None:
    gp = GaussianProcess(Polynomial(8.0, 2.0), FRAMES, SPATIAL)
    model = build(gp, tol=1e-2)
    x = torch.zeros(FRAMES, 2, dtype=torch.float64)
    with pytest.raises(ArgumentError, match=r"must have shape \(batch, frames=20"):
        model(x[:7], 0.1)  # a plain call takes full length only: a slip is not a shorter sequence
    with pytest.raises(ArgumentError, match=r"sequences\[1\]=.*between 1 and 20 frames"):
        model.score_sequences([x, torch.zeros(21, 2, dtype=torch.float64)], 0.1)
    with pytest.raises(ArgumentError, match=r"sequences\[0\]=.*between 1 and 20 frames"):
        model.score_sequences([x[:0]], 0.1)
    with pytest.raises(ArgumentError, match=r"sequences\[0\].*must be a tensor"):
        model.score_sequences([x[0]], 0.1)
    with pytest.raises(ArgumentError, match="NaN"):
        model.score_sequences([x, x[:3] * float("nan")], 0.1)
    with pytest.raises(ArgumentError, match=r"t=\(3,\)"):
        model.score_sequences([x, x], torch.ones(3))
    with pytest.raises(ArgumentError, match="outside the range"):
        model.score_sequences([x[:5]], 50.0)
    for method in ("preconditioned", "spectral"):
        other = build(make_plan(gp, method=method, tol=1e-2))
        with pytest.raises(ArgumentError, match="not served by method"):
            other.score_sequences([x], 0.1)
    assert model.score_sequences([], 0.1) == []
