"""How numbers and names are written in tables and figures."""

from __future__ import annotations

import re
from typing import Any


def number(value: float) -> str:
    """Two digits.

    >>> number(0.1234), number(12.34), number(1234.0)
    ('0.12', '12', '1,234')
    """
    return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"


def seconds(value: float) -> str:
    """Three digits in the unit that fits.

    >>> seconds(2.5), seconds(0.0025), seconds(2.5e-6)
    ('2.5 s', '2.5 ms', '2.5 µs')
    """
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def megabytes(value: float) -> str:
    """Bytes as MB.

    >>> megabytes(1.5e6)
    '1.5 MB'
    """
    return f"{value / 1e6:.3g} MB"


def size_heading(frames: int) -> str:
    """Heading of the column of a size."""
    return f"N = {frames}"


def regime(kernel: dict[str, Any]) -> str:
    """A stored kernel with its parameters by their letters.

    >>> regime({"regime": "polynomial", "length_scale": 8.0, "power": 2.0})
    'polynomial p = 2, ℓ = 8'
    """
    power = "q" if kernel["regime"] == "logarithmic" else "p"
    letters = {"exponent": "ν", "power": power, "length_scale": "ℓ"}
    values = [f"{letters[name]} = {kernel[name]:g}" for name in letters if name in kernel]
    return f"{kernel['regime']} {', '.join(values)}"


def short(refusal: str) -> str:
    """What an error says before it explains.

    >>> short("tol is below the float64 floor of 1e-6 (guaranteed rounding): errors grow")
    'tol is below the float64 floor of 1e-6'
    """
    return re.split(r" \(|: |; ", refusal)[0]
