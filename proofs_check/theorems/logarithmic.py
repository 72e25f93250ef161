r"""Logarithmic decay: no band helps, O(log^2) exponentials do, and the depth grows almost like N.

Statement
---------
gamma(h) = (1 + log(1 + h/ell))^{-q}, q > 0, eig(Sigma) in [mu_min, mu_max], t >= t_min,
w = e^{t_min} - 1, 0 < tol < 1.  With kappa = ((1 + 2 T_0) mu_max + w) / (f(pi) mu_min + w), T_0 the
sum over the blocks 2^m <= k < 2^{m+1} of the lags up to N/2, of their number times the mean of
gamma at their ends, the relative rms score error is at most tol with one of

- one softmax head with a sink;
- M = n + r + 2 heads with linear biases (ALiBi), one of rate 0, the others of the rates
  e^{k eta}/ell, k = -n .. r: with c = (1 - log(2)/2)^{-q}, d = (1 + log(3/4) - log(2)/2)^{-q},
  eta = pi^2/(2 log(1 + 12 c/tau)), n + 1 >= log(24 (1+eta) N/(7 ell tau))/eta,
  e^{(r+1) eta} >= 4 log(6 d/tau), where tau = tol (f(pi) mu_min + w) / ((2N-1) mu_max (4+5 tol)):
  M = O(log(1/tau) log(N/(ell tau)));
- N ReLU heads, one for every lag.  Fewer do not do: T_N(J) <= delta forces
  J >= N - 1 - delta (1 + log(1 + (N-1)/ell))^q, and |Gamma - Gamma_J| <= delta forces
  J >= N - 1 - (delta N)^{1/2} (1 + log(1 + (N-1)/ell))^{q/2}.  No bandwidth o(N), nor any fixed
  fraction of N below 1, keeps what the lemma on perturbations needs; this says nothing about an
  error that happens to be small for another reason,

and the depth and arithmetic of the exponential theorem, in terms of this kappa, which grows like
N/(log N)^q.

Assumptions
-----------
q > 0, 0 < mu_min <= mu_max, t_min > 0, 0 < tol < 1.

Proof
-----
As for the exponential theorem; the quadrature lemma with its parameters chosen gives the number of
exponentials, and two floors, one for the tail and one for the norm, the impossibility.

Kind
----
upper: the depth is exact for the worst spectrum in the interval, the enclosure of it is not.

Source
------
Composed from the lemmas named; exponential regime: Fu, Dou, Guo, Wang & Chen, arXiv 2407.16134,
Theorem 1.

Example
-------
>>> problem = dict(ell=8.0, power=1.0, N=64, f_pi=0.0614, mu_min=1.0, mu_max=1.0, t=0.01, tol=1e-6)
>>> design = THEOREM.design(problem)
>>> design.exponentials, design.depth["gradient"], design.depth["chebyshev"]
(160, 3498, 167)
"""

from __future__ import annotations

from functools import partial

import sympy

from proofs_check import lemmas
from proofs_check.discharge import identity
from proofs_check.lemmas._kernels import LOGARITHMIC
from proofs_check.lemmas.trapezoid_polynomial import left, right
from proofs_check.lemmas.truncation_floor import delta
from proofs_check.step import Parameters, Range, Step, WrongVariant
from proofs_check.symbols import J, N, ell, h, power
from proofs_check.theorems import _mixture_logarithmic as mixture
from proofs_check.theorems._composition import compose, grows_like, mutations
from proofs_check.theorems._depth import rests_on
from proofs_check.theorems._evidence import PARAMETERS, POINT, derived, measured, refutations
from proofs_check.theorems._measure import lags, tail_beyond
from proofs_check.theorems._mixtures import every_lag_step
from proofs_check.theorems.quantities import ERROR, HALF, TAIL_ALLOWED, tail
from proofs_check.theorems.theorem import Case, Theorem

_CHORD = lemmas.get("tail_logarithmic").bound
_GROWTH = lemmas.get("growth_logarithmic")
_FLOORS = {name: lemmas.get(name) for name in ("truncation_floor", "band_norm_floor")}
_block = sympy.Symbol("m", integer=True, nonnegative=True)


def block_total() -> sympy.Expr:
    """The lags up to N/2, cut into blocks that double, each by the lemma's chord."""
    first = 2**_block
    last = sympy.Min(2 * first - 1, HALF)
    chord = _CHORD.subs({J: first - 1, N: last + 1}, simultaneous=True)
    blocks = sympy.floor(sympy.log(sympy.Max(HALF, 1), 2))
    return sympy.Sum(chord, (_block, 0, blocks))


BANDWIDTH_NEEDED = _FLOORS["truncation_floor"].also["needed_logarithmic"].subs(delta, tail)
"""No band below this keeps the tail at ``delta_T``."""


def no_band(needed: sympy.Expr = BANDWIDTH_NEEDED) -> list[Step]:
    """No bandwidth o(N) will do, for a claimed bandwidth that is needed."""
    return [
        rests_on(
            "truncation_floor",
            "No bandwidth o(N) keeps the tail that a band may drop.",
            r"T_N(J)\le\delta\ \Rightarrow\ J\ge N-1-\frac\delta{\gamma(N-1)},\quad J/N\to1",
        ),
        Step(
            "With the tail that a band may drop: nearly all lags are needed.",
            r"J\ge N-1-\delta_T\,\bigl(1+\log(1+\tfrac{N-1}\ell)\bigr)^q",
            identity((N - 1 - needed) * LOGARITHMIC.subs(h, N - 1), tail, automatic=True),
        ),
        rests_on(
            "band_norm_floor",
            "Nor does any keep the banded matrix within a fixed distance in norm.",
            r"\|\Gamma-\Gamma_J\|\le\delta\ \Rightarrow\ "
            r"J\ge N-1-\sqrt{\delta N/\gamma(N-1)},\quad J/N\to1",
        ),
    ]


