"""Solvers that a user might pick instead, one per file."""

from benchmarks.method import Method
from benchmarks.peers.celerite import Celerite
from benchmarks.peers.cholesky import Cholesky
from benchmarks.peers.conjugate_gradients import CirculantCG
from benchmarks.peers.eigen import Eigen
from benchmarks.peers.gohberg_semencul import GohbergSemencul
from benchmarks.peers.gpytorch import LinearOperator
from benchmarks.peers.levinson import Levinson
from benchmarks.peers.tridiagonal import Tridiagonal

#: Any kernel first, then those for the exponential kernel with exponent 1.
PEERS: tuple[type[Method], ...] = (
    Cholesky,
    Eigen,
    Levinson,
    GohbergSemencul,
    CirculantCG,
    LinearOperator,
    Celerite,
    Tridiagonal,
)

__all__ = ["PEERS"]
