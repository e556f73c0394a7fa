"""Torch's resize without antialiasing: every output reads 2 or 4 inputs of each axis, the others are never touched."""

from __future__ import annotations

from dataclasses import dataclass

from onnxprep.numerics.taps_int16 import CUBIC, LIMIT, POWERS, point_table
from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._fixed_point.image import Image, as_image
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize._torch.products import rounded, scaled


@dataclass(frozen=True)
class _Points:
    """The wanted outputs of one axis.

    Attributes:
        index: the inputs of each output, [outputs * taps].
        weights: ``k / 2**p``, float32 [outputs * taps].
        taps: how many each output has.
        begin, end: the first input of the first output and the one past the last of the last, [1].
    """

    index: Number
    weights: Value
    taps: int
    begin: Number
    end: Number


def resample(op: Ops, x: Value, geometry: Geometry, interpolation: str) -> Value:
    """The wanted outputs of an image in any layout; planar."""
    a, image = Arithmetic(op), as_image(op, x)
    (vertical, horizontal), (height, width) = (
        _points(op, geometry, interpolation),
        (a.pick(geometry.count, i) for i in (0, 1)),
    )
    rows, place, lines = _lines(a, vertical, height)
    y = _horizontally(op, image, rows, horizontal, width)  # [(channel, image, line), w]
    y = op.Reshape(y, _shape(a, -1, lines, width))
    if place is not None:
        y = op.Gather(y, a.value(place), axis=1)
    y = scaled(op, y, vertical.weights, axis=1)
    y = op.Reshape(y, _shape(a, -1, vertical.taps, width))
    y = rounded(op, _added(op, y, vertical.taps))  # [(channel, image, h), w]
    if "N" in str(x.spec.layout) and not _is_one(a, image.images) and not _is_one(a, image.channels):
        y = op.Transpose(op.Reshape(y, _shape(a, image.channels, -1, a.Mul(height, width))), perm=[1, 0, 2])
    channels = (a.size(x, "C"),) if "N" in str(x.spec.layout) else ()
    return op.Reshape(y, _shape(a, -1, *channels, height, width))


def _lines(a: Arithmetic, vertical: _Points, height: Number) -> tuple[Number, Number | None, Number]:
    """Which rows are resized horizontally, which of these the vertical taps then read (None: all in turn), how many.

    Rows that several outputs read are repeated, unless that is more than all rows between the first and the last.
    """
    wanted, between = a.Mul(height, lengths(vertical.taps)), a.Sub(vertical.end, vertical.begin)
    every = a.Less(between, wanted)
    known = a.known(every)
    if known is not None and not known.item():
        return vertical.index, None, wanted
    lines = a.Where(every, between, wanted)
    numbers = a.count_to(lines)
    in_turn = a.Add(vertical.begin, numbers)
    if known is not None:
        return in_turn, a.Sub(vertical.index, vertical.begin), lines
    repeated = a.take(vertical.index, a.Min(numbers, a.Sub(wanted, lengths(1))))
    place = a.Where(every, a.Sub(vertical.index, vertical.begin), a.count_to(wanted))
    return a.Where(every, in_turn, repeated), place, lines


def _horizontally(op: Ops, image: Image, rows: Number, points: _Points, width: Number) -> Value:
    """uint8 [(channel, image, line), w]: whole columns are gathered, so they have to lie in rows before and after."""
    a = Arithmetic(op)
    y = op.Gather(image.x, a.value(rows), axis=1)
    y = op.Slice(y, a.value(points.begin), a.value(points.end), op.int64([2]))
    columns = a.Sub(points.end, points.begin)
    y = op.Transpose(op.Reshape(y, _shape(a, -1, a.Mul(columns, image.channels))), perm=[1, 0])
    y = op.Gather(op.Reshape(y, _shape(a, columns, -1)), a.value(a.Sub(points.index, points.begin)), axis=0)
    y = op.Reshape(scaled(op, y, points.weights, axis=0), _shape(a, width, points.taps, -1))
    return op.Transpose(rounded(op, op.ReduceSum(y, axes=[1], keepdims=0)), perm=[1, 0])


def _added(op: Ops, y: Value, taps: int) -> Value:
    """Over axis 1, as short rows are added fastest."""
    return op.Add(*op.Split(y, axis=1, split=[1, 1])) if taps == 2 else op.ReduceSum(y, axes=[1], keepdims=0)


def _shape(a: Arithmetic, *dims: Number | int) -> Value:
    return a.value(a.join(*(lengths(dim) if isinstance(dim, int) else dim for dim in dims)))


def _is_one(a: Arithmetic, n: Number) -> bool:
    known = a.known(n)
    return known is not None and int(known[0]) == 1


def _known_points(op: Ops, length: int, resized: int, start: int, count: int, interpolation: str) -> _Points:
    index, weights = point_table(length, resized, interpolation, start, count)
    begin, end = lengths(index[0, 0]), lengths(index[-1, -1] + 1)
    return _Points(index.ravel(), op.float32(weights.ravel()), index.shape[1], begin, end)


