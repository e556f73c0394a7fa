"""Every conformance case on another provider or runtime, against the CPU of ONNX Runtime.

    python tests/sweeps/providers.py [OPERATION | OPERATION/FAMILY ...] [--part ep|openvino|reference] [--provider OpenVINO] [--write]

Parts: ``ep``, a session of ONNX Runtime on the provider, with where the nodes ran; ``openvino``, OpenVINO's own
``read_model`` and ``compile_model``; ``reference``, onnx's ReferenceEvaluator. Each case with all lengths known and
with symbols; every family in a process of its own, since a provider may take the process with it. ``--write`` makes
``docs/providers.md``.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import platform
import re
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import conformance
import numpy as np
import onnx
from closeness import ulp_distance

from onnxprep.step import catalogue
from onnxprep.tensor import Array

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
LIMIT = 120
"""Seconds for one graph."""
Feeds = dict[str, Array]
Run = Callable[[onnx.ModelProto, Feeds], list[Array]]


@dataclass
class Row:
    """What was found about one family.

    Attributes:
        graphs: how many were tried: every case with all lengths known, and with symbols.
        refused: why some do not run -> how many.
        equal: graphs whose every output has the CPU's bits.
        ulp: largest distance of floats, where anything differs.
        largest: largest difference of numbers.
        wrong: graphs that give other integers, texts or shapes, or floats more than 1e-4 apart (of 1, or of the value).
        on_the_cpu: operators with nodes that the provider leaves to the CPU.
    """

    operation: str
    like: str
    graphs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    equal: int = 0
    ulp: int = 0
    largest: float = 0.0
    wrong: int = 0
    on_the_cpu: set[str] = field(default_factory=set)

    def compare(self, got: list[Array], wanted: list[Array]) -> None:
        """Counts one graph."""
        found = [_apart(a, np.asarray(b)) for a, b in zip(got, wanted, strict=True)]
        self.equal += not any(one[0] for one in found)
        self.wrong += any(one[3] for one in found)
        self.ulp = max([self.ulp, *(one[1] for one in found)])
        self.largest = max([self.largest, *(one[2] for one in found)])


def _apart(got: Array, want: Array) -> tuple[bool, int, float, bool]:
    """(differs at all, ulp, by how much, is wrong)."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return True, 0, float("inf"), True
    if got.dtype.kind != "f":
        differs = bool(np.any(got != want))
        by = np.abs(got.astype(np.float64) - want.astype(np.float64)) if got.dtype.kind in "iu" else np.zeros(1)
        return differs, 0, float(by.max(initial=0)), differs
    distance = ulp_distance(got, want)
    if not distance.any():
        return False, 0, 0.0, False
    with np.errstate(invalid="ignore"):
        by = np.abs(got.astype(np.float64) - want.astype(np.float64))
        far = bool(np.any(~(by <= 1e-4 * np.maximum(1, np.abs(want.astype(np.float64)))) & (distance > 0)))
    return True, int(min(distance.max(), 2**62)), float(np.nan_to_num(by, nan=np.inf, posinf=np.inf).max()), far


# the parts --------------------------------------------------------------------------------------------------------


def on_provider(provider: str, row: Row) -> Run:
    """A session of ONNX Runtime; what it leaves to the CPU is kept in the row."""
    from onnxprep.runtime.session import Session, known

    (name,) = known([provider])

    def run(model: onnx.ModelProto, feeds: Feeds) -> list[Array]:
        session = Session(model, [name], threads=1)
        operators = {node.name: node.op_type for node in conformance._nodes(model.graph)}
        for node, where in session.assigned() or []:
            if where != name and node in operators:
                row.on_the_cpu.add(operators[node])
        return list(session.run(feeds).values())

    return run


def in_openvino() -> Run:
    """OpenVINO itself, without ONNX Runtime."""
    import openvino

    core = openvino.Core()

    def run(model: onnx.ModelProto, feeds: Feeds) -> list[Array]:
        try:
            read = core.read_model(model.SerializeToString())
        except Exception as error:
            raise RuntimeError(f"{error} (in read_model)") from error
        compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        made = compiled({name: array for name, array in feeds.items() if _taken(compiled, name)})
        return [_texts(np.array(made[port])) for port in compiled.outputs]

    return run


