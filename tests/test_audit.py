"""The audit of saved weights: clean models pass, and no tampering beyond the bound does."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plan_oracles as oracle
import plan_strategies as ours
import pytest
import strategies as our
import torch
from audit_tools import (
    GP,
    MEAN,
    REFUSALS,
    Tensors,
    change,
    check_soundness,
    depth,
    largest,
    measured,
    nudge,
    refusal,
    saved,
    tampered,
)
from flint import arb
from hypothesis import event, given, reject, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from constructions import build, load
from constructions.conditioning import time_features
from proofs_check import CertificateError, audit, certify
from proofs_check.arithmetic import logit_roundings, pattern_roundings
from proofs_check.balls import precision, round_up
from proofs_check.problem_sizes import ProblemSizes
from proofs_check.propagation import Propagation
from proofs_check.saved_model import read_saved
from proofs_check.time_features import time_features_of
from unroll import ArgumentError, Exponential, GaussianProcess, Plan, Polynomial, make_plan
from unroll.methods import METHODS, get_method
from unroll.rounding import unit_roundoff

ATTENTIONS = ["softmax", "relu", "alibi", "fourier"]
#: All eigenvalues far above those of the noise: gates grow with t.
LARGE = GaussianProcess(Exponential(0.3), 3, [[200.0]], np.full((3, 1), 30.0))
#: Where the description of a first-order model's blocks stands.
STEP = "architecture.kinds.step."


@pytest.fixture(scope="module", autouse=True)
def _clean() -> Iterator[None]:
    yield
    saved.cache_clear()


# --- clean models


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("method", METHODS)
def test_clean_models_pass(method: str, attention: str) -> None:
    folder = saved(method=method, attention=attention, activation="gelu", tol=1e-3)
    found, planned = audit(folder), certify(load(folder).plan)
    assert measured(folder) <= found.bound <= found.tol
    for name in ("rate", "truncation"):
        assert found.terms[name] == pytest.approx(planned.terms[name], rel=1e-12)
    # counted for these weights, not for any that a plan might compile to
    assert 0.3 * planned.terms["rounding"] <= found.terms["rounding"] <= planned.terms["rounding"]
    assert found.terms["weights"] < 1e-12


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_clean_float32_models_pass_where_rounding_is_guaranteed(attention: str) -> None:
    folder = saved(attention=attention, dtype="float32", rounding="guaranteed", tol=0.05, t_min=0.3)
    assert check_soundness(folder)


def test_clean_models_without_mean_and_above_the_noise_pass() -> None:
    assert check_soundness(saved(GaussianProcess(Exponential(2.0), 1, [[1.0]])))
    assert check_soundness(saved(GaussianProcess(Exponential(2.0), 4, [[1.0]]), method="gradient"))
    assert check_soundness(saved(LARGE))


@settings(max_examples=15)
@given(ours.plans())
def test_drawn_models_pass(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as place:
        build(plan).save(Path(place) / "model")
        assert check_soundness(Path(place) / "model")


@pytest.mark.slow
@settings(max_examples=500)
@given(ours.plans())
def test_five_hundred_drawn_models_pass(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as place:
        build(plan).save(Path(place) / "model")
        assert check_soundness(Path(place) / "model")


def test_a_minute_is_plenty() -> None:
    gp = GaussianProcess(Polynomial(8.0, 2.0), 64, np.eye(4) + 0.3)
    folder = saved(gp, tol=1e-6, t_min=0.01)
    start = time.perf_counter()
    audit(folder)
    assert time.perf_counter() - start < 60


def test_the_audit_loads_neither_the_builder_nor_torch() -> None:
    program = (
        "import sys; from proofs_check import audit; audit(sys.argv[1]); "
        "sys.exit(any(name.split('.')[0] in ('constructions', 'torch') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", program, str(saved())], check=True, timeout=60)


# --- one tensor perturbed

SHARED = {
    "attention.value": "attention.value",
    "attention.output": "patterns",
    "feed_forward.up": "feed_forward unit",
    "feed_forward.up_bias": "feed_forward.up_bias",
    "feed_forward.down": "feed_forward unit",
    "feed_forward.down_bias": "feed_forward.down_bias",
    "modulation.attention_gate": "modulation.attention_gate",
    "modulation.feed_forward_scale": "modulation.feed_forward_scale",
}
SCORES = {
    "attention.query": "patterns",
    "attention.query_bias": "patterns",
    "attention.key": "patterns",
    "attention.key_bias": "patterns",
}
BIASES = {"attention.relative_bias": "patterns", "attention.sink_key": "patterns"}
WAVES = {
    "attention.amplitude": "patterns",
    "attention.turns": "patterns",
    "modulation.attention_scale": "modulation.attention_scale",
}
BLOCK_TENSORS = {
    "softmax": SHARED | SCORES | BIASES,
    "relu": SHARED | SCORES,
    "alibi": SHARED | SCORES | BIASES,
    "fourier": SHARED | WAVES,
}
"""Attention to its tensors, each with the word by which the audit speaks of it."""


CASES = [(name, attention) for attention in ATTENTIONS for name in BLOCK_TENSORS[attention]]
every_tensor = pytest.mark.parametrize(("name", "attention"), CASES)


@every_tensor
def test_one_entry_of_a_late_block_is_found(name: str, attention: str) -> None:
    folder = saved(attention=attention)
    k = depth(folder) - 2
    edit = nudge(f"blocks.{k}.{name}", 0.02)
    if name == "attention.key" and attention != "relu":
        # it reads a channel that no position embedding holds: the score does not change
        with tampered(folder, edit) as copy:
            assert check_soundness(copy)
        return
    message = refusal(folder, edit)
    assert f"block {k}" in message
    word = BLOCK_TENSORS[attention][name]
    assert word in message
    if word != "feed_forward unit":
        assert name in message
    if name in ("attention.query", "attention.value", "attention.output"):
        assert "channel " in message
    if name in ("attention.query", "attention.query_bias", "attention.amplitude") or (
        name == "attention.output" and attention != "fourier"
    ):
        assert "head " in message


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("entry", [(0, 1), (1, 1)])
def test_an_output_map_that_mixes_channels_is_found(attention: str, entry: tuple[int, int]) -> None:
    folder = saved(attention=attention)
    k = depth(folder) - 2
    target = read_saved(folder).channels[read_saved(folder).iterate(k + 1)].start

    def edit(tensors: Tensors) -> None:
        output = tensors[f"blocks.{k}.attention.output"]
        first = output[0] if output.ndim == 3 else output
        first[entry[0], target + entry[1]] += 0.02 * np.abs(output).max()

    message = refusal(folder, edit)
    head = "" if attention == "fourier" else "0, "
    assert f"block {k}, attention.output: attention.output[{head}{entry[0]}, " in message
    assert "channel s_" in message


@every_tensor
def test_one_entry_of_an_early_block_is_found_or_harmless(name: str, attention: str) -> None:
    """What an early block does wrong, the later ones repair."""
    with tampered(saved(attention=attention), nudge(f"blocks.1.{name}", 0.02)) as copy:
        check_soundness(copy)


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("embed", "v", "embed"),
        ("embed", "s_even", r"embed: uses s_even\[0\]"),
        ("position", "mean", r"most of it from position \(mean\)"),
        ("position", "sink_start", r"block \d+, attention patterns of frame 0"),
        ("position", "sink_end", r"block \d+, attention patterns of frame 0"),
        ("position_end", "sink_end", r"block \d+, attention patterns of frame 4"),
        ("position_end", "sink_start", r"block \d+, attention patterns of frame 4"),
        ("position_end", "mean", r"position_end: uses mean\[0\]"),
        ("position_end", "v", r"position_end: uses v\[0\]"),
        ("position", "s_odd", r"position: uses s_odd\[0\]"),
        ("readout", "s_even", "readout"),
        ("readout", "v", r"readout: uses v\[0\]"),
    ],
)
def test_what_belongs_to_no_block_is_found(name: str, where: str, words: str) -> None:
    folder = saved()
    channel = read_saved(folder).channels[where].start

    def edit(tensors: Tensors) -> None:
        index = (channel, 0) if name == "readout" else (0, channel)
        tensors[name][index] += 0.02

    message = refusal(folder, edit)
    assert re.search(words, message), message


@pytest.mark.parametrize(
    ("name", "channel", "words"),
    [
        ("attention.value", "v", "block 3: attention.value reads v[1]"),
        ("attention.value", "sink_start", "block 3: attention.value reads sink_start[0]"),
        ("attention.output", "v", "block 3: attention.output of head 0 writes to v[1]"),
        ("attention.output", "s_odd", "block 3: attention.output of head 0 writes to s_odd[1]"),
        ("attention.value", "sink_end", "block 3: attention.value reads sink_end[0]"),
        ("feed_forward", "sink_start", "block 3: feed_forward writes sink_start[0] to s_even[1]"),
        ("feed_forward", "sink_end", "block 3: feed_forward writes sink_end[0] to s_even[1]"),
        ("feed_forward", "mean", "block 3: feed_forward writes v[0] to mean[1]"),
    ],
)
def test_a_block_reads_and_writes_what_it_should(name: str, channel: str, words: str) -> None:
    folder = saved()
    group = read_saved(folder).channels[channel]
    last = group.stop - 1

    def edit(tensors: Tensors) -> None:
        if name == "attention.value":
            tensors[f"blocks.3.{name}"][last, 0] = 1e-9
        elif name == "attention.output":
            tensors[f"blocks.3.{name}"][0, 1, last] = 1e-9
        else:
            up, down = (tensors[f"blocks.3.feed_forward.{part}"] for part in ("up", "down"))
            half = up.shape[1] // 2
            unit = int(np.flatnonzero(up[read_saved(folder).channels["v"].start, :half])[0])
            if channel.startswith("sink"):
                up[last, [unit + 1, unit + 1 + half]] = 1e-9, -1e-9
            else:
                down[[unit, unit + half], last] = 1e-9, -1e-9

    message = refusal(folder, edit)
    assert words in message
    assert "the audit does not understand it" in message


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_the_spectrum_that_gates_are_made_from(side: int, factor: float) -> None:
    """Wider is allowed as long as the rate is; narrower never."""
    folder = saved()

    def edit(tensors: Tensors) -> None:
        tensors["time.spectrum"][side] *= factor

    if (factor < 1) == (side == 1):
        assert "not shown to contain" in refusal(folder, edit)
    else:
        with tampered(folder, edit) as copy:
            check_soundness(copy)


def test_small_changes_pass_and_are_charged() -> None:
    folder = saved()
    k, clean = depth(folder) - 2, audit(folder)
    with tampered(folder, nudge(f"blocks.{k}.attention.value", 1e-8)) as copy:
        changed = audit(copy)
        assert 1e-9 < changed.terms["weights"] < 1e-6
        assert clean.bound < changed.bound
        assert check_soundness(copy)


# --- parts exchanged


def exchange(one: int, other: int, part: str = "") -> Callable[[Tensors], None]:
    """Swap the tensors of two blocks."""

    def edit(tensors: Tensors) -> None:
        for name in [n for n in tensors if n.startswith(f"blocks.{one}.{part}")]:
            twin = name.replace(f"blocks.{one}.", f"blocks.{other}.")
            tensors[name], tensors[twin] = tensors[twin], tensors[name]

    return edit


def test_swapped_blocks() -> None:
    folder = saved()
    k = depth(folder) - 4
    message = refusal(folder, exchange(k, k + 2))
    assert f"listens to the time features of step {k}" in message
    assert f"block {k + 2}" in message
    assert "block" in refusal(folder, exchange(k, k + 1))  # they read each other's iterate
    with tampered(folder, exchange(0, 2, "attention")) as copy:
        assert check_soundness(copy)  # equal to begin with


def permute(order: list[int], parts: tuple[str, ...]) -> Callable[[Tensors], None]:
    def edit(tensors: Tensors) -> None:
        for name in tensors:
            if name.endswith(parts):
                tensors[name] = tensors[name][order]

    return edit


@pytest.mark.parametrize("attention", ["relu", "alibi"])
def test_swapped_heads_are_the_same_model(attention: str) -> None:
    folder = saved(attention=attention)
    heads = read_saved(folder).plan.heads
    order = [*range(1, heads), 0]
    parts = (".query", ".query_bias", ".output", ".relative_bias", ".sink_key")
    with tampered(folder, permute(order, parts)) as copy:
        assert check_soundness(copy)
    message = refusal(folder, permute(order, (".output",)))
    assert "attention patterns of frame" in message


def test_weights_of_another_problem() -> None:
    other = GaussianProcess(Polynomial(3.3, 2.0), 5, [[1.0, 0.3], [0.3, 0.6]], MEAN)
    here, there = (saved(gp, method="gradient", tol=1e-2) for gp in (GP, other))
    least = min(depth(here), depth(there))

    def borrow(tensors: Tensors) -> Tensors:
        found = load_file(there / "model.safetensors")
        kept = {name: found[name] for name in tensors if name in found}
        return tensors | kept | {"time.spectrum": tensors["time.spectrum"]}

    assert least > 3
    assert "attention patterns" in refusal(here, borrow)


def test_random_weights() -> None:
    folder = saved()
    rng = np.random.default_rng(0)

    def everything(tensors: Tensors) -> None:
        for name, array in tensors.items():
            if array.dtype.kind == "f" and name != "time.spectrum":
                array[...] = rng.standard_normal(array.shape)

    def values(tensors: Tensors) -> None:
        for name, array in tensors.items():
            if name.endswith("attention.value"):
                array[array != 0] = rng.standard_normal(np.count_nonzero(array))

    for edit in (everything, values):
        assert refusal(folder, edit)
        with tampered(folder, edit) as copy:
            assert measured(copy) > 0.1


# --- right in exact arithmetic, wrong in floating point


def shifted_logits(tensors: Tensors) -> None:
    """A constant in all logits of a row, the sink's included: softmax does not see it."""
    for name in tensors:
        if name.endswith(("attention.key_bias", "attention.sink_key")):
            tensors[name] += 2.0**40


