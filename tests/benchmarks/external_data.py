"""Time and memory of an export of 3 GB of external data: ``python tests/benchmarks/external_data.py [RUNS [FOLDER]]``.

It needs 7 GB on the disk. Rows are run in turns, each turn in another order, since removing gigabytes keeps a disk busy
for a while; before each run everything is written (``sync``) and the data is in the page cache, which the first turn
fills: both ``cp`` and the export then copy from memory. After each run what was written is removed. "Copying" is what the export itself reports; "with sync" adds the time until everything is on the disk.
"""

from __future__ import annotations

import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from export_time import SPEC
from onnx import TensorProto, helper

SIDE, COUNT = 4096, 48
"""Of the square matrices, 64 MB each."""


def model(folder: Path) -> Path:
    """Pooled pixels through a chain of matrices that lie in model.data."""
    rng = np.random.default_rng(0)
    sizes = [(3, SIDE), *((SIDE, SIDE),) * COUNT]
    tensors, offset = [], 0
    with (folder / "model.data").open("wb") as file:
        for k, (rows, columns) in enumerate(sizes):
            tensor = TensorProto(name=f"w{k}", data_type=TensorProto.FLOAT, dims=(rows, columns))
            tensor.data_location = TensorProto.EXTERNAL
            length = file.write((rng.standard_normal((rows, columns), np.float32) / 64).tobytes())
            for key, value in (("location", "model.data"), ("offset", offset), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
            tensors.append(tensor)
            offset += length
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["x0"]),
        *(helper.make_node("MatMul", [f"x{k}", f"w{k}"], [f"x{k + 1}"]) for k in range(COUNT + 1)),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 224, 224])
    scores = helper.make_tensor_value_info(f"x{COUNT + 1}", TensorProto.FLOAT, ["N", SIDE])
    graph = helper.make_graph(nodes, "weights", [pixels], [scores], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").write_bytes(made.SerializeToString())
    return folder / "model.onnx"


CHILD = """
import json, os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
seconds = time.perf_counter() - start
os.sync()
after = time.perf_counter() - start
print(json.dumps([seconds, usage.ru_utime + usage.ru_stime, after, usage.ru_maxrss * 1024 / 1e6, status]))
"""
"""A process that is small itself: a child begins with the peak memory of its parent."""


@dataclass(frozen=True)
class Run:
    """One call: seconds, of processors too, until all is on the disk, and spent copying; peak memory in MB."""

    wall: float
    processor: float
    synced: float
    copy: float
    peak: float


def measured(command: list[str]) -> Run:
    os.sync()
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CHILD, *command], capture_output=True, text=True, check=True
    )
    wall, processor, synced, peak, status = json.loads(child.stdout)
    if status:
        sys.exit(f"{command}: {child.stderr}")
    copy = re.search(r"copy ([0-9.]+) s", child.stderr)
    return Run(wall, processor, synced, float(copy[1]) if copy else 0.0, peak)


def rows(source: Path, away: Path) -> dict[str, list[str]]:
    """What is compared: name -> command."""
    spec = source.with_name("spec.yaml")
    spec.write_text(SPEC)
    python = [sys.executable, "-m", "onnxprep", "export", str(source), "--spec", str(spec), "-o"]
    imports = "import onnxprep.cli, onnxprep.runtime.export, onnxprep.runtime.given"
    load = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1])"
    return {
        "imports alone": [sys.executable, "-c", imports],
        "`cp` of the model file": ["cp", str(source), str(source.with_name("copy.onnx"))],
        "`export --no-run`, beside the original": [*python, str(source.with_name("out.onnx")), "--no-run"],
        "`export`, beside the original": [*python, str(source.with_name("out.onnx"))],
        "ONNX Runtime alone, loading the original": [sys.executable, "-c", load, str(source)],
        "`cp` of model file and data": ["cp", str(source), str(source.with_name("model.data")), str(away)],
        "`export --no-run`, to another folder": [*python, str(away / "out.onnx"), "--no-run"],
    }


LOADING = {"`export`, beside the original", "ONNX Runtime alone, loading the original"}
"""Run when the others are done: copies that are mixed with such loads take times that vary by a factor of four."""


def emptied(source: Path, away: Path) -> None:
    """Removes what a run has written."""
    for path in (source.with_name("copy.onnx"), source.with_name("out.onnx"), *away.iterdir()):
        path.unlink(missing_ok=True)


def main() -> None:
    """A Markdown table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        (Path(folder) / "a").mkdir()
        away = Path(folder) / "b"
        away.mkdir()
        source = model(Path(folder) / "a")
        compared = rows(source, away)
        results: dict[str, list[Run]] = {name: [] for name in compared}
        loading = [name for name in compared if name in LOADING]
        for group in ([name for name in compared if name not in LOADING], loading):
            for turn in range(count + 1):
                for name in random.Random(turn).sample(group, len(group)):
                    result = measured(compared[name])
                    emptied(source, away)
                    if turn:  # the first fills the caches
                        results[name].append(result)
        sizes = [path.stat().st_size for path in (source, source.with_name("model.data"))]
    print(
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"onnx {onnx.__version__}, onnxruntime {version('onnxruntime')}; model file {sizes[0]:,} bytes, "
        f"data {sizes[1]:,} bytes; medians of {count} runs, in brackets the least.\n"
    )
    print(
        "| what | wall, s | processor, s | copying, s | wall with sync, s | peak memory, MB | above the imports, MB |"
    )
    print("|---|---|---|---|---|---|---|")
    base = statistics.median(run.peak for run in results["imports alone"])
    for name, runs in results.items():
        cells = [_cell([getattr(run, what) for run in runs]) for what in ("wall", "processor", "copy", "synced")]
        peak = statistics.median(run.peak for run in runs)
        above = f"{peak - base:.0f}" if "export" in name else ""
        print("|", " | ".join([name, *cells, f"{peak:.0f}", above]), "|")


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f})" if any(values) else ""


if __name__ == "__main__":
    main()
