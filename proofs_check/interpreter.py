"""What a saved block computes, in ball arithmetic.

A block is ``x -> x + gate(t) * attention(x) + feed_forward(scale(t) * x)``. With scores that depend
on positions alone it is linear in the iterates, the input and the mean; this file finds that
linear map and encloses its distance from the ideal step

    target += -eta alpha^2 Gamma~ current Sigma
              + (1 + beta - eta sigma^2) current - (1 + beta) previous - eta v + eta alpha M

(without the terms in ``1 + beta`` for methods without momentum). Anything that is not of this form,
such as a head that writes into another channel, is refused by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from proofs_check.balls import ball_matrix, frobenius, maximum
from proofs_check.certificate import CertificateError, noisy
from proofs_check.saved_model import TIME_FEATURES, SavedModel

__all__ = ["BlockDeviation", "Interpreter"]

# Place of each feature among those of a step, and the constant's.
_FEATURES = {"eta": 0, "eta*alpha": 1, "eta*alpha_sq": 2, "eta*sigma_sq": 3, "beta": 4}


@dataclass(frozen=True)
class BlockDeviation:
    """How far a block is from its ideal step: factors of the norms it multiplies.

    Attributes
    ----------
    attention
        ``||realised - ideal||`` of the attention operator, before its gate.
    gate
        Largest deviation of the attention gate over channels and t.
    iterates, inputs, mean
        Norm of the deviation of what the feed-forward layer does with the two iterates (their
        sum), the input and the mean.
    """

    attention: arb
    gate: arb
    iterates: arb
    inputs: arb
    mean: arb


class Interpreter:
    """Ball arithmetic for the blocks of one saved model; equal blocks are worked out once."""

    def __init__(self, model: SavedModel, gamma: list[arb]) -> None:
        self.model, self.plan = model, model.plan
        band = self.plan.bandwidth
        self.gamma = gamma if band is None else [*gamma[: band + 1], *[arb(0)] * len(gamma)]
        self.lower, self.upper = (arb(float(x)) for x in model.tensors["time.spectrum"])
        self._attention: dict[bytes, arb] = {}
        self._patterns: dict[bytes, arb_mat] = {}
        self._linear: dict[bytes, dict[str, tuple[arb, arb]]] = {}

    def deviation(self, k: int) -> BlockDeviation:
        """Distance of block ``k`` from the ideal step that computes iterate ``k + 1``."""
        w = self.model.block(k)
        current, target = self.model.iterate(k), self.model.iterate(k + 1)
        self._check_attention(k, w, current, target)
        attention = self._attention_error(w, current, target)
        maps = self._feed_forward(k, w, target)
        return BlockDeviation(
            attention=attention,
            gate=self._gate(k, w, target),
            **self._scales(k, w, maps, current, target),
        )

    # -- attention ------------------------------------------------------------------------------

    def _check_attention(self, k: int, w: dict[str, np.ndarray], current: str, target: str) -> None:
        """Values are read from the current iterate only, and written to the target only."""
        stray = w["attention.value"].copy()
        stray[self.model.channels[current]] = 0
        self._none(stray.any(axis=1), f"block {k}: the value map reads {{}}")
        stray = w["attention.output"].copy()
        stray[:, :, self.model.channels[target]] = 0
        for head in np.flatnonzero(stray.any(axis=(1, 2))):
            self._none(stray[head].any(axis=0), f"block {k}, head {head}: writes to {{}}")

    def _attention_error(self, w: dict[str, np.ndarray], current: str, target: str) -> arb:
        """``|| sum_h P_h kron (V O_h) - Gamma~ kron Sigma ||`` with ``O_h = c_h I + rest``.

        At most ``||sum c_h P_h - Gamma~|| ||V|| + ||Gamma~|| ||V - Sigma|| + sum_h ||P_h|| ||V||
        ||O_h - c_h I||``.
        """
        value = w["attention.value"][self.model.channels[current]]
        output = w["attention.output"][:, :, self.model.channels[target]]
        parts = [w[n] for n in sorted(w) if n.startswith("attention.") and n[10:] != "output"]
        key = b"".join(p.tobytes() for p in (*parts, output))
        if key not in self._attention:
            diagonal = output[:, 0, 0]
            rest = output - diagonal[:, None, None] * np.eye(output.shape[1], dtype=output.dtype)
            pattern, sizes = self._pattern_sum(w, diagonal, needed=rest.any(axis=(1, 2)))
            n = len(pattern)
            difference = [
                [pattern[i][j] - self.gamma[abs(i - j)] for j in range(n)] for i in range(n)
            ]
            v = frobenius(ball_matrix(value))
            ideal = 2 * sum((abs(g) for g in self.gamma[:n]), arb(0))
            spatial = ball_matrix(value) - ball_matrix(self.plan.gp.spatial_cov)
            error = _schur(difference) * v + ideal * frobenius(spatial)
            for h, size in sizes.items():
                # the difference is taken anew in balls: the float one only said where to look
                matrix = ball_matrix(output[h]) - float(diagonal[h]) * ball_matrix(
                    np.eye(output.shape[1])
                )
                error += size * v * frobenius(matrix)
            self._attention[key] = error
        return self._attention[key]

    def _pattern_sum(
        self, w: dict[str, np.ndarray], weight: np.ndarray, needed: np.ndarray
    ) -> tuple[list[list[arb]], dict[int, arb]]:
        """``sum_h weight_h P_h`` on the frames, and norms of the patterns asked for."""
        n = self.plan.gp.frames
        position = ball_matrix(self.model.tensors["position"])
        key = position * ball_matrix(w["attention.key"])
        key_bias = w["attention.key_bias"]
        keys = arb_mat(
            [[x + float(b) for x, b in zip(r, key_bias, strict=True)] for r in key.tolist()]
        )
        total = [[arb(0)] * n for _ in range(n)]
        sizes: dict[int, arb] = {}
        for h in range(len(weight)):
            pattern = self._pattern(w, h, position, keys)
            factor = arb(float(weight[h]))
            for row, more in zip(total, pattern, strict=True):
                for j in range(n):
                    row[j] += factor * more[j]
            if needed[h]:
                sizes[h] = _schur(pattern)
        return total, sizes

    def _pattern(
        self, w: dict[str, np.ndarray], h: int, position: arb_mat, keys: arb_mat
    ) -> list[list[arb]]:
        """One head's attention pattern on the frames."""
        n = self.plan.gp.frames
        query = position * ball_matrix(w["attention.query"][h])
        bias = w["attention.query_bias"][h]
        queries = [[x + float(b) for x, b in zip(r, bias, strict=True)] for r in query.tolist()]
        logits = (arb_mat(queries) * keys.transpose()).tolist()
        if "attention.relative_bias" in w:
            table = [arb(float(x)) for x in w["attention.relative_bias"][h]]
            logits = [[logits[i][j] + table[j - i + n - 1] for j in range(n)] for i in range(n)]
        if self.model.architecture["score"] == "relu":
            return [[entry.max(arb(0)) for entry in row] for row in logits]
        sinks = [arb(0)] * n  # exp of the sink's logit
        if "attention.sink_key" in w:
            learned = [arb(float(x)) for x in w["attention.sink_key"][h]]
            sinks = [
                sum((q * s for q, s in zip(row, learned, strict=True)), arb(0)).exp()
                for row in queries
            ]
        pattern = []
        for row, sink in zip(logits, sinks, strict=True):
            weights = [entry.exp() for entry in row]
            normalizer = sum(weights, sink)
            pattern.append([x / normalizer for x in weights])
        return pattern

    # -- feed-forward ---------------------------------------------------------------------------

    def _feed_forward(
        self, k: int, w: dict[str, np.ndarray], target: str
    ) -> dict[str, tuple[arb, arb]]:
        """Group that is read to ``(||U||, ||U - I||)`` of the linear map ``U`` to the target.

        ``act(x) - act(-x) = x`` (lemma ``activation_pairs``): the second half of the units must
        mirror the first, without biases.
        """
        up, down = w["feed_forward.up"], w["feed_forward.down"]
        half = up.shape[1] // 2
        for name in ("up_bias", "down_bias"):
            if w[f"feed_forward.{name}"].any():
                raise CertificateError(
                    f"block {k}: feed_forward.{name} is not zero, the layer is not linear"
                )
        mirrored = (up[:, :half] == -up[:, half:]).all(axis=0)
        mirrored &= (down[:half] == -down[half:]).all(axis=1)
        if up.shape[1] % 2 or not mirrored.all():
            unit = int(np.argmin(mirrored))
            raise CertificateError(
                f"block {k}: feed-forward unit {unit} is not the mirror image of unit "
                f"{unit + half}, the layer is not linear"
            )
        key = up.tobytes() + down.tobytes() + target.encode()
        if key not in self._linear:
            linear = ball_matrix(up[:, :half]) * ball_matrix(down[:half])
            entries = linear.tolist()
            used = {name: s for name, s in self.model.channels.items() if name in self._read()}
            goal = self.model.channels[target]
            for i, row in enumerate(entries):
                for j, entry in enumerate(row):
                    inside = goal.start <= j < goal.stop
                    known = any(s.start <= i < s.stop for s in used.values())
                    if not (entry == 0 or (inside and known)):
                        raise CertificateError(
                            f"block {k}: the feed-forward layer writes {self.model.channel_name(i)}"
                            f" to {self.model.channel_name(j)}"
                        )
            maps = {}
            for name, group in used.items():
                part = arb_mat([row[goal] for row in entries[group]])
                identity = ball_matrix(np.eye(part.nrows()))
                maps[name] = (frobenius(part), frobenius(part - identity))
            self._linear[key] = maps
        return self._linear[key]

    def _read(self) -> set[str]:
        return set(self.model.channels) - {"sink", "position"}

    # -- gates ----------------------------------------------------------------------------------

    def _gate(self, k: int, w: dict[str, np.ndarray], target: str) -> arb:
        """Largest ``|gate - (-eta alpha^2)|`` over the target's channels."""
        table = w["modulation.attention_gate"][:, self.model.channels[target]]
        return self._worst(k, w["modulation.listen"], table, {"eta*alpha_sq": -1})

    def _scales(
        self,
        k: int,
        w: dict[str, np.ndarray],
        maps: dict[str, tuple[arb, arb]],
        current: str,
        target: str,
    ) -> dict[str, arb]:
        """``||diag(scale) U - scale* I|| <= worst |scale - scale*| ||U|| + |scale*| ||U - I||``."""
        momentum = self.plan.method.has_momentum
        ideal: dict[str, dict[str, int]] = {current: {"eta*sigma_sq": -1}, "v": {"eta": -1}}
        if momentum:
            ideal[current] |= {"1": 1, "beta": 1}
            ideal[target] = {"1": -1, "beta": -1}
        if self.plan.gp.has_mean:
            ideal["mean"] = {"eta*alpha": 1}
        listen, table = w["modulation.listen"], w["modulation.feed_forward_scale"]
        found = {}
        for name, features in ideal.items():
            size, off = maps[name]
            own = table[:, self.model.channels[name]]
            found[name] = self._worst(k, listen, own, features) * size
            if not off.is_zero():
                found[name] += self._largest(k, features) * off
        return {
            "iterates": found[current] + (found[target] if momentum else arb(0)),
            "inputs": found["v"],
            "mean": found.get("mean", arb(0)),
        }

    def _worst(self, k: int, listen: np.ndarray, table: np.ndarray, ideal: dict[str, int]) -> arb:
        """Largest ``|sum_q table[q] phi_q(t) - ideal(t)|`` over channels and t."""
        step = k if self.plan.method.has_momentum else 0
        own = np.array([0, *range(1 + TIME_FEATURES * step, 1 + TIME_FEATURES * (step + 1))])
        planned = np.zeros(len(own))
        for name, coefficient in ideal.items():
            planned[0 if name == "1" else 1 + _FEATURES[name]] = coefficient
        worst = arb(0)
        for column in {tuple(float(x) for x in c) for c in table.T}:
            if np.array_equal(listen, own) and np.array_equal(column, planned):
                continue
            terms = [(int(q), x) for q, x in zip(listen, column, strict=True) if x]
            terms += [(int(q), -x) for q, x in zip(own, planned, strict=True) if x]
            worst = worst.max(self._bound(k, terms))
        return worst

    def _largest(self, k: int, ideal: dict[str, int]) -> arb:
        """Largest ``|ideal(t)|``."""
        step = k if self.plan.method.has_momentum else 0
        first = 1 + TIME_FEATURES * step
        return self._bound(
            k, [(0 if n == "1" else first + _FEATURES[n], float(x)) for n, x in ideal.items()]
        )

    def _bound(self, k: int, terms: list[tuple[int, float]]) -> arb:
        steps = int(self.model.architecture["time_steps"])
        for q, _ in terms:
            if not 0 <= q <= TIME_FEATURES * steps:
                raise CertificateError(f"block {k}: listens to time feature {q}, which is none")
        return maximum(
            lambda t: abs(sum((arb(x) * self._feature(q, t) for q, x in terms), arb(0))),
            self.plan.t_min,
            self.plan.t_max,
            relative_gap=0.05,
        )

    def _feature(self, q: int, t: arb) -> arb:
        """Time feature number ``q`` at ``t``, by the definition of the format."""
        if q == 0:
            return arb(1)
        step, place = divmod(q - 1, TIME_FEATURES)
        lower, upper = noisy(t, self.lower, self.upper)
        if self.plan.method.has_momentum and step > 0:
            scale = (lower.sqrt() + upper.sqrt()) ** 2
            z2 = ((upper - lower) / scale) ** 2
            eta = 4 / scale * (1 + z2**step) / (1 + z2 ** (step + 1))
            beta = z2 * (1 + z2 ** (step - 1)) / (1 + z2 ** (step + 1))
        else:
            eta, beta = 2 / (lower + upper), arb(0)
        alpha_sq = (-t).exp()
        sigma_sq = -((-t).expm1())
        return (eta, eta * alpha_sq.sqrt(), eta * alpha_sq, eta * sigma_sq, beta)[place]

    def _none(self, stray: Any, message: str) -> None:
        if stray.any():
            name = self.model.channel_name(int(np.argmax(stray)))
            raise CertificateError(f"{message.format(name)}; the audit does not understand it")


def _schur(rows: list[list[arb]]) -> arb:
    """``sqrt(||.||_1 ||.||_inf)``, a bound of the spectral norm."""
    by_row = [sum((abs(x) for x in row), arb(0)) for row in rows]
    by_column = [sum((abs(row[j]) for row in rows), arb(0)) for j in range(len(rows[0]))]
    largest = arb(0)
    for a in by_row:
        largest = largest.max(a)
    other = arb(0)
    for b in by_column:
        other = other.max(b)
    return (largest * other).sqrt()