def repeated_features(tensors: Tensors) -> None:
    """Listen to eta twice, with large coefficients of either sign (gradient descent needs five)."""
    for name in tensors:
        if name.endswith("modulation.listen"):
            tensors[name][5] = tensors[name][1]
        if name.endswith("modulation.feed_forward_scale"):
            tensors[name][1, tensors[name][1] != 0] += 2.0**40
            tensors[name][5, tensors[name][1] != 0] -= 2.0**40


def cancelling_units(tensors: Tensors) -> None:
    """One hidden unit per channel does the work; the others carry 2^40 twice, up and down."""
    for name in [n for n in tensors if n.endswith("feed_forward.up")]:
        up, down = tensors[name], tensors[name[:-2] + "down"]
        half, channels = up.shape[1] // 2, 2
        target = np.flatnonzero(down.any(axis=0))
        summed = up[:, :half].reshape(len(up), -1, channels).sum(axis=1)
        up[:], down[:] = 0, 0
        up[:, :channels], down[range(channels), target] = summed, 1
        up[:, channels : 3 * channels] = np.tile(summed, 2)
        down[range(channels, 2 * channels), target] = 2.0**40
        down[range(2 * channels, 3 * channels), target] = -(2.0**40)
        up[:, half:], down[half:] = -up[:, :half], -down[:half]


