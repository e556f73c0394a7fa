"""The small detector's files, and models that give what its network gave in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import onnxprep
from onnxprep.tensor import Array

FOLDER = Path(__file__).parent.parent / "fixtures" / "detector"
MODEL, SPEC = FOLDER / "detector.onnx", FOLDER / "spec.yaml"
NAMES = ("wide", "tall", "small")
LABELS = (FOLDER / "labels.txt").read_text("utf-8").split()


def picture(name: str) -> Path:
    return FOLDER / "pictures" / f"{name}.png"


def pixels(name: str) -> Array:
    return np.asarray(Image.open(picture(name)).convert("RGB"))


def raw(name: str) -> Array:
    """What the network gave for a picture when it was trained, [1, 10, 720]."""
    return np.load(FOLDER / "expected" / f"{name}.raw.npy")


def expected(name: str) -> dict[str, Any]:
    """What Ultralytics' functions made of that: boxes, scores, classes; and the shapes that were drawn."""
    found: dict[str, Any] = json.loads((FOLDER / "expected" / f"{name}.json").read_text("utf-8"))
    return found | {"boxes": np.array(found["boxes"], np.float32), "scores": np.array(found["scores"], np.float32)}


def giving(folder: Path, answer: Array, side: int = 192) -> Path:
    """A model that takes letterboxed pictures of ``side`` px and gives one answer for all of them, to the bit."""
    constants = {"answer": answer, "nothing": np.zeros((), np.float32)}
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["largest"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["largest", "each"], ["image"]),
        helper.make_node("Mul", ["image", "nothing"], ["zero"]),
        helper.make_node("Add", ["answer", "zero"], ["output0"]),
    ]
    each = numpy_helper.from_array(np.array([-1] + [1] * (answer.ndim - 1)), "each")
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, side, side])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["N", *answer.shape[1:]])],
        [*(numpy_helper.from_array(array, name) for name, array in constants.items()), each],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "giving.onnx"
    )
    return folder / "giving.onnx"


def exported(out: Path, model: Path = MODEL, spec: str | Path = SPEC) -> Path:
    """The model with the detector's steps."""
    onnxprep.export(model, spec, out)
    return out
