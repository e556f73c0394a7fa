"""Sums over a window around every row: a band matrix on blocks of rows that overlap, fetched by position.

``[w0 w1 w2 .  . ]   [row 0]``
``[.  w0 w1 w2 . ] * [row 1]   gives three outputs of one block of five inputs``
``[.  .  w0 w1 w2]   [ ... ]``

A product over float64, or over bytes and weights of at most 11 bits, is exact wherever it runs: a GPU that multiplies
float32 as TF32 keeps 11 bits. The columns of an image are the rows of its transpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image._borders import Rule, inside
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.tensor import Array


@dataclass(frozen=True)
class Window:
    """Weights of the positions ``i - before .. i - before + len(weights) - 1`` in output ``i``."""

    weights: Sequence[float]
    before: int
    rule: Rule = "reflect"

    @property
    def block(self) -> int:
        """Rows that one product gives: more where the window makes blocks overlap more."""
        return 16 if len(self.weights) < 24 else 32

    def matrix(self, dtype: str) -> Array:
        """The band matrix, [block, block + len(weights) - 1]."""
        taps = len(self.weights)
        band = np.zeros((self.block, self.block + taps - 1), dtype)
        for i in range(self.block):
            band[i, i : i + taps] = self.weights
        return band


class Planes:
    """An image as bytes, planar, with the lengths that its passes need. Inside it is [planes, H, W]."""

    def __init__(self, op: Ops, x: Value) -> None:
        self._op, self._a = op, Arithmetic(op)
        self._size = self._a.size(x, "HW")
        self._shape = self._a.size(x, "NCHW" if x.spec.rank == 4 else "CHW")
        self._planes = self._a.product(self._a.size(x, "NC" if x.spec.rank == 4 else "C"))
        # also keeps ONNX Runtime from merging the Transpose of a layout with the one below: that kernel is slow
        self._x = op.Reshape(x, self._a.value(self._a.join(self._planes, self._size)))

    def weighted(self, rows: Window, columns: Window, bias: float) -> Value:
        """``trunc(sum of both windows + bias)``, uint8; the sum over ``columns`` comes first and is float32."""
        op, a = self._op, self._a
        y = op.Cast(self._blocks(self._swapped(self._x), 1, columns), to="float32")
        y = self._product(y, columns, self._whole(1, columns), self._length(0))
        y = op.Cast(self._blocks(self._swapped(y), 0, rows), to="float64")
        y = self._product(y, rows, self._whole(0, rows), self._whole(1, columns))
        return self._cut(self._bytes(y, bias), a.join(self._whole(0, rows), self._whole(1, columns)))

    def repeated(self, rows: Window | None, columns: Window | None, times: int) -> Value:
        """``times`` passes over the columns, then over the rows, each rounded to uint8, half up."""
        op, y, known = self._op, self._x, [self._length(0), self._length(1)]
        for axis, window in ((1, columns), (0, rows)):
            if window is None:
                continue
            y = self._swapped(y) if axis == 1 else y
            for _ in range(times):
                blocks = op.Cast(self._blocks(y, axis, window), to="float64")
                y = self._bytes(self._product(blocks, window, self._whole(axis, window), known[1 - axis]), 0.5)
            known[axis] = self._whole(axis, window)
            y = self._swapped(y) if axis == 1 else y
        return self._cut(y, self._a.join(*known))

    def _swapped(self, y: Value) -> Value:
        swapped: Value = self._op.Transpose(y, perm=[0, 2, 1])
        return swapped

    def _length(self, axis: int) -> Number:
        return self._a.pick(self._size, axis)

    def _whole(self, axis: int, window: Window) -> Number:
        """A length, up to the end of its last block."""
        blocks = self._a.ceil_div(self._length(axis), lengths(window.block))
        return self._a.Mul(blocks, lengths(window.block))

    def _blocks(self, y: Value, axis: int, window: Window) -> Value:
        """The rows of every block: [planes, blocks, rows, columns]."""
        a, block = self._a, window.block
        number = a.count_to(a.ceil_div(self._length(axis), lengths(block)))
        first = a.column(a.Sub(a.Mul(number, lengths(block)), lengths(window.before)))
        positions = a.Add(first, np.arange(block + len(window.weights) - 1)[None])
        where = inside(a, positions, self._length(axis), window.rule)
        return self._op.Gather(y, a.value(where), axis=1)

    def _product(self, blocks: Value, window: Window, height: Number, width: Number) -> Value:
        op, a, dtype = self._op, self._a, blocks.spec.dtype
        matrix, known = window.matrix(dtype), a.known(self._planes)
        factor = op.constant(matrix, dtype)
        if known is None or not known[0]:  # MatMul fails where one side alone has a length of 0
            factor = op.Expand(factor, a.value(a.join(self._planes, lengths(1, *matrix.shape))))
        y = op.MatMul(factor, blocks)
        return op.Reshape(y, a.value(a.join(self._planes, height, width)))

    def _bytes(self, y: Value, bias: float) -> Value:
        """Nothing to clip: a mean of bytes is below 256 with any bias."""
        return self._op.Cast(self._op.Add(y, self._op.float64(bias)), to="uint8")

    def _cut(self, y: Value, size: Number) -> Value:
        """Without what the last blocks have beyond the edges, in the shape of the input."""
        op, a = self._op, self._a
        whole, own = a.known(size), a.known(self._size)
        if whole is None or own is None or not np.array_equal(whole, own):
            y = op.Slice(y, op.int64([0, 0]), a.value(self._size), op.int64([1, 2]))
        return op.Reshape(y, a.value(self._shape))