@pytest.mark.parametrize(
    ("attack", "method", "words"),
    [
        (shifted_logits, "chebyshev", "rounding in attention"),
        (repeated_features, "gradient", "rounding in feed_forward"),
        (cancelling_units, "chebyshev", "rounding in feed_forward"),
    ],
)
def test_cancellation_is_not_overlooked(
    attack: Callable[[Tensors], None], method: str, words: str
) -> None:
    folder = saved(method=method, tol=1e-4 if method == "gradient" else 1e-5)
    with tampered(folder, attack) as copy:
        with pytest.raises(CertificateError, match="most of it rounding") as caught:
            audit(copy)
        assert words in str(caught.value)
        assert measured(copy) > 1e-5  # far above the bound for exact arithmetic and a plan's


def rescaled(first: str, second: str, power: int) -> Callable[[Tensors], None]:
    """Multiply one tensor of each block by a power of two, and undo it in another."""

    def edit(tensors: Tensors) -> None:
        for name in tensors:
            if name.endswith(first):
                tensors[name] *= 2.0**power
            if name.endswith(second):
                tensors[name] *= 2.0**-power

    return edit


@pytest.mark.parametrize("power", [1023, 1000, -1000])
def test_overflow_and_underflow_are_not_overlooked(power: int) -> None:
    folder = saved()
    message = refusal(folder, rescaled("feed_forward.up", "feed_forward.down", power))
    assert "rounding in feed_forward" in message
    message = refusal(folder, rescaled("attention.value", "attention.output", power))
    assert "block" in message


