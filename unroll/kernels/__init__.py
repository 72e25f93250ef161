"""Temporal kernels, one file per decay regime."""

from unroll.kernels.base import Kernel, kernel_from_dict
from unroll.kernels.circle import CircleExponential
from unroll.kernels.exponential import Exponential
from unroll.kernels.logarithmic import Logarithmic
from unroll.kernels.polynomial import Polynomial

__all__ = [
    "CircleExponential",
    "Exponential",
    "Kernel",
    "Logarithmic",
    "Polynomial",
    "kernel_from_dict",
]
