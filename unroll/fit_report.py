"""What a fit found: every candidate with its numbers, and the one that was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unroll.gaussian_process import GaussianProcess
from unroll.kernels import Kernel


@dataclass(frozen=True)
class Candidate:
    """One regime at its maximum likelihood.

    Attributes
    ----------
    regime : str
    gp : GaussianProcess
        Fitted to all sequences.
    log_likelihood : float
        Of all sequences together, in nats.
    held_out_log_likelihood : float or None
        Mean per sequence over sequences that a second fit did not see; None if none were left
        out.
    bic : float
        -2 log_likelihood + parameters * log(n * frames); smaller is better.
    parameters : int
        Free numbers: two of the kernel, spatial_cov, and the mean if it was fitted.
    at_bound : tuple of str
        A sentence for each parameter that stopped at the edge of the search; then the data do
        not determine it.
    """

    regime: str
    gp: GaussianProcess
    log_likelihood: float
    held_out_log_likelihood: float | None
    bic: float
    parameters: int
    at_bound: tuple[str, ...] = ()

    @property
    def kernel(self) -> Kernel:
        """Temporal kernel."""
        return self.gp.kernel

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the spatial covariance and the mean."""
        return {
            "kernel": self.kernel.to_dict(),
            "log_likelihood": self.log_likelihood,
            "held_out_log_likelihood": self.held_out_log_likelihood,
            "bic": self.bic,
            "parameters": self.parameters,
            "at_bound": list(self.at_bound),
        }


@dataclass(frozen=True)
class FitReport:
    """Candidates in the order they were asked for, and the chosen one.

    `n`, `frames` and `channels` are the shape of the data; `criterion` is the rule of the choice.
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    criterion: str
    n: int
    frames: int
    channels: int

    @classmethod
    def choose(
        cls, candidates: Sequence[Candidate], criterion: str, shape: tuple[int, ...]
    ) -> FitReport:
        """Report of candidates fitted to data of one shape, with the best by `criterion`."""

        def cost(candidate: Candidate) -> float:
            if criterion == "bic" or candidate.held_out_log_likelihood is None:
                return candidate.bic
            return -candidate.held_out_log_likelihood

        n, frames, channels = shape
        chosen = min(candidates, key=cost)
        return cls(tuple(candidates), chosen, criterion, n, frames, channels)

    @property
    def gp(self) -> GaussianProcess:
        """The chosen process."""
        return self.chosen.gp

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before trusting the chosen process."""
        return tuple(f"{self.chosen.regime}: {sentence}" for sentence in self.chosen.at_bound)

    def to_dict(self) -> dict[str, Any]:
        """Plain values of all candidates."""
        return {
            "criterion": self.criterion,
            "chosen": self.chosen.regime,
            "n": self.n,
            "frames": self.frames,
            "channels": self.channels,
            "candidates": [candidate.to_dict() for candidate in self.candidates],
        }

    def __str__(self) -> str:
        wide = max(12, *(len(one.regime) for one in self.candidates))
        lines = [
            f"{'regime':<{wide}} {'parameters':<32} {'log-lik':>13} {'held out':>11} {'BIC':>13}"
        ]
        for one in self.candidates:
            values = [(k, v) for k, v in one.kernel.to_dict().items() if k != "regime"]
            shown = ", ".join(f"{key}={value:.4g}" for key, value in values)
            outside = one.held_out_log_likelihood
            held_out = "-" if outside is None else f"{outside:.3f}"
            mark = " *" if one is self.chosen else ""
            numbers = f"{one.log_likelihood:>13.2f} {held_out:>11} {one.bic:>13.2f}"
            lines.append(f"{one.regime:<{wide}} {shown:<32} {numbers}{mark}")
            lines += [f"{'':<{wide}} {sentence}" for sentence in one.at_bound]
        lines.append(f"* chosen by {self.criterion}")
        return "\n".join(lines)
