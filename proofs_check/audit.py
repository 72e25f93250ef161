"""audit(path): certify the weights that lie on disk, trusting nobody.

The bound of `certify` holds for a model whose blocks compute the ideal steps. The audit adds one
term, ``weights``: each block's distance from its ideal step, enclosed in ball arithmetic by
`proofs_check.interpreter`, is a local error ``xi_k`` of the iteration, and local errors reach the
output as ``||e_k|| <= sum_j w_kj ||xi_j||`` (lemmas ``rounding``, ``rounding_gradient``), with
``w_kj = (k - j) T_{j+1}(y) / T_k(y)`` for Chebyshev and ``q^{k-1-j}`` for gradient descent. Both
grow with the condition number, so the smallest ``t`` bounds them all.

Norms are in units of ``S = ||s||`` (root mean square): iterates are at most ``1 + delta_k`` plus
their own error, ``||b|| <= tr(A)/(N d) S``, ``||M|| <= ||M||_F sqrt(tr A) / (N d) S``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from flint import arb

from proofs_check.balls import autocov_balls, ball_matrix, frobenius, precision, round_up
from proofs_check.certificate import (
    Certificate,
    CertificateError,
    bound_terms,
    check_spectrum,
    conclude,
    noisy,
)
from proofs_check.enclosures import enclose_operator
from proofs_check.interpreter import BlockDeviation, Interpreter
from proofs_check.saved_model import SavedModel, read_saved

__all__ = ["audit"]

_BITS = 128  # for patterns: they are compared with the kernel, not eliminated


def audit(path: str | Path) -> Certificate:
    """Bound the error of a saved model from its files alone.

    Parameters
    ----------
    path
        Folder with ``model.safetensors`` and ``model.json``.

    Returns
    -------
    Certificate with the terms of `certify` and ``weights``.

    Raises
    ------
    ArgumentError
        Files are missing, truncated or foreign.
    CertificateError
        A part that the audit does not understand, or weights that move the score by more than the
        tolerance allows; the message names the block and the tensor.
    """
    model = read_saved(path)
    plan = model.plan
    lower, upper = (float(x) for x in model.tensors["time.spectrum"])
    with precision():
        enclosure = enclose_operator(plan.gp, plan.lowering)
        check_spectrum(lower, upper, enclosure)
        if lower < plan.spectrum.lower or upper > plan.spectrum.upper:
            # rounding was counted for the plan's spectrum
            raise CertificateError(
                f"time.spectrum=[{lower:.6g}, {upper:.6g}]: is wider than the plan's "
                f"[{plan.spectrum.lower:.6g}, {plan.spectrum.upper:.6g}]; save the model anew"
            )
        terms = bound_terms(plan, enclosure, arb(lower), arb(upper))
    with precision(_BITS):
        ends = _ends(model)
        interpreter = Interpreter(model, autocov_balls(plan.gp.kernel, plan.gp.frames))
        deviations = [interpreter.deviation(k) for k in range(plan.depth)]
        error, shares = _propagate(model, deviations, ends)
        terms["weights"] = error
    try:
        return conclude(plan, terms)
    except CertificateError as refusal:
        allowed = plan.tol - sum(round_up(x) for n, x in terms.items() if n != "weights")
        if round_up(error) <= allowed:
            raise
        raise CertificateError(f"{refusal}; {_culprit(model, shares)}") from None


def _ends(model: SavedModel) -> dict[str, arb]:
    """Deviation of the embedding, the mean and the read-out from what they should be."""
    channels, plan, tensors = model.channels, model.plan, model.tensors
    final = channels[model.iterate(plan.depth)]
    identity = ball_matrix(np.eye(plan.gp.channels))

    def stray(name: str, array: np.ndarray, axis: int) -> None:
        used = array.any(axis=axis)
        if used.any():
            where = model.channel_name(int(np.argmax(used)))
            raise CertificateError(f"{name}: uses {where}; the audit does not understand it")

    embed, position, readout = (tensors[n].copy() for n in ("embed", "position", "readout"))
    found = {
        "embed": frobenius(ball_matrix(embed[:, channels["v"]]) - identity),
        "readout": frobenius(ball_matrix(readout[final]) - identity),
        "mean": arb(0),
    }
    embed[:, channels["v"]] = 0
    readout[final] = 0
    if "mean" in channels:
        found["mean"] = frobenius(
            ball_matrix(position[:, channels["mean"]]) - ball_matrix(plan.gp.mean)
        )
    for name in ("mean", "sink", "position"):
        if name in channels:
            position[:, channels[name]] = 0
    stray("embed", embed, 0)
    stray("position", position, 0)
    stray("readout", readout, 1)
    return found


def _propagate(
    model: SavedModel, deviations: list[BlockDeviation], ends: dict[str, arb]
) -> tuple[arb, list[arb]]:
    """Error of the output in units of ``S``, and each block's share of it."""
    plan = model.plan
    lower, upper = (arb(float(x)) for x in model.tensors["time.spectrum"])
    m, top = noisy(arb(plan.t_min), lower, upper)
    kappa = top / m
    step = arb(plan.method.step_bound())
    n_d = plan.gp.frames * plan.gp.channels
    average = arb(1).max(arb(float(np.trace(plan.gp.spatial_cov))) / plan.gp.channels) * (
        1 + arb(2) ** -40
    )
    mean = frobenius(ball_matrix(plan.gp.mean)) * average.sqrt() / n_d**0.5
    mean_error = ends["mean"] * average.sqrt() / n_d**0.5
    inputs = average + mean
    # eta <= step / L_t and L_t >= average eigenvalue... the plain bound eta <= 1 / m is enough here
    eta = 1 / m
    errors = [arb(0)]
    local: list[arb] = []
    weights = _Weights(plan.method.has_momentum, kappa)
    for k, deviation in enumerate(deviations):
        reached = max((round_up(e) for e in errors[-2:]), default=0.0)
        iterate = 2 + arb(reached)
        size = iterate * (upper + deviation.attention)
        xi = step / upper * deviation.attention * iterate + deviation.gate * size
        xi += deviation.iterates * iterate + deviation.inputs * inputs + deviation.mean * mean
        xi += eta * (ends["embed"] * inputs + mean_error)
        local.append(xi)
        errors.append(weights.add(local))
        if not errors[-1] < 1e6:
            shares = [arb(0)] * k + [errors[-1]] + [arb(0)] * (len(deviations) - 1 - k)
            return errors[-1], shares
    output = errors[-1] + ends["readout"] * (2 + errors[-1])
    return output, weights.shares(local)


