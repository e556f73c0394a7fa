"""Means of whole blocks of bytes: what cv2.INTER_AREA does where both sides become a whole number of times shorter."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import Lines, Pictures, part
from onnxprep.steps.image.resize._opencv.taps import as_dtype, outputs

LARGEST, HIGHEST = 65_792, 8
"""Pixels of a block whose sum is below 2**24; rows of one whose sums fit into 11 bits, as a GPU's TF32 has them."""


def blocks(op: Ops, lines: Lines, geometry: OpencvGeometry, block: Number, dtype: str = "float32") -> Value:
    """``rint(float32(sum) * float32(1 / area))`` of blocks of ``block`` (int64 [2]); 2 x 2: ``(sum + 2) >> 2``.

    ``dtype`` is float64 for blocks beyond ``LARGEST`` and ``HIGHEST``. Every sum is exact, in any order.
    Source: OpenCV 5.0.0, imgproc/src/resize.cpp resizeAreaFast_.
    """
    return _Blocks(op, lines, geometry, block, dtype).run()


class _Blocks:
    def __init__(self, op: Ops, lines: Lines, geometry: OpencvGeometry, block: Number, dtype: str) -> None:
        self.op, self.a, self.lines, self.geometry, self.block = op, Arithmetic(op), lines, geometry, block
        self.dtype, self.pictures = dtype, Pictures(op, lines)
        a = self.a
        self.high, self.wide = a.pick(block, 0), a.pick(block, 1)
        self.height, self.width = a.pick(geometry.count, 0), a.pick(geometry.count, 1)
        self.source = self._source()

    def _fits(self) -> bool:
        """Whether the blocks are known to cover the image; a ``scale`` of 1/3 makes 3 of 10."""
        known = [self.a.known(n) for n in (self.geometry.sides, self.geometry.resized, self.block)]
        if known[0] is not None and known[1] is not None and known[2] is not None:
            return bool((known[0] == known[1] * known[2]).all())
        return not self.geometry.by_factor

    def _source(self) -> Value:
        """[images, height * block, width * block * channels]; zeros where the last block is cut."""
        op, a, channels = self.op, self.a, self.lines.channels
        x = self.lines.x
        if self.geometry.is_whole(a) and self._fits():
            return x
        start, count = a.Mul(self.geometry.start, self.block), a.Mul(self.geometry.count, self.block)
        x = part(op, x, 1, a.pick(start, 0), a.pick(count, 0))
        x = part(op, x, 2, a.Mul(a.pick(start, 1), channels), a.Mul(a.pick(count, 1), channels))
        if self._fits():
            return x
        missing = a.Max(a.Sub(a.Add(start, count), self.geometry.sides), lengths(0))
        missing = a.join(a.pick(missing, 0), a.Mul(a.pick(missing, 1), channels))
        pads = a.join(lengths(0, 0, 0, 0), missing)
        return op.Pad(x, a.value(pads), op.constant(0, "uint8"), mode="constant")

    def run(self) -> Value:
        a = self.a
        work = a.product(a.Mul(self.geometry.count, self.block))
        return self.pictures.by_trips(self.height, self.width, work, self._some)

    def _some(self, start: Number, count: Number) -> Value:
        op, a, channels, shape = self.op, self.a, self.lines.channels, self.pictures.shape
        rows = part(op, self.source, 1, a.Mul(start, self.high), a.Mul(count, self.high))
        each = a.Mul(self.lines.images, count)
        inner = a.Mul(a.Mul(self.width, self.wide), channels)
        # rows first: bytes in, and the other sum has that much less to do
        ones = op.Expand(op.constant(1, "uint8"), shape(each, lengths(1), self.high))  # broadcasting fails on no image
        sums = op.MatMulInteger(ones, op.Reshape(rows, shape(each, self.high, inner)))
        at_once = self._columns_at_once()
        taken = a.Mul(a.Mul(self.wide, channels), at_once)
        sums = op.Reshape(op.Cast(sums, to=self.dtype), shape(a.Mul(each, a.Div(self.width, at_once)), taken))
        sums = op.Cast(op.MatMul(sums, self._matrix(at_once)), to="float32")
        # the Reshape keeps ONNX Runtime from moving the factor into the product, where it would round partial sums
        sums = op.Reshape(sums, shape(self.lines.images, count, a.Mul(self.width, channels)))
        whole = op.Mul(sums, self._factor())
        means = whole if self._fits() else self._cut(sums, whole, start, count)
        means = op.QuantizeLinear(means, op.float32(1.0), op.constant(0, "uint8"))
        return self.pictures.rows(self.pictures.columns(means, count, self.width), self.width)

    def _columns_at_once(self) -> Number:
        """A product that makes several columns is faster; there have to be as many in a row."""
        known = self.a.known(self.width)
        return lengths(1 if known is None else max(n for n in (1, 2, 3, 4, 5) if int(known.item()) % n == 0))

    def _matrix(self, at_once: Number) -> Value:
        """Ones where an input (column of the output, column of the block, channel) counts for an output."""
        op, a, channels = self.op, self.a, self.lines.channels
        made = a.Mul(at_once, channels)
        known = a.known(made), a.known(at_once), a.known(channels)
        if known[0] is None or known[1] is None or known[2] is None:
            raise TypeError("the number of channels was expected to be known")
        n, c = int(known[1].item()), int(known[2].item())
        ones = op.constant(np.eye(n * c).reshape(n, 1, c, n * c), self.dtype)
        whole = op.Expand(ones, self.pictures.shape(at_once, self.wide, channels, made))
        return op.Reshape(whole, self.pictures.shape(lengths(-1), made))

    def _factor(self) -> Value:
        op, a = self.op, self.a
        half_up = np.array([0.25 * (1 + 2.0**-23)], np.float32)  # moves a tie up, and nothing else to the other side
        known = a.known(self.block)
        if known is not None:
            return op.float32(half_up if (known == 2).all() else [np.float32(1) / np.float32(known.prod())])
        area = a.product(self.block)
        inverse = op.Cast(op.Reciprocal(a.value(a.double(area))), to="float32")
        square = a.And(a.Equal(self.high, lengths(2)), a.Equal(self.wide, lengths(2)))
        return op.Where(a.value(square), op.float32(half_up), inverse)

    def _cut(self, sums: Value, whole: Value, start: Number, count: Number) -> Value:
        """Where a block is cut by the edge of the image, cv2 divides by the pixels that are left."""
        op, a, shape, channels = self.op, self.a, self.pictures.shape, self.lines.channels
        dims = shape(self.lines.images, count, self.width, channels)
        left = []
        for i in (0, 1):
            axis = self.geometry.axis(a, i)
            block = a.pick(self.block, i)
            left.append(a.value(a.Min(a.Sub(axis.sides, a.Mul(outputs(a, axis), block)), block)))
        rows = op.Reshape(part(op, left[0], 0, start, count), op.int64([-1, 1, 1]))
        pixels = op.Mul(rows, op.Reshape(left[1], op.int64([-1, 1])))
        full = op.Equal(pixels, a.value(a.product(self.block)))
        divided = op.Div(op.Reshape(sums, dims), a.value(as_dtype(op, pixels, "float32")))
        return op.Where(full, op.Reshape(whole, dims), divided)
