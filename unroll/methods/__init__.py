"""The iterations that are unrolled: coefficients, rates and the loop itself."""

from unroll.methods.base import Method, iterate
from unroll.methods.chebyshev import Chebyshev, leja_step_sizes
from unroll.methods.gradient import GradientDescent, NeumannSeries
from unroll.validation import choice

__all__ = [
    "METHODS",
    "Chebyshev",
    "GradientDescent",
    "Method",
    "NeumannSeries",
    "get_method",
    "iterate",
    "leja_step_sizes",
]

METHODS: dict[str, Method] = {
    method.name: method for method in (GradientDescent(), NeumannSeries(), Chebyshev())
}


def get_method(name: str) -> Method:
    """The method of that name, or an `ArgumentError` that lists the names."""
    return METHODS[choice("method", name, METHODS)]
