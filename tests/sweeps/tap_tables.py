"""Proof that the weights a graph computes are those of the C library, for every length up to a limit.

    python tests/sweeps/tap_tables.py [longest side, default 2048] [filter ...]

ONNX Runtime's sine is its own; after rounding to 22 bits it has to make no difference. Exit status 1 where it does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import numpy as np
import onnx
from steps import session

from onnxprep.emit import Emitter
from onnxprep.numerics.taps import bands, digits, float_pair, outputs_per_block, tap_table
from onnxprep.step import Value
from onnxprep.steps.image.arithmetic import lengths
from onnxprep.steps.image.resize._fixed_point.tables import EmittedTables
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.tensor import Array, TensorSpec

Tables = dict[str, Array]
RESIZED = (1, 7, 64, 224, 256, 384, 512)


def graph_tables(interpolation: str) -> Callable[[tuple[int, int], tuple[int, int]], list[Tables]]:
    """(two lengths, two resized lengths) -> the tables that a graph makes of either."""
    op = Emitter("t", 17)
    sides, resized = (Value(name, TensorSpec("int64", (2,))) for name in ("sides", "resized"))
    tables = EmittedTables(op, Geometry(sides, resized, lengths(0, 0), resized), interpolation, (None, None))
    names, values = [], []
    for axes in tables._axes:
        high, low = axes.float_pair()
        parts = {"weights": axes.weights, "index": axes.index, "edges": op.Unsqueeze(axes.edges, axes=[0]),
                 "digits": axes.digits(), "high": high, "low": low}  # fmt: skip
        names, values = [*parts], [*values, *parts.values()]
    outputs = [f"out{i}" for i in range(len(values))]
    graph = onnx.helper.make_graph(
        [*op.nodes, *(onnx.helper.make_node("Identity", [v.name], [o]) for v, o in zip(values, outputs, strict=True))],
        "tables",
        [onnx.helper.make_tensor_value_info(v.name, onnx.TensorProto.INT64, [2]) for v in (sides, resized)],
        [onnx.helper.make_empty_tensor_value_info(o) for o in outputs],
    )
    running = session(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))

    def run(two: tuple[int, int], new: tuple[int, int]) -> list[Tables]:
        made = [m[0] for m in running.run(None, {"sides": np.array(two), "resized": np.array(new)})]
        return [dict(zip(names, made[i : i + len(names)], strict=True)) for i in (0, len(names))]

    return run


def numpy_tables(length: int, resized: int, interpolation: str) -> Tables:
    """The same tables by NumPy and the C library's sine, as they are written into files for one size."""
    band = bands(tap_table(length, resized, interpolation), outputs_per_block(length // resized))
    high, low = float_pair(band.weights)
    return {"weights": band.weights, "index": band.index, "edges": np.array([band.begin, band.end]),
            "digits": digits(band.weights), "high": high, "low": low}  # fmt: skip


def compare(interpolation: str, cases: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int, list[str]]]:
    """(length, resized, number of weights, names of the tables that differ) for every case; cases come in pairs."""
    run, cases = graph_tables(interpolation), list(cases)
    for one, other in zip(cases[::2], cases[1::2], strict=True):
        for (length, new), got in zip((one, other), run((one[0], other[0]), (one[1], other[1])), strict=True):
            want = numpy_tables(length, new, interpolation)
            yield length, new, want["weights"].size, [n for n in want if not np.array_equal(got[n], want[n])]


def main() -> None:
    """One line per filter."""
    longest = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    failed = False
    for interpolation in sys.argv[2:] or ("box", "bilinear", "hamming", "bicubic", "lanczos"):
        pairs = weights = 0
        for length, new, count, wrong in compare(
            interpolation, [(n, m) for n in range(1, longest + 1) for m in (*RESIZED, 1)]
        ):
            pairs, weights, failed = pairs + 1, weights + count, failed or bool(wrong)
            if wrong:
                print(f"{interpolation} {length} -> {new}: {', '.join(wrong)} differ")
        print(f"{interpolation}: {pairs} pairs of lengths, {weights:,} weights compared", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
