"""Maximum likelihood: recovery within the Fisher information, optimality, choice, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from unroll import ArgumentError, Exponential, GaussianProcess, Kernel, Logarithmic, Polynomial
from unroll.fitting import fit

S = np.array([[2.0, 0.5], [0.5, 1.0]])
FRAMES, SEQUENCES = 24, 500

TRUTHS = [
    Exponential(5.0, 1.0),
    Exponential(3.0, 1.6),
    Exponential(6.0, 0.5),
    Polynomial(4.0, 1.0),
    Polynomial(2.0, 3.0),
    Logarithmic(4.0, 2.0),
    Logarithmic(1.0, 0.7),
]


def shape_of(kernel: Kernel) -> float:
    return kernel.exponent if isinstance(kernel, Exponential) else kernel.power


def process(kernel: Kernel, mean: bool = True) -> GaussianProcess:
    values = np.random.default_rng(0).standard_normal((FRAMES, 2)) if mean else None
    return GaussianProcess(kernel, FRAMES, S, values)


def information(
    kernel: Kernel, frames: int, n: int, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fisher information of (length_scale, shape) once Sigma is profiled out, and tr G_k / N.

    With G_k = Gamma^{-1} dGamma/dtheta_k:
    (n d / 2) (tr G_k G_l - tr G_k tr G_l / N); the second term is what the unknown scale costs.
    An error e of theta moves log det Sigma / d by -(tr G_k / N) e_k.
    """
    theta, solved = np.array([kernel.length_scale, shape_of(kernel)]), []
    for k in range(2):
        step = 1e-5 * theta[k] * np.eye(2)[k]
        up, down = (type(kernel)(*(theta + sign * step)).matrix(frames) for sign in (1, -1))
        solved.append(np.linalg.solve(kernel.matrix(frames), (up - down) / (2 * step[k])))
    result = np.zeros((2, 2))
    for k, m in itertools.product(range(2), range(2)):
        scale = np.trace(solved[k]) * np.trace(solved[m]) / frames
        result[k, m] = n * channels / 2 * (np.trace(solved[k] @ solved[m]) - scale)
    return result, np.array([np.trace(one) / frames for one in solved])


@pytest.mark.parametrize("mean", [True, False])
@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_parameters_are_recovered_within_the_fisher_information(truth: Kernel, mean: bool) -> None:
    gp = process(truth, mean)
    report = fit(gp.sample(SEQUENCES, rng=11), truth.regime, mean=mean, held_out=0.0)
    (found,) = report.candidates
    error = np.array(
        [found.kernel.length_scale - truth.length_scale, shape_of(found.kernel) - shape_of(truth)]
    )
    fisher, passed_on = information(truth, FRAMES, SEQUENCES, 2)
    # The check means something: each parameter alone is known to a fair precision.
    relative = np.sqrt(np.diag(np.linalg.inv(fisher))) / [truth.length_scale, shape_of(truth)]
    assert relative.max() < 0.5
    # error^T I error is chi-squared with 2 degrees of freedom: above 18 once in 8000.
    assert error @ fisher @ error < 18
    # Sigma given theta is Wishart / (n N), and theta passes its error on through the scale.
    entry = (np.outer(np.diag(S), np.diag(S)) + S**2) / (SEQUENCES * FRAMES * S**2)
    spread = np.sqrt(entry + passed_on @ np.linalg.solve(fisher, passed_on))
    assert np.all(np.abs(found.gp.spatial_cov / S - 1) < 5 * spread)
    if mean:
        spread = np.sqrt(np.diag(S) / SEQUENCES)
        assert np.all(np.abs(found.gp.mean - gp.mean) < 5 * spread)
    else:
        assert not found.gp.has_mean


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_nothing_nearby_is_more_likely(truth: Kernel) -> None:
    x = process(truth).sample(60, rng=3)
    best = fit(x, truth.regime, held_out=0.0).gp
    top = best.log_likelihood(x).sum()
    theta = np.array([best.kernel.length_scale, shape_of(best.kernel)])
    rng = np.random.default_rng(4)
    for size in (1e-2, 1e-3):
        for _ in range(20):
            moved = theta * np.exp(size * rng.standard_normal(2))
            if isinstance(truth, Exponential):
                moved[1] = min(moved[1], 2.0)
            bump = size * rng.standard_normal((2, 2))
            spatial_cov = best.spatial_cov + bump + bump.T
            mean = best.mean + size * rng.standard_normal(best.mean.shape)
            for changed in (
                (type(truth)(*moved), best.spatial_cov, best.mean),
                (best.kernel, spatial_cov, best.mean),
                (best.kernel, best.spatial_cov, mean),
                (type(truth)(*moved), spatial_cov, mean),
            ):
                other = GaussianProcess(changed[0], FRAMES, *changed[1:])
                assert other.log_likelihood(x).sum() <= top + 1e-5