def _texts(array: Array) -> Array:
    return array.astype(object) if array.dtype.kind in "US" else array


def _taken(compiled: Any, name: str) -> bool:
    return any(name in port.get_names() for port in compiled.inputs)


def in_reference() -> Run:
    """onnx's own evaluator in NumPy."""
    from onnx.reference import ReferenceEvaluator

    def run(model: onnx.ModelProto, feeds: Feeds) -> list[Array]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [_texts(np.asarray(made)) for made in ReferenceEvaluator(model).run(None, feeds)]

    return run


PARTS = {
    "ep": on_provider,
    "openvino": lambda _provider, _row: in_openvino(),
    "reference": lambda _provider, _row: in_reference(),
}


def family(part: str, provider: str, operation: str, like: str) -> Row:
    """All cases of one family."""
    row = Row(operation, like)
    for _ in graphs(part, provider, row):
        pass
    return row


def graphs(part: str, provider: str, row: Row) -> Iterator[None]:
    """Tries the graphs of the row's family that it does not count yet; yields behind each."""
    step_class = catalogue()[row.operation][row.like]
    run = PARTS[part](provider, row)
    ways = itertools.product(conformance.subjects_of(step_class, row.like), (True, False))
    for subject, known in itertools.islice(ways, row.graphs, None):
        model = conformance.model_of(subject, max(17, step_class.min_opset), known=known)
        feeds = {f"x{i}": sample.array() for i, sample in enumerate(subject.case.inputs)}
        wanted = conformance.outcome(conformance.session(model), subject.case.inputs)
        row.graphs += 1
        try:
            row.compare(run(model, feeds), wanted)
        except Exception as error:  # noqa: BLE001  # whatever a provider raises is what is asked for
            row.refused[reason(error)] += 1
        conformance.model_of.cache_clear()
        yield


def reason(error: Exception) -> str:
    """What a runtime says, without names and places."""
    text = " ".join(str(error).split())
    for sign, said in REASONS.items():
        if re.search(sign, text):
            return said
    return re.sub(r"\d+", "N", f"{type(error).__name__}: {text[-110:]}")


REASONS = {
    "not found in graph cache": "a Loop, or a constant that is an output (`node not found in graph cache`)",
    "vector::_M_default_append": "`read_model` does not read a Gather of an empty batch",
    "No implementation for operator 'DequantizeLinear'": "it has no DequantizeLinear of opset 17",
    "array objects|Except for dimension": "its GatherElements (`Need at most ... array objects`, `Except for dimension ...`)",
    "conflicts with the reshape pattern": "fails at run time in a Reshape (`conflicts with the reshape pattern`)",
    "Reshape operation with dynamic rank": "does not compile a Reshape of unknown rank",
    "graph is not acyclic": "a partition that depends on itself (`the graph is not acyclic`)",
    "Tensor data equal nullptr": "an empty tensor (`Tensor data equal nullptr`)",
    "does not support the following ONNX operations: com.intel.ai": "a Loop (`does not support the following ONNX operations: com.intel.ai.OpenVINO-EP-subgraph`)",
}
"""Part of a message -> what it means."""


# running ----------------------------------------------------------------------------------------------------------


def _child(part: str, provider: str, row: Row, pipe: Any) -> None:
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    for _ in graphs(part, provider, row):
        pipe.send((row, False))
    pipe.send((row, True))


def rows(part: str, provider: str, wanted: list[str]) -> Iterator[Row]:
    """Every family in a process of its own; one that a graph ends is followed by another, for the graphs behind it."""
    for step_class, like in conformance.families(catalogue()):
        names = {step_class.operation, f"{step_class.operation}/{like}"}
        if step_class.caller or (wanted and not names & set(wanted)):
            continue
        row, done = Row(step_class.operation, like), False
        while not done:
            row, done, ended = _in_a_child(part, provider, row)
            if not done:
                row.graphs += 1
                row.refused[f"it takes the process with it ({ended})"] += 1
        yield row


def _in_a_child(part: str, provider: str, row: Row) -> tuple[Row, bool, str]:
    """The row as far as the child came, whether that is all, and how it ended."""
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(part, provider, row, writing))
    child.start()
    writing.close()
    done = False
    with contextlib.suppress(EOFError):
        while not done and reading.poll(LIMIT):
            row, done = reading.recv()
    child.terminate()
    child.join()
    code = child.exitcode or 0
    return row, done, signal.Signals(-code).name if code < 0 else f"exit {code}"


