"""Discharges: the ways in which a proof step can be established.

Every function returns a `Discharge`; nothing runs until the step is checked.
None passes vacuously: an unevaluated result, an undecided sign, an
unsatisfiable set of hypotheses or an interval that collapsed to a point fails.

================== ==================================================== =======================
function           establishes                                          status on success
================== ==================================================== =======================
identity           lhs = rhs for all symbols (scalars, matrices)        proved (sympy)
nonnegative        expr >= 0, positive slacks                           proved (sympy)
positive           expr > 0, positive slacks                            proved (sympy)
sum_nonnegative    a sum with symbolically many terms is >= 0           proved (sympy)
monotone           sign of a derivative                                 proved (sympy)
limit              the value of a limit                                 proved (sympy)
summation          a closed form of a sum, by telescoping               proved (sympy)
integration        a closed form of an integral, by antiderivative      proved (sympy)
entry_identity     an entry of a matrix product is a given sum          proved (sympy)
quadratic_identity an identity of 1 x 1 matrix forms, symbolic sizes    proved (sympy)
recurrence         a closed form of a recursion, by induction           proved (sympy)
all_of             several discharges together (e.g. base and step)     the weakest of them
smt                a polynomial claim under polynomial hypotheses       proved (z3)
covering           expr > 0 on a compact box, branch and bound          proved on a box (arb)
numerically        a claim at many sampled points                       checked numerically
lemma              another lemma of the registry, checked again         the weakest of its steps
cited              a theorem from the literature                        cited
================== ==================================================== =======================
"""

from proofs_check.discharge.algebra import identity, nonnegative, ordered, positive, sum_nonnegative
from proofs_check.discharge.box import covering
from proofs_check.discharge.calculus import integration, limit, monotone, recurrence, summation
from proofs_check.discharge.matrices import entry_identity, quadratic_identity
from proofs_check.discharge.other import all_of, cited, lemma, numerically
from proofs_check.discharge.smt import smt, z3_available

__all__ = [
    "all_of",
    "cited",
    "covering",
    "entry_identity",
    "identity",
    "integration",
    "lemma",
    "limit",
    "monotone",
    "nonnegative",
    "numerically",
    "ordered",
    "positive",
    "quadratic_identity",
    "recurrence",
    "smt",
    "sum_nonnegative",
    "summation",
    "z3_available",
]
