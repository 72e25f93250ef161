"""The plan: everything that is decided before a weight is written or a bound is proved.

A `Plan` is a frozen value. The builder turns it into weights, the prover into a certificate, and
neither trusts the other. `unroll.planner.make_plan` makes one from a tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unroll.attention import Lowering, lowering_from_dict
from unroll.errors import ArgumentError
from unroll.gate_design import OUTPUTS, scaled_spectrum
from unroll.gate_network import GateNetwork
from unroll.gaussian_process import GaussianProcess
from unroll.methods import METHODS, Method, get_method, iterate
from unroll.methods.boundary import BoundaryCorrection
from unroll.methods.eigenmodes import Eigenmodes, temporal_modes
from unroll.methods.inverse_symbol import InverseSymbol
from unroll.relu_product import ReluProducts
from unroll.rounding import ACTIVATION_ROUNDINGS, DTYPES, ROUNDING_MODELS
from unroll.schedules import alpha, alpha_sq, sigma_sq
from unroll.spectrum import Spectrum
from unroll.validation import (
    Array,
    choice,
    diffusion_times,
    in_range,
    integer,
    positive,
    real,
    trailing_shape,
)

__all__ = ["METHOD_NAMES", "ErrorBudget", "Plan"]

METHOD_NAMES = (*METHODS, "preconditioned", "boundary", "spectral")
_WITHOUT_LOWERING = ("boundary", "spectral")


@dataclass(frozen=True)
class ErrorBudget:
    """The relative root-mean-square score error, one term per cause; their sum is the bound.

    Attributes
    ----------
    rate
        The iteration stops after finitely many blocks: ``delta_K``.
    truncation
        Heads carry a band of lags only: ``(1 + delta_K) e / m``.
    rounding
        Floating-point arithmetic (`unroll.rounding`).
    conditioning
        Gates or products that only approximate what they should be as functions of ``t``.
    tail
        Noise so large that a model with a bounded read-out does not follow it.
    """

    rate: float
    truncation: float
    rounding: float
    conditioning: float = 0.0
    tail: float = 0.0

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if real(f"budget.{name}", share) < 0:
                raise ArgumentError(f"budget.{name}", share, "must not be negative", "plan anew")

    @property
    def total(self) -> float:
        """The sum of the terms."""
        return self.rate + self.truncation + self.rounding + self.conditioning + self.tail


@dataclass(frozen=True)
class Plan:
    """A problem, the method that solves it, the attention that carries it, and the error budget.

    Attributes
    ----------
    gp
        The problem.
    method_name
        Which method is unrolled.
    lowering
        What the attention heads realise, with its parameters; ``None`` for the direct methods,
        which have heads of their own.
    depth
        Number of iterates ``s_1, ..., s_depth``.
    spectrum
        Enclosure of the eigenvalues of the operator *as the heads carry it*; the step sizes are
        chosen for it.
    tol
        The promise: relative root-mean-square score error for every ``t`` in ``[t_min, t_max]``.
    t_min, t_max
        Range of the diffusion time.
    dtype
        ``"float32"`` or ``"float64"``.
    activation
        Activation of the feed-forward layers.
    rounding_model
        ``"guaranteed"`` or ``"measured"``.
    budget
        How ``tol`` is spent.
    preconditioner
        For ``"preconditioned"``: gates of its Fourier heads, and step sizes.
    boundary
        For ``"boundary"``: the heads of the circulant, and of the ends.
    modes
        For ``"spectral"``: the eigenmodes that have a head.
    products
        For the paper's model: how it multiplies by functions of the diffusion time.
    conditioning
        A network of ``t`` that the gates come from; ``None``: exact functions of ``t``.
    """

    gp: GaussianProcess
    method_name: str
    lowering: Lowering | None
    depth: int
    spectrum: Spectrum
    tol: float
    t_min: float
    t_max: float
    dtype: str
    activation: str
    rounding_model: str
    budget: ErrorBudget
    preconditioner: InverseSymbol | None = None
    modes: Eigenmodes | None = None
    products: ReluProducts | None = None
    conditioning: GateNetwork | None = None
    boundary: BoundaryCorrection | None = None

    def __post_init__(self) -> None:
        choice("method", self.method_name, METHOD_NAMES)
        for field, needed in (
            ("lowering", self.method_name not in _WITHOUT_LOWERING),
            ("preconditioner", self.method_name == "preconditioned"),
            ("boundary", self.method_name == "boundary"),
            ("modes", self.method_name == "spectral"),
        ):
            value = getattr(self, field)
            if (value is not None) != needed:
                wanted = "is needed" if needed else "has no place"
                raise ArgumentError(
                    field, value, f"{wanted} with method {self.method_name!r}", "plan anew"
                )
        integer("depth", self.depth, 1)
        in_range("tol", self.tol, 0.0, 1.0, low_open=True, high_open=True)
        positive("t_min", self.t_min)
        positive("t_max", self.t_max)
        if self.t_min >= self.t_max:
            raise ArgumentError(
                "t_min", self.t_min, f"must be below t_max={self.t_max}", "swap them"
            )
        choice("dtype", self.dtype, DTYPES)
        choice("activation", self.activation, ACTIVATION_ROUNDINGS)
        choice("rounding_model", self.rounding_model, ROUNDING_MODELS)
        paper = (self.method_name, self.attention, self.activation) == ("gradient", "relu", "relu")
        if self.products is not None and not paper:
            raise ArgumentError(
                "products",
                self.products,
                "belong to gradient descent with ReLU attention and activations",
                "plan anew",
            )
        if not (
            np.isfinite([self.spectrum.lower, self.spectrum.upper]).all()
            and self.spectrum.lower <= self.spectrum.upper
            and self.spectrum.noisy(self.t_min)[0] > 0
        ):
            raise ArgumentError(
                "spectrum",
                self.spectrum,
                "must be finite, in order and positive at t_min",
                "plan anew",
            )
        if self.conditioning is not None:
            self._check_network(self.conditioning)

    def _check_network(self, network: GateNetwork) -> None:
        wrong = {
            f"belongs to methods {', '.join(METHODS)}": self.method_name not in METHODS,
            "has no place beside products by ReLUs": self.products is not None,
            f"must have {OUTPUTS} outputs": network.outputs != OUTPUTS,
            "must have knots from t_min on and below t_max": network.knots[0] != self.t_min
            or network.knots[-1] >= self.t_max,
            f"must have activation {self.activation!r}": network.activation != self.activation,
        }
        for condition, broken in wrong.items():
            if broken:
                raise ArgumentError("conditioning", network, condition, "plan anew")
        positive("conditioning.spectrum", self.scaled_spectrum.lower)

    @property
    def scaled_spectrum(self) -> Spectrum:
        """With gates from a network: where the operator that it scales has its eigenvalues, for
        every ``t``, and what step sizes and momenta are chosen for.
        """
        assert self.conditioning is not None
        return scaled_spectrum(self.conditioning, self.spectrum, self.t_max)

    @property
    def method(self) -> Method:
        """The first-order iteration that is unrolled; `ArgumentError` for other methods."""
        return get_method(self.method_name)

    @property
    def attention(self) -> str:
        """Name of the attention mechanism."""
        if self.lowering is None:
            return "eigenmodes" if self.boundary is None else "fourier+ends"
        return self.lowering.name

    @property
    def layers(self) -> int:
        """Number of blocks: two for each step with a preconditioner, and for a circulant and its
        ends, else one; more where products by ReLUs take blocks of their own.
        """
        if self.products is not None:
            return self.products.layers(self.depth)
        return self.depth * (2 if self.preconditioner or self.boundary else 1)

    @property
    def heads(self) -> int:
        """The most attention heads in one block."""
        counts = [] if self.lowering is None else [self.lowering.heads]
        if self.preconditioner is not None:
            counts.append(len(self.preconditioner.symbol))
        if self.boundary is not None:
            counts += [len(self.boundary.symbol), self.boundary.heads]
        return max(counts + ([] if self.modes is None else [len(self.modes.values)]))

    @property
    def bandwidth(self) -> int | None:
        """Largest lag that the heads carry; ``None`` where they carry all."""
        return getattr(self.lowering, "bandwidth", None)

    @property
    def serves_shorter(self) -> bool:
        """Whether the promise holds for every sequence of fewer frames, with the same weights.

        It does for first-order methods: the covariance of the first ``n`` frames is a leading block
        of ``Gamma``, so its eigenvalues lie between those of ``Gamma`` (Cauchy's interlacing).
        Errors of products, which do not shrink with the sequence, are not covered by that, and
        irregular frame times belong to one set of frames.
        """
        regular = self.gp.frame_times is None
        return regular and self.method_name in METHODS and self.products is None

    def check_times(self, t: ArrayLike) -> Array:
        """``t`` as an array, or `ArgumentError` where it leaves ``[t_min, t_max]``."""
        times = diffusion_times("t", t)
        outside = (times < self.t_min) | (times > self.t_max)
        if outside.any():
            raise ArgumentError(
                "t",
                times[outside].ravel()[0],
                f"is outside the range [{self.t_min:g}, {self.t_max:g}] of the plan",
                "stay inside it, or plan anew with a wider range",
            )
        return times

    def run(self, v: ArrayLike, t: ArrayLike, *, exact_operator: bool = False) -> Iterator[Array]:
        """The iterates ``s_1, ..., s_depth`` in numpy: what each block should compute.

        Parameters
        ----------
        v
            Noisy sequences, array (..., frames, channels).
        t
            Diffusion time, scalar or array (...,).
        exact_operator
            Iterate with ``Gamma`` itself and not with what the heads carry of it.
        """
        gp = self.gp
        v = trailing_shape("v", v, gp.frames, gp.channels)
        times = self.check_times(t)
        try:
            np.broadcast_to(times, v.shape[:-2])
        except ValueError:
            raise ArgumentError(
                "t", times, f"does not fit the batch shape {v.shape[:-2]} of v", "give one t each"
            ) from None
        b = v - alpha(times[..., None, None]) * gp.mean
        if self.modes is not None:
            vectors = temporal_modes(gp.kernel, gp.frames)[1][:, : len(self.modes.values)]
            return iter([self.modes.run(vectors, gp.spatial_cov, b, times)])
        if self.boundary is not None:
            return iter([self.boundary.run(gp.spatial_cov, b, times)])
        assert self.lowering is not None
        if self.preconditioner is not None:
            column = gp.kernel.autocov(np.arange(gp.frames))
            if not exact_operator:
                column = self.lowering.autocov(gp.kernel, gp.frames)
            return self.preconditioner.run(column, gp.spatial_cov, b, times)
        temporal = (
            gp.temporal_cov if exact_operator else self.lowering.operator(gp.kernel, gp.frames)
        )
        if self.conditioning is not None:
            return self._run_network(temporal, v, times)
        times = times[..., None, None]
        signal, noise = alpha_sq(times), sigma_sq(times)
        lower, upper = self.spectrum.noisy(times)

        def matvec(s: Array) -> Array:
            return np.asarray(signal * (temporal @ s @ gp.spatial_cov) + noise * s)

        return iterate(self.method, matvec, b, lower, upper, self.depth)

    def _run_network(self, temporal: Array, v: Array, times: Array) -> Iterator[Array]:
        """The iteration for ``P G + R`` and the input ``C v - E M``."""
        assert self.conditioning is not None
        gates = self.conditioning.evaluate(times)
        c, e, p, r = np.moveaxis(gates, -1, 0)[..., None, None]
        scaled = self.scaled_spectrum

        def matvec(s: Array) -> Array:
            return np.asarray(p * (temporal @ s @ self.gp.spatial_cov) + r * s)

        b = c * v - e * self.gp.mean
        return iterate(
            self.method, matvec, b, np.array(scaled.lower), np.array(scaled.upper), self.depth
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready document; `from_dict` reads it back."""
        document = {
            name: getattr(self, name)
            for name in ("depth", "tol", "t_min", "t_max", "dtype", "activation", "rounding_model")
        }
        return {
            "method": self.method_name,
            **document,
            "lowering": self.lowering.to_dict() if self.lowering else None,
            "preconditioner": self.preconditioner.to_dict() if self.preconditioner else None,
            "boundary": self.boundary.to_dict() if self.boundary else None,
            "modes": self.modes.to_dict() if self.modes else None,
            "products": self.products.to_dict() if self.products else None,
            "conditioning": self.conditioning.to_dict() if self.conditioning else None,
            "spectrum": asdict(self.spectrum),
            "budget": asdict(self.budget),
            "problem": self.gp.to_dict(),
        }

    @classmethod
    def from_dict(cls, document: Any) -> Plan:
        """The plan that `to_dict` described; `ArgumentError` for anything else."""
        try:
            values = dict(document)
            problem = values.pop("problem")
            choice("method", values["method"], METHOD_NAMES)
            lowering = values.pop("lowering")
            preconditioner, modes = values.pop("preconditioner"), values.pop("modes")
            products, network = values.pop("products"), values.pop("conditioning")
            boundary = values.pop("boundary")
            return cls(
                gp=GaussianProcess.from_dict(problem),
                method_name=values.pop("method"),
                lowering=lowering_from_dict(lowering) if lowering else None,
                preconditioner=InverseSymbol.from_dict(preconditioner) if preconditioner else None,
                boundary=BoundaryCorrection.from_dict(boundary) if boundary else None,
                modes=Eigenmodes.from_dict(modes) if modes else None,
                products=ReluProducts.from_dict(products) if products else None,
                conditioning=GateNetwork.from_dict(network) if network else None,
                spectrum=Spectrum(**values.pop("spectrum")),
                budget=ErrorBudget(**values.pop("budget")),
                **values,
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(
                "plan", document, f"is not a plan of this library ({error})", "save it anew"
            ) from error
