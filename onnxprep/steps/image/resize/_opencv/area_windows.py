"""Means of fractional windows of bytes: what cv2.INTER_AREA does where both sides become shorter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import Lines, Pictures, part
from onnxprep.steps.image.resize._opencv.taps import as_dtype, outputs

_FEW = 32
"""Up to so many taps are added by a node each; cv2 adds one after the other, and so does CumSum, but slowly."""


@dataclass(frozen=True)
class _Windows:
    """Of one axis.

    Attributes:
        begin, end: int64 [n], the first input of each output and the one past its last.
        index: int64 [taps, n]; outputs with fewer taps repeat their last input.
        weights: float32 [taps, n], 0 where there is no tap.
    """

    begin: Number
    end: Number
    index: Number
    weights: Number


def _windows(op: Ops, axis: OpencvGeometry) -> _Windows:
    """Source: OpenCV 5.0.0, imgproc/src/resize.cpp computeResizeAreaTab."""
    a, one, little = Arithmetic(op), np.array([1.0]), np.array([1e-3])
    scale, length = axis.scale, a.double(axis.sides)
    start = a.Mul(a.double(outputs(a, axis)), scale)
    stop = a.Add(start, scale)
    width = a.Min(scale, a.Sub(length, start))
    last = a.Min(a.Floor(stop), a.Sub(length, one))
    first_whole = a.Min(a.Ceil(start), last)
    before, after = a.Sub(first_whole, start), a.Sub(stop, last)
    begin = a.Where(a.Greater(before, little), a.Sub(first_whole, one), first_whole)
    inverse = _reciprocal(op, width)
    end_weight = a.Div(a.Min(a.Min(after, one), width), width)
    end_weight = a.Where(a.Greater(after, little), end_weight, np.array([0.0]))
    taps = a.integer(a.most(a.Add(a.Sub(last, begin), one)))
    place = a.Add(a.double(a.column(a.count_to(taps))), begin)  # [taps, n]
    inside = a.Where(a.Less(place, last), inverse, a.Where(a.Greater(place, last), np.array([0.0]), end_weight))
    weights = a.Where(a.Less(place, first_whole), a.Div(before, width), inside)
    index = a.integer(a.Min(place, last))
    ints = a.integer(begin), a.integer(a.Add(last, one))
    return _Windows(*ints, index, as_dtype(op, weights, "float32"))


def _reciprocal(op: Ops, x: Number) -> Number:
    known = Arithmetic(op).known(x)
    return op.Reciprocal(x) if known is None else 1 / known


def windows(op: Ops, lines: Lines, geometry: OpencvGeometry) -> Value:
    """Columns, then rows: each a sum in float32, one tap after the other; rounded once, half to even."""
    a, pictures = Arithmetic(op), Pictures(op, lines)
    rows, columns = (_windows(op, geometry.axis(a, i)) for i in (0, 1))
    height, width = (a.pick(geometry.count, i) for i in (0, 1))
    left: Number = lengths(0)
    right = a.pick(geometry.sides, 1)
    if not geometry.is_whole(a):
        left, right = a.pick(columns.begin, 0), _last(op, columns.end)
    begins, ends = a.value(rows.begin), a.value(rows.end)
    side = a.Sub(right, left)
    index = a.Sub(columns.index, left)

    def some(start: Number, count: Number) -> Value:
        top = part(op, begins, 0, start, lengths(1))
        high = op.Sub(part(op, ends, 0, a.Sub(a.Add(start, count), lengths(1)), lengths(1)), top)
        x = part(op, lines.x, 1, top, high)
        if not geometry.is_whole(a):
            x = part(op, x, 2, a.Mul(left, lines.channels), a.Mul(side, lines.channels))
        sums = _sum(op, pictures.columns(x, high, side), 0, index, columns.weights)
        sums = op.Reshape(pictures.rows(sums, width), pictures.shape(pictures.slots, high, width))
        below = op.Sub(part(op, a.value(rows.index), 1, start, count), top)
        sums = _sum(op, sums, 1, below, part(op, a.value(rows.weights), 1, start, count))
        means = op.QuantizeLinear(sums, op.float32(1.0), op.constant(0, "uint8"))
        return op.Reshape(means, pictures.shape(a.Mul(pictures.slots, count), width))

    work = a.product(a.join(a.pick(geometry.sides, 0), side))
    return pictures.by_trips(height, width, work, some)


def _last(op: Ops, x: Number) -> Number:
    known = Arithmetic(op).known(x)
    return known[-1:] if known is not None else op.Slice(x, op.int64([-1]), op.int64([2**62]), op.int64([0]))


def _sum(op: Ops, x: Value, axis: int, index: Number, weights: Number) -> Value:
    """``sum over t of x[index[t]] * weights[t]`` along an axis; the first tap first."""
    a = Arithmetic(op)
    taps = _known_taps(index, weights)
    if taps is None or taps > _FEW:
        products = _product(op, x, axis, a.value(index), a.value(weights))
        sums = op.CumSum(products, op.int64(axis))
        return op.Squeeze(op.Slice(sums, op.int64([-1]), op.int64([2**62]), op.int64([axis])), axes=[axis])
    total = None
    for t in range(taps):
        one = [
            op.Squeeze(op.Slice(a.value(n), op.int64([t]), op.int64([t + 1]), op.int64([0])), axes=[0])
            for n in (index, weights)
        ]
        product = _product(op, x, axis, *one)
        total = product if total is None else op.Add(total, product)
    if total is None:
        raise TypeError("a window without taps")
    return total


def _known_taps(*tables: Number) -> int | None:
    for table in tables:
        dim = (table.spec.shape or (None,))[0] if isinstance(table, Value) else table.shape[0]
        if isinstance(dim, int):
            return dim
    return None


def _product(op: Ops, x: Value, axis: int, index: Value, weights: Value) -> Value:
    taken = op.Cast(op.Gather(x, index, axis=axis), to="float32")
    column = op.Reshape(weights, op.int64([*[0] * len(weights.spec.shape or ()), 1]))
    return op.Mul(taken, column)
