"""The discharges must be able to say no: false, vacuous and undecided claims all fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import mpmath
import pytest
import sympy

from proofs_check import discharge as by
from proofs_check.enclose import ball, enclose, interval
from proofs_check.evaluate import evaluate, exact
from proofs_check.outcome import (
    CHECKED,
    CITED,
    FAILED,
    PROVED_BOX,
    PROVED_SYMPY,
    PROVED_Z3,
    Discharge,
)
from unroll.errors import ArgumentError

x, y = sympy.symbols("x y", positive=True)
real = sympy.Symbol("r", real=True)
bare = sympy.Symbol("c")
n = sympy.Symbol("n", integer=True, nonnegative=True)
i = sympy.Symbol("i", integer=True, nonnegative=True)
size = sympy.Symbol("N", integer=True, positive=True)
A, B = (sympy.MatrixSymbol(letter, size, size) for letter in "AB")
v = sympy.MatrixSymbol("v", size, 1)
w = sympy.IndexedBase("w", nonnegative=True)
weight = sympy.Symbol("w_0", nonnegative=True)
a, b = sympy.symbols("a b", integer=True, nonnegative=True)

needs_z3 = pytest.mark.skipif(not by.z3_available(), reason="z3 is an optional extra")

TRUE: list[tuple[str, Discharge, str]] = [
    ("identity", by.identity((x + y) ** 2, x**2 + 2 * x * y + y**2), PROVED_SYMPY),
    ("identity, powers", by.identity(x**n * x, x ** (n + 1), automatic=True), PROVED_SYMPY),
    ("identity, matrices", by.identity((A + B) * A, A**2 + B * A), PROVED_SYMPY),
    ("nonnegative, square", by.nonnegative((real - 1) ** 2), PROVED_SYMPY),
    ("nonnegative, slack", by.nonnegative(y / x - 1, by.ordered(x, y)), PROVED_SYMPY),
    ("positive", by.positive(1 + x), PROVED_SYMPY),
    (
        "sum",
        by.sum_nonnegative(sympy.Sum(2 * w[i], (i, 1, n)), 2 * w[i], (i, 1, n), {w[i]: weight}),
        PROVED_SYMPY,
    ),
    ("monotone", by.monotone(x / (1 + x), x, "increasing"), PROVED_SYMPY),
    ("limit", by.limit(x / (1 + x), x, sympy.oo, 1), PROVED_SYMPY),
    ("sum closed", by.summation(i, (i, 0, n), n * (n + 1) / 2), PROVED_SYMPY),
    (
        "infinite sum",
        by.summation(
            (1 + x) ** -i, (i, 0, sympy.oo), (1 + x) / x, partial=(1 + x - (1 + x) ** -i) / x
        ),
        PROVED_SYMPY,
    ),
    (
        "integral",
        by.integration(sympy.exp(-real), (real, 0, sympy.oo), 1, antiderivative=-sympy.exp(-real)),
        PROVED_SYMPY,
    ),
    ("recursion", by.recurrence(2**n, n, lambda _, s: 2 * s, [1]), PROVED_SYMPY),
    ("z3", by.smt(x * y <= (x**2 + y**2) / 2), PROVED_Z3),
    ("z3, root", by.smt(sympy.sqrt(x) <= (1 + x) / 2), PROVED_Z3),
    ("box", by.covering(sympy.exp(x) - 1 - x, {x: ("1/10", 2)}), PROVED_BOX),
    ("points", by.numerically(lambda p: p["k"] >= 0, [{"k": k} for k in range(20)]), CHECKED),
    ("citation", by.cited("Somebody, Theorem 1.2", "all is well that ends well"), CITED),
    (
        "entry",
        by.entry_identity(A * B, a, b, sympy.Sum(A[a, i] * B[i, b], (i, 0, size - 1))),
        PROVED_SYMPY,
    ),
    (
        "quadratic form",
        by.quadratic_identity((v.T * A * B * v), v.T * B * A * v, symmetric=[A, B]),
        PROVED_SYMPY,
    ),
]

FALSE: list[tuple[str, Discharge]] = [
    ("identity, false", by.identity((x + y) ** 2, x**2 + y**2)),
    ("identity, true only for x > 0", by.identity(sympy.sqrt(real**2), real)),
    ("identity, same object", by.identity(x, x)),
    ("identity, not a number", by.identity(sympy.nan, x)),
    ("identity, infinite", by.identity(sympy.oo, sympy.oo + x)),
    ("identity, small difference", by.identity(x + sympy.Rational(1, 10**9), x)),
    ("identity, unevaluated", by.identity(sympy.Integral(sympy.Function("f")(x), x), x)),
    ("identity, matrices do not commute", by.identity(A * B, B * A)),
    ("identity, one entry differs", by.identity(sympy.eye(2) * x, sympy.diag(x, x + 1))),
    ("nonnegative, false", by.nonnegative(x - y)),
    ("nonnegative, false in a corner", by.nonnegative(x**2 - x + sympy.Rational(1, 5))),
    ("nonnegative, without assumptions", by.nonnegative(bare**2)),
    ("nonnegative, identically zero", by.nonnegative(x * y - y * x + 0)),
    ("nonnegative, zero after slacks", by.nonnegative((x - y) * 0)),
    ("nonnegative, denominator may vanish", by.nonnegative(x / (1 - y) ** 3)),
    ("nonnegative, undecided", by.nonnegative(sympy.exp(real) - 1 - real)),
    ("positive, only nonnegative", by.positive(real**2)),
    (
        "sum, another total",
        by.sum_nonnegative(sympy.Sum(w[i], (i, 1, n)), 2 * w[i], (i, 1, n), {w[i]: weight}),
    ),
    (
        "sum, negative terms",
        by.sum_nonnegative(sympy.Sum(-w[i], (i, 1, n)), -w[i], (i, 1, n), {w[i]: weight}),
    ),
    (
        "sum, weights without a sign",
        by.sum_nonnegative(sympy.Sum(w[i], (i, 1, n)), w[i], (i, 1, n), {w[i]: real}),
    ),
    ("monotone, wrong way", by.monotone(x / (1 + x), x, "decreasing")),
    ("monotone, absent variable", by.monotone(y, x, "increasing")),
    ("monotone, not monotone", by.monotone(x + 1 / x, x, "increasing")),
    ("monotone, unknown direction", by.monotone(x, x, "upwards")),
    ("limit, wrong", by.limit(x / (1 + x), x, sympy.oo, 2)),
    ("limit, infinite", by.limit(x, x, sympy.oo, 1)),
    ("limit, absent variable", by.limit(y, x, sympy.oo, y)),
    ("limit, oscillating", by.limit(sympy.sin(x), x, sympy.oo, 0)),
    ("sum closed, base", by.summation(i, (i, 0, n), n * (n + 1) / 2 + 1)),
    ("sum closed, step", by.summation(i, (i, 0, n), n**2)),
    ("infinite sum, no partial sum", by.summation(2**-i, (i, 0, sympy.oo), 2)),
    ("infinite sum, wrong", by.summation(2**-i, (i, 0, sympy.oo), 3, partial=2 - 2**-i)),
    ("infinite sum, divergent", by.summation(i, (i, 0, sympy.oo), 0, partial=i * (i + 1) / 2)),
    (
        "integral, wrong value",
        by.integration(sympy.exp(-real), (real, 0, 1), 1, antiderivative=-sympy.exp(-real)),
    ),
    (
        "integral, wrong antiderivative",
        by.integration(real, (real, 0, 1), 1, antiderivative=real**2),
    ),
    (
        "integral, antiderivative with a jump",
        by.integration(
            1 / (1 + real**2), (real, -1, 1), -sympy.pi / 2, antiderivative=-sympy.atan(1 / real)
        ),
    ),
    ("recursion, base", by.recurrence(2 ** (n + 1), n, lambda _, s: 2 * s, [1])),
    ("recursion, step", by.recurrence(3**n, n, lambda _, s: 2 * s, [1])),
    ("recursion, no base", by.recurrence(2**n, n, lambda _: 2 ** (n + 1), [])),
    ("box, false", by.covering(x - 1, {x: (0, 2)})),
    ("box, vanishes inside", by.covering(sympy.exp(x) - 1 - x, {x: (0, 1)}, max_boxes=200)),
    ("box, a point", by.covering(x + 1, {x: (1, 1)})),
    ("box, one variable missing", by.covering(x + y, {x: (0, 1)})),
    ("points, too few", by.numerically(lambda p: True, [{"k": k} for k in range(19)])),
    ("points, the same one", by.numerically(lambda p: True, [{"k": 1}] * 100)),
    ("points, false at one", by.numerically(lambda p: p["k"] != 7, [{"k": k} for k in range(40)])),
    ("citation, empty", by.cited("", "")),
    ("combination, empty", by.all_of()),
    (
        "combination, one fails",
        by.all_of(by.identity(x + x, 2 * x, automatic=True), by.positive(-x)),
    ),
    (
        "entry, factors exchanged",
        by.entry_identity(A * B, a, b, sympy.Sum(B[a, i] * A[i, b], (i, 0, size - 1))),
    ),
    (
        "quadratic form, not symmetric",
        by.quadratic_identity(v.T * A * B * v, v.T * B * A * v, symmetric=[A]),
    ),
]

Z3_FALSE: list[tuple[str, Discharge]] = [
    ("z3, false", by.smt(x * y <= (x**2 + y**2) / 3)),
    ("z3, without the hypothesis", by.smt(x**2 <= x)),
    ("z3, contradicting hypotheses", by.smt(x <= 3, [x > 5, x < 4])),
    ("z3, evaluated away", by.smt(sympy.true)),
    ("z3, division by zero", by.smt(real / real >= 1, [])),
]


@pytest.mark.parametrize(("name", "claim", "status"), TRUE, ids=[row[0] for row in TRUE])
def test_true_claim_gets_its_status(name: str, claim: Discharge, status: str) -> None:
    if claim.how == "z3" and not by.z3_available():
        pytest.skip("z3 is an optional extra")
    outcome = claim.run()
    assert outcome.status == status, outcome.detail


@pytest.mark.parametrize(("name", "claim"), FALSE, ids=[row[0] for row in FALSE])
def test_false_or_vacuous_claim_fails(name: str, claim: Discharge) -> None:
    outcome = claim.run()
    assert outcome.status == FAILED
    assert not outcome.error, f"crashed instead of deciding: {outcome.detail}"


@needs_z3
@pytest.mark.parametrize(("name", "claim"), Z3_FALSE, ids=[row[0] for row in Z3_FALSE])
def test_false_polynomial_claim_fails(name: str, claim: Discharge) -> None:
    assert claim.run().status == FAILED


@needs_z3
@pytest.mark.parametrize("claim", [sympy.exp(x) >= 2, x**y >= y, bare >= 0])
def test_z3_refuses_what_it_does_not_know(claim: Any) -> None:
    outcome = by.smt(claim).run()
    assert outcome.status == FAILED
    assert outcome.error


def test_combination_has_the_weakest_status_and_every_scope() -> None:
    fixed = by.identity((x + 1) ** 2, x**2 + 2 * x + 1, scope="size 2")
    outcome = by.all_of(fixed, by.cited("Somebody, Theorem 1.2", "all is well")).run()
    assert outcome.status == CITED
    assert outcome.scope == "size 2"


def test_crash_is_a_failure_and_is_marked() -> None:
    def crash() -> Any:
        raise RuntimeError("broken")

    outcome = Discharge("crash", crash).run()
    assert outcome.status == FAILED
    assert outcome.error
    assert "broken" in outcome.detail


def test_ordered_slacks_cover_exactly_the_ordered_points() -> None:
    top = sympy.Symbol("z", positive=True)
    slacks = by.ordered(x, y, top)
    assert sympy.expand(slacks[top] - slacks[y]).is_nonnegative
    assert sympy.expand(slacks[y] - x).is_nonnegative
    assert all((slacks[s] - before).is_Symbol for s, before in ((y, x), (top, slacks[y])))


@pytest.mark.parametrize(
    "expression",
    [x / 3 + sympy.sqrt(2), sympy.exp(-x) * sympy.cos(x), x ** sympy.Rational(1, 3), sympy.log(x)],
)
def test_enclosure_contains_the_value(expression: Any) -> None:
    value = enclose(expression, {x: interval(1, 2)})
    assert float(value.rad()) > 0.1
    for point in (1, sympy.Rational(4, 3), 2):
        assert value.contains(flint.arb(str(sympy.N(expression.subs(x, point), 40)) + " +/- 1e-30"))


def test_rational_constants_stay_balls() -> None:
    third = enclose(sympy.Rational(1, 3), {})
    assert isinstance(third, flint.arb)
    assert not third.is_exact()
    assert third.contains(ball(exact(sympy.Rational(1, 3))))


bad_enclosures: list[Callable[[], Any]] = [
    lambda: enclose(x, {x: 1.5}),
    lambda: enclose(x, {x: mpmath.mpf(1)}),
    lambda: enclose(sympy.zeta(x), {x: interval(2, 3)}),
    lambda: interval(1, 1),
    lambda: ball("1"),
]


@pytest.mark.parametrize("attempt", bad_enclosures)
def test_what_is_not_a_ball_is_refused(attempt: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError):
        attempt()


def test_numbers_come_from_binary_values_and_never_from_gaps() -> None:
    assert evaluate(x, {"x": 0.1}) == mpmath.mpf(0.1)
    with pytest.raises(ArgumentError, match="no value for x"):
        evaluate(x, {})
    with pytest.raises(ArgumentError, match="finite"):
        evaluate(sympy.sqrt(real), {"r": -1})
    with pytest.raises(ArgumentError, match="finite"):
        evaluate(1 / real, {"r": 0})
