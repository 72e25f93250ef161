"""The forward process: values, small diffusion times, shapes, refusals."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import strategies as our
import tolerances as tol
from hypothesis import given

from unroll import ArgumentError, schedules


@given(our.diffusion_times(1e-300, 50.0))
def test_values_against_mpmath(t: float) -> None:
    with mp.workdps(400):
        signal = mp.exp(-mp.mpf(t))
        expected = {
            schedules.alpha: mp.sqrt(signal),
            schedules.alpha_sq: signal,
            schedules.sigma: mp.sqrt(1 - signal),
            schedules.sigma_sq: 1 - signal,
        }
        for function, value in expected.items():
            assert abs(function(t) - value) <= tol.FORMULA * (1 + t) * value


def test_start_of_the_process() -> None:
    assert schedules.alpha(0.0) == schedules.alpha_sq(0) == 1.0
    assert schedules.sigma(0.0) == schedules.sigma_sq(0) == 0.0


def test_float_for_a_scalar_array_for_an_array() -> None:
    for function in (schedules.alpha, schedules.alpha_sq, schedules.sigma, schedules.sigma_sq):
        assert isinstance(function(0.5), float)
        values = function(np.array([[0.1, 0.2, 3.0]]))
        assert values.shape == (1, 3)
        assert values.dtype == np.float64
        assert values[0, 1] == function(0.2)


@pytest.mark.parametrize("t", [-1e-9, math.nan, math.inf, [0.1, -0.1], "soon"])
def test_bad_times_are_refused(t: object) -> None:
    with pytest.raises(ArgumentError) as error:
        schedules.sigma(t)
    assert error.value.argument == "t"
