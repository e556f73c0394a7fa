"""Writes the demo, awkward models and every conformance case as files, with inputs and what this ONNX Runtime makes of them.

    python tests/sweeps/outcomes.py FOLDER [demos|awkward|cases]...

Then, in an environment with another ONNX Runtime, ``python tests/sweeps/consumer.py FOLDER``, which needs numpy and
onnxruntime only.

Every case at its step's own lowest opset and at 17, with lengths known and with symbols; the demo's steps by themselves
and in the model; tests/awkward.py's models with steps around them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import battery
import conformance
import demo
import numpy as np
from consumer import outcome

import onnxprep
from onnxprep.step import catalogue
from onnxprep.tensor import Array

Recorded = tuple[str, str, bytes, dict[str, Array]]
"""Group, name, model, inputs."""


def cases() -> Iterator[Recorded]:
    """Every conformance case."""
    for subject in conformance.subjects(catalogue()):
        lowest = subject.step_class.min_opset
        inputs = {f"x{i}": sample.array() for i, sample in enumerate(subject.case.inputs)}
        for opset in sorted({lowest, max(17, lowest)}):
            for known in (True, False):
                data = conformance.model_of(subject, opset, known=known).SerializeToString()
                lengths = "known" if known else "symbols"
                yield f"cases, opset {opset}", f"{subject} opset {opset} {lengths}", data, inputs
        conformance.model_of.cache_clear()


def demos() -> Iterator[Recorded]:
    """The demo's exported file, the preprocessed tensor among its outputs, and its steps alone."""
    spec = demo.SPEC.read_text("utf-8").replace("[labels, top_k.values]", "[labels, to_layout]")
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "spec.yaml", Path(folder) / "digits.onnx"
        source.write_text(spec, "utf-8")
        (Path(folder) / "labels.txt").write_bytes((demo.FOLDER / "labels.txt").read_bytes())
        onnxprep.export(demo.MODEL, source, out)
        exported = out.read_bytes()
    alone = onnxprep.build(demo.SPEC).SerializeToString()
    for path in sorted((demo.FOLDER / "pictures").glob("*.png")):
        inputs = {"image": demo.pixels(path)[None]}
        yield "demo: the exported file (IR 10, opset 18)", f"exported {path.name}", exported, inputs
        yield "demo: its steps alone (IR 8, opset 17)", f"alone {path.name}", alone, inputs


def awkward() -> Iterator[Recorded]:
    """The awkward models with steps around them, as far as their inputs are arrays and ONNX Runtime runs them."""
    for name, make in battery.MODELS.items():
        if name == "function_overloads":
            continue  # ONNX Runtime 1.20 and 1.23 take one overload for the other, in the model by itself too
        model = make()
        plan = battery.fitted(battery.around(model, "fresh"), model)
        joined = battery.attach(model, plan).SerializeToString()
        fed = dict(zip(plan.inputs, battery.changing(model, plan).values(), strict=True))
        inputs = {**fed, **battery.kept(model, plan)}
        if not all(isinstance(value, np.ndarray) for value in inputs.values()):
            continue
        try:
            outcome(joined, inputs)
        except battery.REFUSALS:
            continue
        yield "awkward models with steps", name, joined, inputs


PARTS = {"demos": demos, "awkward": awkward, "cases": cases}


def main() -> None:
    parser = argparse.ArgumentParser(description="write every case as files for other versions of ONNX Runtime")
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    given = parser.parse_args()
    write(given.folder, given.parts or list(PARTS))


def write(folder: Path, parts: Sequence[str]) -> None:
    """The files of these parts, and ``index.jsonl``, which says what is what."""
    folder.mkdir(parents=True)
    with (folder / "index.jsonl").open("w", encoding="utf-8") as index:
        for group, name, model, inputs in chain.from_iterable(PARTS[part]() for part in parts):
            entry = {"group": group, "name": name, "model": _kept(folder, model, ".onnx")}
            entry |= {"inputs": _saved(folder, inputs), "expected": outcome(model, inputs)}
            index.write(json.dumps(entry) + "\n")


def _saved(folder: Path, inputs: Mapping[str, Array]) -> dict[str, str]:
    """Each array as a .npy file; text without pickle."""
    files = {}
    for name, array in inputs.items():
        with tempfile.TemporaryFile() as file:
            np.save(file, array.astype(str) if array.dtype == object else array, allow_pickle=False)
            file.seek(0)
            files[name] = _kept(folder, file.read(), ".npy")
    return files


def _kept(folder: Path, data: bytes, suffix: str) -> str:
    """The file's name, by its content."""
    name = hashlib.sha256(data).hexdigest()[:24] + suffix
    if not (folder / name).exists():
        (folder / name).write_bytes(data)
    return name


if __name__ == "__main__":
    main()
