"""What TensorFlow's resizes read of one axis, and with which weights: its kernels' float32, operation by operation."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32, single
from onnxprep.steps.image.resize._floats.lanczos import lanczos
from onnxprep.steps.image.resize._floats.sums import Finish, Pairs, Passes, Taps, picked
from onnxprep.steps.image.resize._geometry import Geometry

_TINY = 1000 * float(np.finfo(np.float32).tiny)
"""Weights whose sum is smaller are not divided by it."""


def _places(a: Float32, axis: Geometry) -> Number:
    """``i + 0.5``."""
    return a.Add(a.single(a.places(axis.start, axis.count)), single(0.5))


def nearest(a: Float32, axis: Geometry) -> Number:
    """``min(floor((i + 0.5) * scale), length - 1)``.

    Source: TensorFlow 2.21, core/kernels/image/resize_nearest_neighbor_op.cc, HalfPixelScalerForNN.
    """
    at = a.Floor(a.Mul(_places(a, axis), a.quotient(axis.sides, axis.resized)))
    return a.Min(a.integer(at), a.Sub(axis.sides, lengths(1)))


def bilinear(a: Float32, axis: Geometry) -> Pairs:
    """Around ``(i + 0.5) * scale - 0.5``.

    Source: core/kernels/image/resize_bilinear_op.cc, compute_interpolation_weights.
    """
    at = a.Sub(a.Mul(_places(a, axis), a.quotient(axis.sides, axis.resized)), single(0.5))
    floor = a.Floor(at)
    low = a.Max(a.integer(floor), lengths(0))
    high = a.Min(a.integer(a.Ceil(at)), a.Sub(axis.sides, lengths(1)))
    return Pairs(low, a.Max(high, lengths(0)), a.Sub(at, floor))


def bicubic(a: Float32, axis: Geometry) -> Taps:
    """Four samples around ``(i + 0.5) * scale - 0.5``, weighted by a table of 1025 places between two of them.

    Source: core/kernels/image/resize_bicubic_op.cc, InitCoeffsTable, GetWeightsAndIndices.
    """
    at = a.Sub(a.Mul(_places(a, axis), a.quotient(axis.sides, axis.resized)), single(0.5))
    floor = a.Floor(at)
    offset = a.integer(a.Round(a.Mul(a.Sub(at, floor), single(1024))))
    near, far = _bicubic_table()
    weights = [a.take(far, offset), a.take(near, offset)]
    offset = a.Sub(lengths(1024), offset)
    weights += [a.take(near, offset), a.take(far, offset)]
    around = a.Add(a.column(a.integer(floor)), np.arange(-1, 3))
    index = a.Min(a.Max(around, lengths(0)), a.Sub(axis.sides, lengths(1)))
    weight = a.stack(*weights)
    return Taps(index, _divided(a, a.Where(a.Equal(index, around), weight, single(0))))


def _bicubic_table() -> tuple[Number, Number]:
    """Weights of a sample less than 1 and of one 1 to 2 away."""
    x = (np.arange(1025) / 1024).astype(np.float32).astype(np.float64)
    y = x + 1
    return (
        ((1.5 * x - 2.5) * x * x + 1).astype(np.float32),
        (((-0.5 * y + 2.5) * y - 4) * y + 2).astype(np.float32),
    )


def _divided(a: Float32, weight: Number) -> Number:
    total = a.total(weight)
    usable = a.Not(a.Less(a.Abs(total), single(_TINY)))
    return a.Mul(weight, a.Where(usable, a.inverse(a.Where(usable, total, single(1))), single(1)))


_RADIUS = {"bilinear": 1.0, "bicubic": 2.0, "lanczos3": 3.0, "lanczos5": 5.0}


def filtered(a: Float32, axis: Geometry, interpolation: str, *, antialias: bool) -> Taps:
    """A filter around ``(i + 0.5) * scale``, with ``antialias`` as much wider as the axis becomes shorter.

    Source: core/kernels/image/scale_and_translate_op.cc, ComputeSpansCore.
    """
    scale = a.inverse(a.quotient(axis.resized, axis.sides))
    stretch = a.Max(scale, single(1)) if antialias else np.ones(1, np.float32)
    reach = a.Mul(stretch, single(_RADIUS[interpolation]))
    at = a.Mul(_places(a, axis), scale)
    end = a.Sub(axis.sides, lengths(1))
    first = a.Max(a.integer(a.Ceil(a.Sub(a.Sub(at, reach), single(0.5)))), lengths(0))
    last = a.Min(a.integer(a.Floor(a.Sub(a.Add(at, reach), single(0.5)))), end)
    most = a.Add(a.most(a.Sub(last, first)), lengths(1))
    index = a.Add(a.column(first), a.count_to(most))
    last = a.column(last)
    inside = a.Not(a.Less(last, index))
    away = a.Sub(a.Add(a.single(index), single(0.5)), a.column(at))
    away = a.Abs(a.Mul(away, a.inverse(stretch)))
    weight = _divided(a, a.Where(inside, _filter(a, away, interpolation), single(0)))
    return Taps(a.Min(index, last), weight)


def _filter(a: Float32, x: Number, interpolation: str) -> Number:
    """Source: core/kernels/image/sampling_kernels.h."""
    if interpolation == "bilinear":
        return a.Max(a.Sub(single(1), x), single(0))
    if interpolation != "bicubic":
        return lanczos(a, x, _RADIUS[interpolation])
    near = a.Mul(a.Sub(a.Mul(single(1.5), x), single(2.5)), x)
    near = a.Add(a.Mul(near, x), single(1))
    far = a.Mul(a.Add(a.Mul(single(-0.5), x), single(2.5)), x)
    far = a.Add(a.Mul(a.Sub(far, single(4)), x), single(2))
    return a.Where(a.Less(x, single(1)), near, a.Where(a.Less(x, single(2)), far, single(0)))


def area(a: Float32, axis: Geometry) -> Taps:
    """How much of each sample lies between ``i * scale`` and ``(i + 1) * scale``; the sum is not divided here.

    Source: core/kernels/image/resize_area_op.cc.
    """
    scale = a.quotient(axis.sides, axis.resized)
    places = a.places(axis.start, axis.count)
    low, high = a.Mul(a.single(places), scale), a.Mul(a.single(a.Add(places, lengths(1))), scale)
    first, past = a.integer(a.Floor(low)), a.integer(a.Ceil(high))
    most = a.most(a.Sub(past, first))
    index = a.Add(a.column(first), a.count_to(most))
    inside = a.Less(index, a.column(past))
    low, high = a.column(low), a.column(high)
    left, right = a.single(index), a.single(a.Add(index, lengths(1)))
    starts = a.Where(a.Less(high, right), scale, a.Sub(right, low))
    ends = a.Where(a.Less(high, right), a.Sub(high, left), single(1))
    weight = a.Where(inside, a.Where(a.Less(left, low), starts, ends), single(0))
    return Taps(a.Min(index, a.Sub(axis.sides, lengths(1))), weight)


def area_share(a: Float32, geometry: Geometry) -> Number:
    """What the sums of ``area`` are multiplied by."""
    scales = a.quotient(geometry.sides, geometry.resized)
    return a.inverse(a.Mul(a.pick(scales, 1), a.pick(scales, 0)))


def resample(
    op: Ops, x: Value, geometry: Geometry, interpolation: str, finish: Finish, *, antialias: bool = False
) -> Value:
    """The wanted outputs of ``tf.image.resize``, planar."""
    a = Float32(op)
    rows, columns = geometry.axis(a, 0), geometry.axis(a, 1)
    if interpolation == "nearest":
        return picked(op, x, nearest(a, rows), nearest(a, columns))
    if interpolation == "bilinear" and not antialias:
        pairs = bilinear(a, rows), bilinear(a, columns)
        return Passes(op, x, geometry, pairs).interpolated(*pairs, finish)
    if interpolation == "area":
        taps, share = (area(a, rows), area(a, columns)), area_share(a, geometry)
        passes = Passes(op, x, geometry, taps)
        return passes.sums(*taps, lambda y: finish(op.Mul(y, a.value(share))), vertical_first=False)
    if interpolation == "bicubic" and not antialias:
        taps = bicubic(a, rows), bicubic(a, columns)
    else:
        taps = (
            filtered(a, rows, interpolation, antialias=antialias),
            filtered(a, columns, interpolation, antialias=antialias),
        )
    return Passes(op, x, geometry, taps).sums(*taps, finish, vertical_first=True)
