"""The iterations that are unrolled: coefficients, rates and the loop itself."""

from unroll.methods.base import Method, iterate
from unroll.methods.chebyshev import Chebyshev, leja_step_sizes
from unroll.methods.eigenmodes import Eigenmodes
from unroll.methods.gradient import GradientDescent, NeumannSeries
from unroll.methods.inverse_symbol import InverseSymbol, smallest_steps
from unroll.validation import choice

__all__ = [
    "METHODS",
    "Chebyshev",
    "Eigenmodes",
    "GradientDescent",
    "InverseSymbol",
    "Method",
    "NeumannSeries",
    "get_method",
    "iterate",
    "leja_step_sizes",
    "smallest_steps",
]

METHODS: dict[str, Method] = {
    method.name: method for method in (GradientDescent(), NeumannSeries(), Chebyshev())
}


def get_method(name: str) -> Method:
    """The method of that name, or an `ArgumentError` that lists the names."""
    return METHODS[choice("method", name, METHODS)]
