"""Temporal kernels, one file per decay regime and one for damped oscillations."""

from unroll.kernels.base import Kernel, kernel_from_dict
from unroll.kernels.circle import CircleExponential
from unroll.kernels.damped_cosine import DampedCosine
from unroll.kernels.exponential import Exponential
from unroll.kernels.logarithmic import Logarithmic
from unroll.kernels.polynomial import Polynomial

__all__ = [
    "CircleExponential",
    "DampedCosine",
    "Exponential",
    "Kernel",
    "Logarithmic",
    "Polynomial",
    "kernel_from_dict",
]
