"""How the local errors of all blocks reach the output.

A local error ``xi_j`` of block ``j`` arrives as ``w_kj xi_j`` in the ``k``-th iterate (lemmas
``rounding``, ``rounding_gradient``), with ``z = (sqrt(kappa)-1) / (sqrt(kappa)+1)``,
``q = (kappa-1) / (kappa+1)`` and

    w_kj = (k - j) z^{k-1-j} (1 + z^{2j+2}) / (1 + z^{2k})      (Chebyshev)
    w_kj = q^{k-1-j}                                            (gradient descent).

Both grow with the condition number, so the smallest ``t`` bounds them all. The sums over ``j`` are
carried along block by block: with ``a_j = (1 + z^{2j+2}) xi_j``, ``M_k = sum_j z^{k-1-j} a_j``
and ``N_k = sum_j (k-j) z^{k-1-j} a_j``, ``M_{k+1} = z M_k + a_k`` and
``N_{k+1} = z N_k + M_{k+1}``.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

from proofs_check.balls import round_up
from proofs_check.problem_sizes import ProblemSizes
from proofs_check.share import Share, add_up

__all__ = ["Propagation", "propagate"]


class Propagation:
    """Errors of the iterates, from the local errors of the blocks so far."""

    def __init__(self, momentum: bool, condition_number: arb) -> None:
        root = condition_number.sqrt() if momentum else condition_number
        self.momentum = momentum
        self.ratio = (root - 1) / (root + 1)
        self.errors = [arb(0)]
        self._powers = [arb(1)]
        self._plain = self._rising = arb(0)

    def power(self, n: int) -> arb:
        """``z^n``, or ``q^n``."""
        while len(self._powers) <= n:
            self._powers.append(self._powers[-1] * self.ratio)
        return self._powers[n]

    def rate(self, k: int) -> arb:
        """``delta_k``."""
        if not self.momentum:
            return self.power(k)
        return 2 * self.power(k) / (1 + self.power(2 * k))

    def add(self, xi: arb) -> None:
        """One more block, with this local error."""
        k = len(self.errors)
        if not self.momentum:
            self.errors.append(self.ratio * self.errors[-1] + xi)
            return
        self._plain = self.ratio * self._plain + (1 + self.power(2 * k)) * xi
        self._rising = self.ratio * self._rising + self._plain
        self.errors.append(self._rising / (1 + self.power(2 * k)))

    def weight(self, j: int) -> arb:
        """``w_kj`` for the last iterate."""
        k = len(self.errors) - 1
        if not self.momentum:
            return self.power(k - 1 - j)
        grown = (1 + self.power(2 * j + 2)) / (1 + self.power(2 * k))
        return (k - j) * self.power(k - 1 - j) * grown


def propagate(
    blocks: Sequence[Sequence[Share]], sizes: ProblemSizes, *, momentum: bool
) -> tuple[Propagation, list[dict[str, arb]], arb]:
    """Let the shares of all blocks act.

    Returns
    -------
    The errors of the iterates, in units of the exact score; for each block, cause to local error;
    and the size of the last iterate.
    """
    state = Propagation(momentum, sizes.condition_number)
    local: list[dict[str, arb]] = []
    for k, shares in enumerate(blocks):
        norms = {
            "iterates": _iterate(state, sizes, max(k - 1, 0)),
            "inputs": sizes.inputs,
            "mean": sizes.mean,
            "score": arb(1),
        }
        causes = add_up(shares, norms)
        local.append(causes)
        state.add(sum(causes.values(), arb(0)))
        if not state.errors[-1] < 1e6:
            break
    return state, local, _iterate(state, sizes, len(blocks))


def _iterate(state: Propagation, sizes: ProblemSizes, k: int) -> arb:
    """Size of the computed ``k``-th and later iterates."""
    error = max(round_up(e) for e in state.errors[-2:])
    return (1 + state.rate(k)) * (1 + sizes.band) + arb(error)
