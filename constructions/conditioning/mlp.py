"""Time features from a network of ``t`` (`unroll.gate_network`), for first-order iterations.

The feature vector is

    (1;  c, c alpha, c alpha^2, c sigma^2),

the last four the outputs of ``act(t * up + up_bias) @ down + down_bias`` in float64. Every block
listens to all of them; what tells the steps apart are the coefficients of their gates, the step
sizes and momenta of an iteration for the operator ``c(t) A_t``, whose spectrum does not move with
``t`` (`unroll.gate_scale`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unroll.gate_scale import OUTPUTS

__all__ = ["SCALED", "NetworkFeatures"]

SCALED = ("scale", "scale*alpha", "scale*alpha_sq", "scale*sigma_sq")


class NetworkFeatures:
    """Shapes and forward pass of the network, for numpy arrays and torch tensors alike."""

    def __init__(self, hidden: int) -> None:
        self.hidden = hidden

    def shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Two layers."""
        return {
            "up": (self.hidden,),
            "up_bias": (self.hidden,),
            "down": (self.hidden, OUTPUTS),
            "down_bias": (OUTPUTS,),
        }

    def count(self, channels: int) -> int:
        """The constant and the outputs."""
        return 1 + OUTPUTS

    def run(self, weights: Mapping[str, Any], t: Any, activate: Callable[[Any], Any]) -> list[Any]:
        """The features at diffusion times ``t`` (B,), each (B,)."""
        hidden = activate(t[:, None] * weights["up"] + weights["up_bias"])  # [B, F]
        outputs = hidden @ weights["down"] + weights["down_bias"]  # [B, 4]
        return [0 * t + 1, *(outputs[:, q] for q in range(OUTPUTS))]