def test_more_sequences_than_numbers_in_one() -> None:
    # n > N d compresses the data; the likelihood must not notice.
    gp = GaussianProcess(Polynomial(4.0, 1.0), 5, S)
    x = gp.sample(300, rng=5)
    (found,) = fit(x, "polynomial", mean=False, held_out=0.0).candidates
    assert found.log_likelihood == pytest.approx(found.gp.log_likelihood(x).sum(), rel=1e-10)


def test_reported_numbers_are_those_of_the_processes() -> None:
    x = process(Logarithmic(4.0, 2.0)).sample(50, rng=6)
    report = fit(x, held_out=0.2, rng=9)
    assert [candidate.regime for candidate in report.candidates] == [
        "exponential",
        "polynomial",
        "logarithmic",
    ]
    for one in report.candidates:
        assert one.log_likelihood == pytest.approx(one.gp.log_likelihood(x).sum(), rel=1e-10)
        assert one.parameters == 2 + 3 + FRAMES * 2
        bic = -2 * one.log_likelihood + one.parameters * math.log(50 * FRAMES)
        assert one.bic == pytest.approx(bic, rel=1e-12)
    # Held out, by hand: the same ten sequences, a fit of the other forty.
    order = np.random.default_rng(9).permutation(50)
    rest = fit(x[order[10:]], "polynomial", held_out=0.0).gp
    by_hand = rest.log_likelihood(x[order[:10]]).mean()
    assert report.candidates[1].held_out_log_likelihood == pytest.approx(by_hand, rel=1e-8)
    assert report.gp is report.chosen.gp
    assert report.chosen.bic == min(one.bic for one in report.candidates)
    assert report.chosen.regime in str(report)
    assert report.to_dict()["chosen"] == report.chosen.regime


@pytest.mark.parametrize("criterion", ["bic", "held_out"])
@pytest.mark.parametrize(
    "truth", [Exponential(5.0, 1.5), Polynomial(1.0, 0.6), Logarithmic(0.5, 1.5)], ids=str
)
def test_the_right_regime_is_chosen(truth: Kernel, criterion: str) -> None:
    # The closest wrong regime is 0.02 nats per sequence away: 1500 sequences tell by 4 sigma.
    x = GaussianProcess(truth, 64, S).sample(3000, rng=7)
    options = {"criterion": criterion, "mean": False, "held_out": 0.5}
    report = fit(x, **options)
    assert report.chosen.regime == truth.regime
    if criterion == "bic":
        assert GaussianProcess.fit(x, **options) == report.gp


def test_units_and_order_of_channels_do_not_matter() -> None:
    x = process(Polynomial(4.0, 1.0)).sample(40, rng=8)
    plain = fit(x, "polynomial").gp
    for scale in ([1e-100, 1e-97], [1e80, 1e77], [1.0, 1e5]):
        scaled = fit((x * scale)[..., ::-1], "polynomial").gp
        assert scaled.kernel.length_scale == pytest.approx(plain.kernel.length_scale, rel=1e-4)
        back = scaled.spatial_cov[::-1, ::-1] / np.outer(scale, scale)
        assert back == pytest.approx(plain.spatial_cov, rel=1e-4)


