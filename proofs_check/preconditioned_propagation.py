"""How the local errors of a preconditioned model reach the output.

An error ``xi_j`` of the ``j``-th residual arrives as ``led_jk xi_j``, one of the iterate as
``plain_{j+1,k}`` times itself, in the norm of ``A`` if it was filtered by the gates (lemmas
``preconditioned_arrival``, ``filtered_noise``), else times ``sqrt(L / m)`` as long as a step
follows. What a correction leaves of the residual is an error of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flint import arb

from proofs_check.preconditioned_sizes import PreconditionedSizes
from proofs_check.share import Causes, Share, add_up, charge
from unroll.methods.partial_products import PartialProducts

__all__ = ["PreconditionedPropagation"]


@dataclass
class PreconditionedPropagation:
    """Errors of the iterates, from the local errors of the blocks so far.

    Attributes
    ----------
    errors
        Of ``s_0, s_1, ...``, in units of the exact score.
    """

    products: PartialProducts
    sizes: PreconditionedSizes
    moved: arb
    errors: list[arb] = field(default_factory=lambda: [arb(0)])
    _residuals: list[Causes] = field(default_factory=list)
    _filtered: list[Causes] = field(default_factory=list)
    _strays: list[Causes] = field(default_factory=list)
    _lefts: list[Causes] = field(default_factory=lambda: [{}])

    def add(
        self, residual: Sequence[Share], iterate: Sequence[Share], left: Sequence[Share]
    ) -> None:
        """One more step: both its blocks."""
        k, sizes = len(self.errors) - 1, self.sizes
        before, after = (arb(float(self.products.plain[0, j])) for j in (k, k + 1))
        error, root = self.errors[-1], sizes.root
        size = self.moved * (1 + before.max(after)) + error
        xi = add_up(residual, {"iterates": size, "score": arb(1)})
        total = sum((x for part in (xi, self._lefts[-1]) for x in part.values()), arb(0))
        # ||r|| and ||A^{-1/2} r||, over (n + l) S and its root
        white = before * self.moved * sizes.data.sqrt() + root * error + total
        found = root * white
        norms = {"iterates": size, "white": white, "residual": found}
        norms |= {"filtered": found, "filtered white": white}
        self._residuals.append(xi)
        for place, kind in ((self._filtered, True), (self._strays, False)):
            chosen = [x for x in iterate if x.of.startswith("filtered") is kind]
            place.append(add_up(chosen, norms))
        self._lefts.append(add_up(left, norms))
        self.errors.append(sum((sum(c.values(), arb(0)) for c in self.arrived()), arb(0)))

    def arrived(self) -> list[Causes]:
        """For each block, cause to what arrives in the last iterate."""
        k, blocks = len(self._residuals), []
        for j in range(k):
            led = [arb(float(x)) for x in self.products.led[j : j + 2, k]]
            plain = arb(float(self.products.plain[j + 1, k]))
            blocks.append({cause: led[0] * x for cause, x in self._residuals[j].items()})
            spread = plain * self.sizes.root if j + 1 < k else arb(1)
            corrected = {cause: spread * x for cause, x in self._strays[j].items()}
            charge(corrected, {cause: plain * x for cause, x in self._filtered[j].items()})
            if j + 1 < k:  # what it leaves of the residual disturbs the next one
                charge(corrected, {cause: led[1] * x for cause, x in self._lefts[j + 1].items()})
            blocks.append(corrected)
        return blocks

    @property
    def size(self) -> arb:
        """Of the last iterate."""
        last = arb(float(self.products.plain[0, len(self.errors) - 1]))
        return self.moved * (1 + last) + self.errors[-1]
