"""A model of one matrix product and specs for it: small enough to export in every test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from onnxprep.tensor import Array

HEAD = """onnxprep: 1
inputs:
  - {name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}
preprocess:
"""
DECODE = """  - {operation: decode_image, where: caller, inputs: [file], outputs: [image], parameters: {like: pillow-13}}
"""
STEPS = """  - resize: {size: [8, 8], interpolation: bilinear, like: pillow-13}
  - rescale: {like: numpy}
  - to_layout: {layout: NCHW}
"""
SPEC = HEAD + STEPS
FED = SPEC + "model: {inputs: {x: to_layout}}\n"
POST = "onnxprep: 1\npostprocess: [softmax]\n"


def small(folder: Path, *, mask: bool = False, outside: bool = False, output: str = "logits") -> Path:
    """x [N, 3, 8, 8] (and mask [N, 10]) -> scores; with ``outside`` the weights lie in weights.bin."""
    weights = np.random.default_rng(0).standard_normal((192, 10)).astype(np.float32)
    inputs = {"x": ["N", 3, 8, 8], **({"mask": ["N", 10]} if mask else {})}
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "W"], ["m"])]
    nodes.append(helper.make_node("Add", ["m", "mask"], [output]) if mask else helper.make_node("Neg", ["m"], [output]))
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(weights, "W")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    outside_data = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0} if outside else {}
    onnx.save(model, folder / "model.onnx", **outside_data)
    return folder / "model.onnx"


def picture(path: Path, height: int = 20, width: int = 30, seed: int = 1) -> Array:
    """Random pixels, saved as a PNG and given back."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels
