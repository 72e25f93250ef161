"""The paper's own model (Fu et al., arXiv 2407.16134, section 4): no gates, only products.

A token is ``[v; s; buffers; e_i; phi(t); 1]``. Before the first step ``alpha M`` is subtracted from
``v``. A step of gradient descent takes ``3 + 2 m`` blocks with ``m`` sawtooth levels:

===========================  =======================================================================
blocks                       do
===========================  =======================================================================
``mix``                      ``mixed += Gamma s Sigma`` (four ReLU heads per lag), ``gradient += v``
``scale_split``, ``_tooth``  ``gradient += alpha^2 mixed + sigma^2 s``; ``mixed`` is cleared
``step_split``, ``_tooth``   ``s -= eta gradient``; ``gradient`` is cleared
===========================  =======================================================================

(`constructions.compile.products` has the blocks of a product; ``step_last`` completes the iterate.)

==============================  ====================================================================
channels                        hold
==============================  ====================================================================
``v``                           the noisy input, then ``v - alpha M``
``s``                           the iterate
``mean``                        the mean sequence, a position embedding, where there is one
``mixed``, ``gradient``         buffers
``plus``, ``minus``             registers of two products side by side
``position``                    sine and cosine of the frame's place on the circle
``eta``, ``alpha``,             ``phi(t)``, added to every token
``alpha_sq``, ``sigma_sq``
``one``                         the constant 1, which carries the thresholds of the heads
==============================  ====================================================================
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from constructions.architecture import Architecture
from constructions.compile.common import block_shape, copy_layer, position_groups, positions
from constructions.compile.products import Factor, Product, product_blocks
from constructions.conditioning import TOKEN_FEATURES
from constructions.lowerings import Route, builder
from constructions.stream import ResidualStream
from constructions.weights import AttentionWeights, BlockWeights, Weights
from unroll.plan import Plan

__all__ = ["compile_paper"]


def compile_paper(plan: Plan) -> Weights:
    """Write every weight of the paper's model."""
    gp, products = plan.gp, plan.products
    assert products is not None
    stream = ResidualStream(_groups(plan))
    named = _centre(plan, stream) + _step(plan, stream) * plan.depth
    mean = {"mean": gp.mean} if gp.has_mean else {}
    return Weights(
        architecture=Architecture(
            frames=gp.frames,
            channels=gp.channels,
            stream=stream.to_dict(),
            kinds={name: block_shape(block, "relu") for name, block in dict(named).items()},
            blocks=tuple(name for name, _ in named),
            two_ended=False,
            activation="relu",
            time_features="paper",
            time_steps=1,
            t_min=plan.t_min,
            t_max=plan.t_max,
            dtype=plan.dtype,
            time_tokens=True,
            clipped=True,
        ),
        embed=stream.write("v", np.eye(gp.channels)),
        position=positions(plan, stream, one=np.ones(gp.frames), **mean)[0],
        readout=stream.read("s"),
        time={"spectrum": np.array([plan.spectrum.lower, plan.spectrum.upper])},
        blocks=tuple(block for _, block in named),
        time_embed=np.concatenate([stream.write(name, np.eye(1)) for name in TOKEN_FEATURES]),
        radius=np.array(products.radius),
    )


def _groups(plan: Plan) -> dict[str, int]:
    channels = plan.gp.channels
    vectors = ["v", "s", "mean"] if plan.gp.has_mean else ["v", "s"]
    return {
        **dict.fromkeys([*vectors, "mixed", "gradient"], channels),
        **dict.fromkeys(["plus", "minus"], 2 * channels),
        **position_groups(plan),
        **dict.fromkeys([*TOKEN_FEATURES, "one"], 1),
    }


_Named = list[tuple[str, BlockWeights]]


def _centre(plan: Plan, stream: ResidualStream) -> _Named:
    """``v -= alpha M``."""
    products = plan.products
    assert products is not None
    if not products.mean_levels:
        return []
    product = Product(Factor("alpha", products.alpha), Factor("mean", products.mean), "v", -1.0)
    return _round("centre", product_blocks(stream, [product], products.mean_levels))


def _step(plan: Plan, stream: ResidualStream) -> _Named:
    """``s -= eta (alpha^2 Gamma s Sigma + sigma^2 s + v)``."""
    products = plan.products
    assert products is not None
    signal, noise, eta = (
        Factor(name, getattr(products, name)) for name in ("alpha_sq", "sigma_sq", "eta")
    )
    scale = [
        Product(signal, Factor("mixed", products.mixed), "gradient", 1.0),
        Product(noise, Factor("s", products.iterate), "gradient", 1.0, slot=1),
    ]
    step = Product(eta, Factor("gradient", products.gradient), "s", -1.0)
    scaled = product_blocks(stream, scale, products.levels, clear=["mixed"])
    stepped = product_blocks(stream, [step], products.levels, clear=["gradient"])
    *others, last = _round("step", stepped)
    return [("mix", _mix(plan, stream)), *_round("scale", scaled), *others, ("step_last", last[1])]


def _round(name: str, blocks: list[BlockWeights]) -> _Named:
    split, *teeth = blocks
    return [(f"{name}_split", split), *((f"{name}_tooth", tooth) for tooth in teeth)]


def _mix(plan: Plan, stream: ResidualStream) -> BlockWeights:
    assert plan.lowering is not None
    heads = builder(plan.lowering).write_attention(
        plan.lowering, plan.gp, stream, Route("s", "mixed", plan.gp.spatial_cov)
    )
    return BlockWeights(_without_biases(heads, stream), copy_layer(stream, ["v"], "gradient"), None)


def _without_biases(heads: AttentionWeights, stream: ResidualStream) -> AttentionWeights:
    """The same heads with the token's constant 1 in place of biases, which the paper's have not."""
    one = stream.read("one")  # (width, 1)
    return replace(
        heads,
        query=heads.query + one * heads.query_bias[:, None],
        query_bias=np.zeros_like(heads.query_bias),
        key=heads.key + one * heads.key_bias,
        key_bias=np.zeros_like(heads.key_bias),
    )