def test_moderate_scales_are_the_same_model() -> None:
    with tampered(saved(), rescaled("feed_forward.up", "feed_forward.down", 100)) as copy:
        assert check_soundness(copy)


def test_underflow_in_float32_patterns() -> None:
    """Patterns below the smallest number, undone by the output map."""
    folder = saved(attention="relu", dtype="float32", rounding="guaranteed", tol=0.05, t_min=0.3)

    def edit(tensors: Tensors) -> None:
        for name in tensors:
            if name.endswith((".query", "query_bias", ".key", "key_bias")):
                tensors[name] *= np.float32(2.0**-60)
            if name.endswith("attention.output"):
                tensors[name] *= np.float32(2.0**119)
                tensors[name] *= 2

    assert "rounding in attention" in refusal(folder, edit)


@pytest.mark.parametrize("part", ["attention_gate", "feed_forward_scale"])
def test_gates_where_there_is_nothing_to_gate(part: str) -> None:
    """Infinity times a weight that is zero is no number."""

    def edit(tensors: Tensors) -> None:
        tensors[f"blocks.2.modulation.{part}"][:2, -1] = 1.7e308

    message = refusal(saved(), edit)
    assert f"block 2: modulation.{part} acts on sink_end[0]" in message
    with tampered(saved(), edit) as copy:
        assert measured(copy) == math.inf


