"""What libraries that are not installed here made of the samples: recorded by fixtures/conformance/make.py."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from packaging.specifiers import SpecifierSet

from onnxprep.runtime.libraries import installed_version
from onnxprep.step import Claim, Sample, Step
from onnxprep.tensor import Array

FOLDER = Path(__file__).parents[1] / "fixtures" / "conformance"


def installed(claim: Claim) -> bool:
    """Whether the claimed library is here in a claimed version."""
    version = installed_version(claim.library)
    return version is not None and version in SpecifierSet(claim.versions)


def digest(array: Array) -> str:
    """sha256 of dtype, shape and content."""
    return hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()


def question(step: Step, samples: tuple[Sample, ...]) -> dict[str, Any]:
    """What identifies a recording: the step and the very inputs."""
    inputs = [{"tensor": str(sample.spec), "sha256": digest(sample.array())} for sample in samples]
    return {"like": step.like, "parameters": json.loads(step.model_dump_json()), "inputs": inputs}


def key(asked: dict[str, Any]) -> str:
    """One line per question."""
    return json.dumps({name: asked[name] for name in ("like", "parameters", "inputs")}, sort_keys=True)


def pack(array: Array) -> dict[str, Any]:
    """An array as JSON."""
    data = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "zlib_base64": data}


def unpack(packed: dict[str, Any]) -> Array:
    """The array again; it may not be larger than it says."""
    dtype, shape = np.dtype(packed["dtype"]), tuple(packed["shape"])
    size = dtype.itemsize * int(np.prod(shape))
    data = zlib.decompressobj().decompress(base64.b64decode(packed["zlib_base64"]), size + 1)
    assert len(data) == size, f"{packed['dtype']}{shape} takes {size} bytes"
    return np.frombuffer(data, dtype).reshape(shape)


def file_of(operation: str, like: str) -> Path:
    """Where the recordings of a family are."""
    return FOLDER / operation / f"{like or 'any'}.json"


@cache
def recordings(operation: str, like: str) -> dict[str, dict[str, Any]]:
    """Every recording of a family, by question."""
    path = file_of(operation, like)
    if not path.exists():
        return {}
    return {key(entry): entry for entry in json.loads(path.read_text("utf-8"))["recordings"]}


def recorded(step: Step, samples: tuple[Sample, ...]) -> list[Array]:
    """What the library made of the samples when it was last run."""
    entry = recordings(step.operation, step.like).get(key(question(step, samples)))
    library = step.promise().library
    assert entry is not None, (
        f"{library} {step.promise().versions} is not installed and nothing is recorded for {step.operation} like "
        f"{step.like!r} {step.model_dump_json()} on {samples}: run fixtures/conformance/make.py where it is"
    )
    return [unpack(packed) for packed in entry["outputs"]]
