"""``python -m benchmarks``: measure, save, and write tables and plots."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

# before numpy: its libraries read them when they are loaded
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
# the memory profiler warns of every tensor that is older than itself
os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")

import torch  # noqa: E402

from benchmarks.measure import Settings  # noqa: E402
from benchmarks.models import model_costs  # noqa: E402
from benchmarks.ours import OURS  # noqa: E402
from benchmarks.page import write_page  # noqa: E402
from benchmarks.peers import PEERS  # noqa: E402
from benchmarks.storage import load, save  # noqa: E402
from benchmarks.suite import KERNELS, Case, Group, run_group  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results"
METHODS = {method.name: method for method in (*OURS, *PEERS)}
QUICK = Settings()
FULL = Settings(rounds=15, budget=4.0, patience=5.0, setup_patience=30.0, once=120.0)
QUICK_SIZES, FULL_SIZES = (64, 256, 1024, 4096), (64, 256, 1024, 4096, 16384)
#: Seconds that planning and building one model may be predicted to take; by whether --full.
MODEL_PATIENCE = {False: 20.0, True: 300.0}
QUICK_KERNELS = ("exponential", "polynomial", "logarithmic")


def main() -> None:
    """Parse arguments and run."""
    arguments = _parser().parse_args()
    torch.set_num_threads(1)
    full = arguments.full
    name = arguments.name or ("full" if full else "quick")
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"{name}.json"
    if not arguments.tables:
        settings = FULL if full else QUICK
        sizes = arguments.frames or (FULL_SIZES if full else QUICK_SIZES)
        groups = [
            Group(kernel, channels, dtype, t)
            for t in arguments.t or ((0.01, 1.0) if full else (0.01,))
            for dtype in arguments.dtype or (("float64", "float32") if full else ("float64",))
            for channels in arguments.channels or (1, 8)
            for kernel in arguments.kernel or (KERNELS if full else QUICK_KERNELS)
        ]
        methods = [METHODS[chosen] for chosen in arguments.method or METHODS]
        cases: list[Case] = []
        for index, group in enumerate(groups):
            progress = partial(say, f"[{index + 1}/{len(groups)}] ")
            cases += run_group(group, sizes, methods, settings, progress)
            save(path, cases, [], settings)  # what is measured so far survives an interruption
        if not arguments.no_models:
            costs = model_costs(sizes, patience=MODEL_PATIENCE[full], report=partial(say, ""))
            save(path, cases, costs, settings)
    page = write_page(load(path), arguments.out, name)
    print(page.read_text("utf-8").split("\n## ", 1)[0])
    print(f"results: {path}\ntables and figures: {page}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="N to 16384, two precisions, two t, more rounds"
    )
    parser.add_argument("--kernel", nargs="+", choices=[*KERNELS])
    parser.add_argument("--frames", nargs="+", type=int, metavar="N")
    parser.add_argument("--channels", nargs="+", type=int, metavar="D")
    parser.add_argument("--dtype", nargs="+", choices=["float64", "float32"])
    parser.add_argument("--t", nargs="+", type=float, help="diffusion times")
    parser.add_argument("--method", nargs="+", choices=[*METHODS], metavar="METHOD")
    parser.add_argument("--no-models", action="store_true", help="no build seconds and sizes")
    parser.add_argument("--tables", action="store_true", help="from saved results")
    parser.add_argument("--name", help="of the result files; by default quick or full")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


_STARTED = time.monotonic()


def say(where: str, line: str) -> None:
    """Progress on standard error."""
    print(f"{time.monotonic() - _STARTED:6.0f} s  {where}{line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