# --- edited descriptions


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("plan.tol", 1e-7, "exceeds tol"),
        ("plan.depth", lambda k: k - 1, "architecture.time_steps"),
        ("plan.depth", lambda k: k + 1, "architecture.time_steps"),
        ("plan.problem.kernel.length_scale", 3.01, "not shown to contain"),
        ("plan.problem.kernel.length_scale", 2.999, "attention patterns of frame"),
        ("plan.problem.kernel.power", 1.9, "block|spectrum"),
        ("plan.problem.spatial_cov", [[1.0, 0.2], [0.2, 0.6]], "attention.value"),
        ("plan.problem.mean", (MEAN + 0.1).tolist(), r"position \(mean\)"),
        ("plan.problem.mean", None, "architecture.stream"),
        ("plan.problem.frames", 4, "plan.problem.frames=4"),
        ("plan.problem.frames", 10**12, "plan.problem.frames=1000000000000"),
        ("plan.depth", 10**12, "plan.depth=1000000000000: the file holds fewer blocks"),
        ("plan.t_min", 0.05, "most of it rate"),
        ("plan.t_min", -0.1, "t_min"),
        ("plan.t_max", 0.01, "t_min"),
        ("plan.spectrum.lower", -9.0, "spectrum"),
        ("plan.dtype", "float32", "has type float64, not float32"),
        ("plan.method", "gradient", "architecture.time_features"),
        ("plan.lowering", {"name": "softmax"}, "normalizer"),
        (
            "plan.lowering",
            {"name": "relu", "bandwidth": 4, "period": 10, "style": "knot", "frequencies": 1},
            "architecture.kinds.step.attention.heads",
        ),
        ("plan", None, "plan"),
        ("format", "other/1", "is not of format"),
        ("architecture", None, "architecture: is missing"),
        ("architecture.scores_from", "stream", "architecture.scores_from='stream'"),
        (STEP + "listens", 5, STEP + "listens=5"),
        (STEP + "hidden", 1e300, STEP + "hidden=1e"),
        (STEP + "hidden", 0, STEP + "hidden=0"),
        (STEP + "hidden", 14, "has shape"),
        (STEP + "attention", None, STEP + "attention: is not an object"),
        (STEP + "attention.score", "relu", STEP + "attention.score='relu'"),
        (STEP + "attention.score", "linear", STEP + "attention.score='linear'"),
        (STEP + "attention.heads", "1", STEP + "attention.heads='1'"),
        (STEP + "attention.heads", True, STEP + "attention.heads=True"),
        (STEP + "attention.value_channels", 3, STEP + "attention.value_channels=3"),
        (STEP + "attention.sinks", 0, "sink_key: is unknown"),
        (STEP + "attention.sinks", 1, "sink_key: has shape"),
        (STEP + "attention.sinks", -1, STEP + "attention.sinks=-1"),
        (STEP + "attention.sinks", "yes", STEP + "attention.sinks='yes'"),
        (STEP + "attention.relative_bias", False, "relative_bias: is unknown"),
        (STEP + "attention.relative_bias", 1, STEP + "attention.relative_bias=1"),
        (STEP + "attention.sinusoids", True, STEP + "attention.sinusoids=True"),
        (STEP + "attention.gated", True, STEP + "attention.gated=True"),
        (STEP + "attention.baseline", True, STEP + "attention.baseline=True"),
        (STEP + "attention.temperature", 1.0, STEP + "attention.temperature: is unknown"),
        (STEP + "normalization", "layer", STEP + "normalization: is unknown"),
        ("architecture.kinds.other", {}, "architecture.kinds"),
        ("architecture.blocks", ["step"], "architecture.blocks"),
        ("architecture.blocks", lambda x: [*x[:-1], "other"], "architecture.blocks"),
        ("architecture.two_ended", False, "position_end: is unknown"),
        ("architecture.two_ended", "yes", "architecture.two_ended='yes'"),
        ("architecture.time_terms", 1, "architecture.time_terms=1"),
        ("architecture.time_steps", 1, "architecture.time_steps=1"),
        ("architecture.normalization", "layer", "architecture.normalization: is unknown"),
        ("architecture.stream", [1], "architecture: is missing or not an object"),
        ("architecture.stream.sink_end", 0, "architecture.stream.sink_end=0"),
        ("architecture.stream.v", 3, "architecture.stream.v=3"),
        ("architecture.stream.memory", 2, "is not the stream"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_edited_descriptions_are_refused(path: str, value: Any, words: str) -> None:
    message = refusal(saved(), None, change(path, value))
    assert re.search(words, message), message
    assert "\n" not in message


@pytest.mark.parametrize(
    "name",
    [
        "stream",
        "kinds",
        "blocks",
        "two_ended",
        "t_min",
        "time_terms",
        "kinds.step.attention",
        "kinds.step.hidden",
        "kinds.step.attention.heads",
        "kinds.step.attention.score",
        "kinds.step.attention.sinks",
        "kinds.step.attention.relative_bias",
        "kinds.step.attention.sinusoids",
    ],
)
def test_a_missing_entry_is_named(name: str) -> None:
    *parents, last = name.split(".")

    def drop(document: dict[str, Any]) -> None:
        place = document["architecture"]
        for parent in parents:
            place = place[parent]
        del place[last]

    message = refusal(saved(), None, drop)
    assert name in message or "architecture: is missing" in message


def test_stream_order_matters() -> None:
    def reorder(document: dict[str, Any]) -> None:
        stream = document["architecture"]["stream"]
        document["architecture"]["stream"] = dict(reversed(stream.items()))

    assert "the audit does not understand it" in refusal(saved(), None, reorder)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("plan.tol", 1e-2),
        ("plan.t_min", 0.2),
        ("plan.t_max", 50.0),
        ("plan.activation", "silu"),
        ("plan.rounding_model", "guaranteed"),
        ("plan.budget.rate", 0.0),
        ("plan.spectrum.upper", 1e6),
        ("library_version", "unknown"),
    ],
)
def test_edits_that_promise_less_or_nothing_pass(path: str, value: Any) -> None:
    """What the audit returns is about the weights and the promise, not the planner's books."""
    with tampered(saved(), None, change(path, value)) as copy:
        assert check_soundness(copy)