class _Weights:
    """How local errors of ``k`` blocks reach the ``k``-th iterate."""

    def __init__(self, momentum: bool, kappa: arb) -> None:
        root = kappa.sqrt() if momentum else kappa
        self.momentum = momentum
        self.ratio = (root - 1) / (root + 1)
        self._powers = [arb(1)]
        self._sum = arb(0)

    def _power(self, n: int) -> arb:
        while len(self._powers) <= n:
            self._powers.append(self._powers[-1] * self.ratio)
        return self._powers[n]

    def shares(self, local: list[arb]) -> list[arb]:
        """``w_kj xi_j`` for every ``j``."""
        k = len(local)
        if not self.momentum:
            return [self._power(k - 1 - j) * xi for j, xi in enumerate(local)]
        bottom = 1 + self._power(2 * k)
        return [
            (k - j) * self._power(k - 1 - j) * (1 + self._power(2 * j + 2)) / bottom * xi
            for j, xi in enumerate(local)
        ]

    def add(self, local: list[arb]) -> arb:
        """The sum of `shares` once a block has been appended to ``local``."""
        if self.momentum:
            return sum(self.shares(local), arb(0))
        self._sum = self.ratio * self._sum + local[-1]
        return self._sum


def _culprit(model: SavedModel, shares: list[arb]) -> str:
    """Name the block with the largest share, and the tensor that sets it apart."""
    k = max(range(len(shares)), key=lambda i: round_up(shares[i]))
    stride = 2 if model.plan.method.has_momentum else 1
    siblings = [model.block(j) for j in range(k % stride, model.plan.depth, stride) if j != k]
    own = model.block(k)
    for name, array in own.items():
        if name == "modulation.listen":
            continue
        same = sum(np.array_equal(array, other[name]) for other in siblings)
        if siblings and same == 0:
            usual = siblings[len(siblings) // 2][name]
            index = tuple(int(i) for i in np.argwhere(array != usual)[0])
            return f"block {k}: {name}{list(index)} is {array[index]:.9g}, in its siblings " + (
                f"{usual[index]:.9g}{_reading(model, name, index)}"
            )
    step = int(own["modulation.listen"][1] - 1) // 5
    if stride == 2 and step != k:
        return f"block {k} listens to the time features of step {step}"
    return f"most of it from block {k}"


def _reading(model: SavedModel, name: str, index: tuple[int, ...]) -> str:
    """Which head and channel an entry belongs to."""
    if name in ("attention.query", "attention.output"):
        channel = index[1] if name == "attention.query" else index[2]
        return f" (head {index[0]}, channel {model.channel_name(channel)})"
    if name in ("attention.value", "attention.key", "feed_forward.up"):
        return f" (channel {model.channel_name(index[0])})"
    if name.startswith("modulation."):
        return f" (channel {model.channel_name(index[1])})"
    if name in ("attention.query_bias", "attention.relative_bias", "attention.sink_key"):
        return f" (head {index[0]})"
    return ""
