"""How often each of the 256 levels occurs in an image, channel by channel, and a table of what becomes of each."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.tensor import Array

LEVELS = np.arange(256)[None]
"""[1, 256]."""


class Levels:
    """A planar image of bytes as int32 [planes, px]; every plane has its own histogram and table."""

    def __init__(self, op: Ops, x: Value) -> None:
        a = Arithmetic(op)
        self._op, self._a = op, a
        self._shape = a.size(x, "NCHW" if x.spec.rank == 4 else "CHW")
        self._planes = a.product(a.size(x, "NC" if x.spec.rank == 4 else "C"))
        self.pixels = a.product(a.size(x, "HW"))
        """Of one plane, int64 [1]."""
        self._level = op.Cast(op.Reshape(x, a.value(a.join(self._planes, self.pixels))), to="int32")

    def histogram(self) -> Value:
        """int32 [planes, 256]; opset 16."""
        op, a = self._op, self._a
        zeros = op.Expand(op.constant([[0]], "int32"), a.value(a.join(self._planes, lengths(256))))
        ones = op.Expand(op.constant([[1]], "int32"), a.value(a.join(self._planes, self.pixels)))
        counts: Value = op.ScatterElements(zeros, self._level, ones, axis=1, reduction="add")
        return counts

    def extremes(self) -> tuple[Value, Value]:
        """The lowest and the highest level, int32 [planes, 1]."""
        op = self._op
        return op.ReduceMin(self._level, axes=[1], keepdims=1), op.ReduceMax(self._level, axes=[1], keepdims=1)

    def mapped(self, table: Value) -> Value:
        """The image with ``table[plane, level]`` in the place of every level; uint8 [planes, 256]."""
        op, a = self._op, self._a
        return op.Reshape(op.GatherElements(table, self._level, axis=1), a.value(self._shape))

    def row(self, values: Array, dtype: str) -> Value:
        """A constant for every plane, [1, n]."""
        return self._op.constant(values.reshape(1, -1), dtype)