def test_the_name_of_the_same_iteration_may_change() -> None:
    def rename(document: dict[str, Any]) -> None:
        document["plan"]["method"] = document["architecture"]["time_features"] = "neumann"

    with tampered(saved(method="gradient", tol=1e-2), None, rename) as copy:
        assert check_soundness(copy)


# --- broken files


def test_broken_files_are_refused_in_a_line(tmp_path: Path) -> None:
    folder = saved()
    whole = (folder / "model.safetensors").read_bytes()
    for size in (0, 7, len(whole) // 2, len(whole) - 1):
        with tampered(folder) as copy:
            (copy / "model.safetensors").write_bytes(whole[:size])
            with pytest.raises(ArgumentError, match="truncated or not a safetensors file"):
                audit(copy)
    text = (folder / "model.json").read_text("utf-8")
    for content in ("", text[: len(text) // 2], "[]", "null"):
        with tampered(folder) as copy:
            (copy / "model.json").write_text(content, "utf-8")
            with pytest.raises(ArgumentError):
                audit(copy)
    for missing in ("model.json", "model.safetensors"):
        with tampered(folder) as copy:
            (copy / missing).unlink()
            with pytest.raises(ArgumentError, match=f"holds no {missing}"):
                audit(copy)
    with pytest.raises(ArgumentError, match=r"holds no model\.json"):
        audit(tmp_path / "nowhere")


def test_tensors_that_do_not_belong() -> None:
    folder = saved()

    def drop(tensors: Tensors) -> None:
        del tensors["blocks.2.attention.value"]

    def add(tensors: Tensors) -> None:
        tensors["blocks.2.attention.extra"] = np.zeros(3)

    def reshape(tensors: Tensors) -> None:
        tensors["blocks.2.attention.value"] = tensors["blocks.2.attention.value"].T

    def cast(tensors: Tensors) -> Tensors:
        return {
            name: x.astype(np.float32) if x.dtype == np.float64 else x
            for name, x in tensors.items()
        }

    def blank(value: float) -> Callable[[Tensors], None]:
        def edit(tensors: Tensors) -> None:
            tensors["blocks.2.feed_forward.up"][0, 0] = value

        return edit

    def outside(tensors: Tensors) -> None:
        tensors["blocks.2.modulation.listen"][1] = 10_000

    assert "blocks.2.attention.value: is missing" in refusal(folder, drop)
    assert "blocks.2.attention.extra: is unknown" in refusal(folder, add)
    assert "blocks.2.attention.value: has shape" in refusal(folder, reshape)
    assert "has type float32, not float64" in refusal(folder, cast)
    for value in (math.nan, math.inf):
        assert "blocks.2.feed_forward.up: contains NaN" in refusal(folder, blank(value))
    assert "block 2: modulation.listen names time feature 10000" in refusal(folder, outside)


def test_a_number_format_unknown_to_numpy() -> None:
    from safetensors.torch import load_file as load_torch
    from safetensors.torch import save_file as save_torch

    with tampered(saved()) as copy:
        tensors = load_torch(copy / "model.safetensors")
        tensors["embed"] = tensors["embed"].to(torch.bfloat16)
        save_torch(tensors, copy / "model.safetensors")
        with pytest.raises(REFUSALS, match=r"embed|model\.safetensors"):
            audit(copy)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e-300, 2.0**60])
@pytest.mark.parametrize(
    "name",
    ["attention.query_bias", "attention.relative_bias", "attention.value", "attention.output"],
)
def test_absurd_weights_are_refused_without_warnings(name: str, value: float) -> None:
    folder = saved()

    def edit(tensors: Tensors) -> None:
        array = tensors[f"blocks.9.{name}"]
        array[largest(array)] = value

    if abs(value) < 1:  # as good as the zero that stood there
        with tampered(folder, edit) as copy:
            assert check_soundness(copy) or name != "attention.query_bias"
    else:
        assert "block 9" in refusal(folder, edit)


# --- whatever is done to the weights


@st.composite
def tamperings(draw: st.DrawFn) -> tuple[Path, Callable[[Tensors], None]]:
    """A model, and one to three changes: an entry, a tensor, a block; tiny to huge."""
    gp = draw(st.sampled_from([GP, GP, LARGE]))
    options = {
        "method": draw(st.sampled_from(["gradient", "chebyshev"])),
        "attention": draw(st.sampled_from(ATTENTIONS)),
        "tol": 1e-2,
    }
    folder = saved(gp, **options)
    names = sorted(n for n, x in load_file(folder / "model.safetensors").items() if x.dtype != "i8")
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    changes = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(names))
        size = draw(our.log_uniform(1e-12, 1.0)) * draw(st.sampled_from([-1.0, 1.0]))
        kind = draw(st.sampled_from(["entry", "used", "scale", "all", "everywhere"]))
        changes.append((name, size, kind))

    def edit(tensors: Tensors) -> None:
        for name, size, kind in changes:
            tail = name.split(".", 2)[-1]
            chosen = [n for n in tensors if n.endswith(tail)] if kind == "everywhere" else [name]
            for one in chosen:
                array = tensors[one]
                noise = rng.standard_normal(array.shape)
                if kind == "entry":
                    array[largest(array)] += size
                elif kind == "used":
                    array += size * noise * (array != 0)
                elif kind == "all":
                    array += size * noise
                else:
                    array *= 1 + size

    return folder, edit


