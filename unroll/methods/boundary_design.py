r"""Rank-one heads for the ends of a sequence: which vectors, which poles, which amplitudes.

For one ``x`` the best symmetric ``G`` in ``P + W G W^T`` solves a Lyapunov equation,

    (W^T A W) G + G (W^T A W) = M + M^T,    M = W^T A (A^{-1} - P) W.

As a function of ``x`` it is a sum of poles on the negative axis, where the spectra of ``Gamma`` and
of the circulant lie, and a few poles ``p_j`` with matrices ``R_j`` replace them,

    G(x) = sum_j R_j / (x + p_j),

by linear least squares over points of ``log x``. The eigenvectors of ``R_j`` are the heads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from unroll.methods.boundary_systems import BoundarySystems, Half
from unroll.validation import Array

__all__ = ["Heads", "fewest_heads", "smallest_rank"]

_POLES = range(6, 31, 2)
_ROUNDING = 1e-13
_SHARES = (0.7, 0.1)  # of the error allowed: what rank may leave, what dropped heads may
_SMALLEST_POLE = 0.1  # over the smallest noise: those below act like it


@dataclass(frozen=True)
class Heads:
    """Heads ``rho_h v_h v_h^T / (x + p_h)``, ``v_h = W c_h``.

    Attributes
    ----------
    vectors
        ``W``, array (frames, rank), orthonormal columns.
    signs
        Whether they are even, 1, or odd, -1, array (rank,).
    read
        ``c_h``, array (rank, heads), unit columns.
    poles, amplitudes
        ``p_h`` and ``rho_h``, arrays (heads,).
    error
        The largest relative root-mean-square error at the points.
    """

    vectors: Array
    signs: Array
    read: Array
    poles: Array
    amplitudes: Array
    error: float


def smallest_rank(systems: BoundarySystems, tol: float) -> int | None:
    """The fewest vectors whose best matrices leave little enough; ``None`` where all leave more."""
    low, high = 1, sum(len(half.sizes) for half in systems.halves) + 1
    most = high
    while low < high:
        middle = (low + high) // 2
        left = _error(systems.halves, _best(systems, middle)) if middle < most else 0.0
        low, high = (low, middle) if left <= _SHARES[0] * tol else (middle + 1, high)
    return low if low < most else None


def fewest_heads(systems: BoundarySystems, rank: int, tol: float) -> Heads | None:
    """The fewest poles with which so many vectors leave at most `tol`; ``None`` for none."""
    best = _best(systems, rank)
    for count in _POLES:
        heads = _fitted(systems, best, count, tol)
        if heads.error <= tol:
            return heads
    return None


def _best(systems: BoundarySystems, rank: int) -> list[Array]:
    """The best matrices of each half with the most useful vectors of both."""
    halves = systems.halves
    order = np.argsort(-np.concatenate([half.sizes for half in halves]))[:rank]
    owner = np.repeat(np.arange(len(halves)), [len(half.sizes) for half in halves])[order]
    return [_matrices(half, int(np.sum(owner == k))) for k, half in enumerate(halves)]


def _matrices(half: Half, rank: int) -> Array:
    """The best ``G`` at every point, array (points, rank, rank)."""
    found = np.zeros((len(half.plain), rank, rank))
    for k, (corrected, plain) in enumerate(zip(half.corrected, half.plain, strict=True)):
        own = plain[:, :rank]
        mixed = own.T @ corrected[:, :rank]
        if rank:
            found[k] = solve_continuous_lyapunov(own.T @ own, mixed + mixed.T)
    return found


def _errors(half: Half, matrices: Array) -> Array:
    """Squares of the relative errors at every point, of one half."""
    rank = matrices.shape[-1]
    left = half.corrected.copy()
    left[..., :rank] -= half.plain[..., :rank] @ matrices
    squares: Array = np.sum(left**2, axis=(-2, -1)) + half.missed**2
    return squares


def _error(halves: list[Half], matrices: list[Array]) -> float:
    squares = sum(_errors(h, m) for h, m in zip(halves, matrices, strict=True))
    return float(np.sqrt(np.max(squares)))


def _fitted(systems: BoundarySystems, best: list[Array], poles: int, tol: float) -> Heads:
    """The heads of so many poles, without those that do not matter."""
    counts = [matrices.shape[-1] for matrices in best]
    smallest = max(0.9 * float(systems.symbol.min()), _SMALLEST_POLE * float(systems.x.min()))
    places = np.geomspace(smallest, float(systems.symbol.max()), poles)
    heads = []
    for k, (half, matrices) in enumerate(zip(systems.halves, best, strict=True)):
        if counts[k]:
            heads += [(k, head) for head in _split(systems.x, half, matrices, places)]
    heads.sort(key=lambda head: head[1].size)
    kept = np.cumsum([head.size for _, head in heads]) > _SHARES[1] * tol
    kept[-1] = True  # a block without heads is no block
    chosen = [head for head, wanted in zip(heads, kept, strict=True) if wanted]
    chosen.sort(key=lambda head: (head[1].pole, head[0]))
    starts = np.concatenate([[0], np.cumsum(counts)])
    read = np.zeros((starts[-1], len(chosen)))
    for h, (k, head) in enumerate(chosen):
        read[starts[k] : starts[k + 1], h] = head.direction
    rho, pole = (np.array([getattr(h, name) for _, h in chosen]) for name in ("rho", "pole"))
    together = (read * (rho / (systems.x[:, None] + pole))[:, None, :]) @ read.T
    parts = [together[:, a:b, a:b] for a, b in itertools.pairwise(starts)]
    return Heads(
        vectors=np.hstack([h.vectors[:, :c] for h, c in zip(systems.halves, counts, strict=True)]),
        signs=np.repeat([half.sign for half in systems.halves], counts),
        read=read,
        poles=pole,
        amplitudes=rho,
        error=_error(systems.halves, parts),
    )


@dataclass(frozen=True)
class _Head:
    """One eigenvector of one ``R_j``, and the largest share of the error that it could take."""

    pole: float
    rho: float
    direction: Array
    size: float


def _split(x: Array, half: Half, matrices: Array, poles: Array) -> Iterator[_Head]:
    """Fit matrices at the points for fitting, and take them apart."""
    rank = matrices.shape[-1]
    resolvents = 1.0 / (x[:, None] + poles)
    weight = np.linalg.norm(half.plain[..., :rank], axis=(-2, -1))
    fitting = slice(0, None, 2)
    left = (weight[:, None] * resolvents)[fitting]
    right = (weight[:, None, None] * matrices)[fitting].reshape(len(left), -1)
    fit = np.linalg.lstsq(left, right, rcond=_ROUNDING)[0].reshape(-1, rank, rank)
    for j, pole in enumerate(poles):
        values, directions = np.linalg.eigh((fit[j] + fit[j].T) / 2)
        lengths = np.linalg.norm(half.plain[..., :rank] @ directions, axis=-2)
        sizes = np.max(lengths * resolvents[:, j, None], axis=0) * np.abs(values)
        for rho, c, size in zip(values, directions.T, sizes, strict=True):
            yield _Head(float(pole), float(rho), c, float(size))