def test_white_noise_is_reported_at_a_bound() -> None:
    x = np.random.default_rng(0).standard_normal((200, 10, 1))
    report = fit(x, "exponential")
    assert report.gp.kernel.autocov(1) < 0.1
    gaussian = GaussianProcess(Exponential(2.0, 2.0), 16, [[1.0]]).sample(100, rng=0)
    at_bound = fit(gaussian, "exponential").chosen.at_bound
    assert any("exponent at its upper bound" in sentence for sentence in at_bound)
    assert fit(gaussian, "exponential").warnings


def test_singular_data_stop_where_float64_does() -> None:
    smooth = GaussianProcess(Exponential(60.0, 2.0), 32, [[1.0]]).sample(50, rng=0)
    report = fit(smooth, "exponential")
    assert any("limit of what float64" in sentence for sentence in report.chosen.at_bound)
    assert np.all(np.isfinite(report.gp.log_likelihood(smooth)))


def test_progress_is_told() -> None:
    lines: list[str] = []
    fit(process(Exponential(5.0)).sample(5, rng=0), progress=lines.append)
    assert len(lines) == 3
    assert "exponential" in lines[0]


def with_nan() -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((10, 5, 2))
    x[3, 2, 1] = np.nan
    return x


def constant_channel(value: float = 3.0) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((10, 5, 3))
    x[..., 1] = value
    return x


def same_channels() -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((10, 5, 3))
    x[..., 2] = x[..., 0] - x[..., 1]
    return x


GOOD = np.random.default_rng(0).standard_normal((10, 5, 2))


@pytest.mark.parametrize(
    ("x", "options", "argument", "text"),
    [
        (with_nan(), {}, "x", "1 NaN"),
        (GOOD[0], {}, "x", r"\(n, frames, channels\)"),
        (GOOD[None], {}, "x", "4 axes"),
        ("data", {}, "x", "real numbers"),
        (GOOD[:, :2], {}, "x", "at least 3 frames"),
        (GOOD[:1], {}, "x", "at least 2 sequences"),
        (GOOD[:0], {"mean": False}, "x", "at least 1 sequences"),
        (np.zeros((3, 3, 9)), {}, "x", "at least 5 sequences"),
        (np.zeros((3, 3, 9)), {"mean": False}, "x", "at least 4 sequences"),
        (constant_channel(), {}, "x", "channel 1 does not vary"),
        (constant_channel(0.0), {"mean": False}, "x", "channel 1 does not vary"),
        (same_channels(), {}, "x", "combination"),
        (GOOD * [1.0, 1e9], {}, "x", "differ by a factor"),
        (GOOD, {"regimes": []}, "regimes", "names no kernel"),
        (GOOD, {"regimes": "gaussian"}, "regimes", "not a known name"),
        (GOOD, {"regimes": ["polynomial", 3]}, "regimes", "not a known name"),
        (GOOD, {"criterion": "aic"}, "criterion", "bic, held_out"),
        (GOOD, {"held_out": 1.0}, "held_out", r"\[0, 1\)"),
        (GOOD, {"held_out": math.nan}, "held_out", "finite"),
        (GOOD, {"held_out": 0.0, "criterion": "held_out"}, "held_out", "leave sequences out"),
        (GOOD[:2], {"criterion": "held_out"}, "held_out", "needs 2"),
        (GOOD, {"rng": 0.5}, "rng", "integer"),
    ],
)
def test_bad_input_is_named(x: object, options: dict, argument: str, text: str) -> None:
    with pytest.raises(ArgumentError, match=text) as error:
        fit(x, **options)
    assert error.value.argument == argument
    assert "\n" not in str(error.value)


def test_enough_sequences_are_enough() -> None:
    # The number the message asks for works, and one sequence less does not.
    x = np.random.default_rng(1).standard_normal((5, 3, 9))
    assert fit(x).gp.channels == 9
    with pytest.raises(ArgumentError, match="at least 5"):
        fit(x[:4])