def check_tampering(case: tuple[Path, Callable[[Tensors], None]]) -> None:
    with tampered(*case) as copy:
        event("passed" if check_soundness(copy) else "refused")


@settings(max_examples=60)
@given(tamperings())
def test_what_passes_is_as_good_as_its_bound(
    case: tuple[Path, Callable[[Tensors], None]],
) -> None:
    check_tampering(case)


@pytest.mark.slow
@settings(max_examples=2500)
@given(tamperings())
def test_what_passes_is_as_good_as_its_bound_in_two_thousand_cases(
    case: tuple[Path, Callable[[Tensors], None]],
) -> None:
    check_tampering(case)


def test_the_embedding_where_gates_grow_with_t() -> None:
    """1/m_t, which bounds the step size, is largest at t_max for a spectrum above one."""
    folder = saved(LARGE, tol=1e-2)
    for size in (1e-4, 1e-3, 3e-3, 1e-2, 3e-2):
        for name, column in (("embed", "v"), ("position", "mean")):
            channel = read_saved(folder).channels[column].start

            def edit(tensors: Tensors, name: str = name, channel: int = channel) -> None:
                tensors[name][:, channel] *= 1 + size  # noqa: B023

            with tampered(folder, edit) as copy:
                check_soundness(copy)


# --- the parts


def test_sizes_hold_for_every_t() -> None:
    for gp in (GP, LARGE):
        model = read_saved(saved(gp))
        plan = model.plan
        with precision(128):
            sizes = ProblemSizes.of(model, arb(0), arb(0), arb(0))
        lower, upper = model.tensors["time.spectrum"]
        mean = np.linalg.norm(gp.mean)
        for t in np.geomspace(plan.t_min, plan.t_max, 30):
            values = np.linalg.eigvalsh(oracle.noisy_cov(gp, t))
            score, signal = math.sqrt(np.sum(1 / values)), math.exp(-t)
            inputs = (math.sqrt(values.sum()) + math.sqrt(signal) * mean) / score
            ends = (1 + signal * (end - 1) for end in (lower, upper))
            m, top = ends
            assert inputs <= round_up(sizes.inputs)
            assert mean / score <= round_up(sizes.mean)
            for k in range(plan.depth):
                eta = plan.method.step_size(k, m, top)
                assert eta * inputs <= round_up(sizes.gated_input)
                assert eta * math.sqrt(signal) * mean / score <= round_up(sizes.gated_mean)
                assert eta * signal <= round_up(sizes.attention_gate)
                assert eta * top <= sizes.step


@given(
    our.log_uniform(1.001, 1e4),
    st.lists(our.log_uniform(1e-9, 1.0), min_size=1, max_size=30),
    st.booleans(),
)
def test_propagation_is_the_weighted_sum(kappa: float, local: list[float], momentum: bool) -> None:
    """``w_kj = (k-j) T_{j+1}(y) / T_k(y)`` by hyperbolic cosines, or a geometric sum."""
    state = Propagation(momentum, arb(kappa))
    for xi in local:
        state.add(arb(xi))
    k, angle = len(local), math.acosh((kappa + 1) / (kappa - 1))
    if momentum:
        weights = [(k - j) * math.cosh((j + 1) * angle) / math.cosh(k * angle) for j in range(k)]
    else:
        weights = [((kappa - 1) / (kappa + 1)) ** (k - 1 - j) for j in range(k)]
    assert float(state.errors[-1]) == pytest.approx(np.dot(weights, local), rel=1e-9)
    assert [float(state.weight(j)) for j in range(k)] == pytest.approx(weights, rel=1e-9)


