"""cv2.INTER_LINEAR_EXACT on bytes: 8-bit weights, nothing cut between the axes, rounded once."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._opencv.area_blocks import blocks
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import lines_of
from onnxprep.steps.image.resize._opencv.nearest import copied
from onnxprep.steps.image.resize._opencv.pairs import Pairs
from onnxprep.steps.image.resize._opencv.taps import as_dtype, exact_by_centers
from onnxprep.steps.image.resize._opencv.ways import ALWAYS, becomes_shorter, first_way, halves, planar_dims, same


class BilinearExact:
    """``h = p0 * (256 - a) + p1 * a``, ``y = (h0 * (256 - b) + h1 * b + 2**15) >> 16``."""

    def samples(self, op: Ops, x: Value) -> Value:
        """Less 128, which the weights pass on: what follows then stays within 24 bits, one to spare."""
        return op.DequantizeLinear(x, op.float32(1.0), op.constant(128, "uint8"))

    def column_weights(self, op: Ops, part: Number) -> tuple[Number, Number]:
        """Whole numbers of 0 .. 256."""
        a = Arithmetic(op)
        second = as_dtype(op, a.Round(a.Mul(part, np.array([256.0]))), "float32")
        return a.Sub(np.array([256], np.float32), second), second

    def row_weights(self, op: Ops, part: Number) -> tuple[Number, Number]:
        """The same."""
        return self.column_weights(op, part)

    def whole(self, op: Ops, mixed: Value) -> Value:  # noqa: ARG002
        """Nothing is cut."""
        return mixed

    def term(self, op: Ops, mixed: Value, weights: Value) -> Value:
        """At most 2**23 on either side of 0: exact."""
        return op.Mul(mixed, weights)

    def close(self, op: Ops, total: Value) -> Value:
        """With a half added there are no ties, and the 128 come back."""
        total = op.Add(total, op.float32(0.5))
        return op.QuantizeLinear(total, op.float32(65536.0), op.constant(128, "uint8"))


def resample_bilinear_exact(op: Ops, x: Value, geometry: OpencvGeometry, sizes: Sizes) -> Value:  # noqa: ARG001
    """Halving both sides is INTER_AREA, as in cv2."""
    a, lines = Arithmetic(op), lines_of(op, x, geometry.sides)
    rows, columns = (exact_by_centers(op, geometry.axis(a, i)) for i in (0, 1))
    pairs = Pairs(op, lines, geometry, rows, columns, BilinearExact())
    ways = [
        (same(a, geometry), lambda: copied(op, lines, geometry)),
        (halves(a, geometry), lambda: blocks(op, lines, geometry, np.array([2, 2]))),
        (becomes_shorter(a, geometry), pairs.by_outputs),
        (ALWAYS, pairs.by_inputs),
    ]
    return first_way(op, ways, planar_dims(a, lines, geometry))
