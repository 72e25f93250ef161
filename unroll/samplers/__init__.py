"""Reverse-process samplers as data: every one is a list of affine stages.

A `Stage` evaluates the score once and combines it linearly with what is there, so one list serves
to draw samples (`Sampler.sample`) and to propagate their exact law (`unroll.distribution`).
"""

from unroll.samplers.grids import SPACINGS, reverse_times
from unroll.samplers.make import SAMPLERS, make_sampler
from unroll.samplers.stage import Sampler, Score, Stage

__all__ = [
    "SAMPLERS",
    "SPACINGS",
    "Sampler",
    "Score",
    "Stage",
    "make_sampler",
    "reverse_times",
]
