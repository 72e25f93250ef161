"""What is computed: Gaussian processes, their scores, and the iterations that approach them.

The paper is Fu, Dou, Guo, Wang, Chen, "Diffusion Transformer Captures Spatial-Temporal
Dependencies: A Theory for Gaussian Process Data", arXiv 2407.16134 (ICLR 2025). Its symbols, and
their names in the code (a *frame* is one token, a *channel* one coordinate of it, a *lag* the
distance of two frames, `t` the diffusion time):

==========================  =======================  =============================================
symbol                      code name                meaning
==========================  =======================  =============================================
N, d                        frames, channels         sequence length, frame dimension
X                           x                        a sequence (N, d); vec is row-major
M                           mean                     mean sequence (N, d)
gamma(h), Gamma             kernel, temporal_cov     temporal kernel, Gamma_ij = gamma(|i - j|)
Sigma                       spatial_cov              covariance of the channels (d, d)
Gamma (x) Sigma             covariance()             covariance of vec(X)
l, nu                       length_scale, exponent   exponential decay exp(-(h/l)^nu)
p, q                        power                    polynomial, logarithmic decay
P                           period                   of a damped oscillation, in frames
ell (the paper's)           length_scale**exponent   exp(-h^nu / ell), `from_paper`
r, C                        radius, period           circle that carries the frames in the paper
alpha_t = exp(-t/2)         schedules.alpha          forward process dX = -X dt / 2 + dW
sigma_t^2 = 1 - exp(-t)     schedules.sigma_sq
A_t                         noisy_cov                alpha_t^2 Gamma (x) Sigma + sigma_t^2 I
s_t(V)                      score                    -A_t^{-1} (V - alpha_t M)
epsilon_t(V)                noise_prediction         -sigma_t s_t(V)
E[X | V]                    denoise                  (V + sigma_t^2 s_t(V)) / alpha_t
f(pi)                       kernel.symbol_min        lower bound on every eigenvalue of Gamma
T_N(J)                      kernel.tail_sum          sum of gamma(k) over J < k < N
J                           bandwidth                largest lag that is kept
t_0, T                      t_min, t_max             range of diffusion times
==========================  =======================  =============================================
"""

from unroll.conditional import Conditioning
from unroll.errors import ArgumentError
from unroll.fit_report import FitReport
from unroll.fitting import fit
from unroll.gaussian_process import GaussianProcess
from unroll.kernels import (
    CircleExponential,
    DampedCosine,
    Exponential,
    Kernel,
    Logarithmic,
    Polynomial,
    kernel_from_dict,
)
from unroll.plan import ErrorBudget, Plan
from unroll.planner import make_plan
from unroll.samplers import make_sampler, reverse_times
from unroll.sampling import sample_reverse

__all__ = [
    "ArgumentError",
    "CircleExponential",
    "Conditioning",
    "DampedCosine",
    "ErrorBudget",
    "Exponential",
    "FitReport",
    "GaussianProcess",
    "Kernel",
    "Logarithmic",
    "Plan",
    "Polynomial",
    "fit",
    "kernel_from_dict",
    "make_plan",
    "make_sampler",
    "reverse_times",
    "sample_reverse",
]