# the page ---------------------------------------------------------------------------------------------------------

TITLES = {
    "ep": "ONNX Runtime's OpenVINO provider",
    "openvino": "OpenVINO by itself",
    "reference": "onnx's ReferenceEvaluator",
}


def table(found: list[Row], *, placed: bool) -> list[str]:
    """Families of an operation that came out alike share a line."""
    head = ["operation", "like", "graphs", "run", "the CPU's bits", "largest difference", "wrong"]
    lines = [head + ["left to the CPU"] * placed, ["---"] * (len(head) + placed)]
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(json.dumps([row.operation, _cells(row, placed=placed)]), []).append(row)
    for key, alike in groups.items():
        operation, cells = json.loads(key)
        lines.append([operation, ", ".join(row.like or "-" for row in alike), *cells])
    return [f"| {' | '.join(line)} |" for line in lines]


def _cells(row: Row, *, placed: bool) -> list[str]:
    ran = row.graphs - row.refused.total()
    in_ulp = row.ulp and not row.wrong
    apart = f"{row.ulp} ulp ({row.largest:.2g})" if in_ulp else f"{row.largest:.3g}" if row.largest else ""
    cells = [str(row.graphs), str(ran), str(row.equal), apart, str(row.wrong or "")]
    return [*cells, ", ".join(sorted(row.on_the_cpu))] if placed else cells


def summary(found: list[Row]) -> str:
    """One sentence of totals."""
    graphs, refused = sum(row.graphs for row in found), sum(row.refused.total() for row in found)
    equal, wrong = sum(row.equal for row in found), sum(row.wrong for row in found)
    return (
        f"{graphs} graphs of {len(found)} families: {graphs - refused} run, {equal} with the CPU's bits, "
        f"{graphs - refused - equal - wrong} with floats that are nearly those, {wrong} with wrong values; {refused} are refused."
    )


def refusals(found: list[Row]) -> list[str]:
    """Why graphs do not run, and of which operations."""
    causes: dict[str, Counter[str]] = {}
    for row in found:
        for why, count in row.refused.items():
            causes.setdefault(why, Counter())[row.operation] += count
    ordered = sorted(causes.items(), key=lambda item: -item[1].total())
    return [
        f"- {counts.total()} graphs: {why.replace('|', '/')}: {', '.join(f'{name} {n}' for name, n in sorted(counts.items()))}"
        for why, counts in ordered
    ]


def page(parts: dict[str, list[Row]], seconds: dict[str, float], intro: str) -> str:
    names = ("onnxruntime-openvino", "onnxruntime", "openvino", "onnx", "numpy")
    versions = ", ".join(f"{name} {found}" for name in names if (found := _installed(name)))
    today = time.strftime("%Y-%m-%d")
    lines = [intro.rstrip(), "", f"{today}, {platform.system()} {platform.machine()}, {versions}."]
    for part, found in parts.items():
        lines += ["", f"## {TITLES[part]}", "", f"{summary(found)} ({seconds[part]:.0f} s)", ""]
        lines += [*refusals(found), ""] if any(row.refused for row in found) else []
        lines += table(found, placed=part == "ep")
    return "\n".join(lines) + "\n"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


END = "<!-- from here on made by tests/sweeps/providers.py -->"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("--part", action="append", choices=list(PARTS))
    parser.add_argument("--provider", default="OpenVINO")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    parts, seconds = {}, {}
    for part in given.part or list(PARTS):
        start = time.perf_counter()
        parts[part] = []
        for row in rows(part, given.provider, given.wanted):
            parts[part].append(row)
            print(json.dumps({**vars(row), "on_the_cpu": sorted(row.on_the_cpu)}), flush=True)
        seconds[part] = time.perf_counter() - start
        print(f"{TITLES[part]}: {summary(parts[part])} ({seconds[part]:.0f} s)", *refusals(parts[part]), sep="\n")
    if given.write:
        intro = PAGE.read_text("utf-8").partition(END)[0] + END
        PAGE.write_text(page(parts, seconds, intro), "utf-8")


if __name__ == "__main__":
    main()
