r"""A transformer for the score of a Gaussian process given some of its frames.

Tokens are all frames. An input frame is [noisy | observed], 2 d numbers: the noisy value where it
is a target, the observation where there is one; the rest is ignored. In the eigenbasis of Sigma,
with G = W diag(lambda) W^T the posterior covariance of the targets and K the gain
(`unroll.conditional`), the conditional score is

    s_u = - sum_m w_m g_m [ w_m^T (v_u - alpha m_u) - alpha (K^T w_m)^T (y_o - m_o) ],
    g_m = 1 / (alpha^2 lambda_m mu_a + sigma^2),

two blocks of linear attention with a rank-one head per eigenmode:

* *noisy*: query and key are w_m on the targets and zero elsewhere; values v - alpha m.
* *observed*: the query is w_m on the targets, the key K^T w_m on the observed frames: attention
  carries what was seen to where it matters. Values alpha (y - m).

Which frames are targets is in the position embedding alone, and the observed values are an input:
one model serves all of them. With white observation noise every spatial direction has modes of its
own, and a pair of blocks.

=====================  ===========================================================
channels               hold
=====================  ===========================================================
``s``                  the score, in the eigenbasis of Sigma
``noisy, observed``    the input, in that basis
``mean``               the mean sequence in that basis, a position embedding
``modes{a}``           w_m on the targets, a position embedding
``gains{a}``           K^T w_m on the observed frames, a position embedding
=====================  ===========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from constructions.architecture import Architecture
from constructions.compile.common import block_shape, gate_table
from constructions.model_folder import read_folder, write_folder
from constructions.modules import Transformer
from constructions.stream import ResidualStream
from constructions.weights import (
    BlockWeights,
    LinearAttentionWeights,
    ModulationWeights,
    Weights,
)
from unroll.conditional import Conditioning
from unroll.errors import ArgumentError
from unroll.validation import Array, choice, finite_array, in_range, instance

__all__ = ["ConditionalTransformer", "build_conditional", "compile_conditional", "load_conditional"]

FORMAT = "conditional-transformer/1"

_FEATURES = ("1", "alpha")
_SMALLEST_T, _LARGEST_T = 1e-12, 1e3


class ConditionalTransformer(Transformer):
    """`Transformer` on frames [noisy | observed]; `conditioning` is a label.

    `forward(v, t)` takes v (batch, frames, 2 channels) and returns the score of the targets in the
    first ``channels`` numbers of each frame, zero for the other frames and the other half.
    """

    def __init__(self, architecture: Architecture, conditioning: Conditioning) -> None:
        super().__init__(architecture)
        self.conditioning = conditioning
        self.stream = architecture.residual_stream()

    def tokens(self, noisy: Tensor, values: Tensor) -> Tensor:
        """The input for noisy targets (batch, targets, d) and observations (observed, d)."""
        shape, c = self.architecture, self.conditioning
        x = noisy.new_zeros(len(noisy), shape.frames, shape.channels)
        half = shape.channels // 2
        x[:, list(c.targets), :half] = noisy
        x[:, list(c.observed), half:] = values
        return x

    def score(self, values: Array) -> Callable[[Array, float], Array]:
        """``score(v, t)`` of noisy targets v (n, targets, d), given observations (observed, d)."""
        c = self.conditioning
        seen, shape = finite_array("values", values), (len(c.observed), c.gp.channels)
        if seen.shape != shape:
            condition = f"must have shape {shape}, got shape {seen.shape}"
            raise ArgumentError("values", values, condition, "give one row per observed frame")
        known = torch.as_tensor(seen).to(self.embed)

        def evaluate(v: Array, t: float) -> Array:
            with torch.no_grad():
                output = self(self.tokens(torch.as_tensor(v).to(self.embed), known), t)
            targets = output[:, list(c.targets), : c.gp.channels]
            return np.asarray(targets.double().cpu().numpy())

        return evaluate

    def save(self, path: str | Path) -> None:
        """Write ``model.safetensors`` and ``model.json`` into the folder ``path``."""
        description = {
            "architecture": self.architecture.to_dict(),
            "conditioning": self.conditioning.to_dict(),
        }
        write_folder(path, FORMAT, description, self.state_dict())


def load_conditional(path: str | Path) -> ConditionalTransformer:
    """Read a model that `ConditionalTransformer.save` wrote.

    Raises
    ------
    ArgumentError
        A file is missing, truncated, foreign or of another format, or the architecture does not
        fit the conditioning, or the tensors the architecture.
    """
    description, tensors = read_folder(path, FORMAT, ("architecture", "conditioning"))
    architecture = Architecture.from_dict(description["architecture"])
    conditioning = Conditioning.from_dict(description["conditioning"])
    gp = conditioning.gp
    if (architecture.frames, architecture.channels) != (gp.frames, 2 * gp.channels):
        raise ArgumentError(
            "architecture",
            (architecture.frames, architecture.channels),
            f"must have {gp.frames} frames of {2 * gp.channels} channels, as the conditioning says",
            "save the model anew",
        )
    model = ConditionalTransformer(architecture, conditioning)
    model.load_tensors(tensors)
    return model


def build_conditional(
    conditioning: Conditioning, *, t_min: float = 0.01, t_max: float = 5.0, dtype: str = "float64"
) -> ConditionalTransformer:
    """A transformer whose output is the score of the conditional process, exact up to rounding.

    Parameters
    ----------
    conditioning
        The process and what of it is observed. The observed values are an input of the model.
    t_min, t_max
        Range of the diffusion time.
    dtype
        ``"float64"`` or ``"float32"``.
    """
    weights = compile_conditional(conditioning, t_min=t_min, t_max=t_max, dtype=dtype)
    model = ConditionalTransformer(weights.architecture, conditioning)
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    model.load_tensors(
        {
            name: torch.as_tensor(array, dtype=own[name].dtype)
            for name, array in weights.tensors().items()
        }
    )
    return model


def compile_conditional(
    conditioning: Conditioning, *, t_min: float, t_max: float, dtype: str
) -> Weights:
    """Write every weight."""
    instance("conditioning", conditioning, Conditioning, "make one first")
    in_range("t_min", t_min, _SMALLEST_T, _LARGEST_T, high_open=True)
    in_range("t_max", t_max, t_min, _LARGEST_T, low_open=True)
    choice("dtype", dtype, ("float32", "float64"))
    gp, count = conditioning.gp, len(conditioning.targets)
    _, rotation = gp.noisy_cov.spatial_eigen
    groups = _directions(conditioning)
    embeddings = {f"modes{g}": count for g in range(len(groups))}
    embeddings |= {f"gains{g}": count for g in range(len(groups))}
    names = ["s", "noisy", "observed", "mean"] if gp.has_mean else ["s", "noisy", "observed"]
    stream = ResidualStream(dict.fromkeys(names, gp.channels) | embeddings)
    rows = {f"{name}{g}": x for g in range(len(groups)) for name, x in _rows(conditioning, g)}
    blocks = {
        f"{source}{g}": _block(conditioning, stream, g, source)
        for g in range(len(groups))
        for source in ("noisy", "observed")
    }
    mean = {"mean": gp.mean @ rotation} if gp.has_mean else {}
    embed = [stream.write(name, rotation) for name in ("noisy", "observed")]
    readout = stream.read("s") @ rotation.T
    return Weights(
        architecture=Architecture(
            frames=gp.frames,
            channels=2 * gp.channels,
            stream=stream.to_dict(),
            kinds={name: block_shape(block, "linear") for name, block in blocks.items()},
            blocks=tuple(blocks),
            two_ended=False,
            activation="relu",
            time_features="spectral",
            time_steps=1,
            t_min=float(t_min),
            t_max=float(t_max),
            dtype=dtype,
        ),
        embed=np.concatenate(embed),
        position=stream.place(gp.frames, **mean, **rows),
        readout=np.concatenate([readout, np.zeros_like(readout)], axis=1),
        time={},
        blocks=tuple(blocks.values()),
    )


def _directions(conditioning: Conditioning) -> list[list[int]]:
    """Spatial directions that share their temporal modes: all of them, or each alone."""
    everything = list(range(conditioning.gp.channels))
    shared = len(conditioning.temporal_covs) == 1
    return [everything] if shared else [[a] for a in everything]


def _rows(conditioning: Conditioning, g: int) -> list[tuple[str, Array]]:
    """The position embeddings of one group: modes on targets, gains on observed frames."""
    vectors = conditioning.eigen_basis[0].temporal[g]
    modes = np.zeros((conditioning.gp.frames, vectors.shape[1]))
    gains = np.zeros_like(modes)
    modes[list(conditioning.targets)] = vectors
    gains[list(conditioning.observed)] = conditioning.gains[g].T @ vectors
    return [("modes", modes), ("gains", gains)]


def _block(conditioning: Conditioning, stream: ResidualStream, g: int, source: str) -> BlockWeights:
    """``s`` gains ``-W g W^T (v - alpha m)``, or ``+W g (K^T W)^T alpha (y - m)``."""
    channels, chosen = conditioning.gp.channels, _directions(conditioning)[g]
    noisy = source == "noisy"
    read: dict[tuple[str, str], float | np.ndarray] = {("1" if noisy else "alpha", source): 1.0}
    sources = [source]
    if conditioning.gp.has_mean:
        read["alpha", "mean"] = -1.0
        sources.append("mean")
    eigenvalues = conditioning.eigen_basis[1][:, chosen]
    key = stream.read(f"modes{g}" if noisy else f"gains{g}")
    return BlockWeights(
        attention=LinearAttentionWeights(
            amplitude=np.full(len(eigenvalues), -1.0 if noisy else 1.0),
            value=np.sum([stream.read(name) for name in sources], axis=0)[:, chosen],
            output=stream.write("s", np.eye(channels)[chosen]),
            query=stream.read(f"modes{g}"),
            key=key,
            poles=eigenvalues,
        ),
        feed_forward=None,
        modulation=ModulationWeights(
            listen=np.arange(len(_FEATURES)),
            attention_scale=gate_table(stream, _FEATURES, read),
            attention_gate=gate_table(stream, _FEATURES, {("1", "s"): 1.0}),
        ),
    )
