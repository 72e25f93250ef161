"""Feed-forward layers that multiply: `unroll.relu_product`, block by block.

A product ``target += sign x y`` of a scalar channel ``x`` and a channel group ``y`` uses two groups
of registers, which are zero before and after. The first block *splits*: with ``z_{+-} = |x/X +-
y/Y| / 2``, two hidden units each, it writes

    plus += z_+,    minus += z_-,    target += sign X Y (z_+ - z_-).

Each further block takes the *tooth* ``g(z) = 2 R(z) - 4 R(z - 1/2) + 2 R(z - 1)`` of the registers,
three hidden units each, and writes at level ``s``

    plus += g(plus) - plus,    minus likewise,    target -= sign X Y (g(plus) - g(minus)) / 4^s,

the last one ``-plus`` and ``-minus``, which clears the registers. Products side by side share their
blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from constructions.stream import ResidualStream
from constructions.weights import BlockWeights, FeedForwardWeights

__all__ = ["Factor", "Product", "product_blocks"]


@dataclass(frozen=True)
class Factor:
    """A channel group and the largest absolute value of its entries."""

    group: str
    size: float


@dataclass(frozen=True)
class Product:
    """``target += sign scalar vector``; ``slot`` counts the registers it uses."""

    scalar: Factor
    vector: Factor
    target: str
    sign: float
    slot: int = 0

    @property
    def scale(self) -> float:
        """``sign X Y``."""
        return self.sign * self.scalar.size * self.vector.size


def product_blocks(
    stream: ResidualStream,
    products: Sequence[Product],
    levels: int,
    clear: Sequence[str] = (),
) -> list[BlockWeights]:
    """The ``1 + levels`` blocks of products; the first empties the groups in ``clear``."""
    split = [unit for product in products for unit in _split(stream, product)]
    split += [unit for name in clear for unit in _clear(stream, name)]
    layers = [_layer(stream, split)]
    for level in range(1, levels + 1):
        tooth = (_tooth(stream, p, level, last=level == levels) for p in products)
        layers.append(_layer(stream, [unit for units in tooth for unit in units]))
    return [BlockWeights(attention=None, feed_forward=x, modulation=None) for x in layers]


@dataclass(frozen=True)
class _Units:
    """Hidden units ``ReLU(x @ up + bias) @ down``: up (width, k), bias, down (k, width)."""

    up: np.ndarray
    bias: float
    down: np.ndarray


def _layer(stream: ResidualStream, units: Sequence[_Units]) -> FeedForwardWeights:
    return FeedForwardWeights(
        up=np.concatenate([unit.up for unit in units], axis=1),
        up_bias=np.concatenate([np.full(unit.up.shape[1], unit.bias) for unit in units]),
        down=np.concatenate([unit.down for unit in units]),
        down_bias=np.zeros(stream.width),
    )


def _register(stream: ResidualStream, name: str, product: Product) -> np.ndarray:
    """What reads the registers of a product, (width, channels)."""
    channels = stream.size(product.vector.group)
    return stream.read(name)[:, product.slot * channels : (product.slot + 1) * channels]


def _split(stream: ResidualStream, product: Product) -> Iterator[_Units]:
    channels = stream.size(product.vector.group)
    scalar = np.repeat(stream.read(product.scalar.group), channels, axis=1)
    vector = stream.read(product.vector.group)
    target = product.scale * stream.write(product.target, np.eye(channels))
    for name, sign in (("plus", 1.0), ("minus", -1.0)):
        argument = (scalar / product.scalar.size + sign * vector / product.vector.size) / 2
        write = _register(stream, name, product).T + sign * target
        yield _Units(argument, 0.0, write)
        yield _Units(-argument, 0.0, write)


def _tooth(stream: ResidualStream, product: Product, level: int, *, last: bool) -> Iterator[_Units]:
    channels = stream.size(product.vector.group)
    target = product.scale * stream.write(product.target, np.eye(channels))
    for name, sign in (("plus", 1.0), ("minus", -1.0)):
        register = _register(stream, name, product)
        for weight, bias in ((2.0, 0.0), (-4.0, -0.5), (2.0, -1.0)):
            kept = 0.0 if last else weight
            kept -= bias == 0.0  # the old value goes
            write = kept * register.T - sign * weight * 4.0**-level * target
            yield _Units(register, bias, write)


def _clear(stream: ResidualStream, name: str) -> Iterator[_Units]:
    for sign in (1.0, -1.0):
        yield _Units(
            sign * stream.read(name), 0.0, stream.write(name, -sign * np.eye(stream.size(name)))
        )