def steps() -> list[Step]:
    """The proof."""
    x, s = sympy.symbols("x s", positive=True)
    return compose(
        all_lags=[
            rests_on(
                "tail_logarithmic",
                "The lags up to N/2, block by block: gamma is convex, its chord is above it.",
                r"T_0 = \sum_{2^m\le N/2}(b_m-2^m+1)\,\frac{\gamma(2^m)+\gamma(b_m)}2,"
                r"\quad b_m = \min(2^{m+1}-1,\lfloor N/2\rfloor)",
            ),
            rests_on(
                "growth_logarithmic",
                "The largest eigenvalue grows like N/(log N)^q, and no slower.",
                r"1+n\gamma(n)\le\lambda_{\max}(\Gamma)\le1+2\ell(\sqrt{1+n/\ell}-1)+2^{q+1}n\gamma(n),"
                r"\quad n=N-1",
            ),
        ],
        heads=[
            rests_on(
                "laplace_logarithmic",
                "The kernel is a mixture of exponentials of the lag: heads with linear biases.",
                r"(1+\log(1+\tfrac h\ell))^{-q} = \frac1{\Gamma(q)}\int_0^\infty y^{q-1}e^{-y}"
                r"(1+\tfrac h\ell)^{-y}dy",
            ),
            rests_on(
                "trapezoid_logarithmic",
                "The trapezoidal rule in the logarithm of the rate, and its error at every lag.",
                r"\Bigl|\gamma(h)-\sum_kw_ke^{-x_kh/\ell}-\bigl(1-\sum_kw_k\bigr)\Bigr|\le "
                r"D(1+\tfrac h\ell)+D(1)+\text{two tails}",
            ),
            every_lag_step(),
            *mixture.steps(),
        ],
        band=no_band(),
        growth=[
            grows_like(
                "Growth with the accuracy, tau = e^{-x}.",
                r"\frac1{\eta\log(1/\tau)}\to\frac2{\pi^2},\qquad"
                r"\frac{n\,\eta}{\log(N/(\ell\tau))}\to1,\qquad\frac{r\,\eta}{\log(1/\tau)}\to0",
                (sympy.log(1 + s * sympy.exp(x)) / x, x, sympy.S.One),
                (sympy.log(s * sympy.exp(x)) / x, x, sympy.S.One),
                (sympy.log(4 * x) / x, x, sympy.S.Zero),
            )
        ],
    )


def measure(parameters: Parameters) -> float:
    """The error of the design, from dense matrices."""
    return measured(THEOREM, parameters)


def half_band(parameters: Parameters) -> float:
    """The tail beyond half of the lags."""
    return tail_beyond(lags("logarithmic", parameters), parameters["N"] // 2)


_WITNESS = {**POINT, "ell": 3.0, "power": 1.0}

THEOREM: Theorem = Theorem(
    name="logarithmic",
    regime="logarithmic",
    doc=__doc__,
    claim=r"M = O\Bigl(\log\tfrac1\tau\,\log\tfrac N{\ell\tau}\Bigr),\quad"
    r"\text{no band}\ J=o(N),\quad\kappa = O\Bigl(\frac N{(\log N)^q}\Bigr)",
    kind="upper",
    assumptions=(
        r"$\gamma(h)=(1+\log(1+h/\ell))^{-q}$, $q>0$",
        r"eigenvalues of $\Sigma$ in $[\mu_{\min},\mu_{\max}]$, $\mu_{\min}>0$",
        r"$t\ge t_{\min}>0$, $0<\varepsilon<1$",
    ),
    steps=steps(),
    bound=ERROR,
    measure=measure,
    derive=lambda parameters: derived(THEOREM, parameters),
    parameters={**PARAMETERS, "ell": Range(0.3, 8.0), "power": Range(0.2, 4.0)},
    wrong_variants=(
        *refutations(lambda: THEOREM, _WITNESS, {**_WITNESS, "N": 40}),
        WrongVariant(
            "half the band is enough",
            measure=half_band,
            bound=TAIL_ALLOWED,
            counterexample={**_WITNESS, "N": 400, "digits": 1.0},
        ),
        WrongVariant(
            "the power of the logarithm forgotten",
            steps=partial(no_band, needed=N - 1 - tail * (1 + sympy.log(1 + (N - 1) / ell))),
        ),
        WrongVariant(
            "half the small rates", steps=partial(mixture.steps, smallest=mixture.SMALLEST / 2)
        ),
        WrongVariant("twice the spacing", steps=partial(mixture.steps, step=2 * mixture.SPACING)),
        *mutations(),
    ),
    cases=(
        Case(
            condition="q>0",
            holds=lambda parameters: parameters["power"] > 0,
            total=block_total(),
            total_limit=(_GROWTH.bound - 1) / 2,
            tail=None,
            bandwidth=None,
            exponentials=mixture.HEADS,
            orders={
                "kappa": N / sympy.log(N) ** power,
                "bandwidth": N,
                "exponentials": mixture.ORDER,
            },
        ),
    ),
    kernel=LOGARITHMIC,
    parts=(
        (r"\eta =", "spacing of the exponentials in the logarithm of their rate", mixture.SPACING),
        (r"n+1\ge", "small rates", mixture.SMALLEST),
        (r"e^{(r+1)\eta}\ge", "large rates", mixture.CORNER),
        (r"M =", "exponentials: n + r + 1 and one constant", left + right + 2),
        (r"J\ge", "needed by every band", BANDWIDTH_NEEDED),
    ),
    power_name="q",
)
