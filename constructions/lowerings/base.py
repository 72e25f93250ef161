"""Where an attention layer reads from, what its values are, and where it writes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Route"]


@dataclass(frozen=True)
class Route:
    """``x[target] += (attention) x[source] value``.

    Attributes
    ----------
    source, target
        Channel groups of the residual stream.
    value
        The channel map, array (channels, channels): ``Sigma``, or its eigenvalues on the diagonal.
    """

    source: str
    target: str
    value: np.ndarray
