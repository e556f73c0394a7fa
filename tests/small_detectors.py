"""Detectors for end-to-end tests: the structure of real ones, a few thousand random weights, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnxprep.tensor import Array

STRIDES = (8, 16, 32)
BINS = 16


class Net:
    """A graph that is being written: every call adds a node and returns the name of its output."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def __getattr__(self, operator: str) -> Any:
        def add(*inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
            names = list(outputs) or [f"t{len(self.nodes)}"]
            self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
            return names[0]

        return add

    def given(self, array: Array) -> str:
        """An initializer."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def random(self, *shape: int, scale: float) -> str:
        """Normally distributed weights."""
        return self.given((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def conv(self, x: str, channels: tuple[int, int], kernel: int = 3, stride: int = 1, bias: Any = 0.0) -> str:
        """A convolution whose output is about as large as its input."""
        before, after = channels
        weights = self.random(after, before, kernel, kernel, scale=(1.6 / (before * kernel * kernel)) ** 0.5)
        shift = self.given((self.rng.standard_normal(after) * 0.3 + bias).astype(np.float32))
        return self.Conv(x, weights, shift, strides=[stride] * 2, pads=[kernel // 2] * 4)

    def block(self, x: str, channels: tuple[int, int], stride: int = 2) -> str:
        """Convolution and SiLU, as Ultralytics' Conv."""
        y = self.conv(x, channels, stride=stride)
        return self.Mul(y, self.Sigmoid(y))

    def model(self, height: int | str, width: int | str, outputs: dict[str, list[int | str]]) -> onnx.ModelProto:
        """image [N, 3, H, W] -> the outputs."""
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, height, width])
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "detector", [image], infos, self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(made, full_check=True)
        return made


def yolov8(height: int = 64, width: int = 64, *, classes: int = 80, extra: int = 0, seed: int = 0) -> onnx.ModelProto:
    """image [N, 3, height, width], 0..1, sides divisible by 32 -> output0 [N, 4 + classes + extra, K], as Ultralytics
    exports it: three strides, distribution focal loss over 16 bins, dist2bbox, sigmoid. ``extra`` rows are linear.
    """
    assert height % 32 == width % 32 == 0
    net = Net(seed)
    x, before = "image", 3
    boxes, scores, more = [], [], []
    for level, after in enumerate((8, 12, 16, 24, 24)):
        x, before = net.block(x, (before, after)), after
        if level < 2:
            continue
        # near bins and no class are likelier than others: boxes of some cells, and most of them nothing
        near, nothing = np.tile(np.arange(0, -0.4 * BINS, -0.4), 4), -2.5 - np.log(classes) / 2
        for made, rows, kernel, bias in (
            (boxes, 4 * BINS, 3, near),
            (scores, classes, 1, nothing),
            (more, extra, 1, 0),
        ):
            if rows:
                y = net.conv(net.Mul(x, net.given(np.float32(6))), (after, rows), kernel, bias=bias)
                made.append(net.Reshape(y, net.given(np.array([0, rows, -1], np.int64))))
    box = net.Reshape(net.Concat(*boxes, axis=2), net.given(np.array([0, 4, BINS, -1], np.int64)))
    likely = net.Softmax(net.Transpose(box, perm=[0, 2, 1, 3]), axis=1)  # [N, 16, 4, K]
    bins = net.given(np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
    far = net.Reshape(net.Conv(likely, bins), net.given(np.array([0, 4, -1], np.int64)))
    net.Split(far, outputs=("left_top", "right_bottom"), axis=1)
    anchors, strides = _anchors(height, width)
    upper, lower = net.Sub(net.given(anchors), "left_top"), net.Add(net.given(anchors), "right_bottom")
    centre = net.Div(net.Add(upper, lower), net.given(np.float32(2)))
    decoded = net.Mul(net.Concat(centre, net.Sub(lower, upper), axis=1), net.given(strides))
    parts = [decoded, net.Sigmoid(net.Concat(*scores, axis=2)), *([net.Concat(*more, axis=2)] if extra else [])]
    net.Concat(*parts, axis=1, outputs=["output0"])
    return net.model(height, width, {"output0": ["N", 4 + classes + extra, anchors.shape[2]]})


def _anchors(height: int, width: int) -> tuple[Array, Array]:
    """Centres of the cells in units of their stride [1, 2, K], and the strides [1, 1, K]: make_anchors."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = np.meshgrid(np.arange(height // stride) + 0.5, np.arange(width // stride) + 0.5, indexing="ij")
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride))
    return np.concatenate(centres, 1)[None].astype(np.float32), np.concatenate(strides)[None, None].astype(np.float32)


def detr(queries: int = 100, classes: int = 91, seed: int = 0) -> onnx.ModelProto:
    """image [N, 3, H, W] of any sides -> logits [N, queries, classes + 1], pred_boxes [N, queries, 4], cx, cy, w, h in 0..1."""
    net = Net(seed)
    x, before = "image", 3
    for after in (8, 12, 16, 16):
        x, before = net.block(x, (before, after)), after
    seen = net.Flatten(net.GlobalAveragePool(x), axis=1)
    for name, numbers, scale in (("logits", classes + 1, 4.0), ("pred_boxes", 4, 1.5)):
        weights = net.random(before, queries * numbers, scale=scale)
        shift = net.random(queries * numbers, scale=scale)
        y = net.Reshape(net.Gemm(seen, weights, shift), net.given(np.array([0, queries, numbers], np.int64)))
        (net.Sigmoid if numbers == 4 else net.Identity)(y, outputs=[name])
    return net.model("H", "W", {"logits": ["N", queries, classes + 1], "pred_boxes": ["N", queries, 4]})
