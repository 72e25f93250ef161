"""The gates of a saved model whose diffusion time enters through a network.

The network is read from its tensors as hinges; the gates of every block, linear in its outputs, are
compared with the planned multiples of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from flint import arb

from proofs_check.arithmetic import roundings
from proofs_check.certificate import CertificateError
from proofs_check.gate_bounds import ScaledGates, scaled_gates
from proofs_check.gates import Gate
from proofs_check.saved_model import SavedModel
from unroll.errors import ArgumentError
from unroll.gate_design import OUTPUTS
from unroll.gate_network import GateNetwork

__all__ = ["NetworkGates", "read_gates", "read_network"]

_FEATURES = {"1": 0, "eta": 1, "eta*alpha": 2, "eta*alpha_sq": 3, "eta*sigma_sq": 4}


def read_network(model: SavedModel) -> GateNetwork:
    """The network that the tensors of a saved model are; refused where they are no hinges."""
    up, bias, down, offset = (
        model.tensors[f"time.{name}"] for name in ("up", "up_bias", "down", "down_bias")
    )
    beta = float(up[0])
    if not (up == beta).all() or abs(np.frexp(beta)[0]) != 0.5 or beta < 0:
        raise CertificateError(
            "time.up: is not one power of two for all units; the audit does not understand it"
        )
    try:
        network = GateNetwork(
            tuple((-bias / beta).tolist()),
            tuple(map(tuple, (down * beta).tolist())),
            tuple(offset.tolist()),
            model.plan.activation,
            beta,
        )
    except ArgumentError as error:
        raise CertificateError(f"time.up_bias, time.down: {error}") from error
    if any(not np.array_equal(x, model.tensors[f"time.{n}"]) for n, x in network.layers().items()):
        raise CertificateError("time.down: underflows; the audit does not understand it")
    if network.knots[0] > model.plan.t_min or network.knots[-1] >= model.plan.t_max:
        raise CertificateError("time.up_bias: has no hinge at t_min, or one beyond t_max")
    return network


def read_gates(model: SavedModel, lower: arb, upper: arb) -> ScaledGates:
    """Bound the network of a saved model; refused where it alone breaks the promise.

    ``lower`` and ``upper`` enclose the eigenvalues of the operator that the heads carry.
    """
    gates = scaled_gates(read_network(model), model.plan, lower, upper)
    if not gates.error < model.plan.tol:
        raise CertificateError(f"{gates.blame}, more than tol={model.plan.tol:g}")
    if not gates.lower > 0:
        raise CertificateError("time.down: the operator that it scales is not positive definite")
    return gates


class NetworkGates:
    """The gates of a saved model, compared with planned multiples of the network's outputs.

    The counterpart of `proofs_check.gates.Gates`.
    """

    def __init__(self, model: SavedModel, gates: ScaledGates) -> None:
        self.model, self.method, self.sizes = model, model.plan.method, gates.sizes
        self.lower, self.upper = gates.lower, gates.upper

    def compare(self, k: int, table: np.ndarray, planned: Mapping[str, int]) -> Gate:
        """Compare the gates ``table`` (features, channels) of block ``k`` with the planned one."""
        listen = self.model.block(k)["modulation.listen"]
        for q in listen[(listen < 0) | (listen > OUTPUTS)]:
            raise CertificateError(f"block {k}: modulation.listen names time feature {q}, not one")
        wanted = self._coefficients(k, planned)
        deviation = excess = arb(0)
        for heard in {tuple(float(x) for x in c) for c in table.T}:
            off = more = arb(0)
            for q, size in enumerate(self.sizes):
                entries = [arb(x) for place, x in zip(listen, heard, strict=True) if place == q]
                difference = abs(sum(entries, arb(0)) - wanted[q]) * size
                total = sum((abs(x) for x in entries), arb(0)) - abs(wanted[q])
                off, more = off + difference, more + difference.max(total * size)
            deviation, excess = deviation.max(off), excess.max(more)
        return Gate(deviation, excess, roundings(table))

    def largest(self, planned: Mapping[str, int], k: int) -> arb:
        """Largest ``|planned gate|`` of block ``k`` over t."""
        pairs = zip(self._coefficients(k, planned), self.sizes, strict=True)
        return sum((abs(x) * size for x, size in pairs), arb(0))

    def _coefficients(self, k: int, planned: Mapping[str, int]) -> list[arb]:
        """Of the constant and the outputs; step size and momentum are numbers here."""
        wanted = [arb(0)] * (1 + OUTPUTS)
        eta, beta = self._step(k)
        for name, x in planned.items():
            q = 0 if name == "beta" else _FEATURES[name]
            wanted[q] += x * (beta if name == "beta" else arb(1) if name == "1" else eta)
        return wanted

    def _step(self, k: int) -> tuple[arb, arb]:
        lower, upper = self.lower, self.upper
        if not (self.method.has_momentum and k > 0):
            return 2 / (lower + upper), arb(0)
        scale = (lower.sqrt() + upper.sqrt()) ** 2
        z2 = ((upper - lower) / scale) ** 2
        eta = 4 / scale * (1 + z2**k) / (1 + z2 ** (k + 1))
        return eta, z2 * (1 + z2 ** (k - 1)) / (1 + z2 ** (k + 1))