def _points(op: Ops, geometry: Geometry, interpolation: str) -> tuple[_Points, _Points]:
    """``numerics.taps_int16.point_table`` of both axes, as constants or as nodes."""
    a, f = Arithmetic(op), op.float64
    known = [n for n in map(a.two_ints, vars(geometry).values()) if n is not None]
    if len(known) == len(vars(geometry)):
        sides, resized, start, count = known
        one, two = (_known_points(op, sides[i], resized[i], start[i], count[i], interpolation) for i in (0, 1))
        return one, two
    index, weights = _emitted(op, geometry, interpolation)
    largest = op.Reshape(op.ReduceMax(weights, axes=[1, 2], keepdims=0), op.int64([2, 1]))
    fits = op.Less(op.Add(op.Mul(largest, f(POWERS)), f(0.5)), f(LIMIT))
    power = op.Reshape(op.ReduceMax(op.Where(fits, f(POWERS), f(1.0)), axes=[1], keepdims=0), op.int64([2, 1, 1]))
    k = op.Mul(weights, power)
    if interpolation == "bilinear":
        k = op.Floor(op.Add(k, f(0.5)))
    else:
        k = op.Mul(op.Floor(op.Add(op.Abs(k), f(0.5))), op.Sign(k))
    weights, ends = op.Cast(op.Div(k, power), to="float32"), a.Add(geometry.start, geometry.count)
    one, two = (_kept(op, i, index, weights, a.pick(geometry.start, i), a.pick(ends, i)) for i in (0, 1))
    return one, two


def _kept(op: Ops, axis: int, index: Value, weights: Value, start: Number, end: Number) -> _Points:
    a, i = Arithmetic(op), op.int64
    taps = int((index.spec.shape or ())[2] or 0)
    index, weights = (
        op.Reshape(op.Slice(op.Gather(v, i(axis), axis=0), a.value(start), a.value(end), i([0])), i([-1]))
        for v in (index, weights)
    )
    last = op.Slice(index, i([-1]), i([2**62]), i([0]))
    return _Points(index, weights, taps, a.pick(index, 0), op.Add(last, i([1])))


def _column(op: Ops, n: Number) -> Value:
    """float64 [2, 1, 1]."""
    a = Arithmetic(op)
    return op.Reshape(a.value(a.double(n)), op.int64([2, 1, 1]))


def _emitted(op: Ops, geometry: Geometry, interpolation: str) -> tuple[Value, Value]:
    """Of all outputs of both axes the inputs and the weights before they are rounded: [2, outputs, taps] each.

    The shorter axis repeats its last output.
    """
    a, f = Arithmetic(op), op.float64
    outputs = op.Reshape(a.value(a.double(a.count_to(a.most(geometry.resized)))), op.int64([1, -1, 1]))
    sides, resized = _column(op, geometry.sides), _column(op, geometry.resized)
    outputs = op.Add(op.Min(outputs, op.Sub(resized, f(1.0))), f(0.5))
    centers = op.Sub(op.Mul(outputs, op.Div(sides, resized)), f(0.5))
    last = op.Sub(sides, f(1.0))
    if interpolation == "bilinear":
        # at the last input at most: the weights there add up to 1, as they do if they are added
        centers = op.Min(op.Max(centers, f(0.0)), last)
        whole = op.Floor(centers)
        rest = op.Sub(f(1.0), op.Sub(centers, whole))
        index = op.Concat(whole, op.Min(op.Add(whole, f(1.0)), last), axis=2)
        return op.Cast(index, to="int64"), op.Concat(rest, op.Sub(f(1.0), rest), axis=2)
    whole = op.Floor(centers)
    part = op.Sub(centers, whole)
    far, near = [op.Add(part, f(1.0)), op.Sub(f(2.0), part)], [part, op.Sub(f(1.0), part)]
    columns = [_far(op, far[0]), _near(op, near[0]), _near(op, near[1]), _far(op, far[1])]
    index = op.Min(op.Max(op.Add(whole, f([-1.0, 0.0, 1.0, 2.0])), f(0.0)), last)
    return op.Cast(index, to="int64"), _merged(op, index, columns)


def _merged(op: Ops, index: Value, columns: list[Value]) -> Value:
    """The weights of taps that read the same input added up in their order, at the first of these taps."""
    f, i, taps = op.float64, op.int64, len(columns)
    sums = f(0.0)
    for t, weight in enumerate(columns):
        same = op.Equal(index, op.Slice(index, i([t]), i([t + 1]), i([2])))
        sums = op.Add(sums, op.Where(same, weight, f(0.0)))
    first, before, behind = (op.Slice(index, i([b]), i([e]), i([2])) for b, e in ((0, 1), (0, taps - 1), (1, taps)))
    repeated = op.Concat(op.Less(first, f(0.0)), op.Equal(before, behind), axis=2)
    return op.Where(repeated, f(0.0), sums)


def _near(op: Ops, t: Value) -> Value:
    """``numerics.taps_int16.cubic_near``."""
    f = op.float64
    return op.Add(op.Mul(op.Mul(op.Sub(op.Mul(t, f(CUBIC + 2.0)), f(CUBIC + 3.0)), t), t), f(1.0))


def _far(op: Ops, t: Value) -> Value:
    """``numerics.taps_int16.cubic_far``."""
    f = op.float64
    inner = op.Add(op.Mul(op.Sub(op.Mul(t, f(CUBIC)), f(5.0 * CUBIC)), t), f(8.0 * CUBIC))
    return op.Sub(op.Mul(inner, t), f(4.0 * CUBIC))
