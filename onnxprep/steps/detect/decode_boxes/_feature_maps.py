"""YOLOv5's anchors and the cells of its feature maps."""

from __future__ import annotations

from typing import Any

from onnxprep.step import Case, Ops, Sample, Value
from onnxprep.tensor import TensorSpec

ANCHORS = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)


def cells_of(op: Ops, count: Value, width: Value) -> Value:
    """Column and row of every cell, float32 [1, 2, 1, h * w]."""
    every = op.Range(op.int64(0), op.Squeeze(count, axes=[0]), op.int64(1))
    both = op.Concat(*(op.Unsqueeze(k, axes=[0, 1, 2]) for k in (op.Mod(every, width), op.Div(every, width))), axis=1)
    numbers: Value = op.Cast(both, to="float32")
    return numbers


def case_of(n: int, c: int, sides: Any, anchors: Any, strides: Any, seed: int, *, five: bool = False) -> Case:
    """Maps of which each has half the sides of the one before."""
    samples = []
    for k, pairs in enumerate(anchors):
        h, w = (max(1, side >> k) for side in sides)
        shape = (n, len(pairs), h, w, 5 + c) if five else (n, len(pairs) * (5 + c), h, w)
        samples.append(Sample(TensorSpec("float32", shape, None, None, (-5.0, 5.0)), seed + k))
    return Case({"anchors": anchors, "strides": strides}, tuple(samples))
