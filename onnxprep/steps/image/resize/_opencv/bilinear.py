"""cv2.INTER_LINEAR on bytes: 11-bit weights, cut to 15 bits between the axes, cut again for each of the two rows."""

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
from onnxprep.steps.image.resize._opencv.taps import as_dtype, by_centers
from onnxprep.steps.image.resize._opencv.ways import ALWAYS, becomes_shorter, first_way, halves, planar_dims, same

_ONE = np.array([2048], np.float32)
"""Weights have 11 bits. Source: OpenCV 5.0.0, imgproc/src/resize.cpp INTER_RESIZE_COEF_BITS."""


class Bilinear:
    """``h = p0 * a0 + p1 * a1``, ``y = ((b0 * (h0 >> 4) >> 16) + (b1 * (h1 >> 4) >> 16) + 2) >> 2``."""

    def samples(self, op: Ops, x: Value) -> Value:
        """As they are."""
        return op.Cast(x, to="float32")

    def column_weights(self, op: Ops, part: Number) -> tuple[Number, Number]:
        """Sixteenths, so that ``h >> 4`` is cutting off the fraction; 19 bits and 4 fit into float32."""
        a = Arithmetic(op)
        first, second = (a.Mul(w, np.array([1 / 16], np.float32)) for w in self._weights(a, part))
        return first, second

    def row_weights(self, op: Ops, part: Number) -> tuple[Number, Number]:
        """In int32: products have 26 bits."""
        first, second = (as_dtype(op, w, "int32") for w in self._weights(Arithmetic(op), part))
        return first, second

    def _weights(self, a: Arithmetic, part: Number) -> tuple[Number, Number]:
        rest = a.Sub(np.array([1], np.float32), part)
        return a.Round(a.Mul(rest, _ONE)), a.Round(a.Mul(part, _ONE))

    def whole(self, op: Ops, mixed: Value) -> Value:
        """``h >> 4``: a Cast cuts, and nothing is negative."""
        return op.Cast(mixed, to="int32")

    def term(self, op: Ops, mixed: Value, weights: Value) -> Value:
        """``(b * h >> 16) << 16``: less the low 16 bits, which a Cast leaves; cheaper than a shift or a division."""
        product = op.Mul(mixed, weights)
        return op.Sub(product, op.Cast(op.Cast(product, to="uint16"), to="int32"))

    def close(self, op: Ops, total: Value) -> Value:
        """``(total / 2**16 + 2) >> 2``: a scale of one ulp less than 2**18 makes ties round up."""
        scale = op.float32(2.0**18 * (1 - 2.0**-24))
        return op.QuantizeLinear(op.Cast(total, to="float32"), scale, op.constant(0, "uint8"))


def resample_bilinear(op: Ops, x: Value, geometry: OpencvGeometry, sizes: Sizes) -> Value:  # noqa: ARG001
    """Halving both sides is INTER_AREA, as in cv2."""
    a, lines = Arithmetic(op), lines_of(op, x, geometry.sides)
    rows, columns = (by_centers(op, geometry.axis(a, i), cut=i == 1) for i in (0, 1))
    pairs = Pairs(op, lines, geometry, rows, columns, Bilinear())
    ways = [
        (same(a, geometry), lambda: copied(op, lines, geometry)),
        (halves(a, geometry), lambda: blocks(op, lines, geometry, np.array([2, 2]))),
        (becomes_shorter(a, geometry), pairs.by_outputs),
        (ALWAYS, pairs.by_inputs),
    ]
    return first_way(op, ways, planar_dims(a, lines, geometry))