@given(our.log_uniform(1e-3, 8.0), st.integers(0, 18))
def test_features_are_those_of_the_format(t: float, step: int) -> None:
    model = read_saved(saved())
    features, steps = time_features_of(model), 20
    lower, upper = model.tensors["time.spectrum"]
    alpha, sigma_sq = math.exp(-t / 2), -math.expm1(-t)
    with precision(128):
        for q in (0, *range(1 + 5 * step, 6 + 5 * step)):
            computed = time_features("chebyshev", steps, lower, upper, alpha, sigma_sq)[q]
            assert float(features.value(q, arb(t))) == pytest.approx(computed, rel=1e-12, abs=1e-15)
            around = features.value(q, arb(t) * arb(1, 1e-3))
            assert around.overlaps(features.value(q, arb(t)))


@settings(max_examples=100)
@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.booleans(),
    our.log_uniform(1e-3, 30.0),
    st.integers(0, 2**32 - 1),
)
def test_pattern_roundings_bound_float32(
    frames: int, channels: int, softmax: bool, size: float, seed: int
) -> None:
    """Patterns of random queries and keys, as torch computes them, against float64."""
    rng = np.random.default_rng(seed)
    query, key = (size * rng.standard_normal((frames, channels)) for _ in range(2))
    bias = -10 * size * rng.random((frames, frames))
    q, k, b = (x.astype(np.float32) for x in (query, key, bias))
    logits = q.astype(np.float64) @ k.astype(np.float64).T + b
    errors = logit_roundings(np.abs(q).astype(float) @ np.abs(k).T, np.abs(b), channels, 2.0**-24)
    computed = torch.as_tensor(q) @ torch.as_tensor(k).T + torch.as_tensor(b)
    if softmax:
        pattern = torch.softmax(torch.as_tensor(logits), dim=-1).numpy()
        found = torch.softmax(computed, dim=-1).double().numpy()
    else:
        pattern, found = np.maximum(logits, 0), torch.relu(computed).double().numpy()
    bound = pattern_roundings(logits, errors, pattern, softmax=softmax, dtype="float32")
    assert (np.abs(found - pattern) <= 2.0**-24 * bound).all()


@settings(max_examples=20)
@given(ours.plans(dtype="float32"))
def test_rounding_found_in_float32_is_charged(plan: Plan) -> None:
    """Rounding and stored weights of a float32 model against its iteration in 64-bit mantissas."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        model = build(plan)
        model.save(folder)
        with tampered(folder, None, change("plan.tol", 0.999)) as copy:
            try:
                terms = audit(copy).terms
            except CertificateError:
                reject()  # no bound below one
    charged = terms["rounding"] + terms["weights"]
    for t in (plan.t_min, plan.t_max):
        exact = oracle.ExactError(plan.gp, t)
        with torch.no_grad():
            outputs = model(torch.as_tensor(exact.inputs.astype(np.float32)), t).double().numpy()
        *_, reference = oracle.reference_iterates(plan, exact.inputs, t)
        assert exact.distance(outputs, reference) <= charged


def test_feature_roundings_cover_what_is_seen() -> None:
    """The certificate allows a gate this many roundings of float64."""
    rng = np.random.default_rng(0)
    solver = get_method("chebyshev")
    for _ in range(200):
        t, lower = float(np.exp(rng.uniform(-6, 3))), float(np.exp(rng.uniform(-12, 3)))
        upper = lower * float(np.exp(rng.uniform(0, 15)))
        k = int(rng.integers(1, 200))
        pair = []
        for real in (np.float64, np.longdouble):
            signal = np.exp(-real(t))
            m, top = (signal * real(end) - np.expm1(-real(t)) for end in (lower, upper))
            pair.append((solver.step_size(k, m, top), solver.momentum(k, m, top)))
        allowed = (64 + 8 * t + 4 * math.sqrt(float(top / m))) * unit_roundoff("float64")
        for found, exact in zip(*pair, strict=True):
            assert abs(float(found - exact)) <= allowed * max(float(abs(exact)), 1e-3)


def test_a_plan_is_not_trusted_with_the_rounding() -> None:
    """Fewer roundings claimed by another lowering change nothing."""
    folder = saved(attention="relu")
    clean = audit(folder)
    with tampered(folder, None, change("plan.lowering.frequencies", 32)) as copy:
        assert audit(copy).terms == clean.terms


def test_make_plan_is_what_build_uses() -> None:
    """`ours.plans` draws from the same space as the models of this file."""
    assert read_saved(saved()).plan == make_plan(GP, tol=1e-4, t_min=0.1)
