"""Results as JSON, with the machine and the versions they were measured with."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.measure import Settings
from benchmarks.models import ModelCost
from benchmarks.problem import BATCH
from benchmarks.suite import KERNELS, Case
from unroll.storage import read_json

FORMAT = "unrolled-benchmarks/1"
_PACKAGES = ("numpy", "scipy", "torch", "linear_operator", "celerite2")


def save(
    path: Path, cases: Sequence[Case], models: Sequence[ModelCost], settings: Settings
) -> None:
    """Write everything that tables and plots need, one method of a case per line."""
    head = {
        "format": FORMAT,
        "machine": machine(),
        "batch": BATCH,
        "settings": asdict(settings),
        "kernels": {name: kernel.to_dict() for name, kernel in KERNELS.items()},
    }
    results = [
        {**asdict(case.group), "frames": case.frames, **asdict(result)}
        for case in cases
        for result in case.results
    ]
    lines = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
    lines.append(_array("results", results))
    lines.append(_array("models", [asdict(model) for model in models]))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _array(name: str, items: list[dict[str, Any]]) -> str:
    return f'"{name}": [\n' + ",\n".join(map(json.dumps, items)) + "\n]"


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote."""
    stored = read_json(path)
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        raise ValueError(f"{path.name} holds no benchmark results of format {FORMAT}")
    return stored


def machine() -> dict[str, str]:
    """Processor, Python and package versions."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Model name where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
