"""cv2.INTER_NEAREST and INTER_NEAREST_EXACT: no arithmetic on pixels; any dtype."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._nearest import indices
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import Lines, Pictures, lines_of, part
from onnxprep.steps.image.resize._opencv.taps import outputs
from onnxprep.steps.image.resize._opencv.ways import planar_dims


def resample_nearest(op: Ops, x: Value, geometry: OpencvGeometry, sizes: Sizes) -> Value:  # noqa: ARG001
    """``x[min(floor(i * scale), length - 1)]``."""
    return _picked(op, x, geometry, _floored)


def resample_nearest_exact_4(op: Ops, x: Value, geometry: OpencvGeometry, sizes: Sizes) -> Value:  # noqa: ARG001
    """``x[min((q * i + q // 2 - length % 2) >> 16, length - 1)]``, ``q = ((length << 16) + new // 2) // new``."""
    return _picked(op, x, geometry, _sixteen_bits)


def resample_nearest_exact_5(op: Ops, x: Value, geometry: OpencvGeometry, sizes: Sizes) -> Value:  # noqa: ARG001
    """As Pillow does it: ``i`` a running sum of length / new length that starts at half of it."""
    return _picked(op, x, geometry, _summed)


def _floored(op: Ops, axis: OpencvGeometry) -> Number:
    a = Arithmetic(op)
    return a.integer(a.Floor(a.Mul(a.double(outputs(a, axis)), axis.scale)))


def _sixteen_bits(op: Ops, axis: OpencvGeometry) -> Number:
    """Source: OpenCV 4.14.0, imgproc/src/resize.cpp resizeNN_bitexact, in int32."""
    a, one = Arithmetic(op), lengths(65536)
    step = a.Div(a.Add(a.Mul(axis.sides, one), a.Div(axis.resized, lengths(2))), axis.resized)
    first = a.Sub(a.Div(step, lengths(2)), a.Mod(axis.sides, lengths(2)))
    return a.Div(a.Max(a.Add(a.Mul(step, outputs(a, axis)), first), lengths(0)), one)


def _summed(op: Ops, axis: OpencvGeometry) -> Number:
    return indices(op, axis)


def _picked(op: Ops, x: Value, geometry: OpencvGeometry, rule: Callable[[Ops, OpencvGeometry], Number]) -> Value:
    a = Arithmetic(op)
    last = a.Sub(geometry.sides, lengths(1))
    rows, columns = (a.Min(rule(op, geometry.axis(a, i)), a.pick(last, i)) for i in (0, 1))
    lines = lines_of(op, x, geometry.sides)
    made = _taken(op, lines, geometry, rows, columns)
    return op.Reshape(made, a.value(planar_dims(a, lines, geometry)))


def _taken(op: Ops, lines: Lines, geometry: OpencvGeometry, rows: Number, columns: Number) -> Value:
    a, pictures = Arithmetic(op), Pictures(op, lines)
    height, width = (a.pick(geometry.count, i) for i in (0, 1))
    side = a.pick(geometry.sides, 1)

    def some(start: Number, count: Number) -> Value:
        taken = op.Gather(lines.x, part(op, a.value(rows), 0, start, count), axis=1)
        return pictures.rows(op.Gather(pictures.columns(taken, count, side), a.value(columns), axis=0), width)

    return pictures.by_trips(height, width, a.Mul(height, side), some)


def copied(op: Ops, lines: Lines, geometry: OpencvGeometry) -> Value:
    """What is wanted of an image that keeps its size."""
    a = Arithmetic(op)
    starts, counts = ([a.pick(n, i) for i in (0, 1)] for n in (geometry.start, geometry.count))
    pictures, channels = Pictures(op, lines), lines.channels
    x = part(op, lines.x, 1, starts[0], counts[0])
    if not geometry.is_whole(a):
        x = part(op, x, 2, a.Mul(starts[1], channels), a.Mul(counts[1], channels))
    rows = pictures.rows(pictures.columns(x, counts[0], counts[1]), counts[1])
    return pictures.planar(rows, counts[0], counts[0], np.array([1]))
