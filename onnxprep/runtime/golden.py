"""Goldens: recorded inputs with what must come out, inside the model or in ``test_data_set_N`` beside it.

A golden is a JSON document::

    {"format": 1, "samples": [{"inputs": {NAME: ARRAY},
                               "steps": {VALUE: {"tensor": NAME, "dtype": DTYPE, "axes": [..], "sha256": HEX}},
                               "values": {NAME: ARRAY + {"made_by": WORD, "tolerance": NUMBER}}}],
     "versions": {LIBRARY: VERSION}}

``steps`` are the values between our nodes before the model, bit for bit: the tensor that carries each, and the order
of axes in which its digest was taken. ``made_by`` says who made the expectation:
``training``, ``library`` or ``self``.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from onnxprep.errors import ParityError
from onnxprep.graph.trace import Traced
from onnxprep.runtime import arrays
from onnxprep.runtime.session import version
from onnxprep.tensor import Array

FORMAT = 1
INFLATED_BYTES = 64 * 2**20
"""All arrays of a golden inside a model; more goes beside it, however well it is deflated."""
RELATIVE_TOLERANCE = 1e-4
"""Of the largest expected magnitude, at least of 1: what kernels of different versions and machines may differ by."""

Maker = Literal["training", "library", "self"]


@dataclass(frozen=True)
class Expected:
    """What a value must be, who says so, and how far it may be off (absolute; 0 is bit for bit)."""

    array: Array
    made_by: Maker
    tolerance: float = 0.0


@dataclass(frozen=True)
class StepRecord:
    """Where a value between our nodes is, and the digest of what it held."""

    traced: Traced
    sha256: str


@dataclass(frozen=True)
class Sample:
    """One recorded run."""

    inputs: Mapping[str, Array]
    values: Mapping[str, Expected]
    steps: Mapping[str, StepRecord] = field(default_factory=dict)

    @property
    def made_by(self) -> str:
        """The words of its expectations, the most telling first."""
        words = {expected.made_by for expected in self.values.values()}
        return ", ".join(word for word in ("training", "library", "self") if word in words)


def tolerance(expected: Array, *, behind_the_model: bool) -> float:
    """0 for what our nodes make before the model; a share of the magnitude for floats behind it."""
    if not behind_the_model or expected.dtype.kind != "f" or not expected.size:
        return 0.0
    finite = np.abs(expected[np.isfinite(expected)].astype(np.float64))
    return RELATIVE_TOLERANCE * max(1.0, float(finite.max(initial=0.0)))


def dump(samples: list[Sample]) -> dict[str, Any]:
    """The document, arrays inside."""
    return {
        "format": FORMAT,
        "samples": [
            {
                "inputs": {name: arrays.packed(array) for name, array in sample.inputs.items()},
                "steps": {name: asdict(step.traced) | {"sha256": step.sha256} for name, step in sample.steps.items()},
                "values": {name: _dump_expected(expected) for name, expected in sample.values.items()},
            }
            for sample in samples
        ],
        "versions": {"numpy": np.__version__, "onnxruntime": version(), "platform": platform.machine()},
    }


def _dump_expected(expected: Expected) -> dict[str, Any]:
    return arrays.packed(expected.array) | {"made_by": expected.made_by, "tolerance": expected.tolerance}


def load(text: str, folder: Path) -> list[Sample]:
    """The samples of a stored golden.

    Args:
        text: the document.
        folder: where the model is: arrays kept beside it are read from there.

    Raises:
        ParityError: the document or an array is damaged.
    """
    try:
        document = json.loads(text)
        _refuse_bomb(document["samples"])
        return [_load_sample(item, f"samples[{i}]", folder) for i, item in enumerate(document["samples"])]
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        OSError,
        RuntimeError,
        SyntaxError,
    ) as error:
        hint = "the file was changed or damaged after export"
        raise ParityError("cannot be read", at="golden", got=str(error)[:120], hint=hint) from None


def _refuse_bomb(samples: list[Mapping[str, Any]]) -> None:
    packed = (item for sample in samples for kind in ("inputs", "values") for item in sample[kind].values())
    total = sum(arrays.inflated_bytes(item) for item in packed)
    if total > INFLATED_BYTES:
        expected = f"at most {INFLATED_BYTES // 2**20} MiB; export keeps more beside the model"
        raise ParityError("is too large when it is inflated", at="golden", expected=expected, got=f"{total:,} bytes")


def _load_sample(item: Mapping[str, Any], at: str, folder: Path) -> Sample:
    inputs = {name: _load(written, f"{at}.inputs.{name}", folder) for name, written in item["inputs"].items()}
    values = {
        name: Expected(_load(written, f"{at}.values.{name}", folder), written["made_by"], float(written["tolerance"]))
        for name, written in item["values"].items()
    }
    steps = {name: _load_step(written) for name, written in item["steps"].items()}
    return Sample(inputs, values, steps)


def _load_step(written: Mapping[str, Any]) -> StepRecord:
    axes = tuple(int(axis) for axis in written["axes"])
    return StepRecord(Traced(str(written["tensor"]), str(written["dtype"]), axes), str(written["sha256"]))


def _load(written: Mapping[str, Any], at: str, folder: Path) -> Array:
    if "file" not in written:
        return arrays.unpacked(written, at)
    path = (folder / str(written["file"])).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ParityError("is gone", at=at, expected=str(path), hint="keep the folder test_data_set_* beside the model")
    array = _read_tensor(path, written, at)
    if arrays.digest(array) != written["sha256"]:
        raise ParityError("does not match its digest", at=at, got=str(path), hint="the file was changed or damaged")
    return array


def _read_tensor(path: Path, written: Mapping[str, Any], at: str) -> Array:
    text = written["dtype"] == "string"
    size = 0 if text else math.prod(written["shape"]) * np.dtype(written["dtype"]).itemsize
    if path.stat().st_size > (INFLATED_BYTES if text else size + 4096):
        raise ParityError("is longer than its shape says", at=at, got=str(path))
    try:
        tensor = onnx.TensorProto.FromString(path.read_bytes())
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ParityError("refers to another file", at=at, expected="a tensor with its values", got=str(path))
        array = np.asarray(numpy_helper.to_array(tensor))
        if text:
            texts = [item.decode() if isinstance(item, bytes) else item for item in array.ravel()]
            return np.array(texts, object).reshape(array.shape)
    except (DecodeError, ValueError, TypeError, OSError) as error:
        raise ParityError("cannot be read", at=at, got=str(error)[:120]) from None
    return array
