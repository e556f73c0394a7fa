"""What torch's interpolations read of one axis, and with which weights: the float32 of its CPU kernels.

Source: torch 2.13, aten/src/ATen/native/UpSample.h and cpu/UpSampleKernel.cpp; its wheels fuse multiplications with the
additions behind them where the processor can (AVX2), and so does ``fused``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32, single
from onnxprep.steps.image.resize._floats.sums import Finish, Pairs, Passes, Taps, picked
from onnxprep.steps.image.resize._geometry import Geometry

Factor = float | None
"""What a length was multiplied by; ``None`` where it was given."""


def _indices(a: Float32, axis: Geometry) -> Number:
    """The wanted outputs as float32."""
    return a.single(a.places(axis.start, axis.count))


def _scale(a: Float32, axis: Geometry, factor: Factor, *, keeps: bool = True) -> Number:
    """How far apart samples are taken: length / new length, but 1 / factor where the length was made by a factor.

    ``keeps`` tells that samples are left alone all the same where the length is.
    """
    if factor is None:
        return a.quotient(axis.sides, axis.resized)
    scale = np.array([1 / factor], np.float32)
    return a.Where(a.Equal(axis.sides, axis.resized), single(1), scale) if keeps else scale


def nearest(a: Float32, axis: Geometry, factor: Factor) -> Number:
    """``min(floor(i * scale), length - 1)``."""
    at = a.Floor(a.Mul(_indices(a, axis), _scale(a, axis, factor)))
    return a.Min(a.integer(at), a.Sub(axis.sides, lengths(1)))


def nearest_exact(a: Float32, geometry: Geometry, i: int, factor: Factor) -> Number:
    """The sample whose middle is nearest to that of the output, of two the higher one as far as float32 can tell.

    torch has two kernels for contiguous tensors, ``floor((i + 0.5) * scale)`` for small outputs, and one that rounds
    the source of ``bilinear``; they part where the middles are half-way.
    """
    axis = geometry.axis(a, i)
    small = a.Mul(a.Add(_indices(a, axis), single(0.5)), _scale(a, axis, factor))
    large = a.Add(a.Max(_sources(a, axis, factor, align_corners=False, keeps=True), single(0)), single(0.5))
    both = a.Add(a.pick(geometry.resized, 0), a.pick(geometry.resized, 1))
    at = a.Floor(a.Where(a.Less(lengths(128), both), large, small))
    return a.Min(a.integer(at), a.Sub(axis.sides, lengths(1)))


def _sources(a: Float32, axis: Geometry, factor: Factor, *, align_corners: bool, keeps: bool) -> Number:
    """``(i + 0.5) * scale - 0.5``, or ``i * scale`` with scale = (length - 1) / (new length - 1)."""
    if not align_corners:
        middles = a.Add(_indices(a, axis), single(0.5))
        return a.fused(middles, _scale(a, axis, factor, keeps=keeps), single(-0.5))
    one, steps = lengths(1), a.Sub(axis.resized, lengths(1))
    scale = a.quotient(a.Sub(axis.sides, one), a.Max(steps, one))
    return a.Mul(_indices(a, axis), a.Where(a.Equal(steps, lengths(0)), single(0), scale))


def bilinear(a: Float32, axis: Geometry, factor: Factor, *, align_corners: bool) -> Pairs:
    """The samples around the source, which does not lie before the first."""
    at = a.Max(_sources(a, axis, factor, align_corners=align_corners, keeps=True), single(0))
    end = a.Sub(axis.sides, lengths(1))
    low = a.Min(a.integer(at), end)
    fraction = a.Min(a.Max(a.Sub(at, a.single(low)), single(0)), single(1))
    return Pairs(low, a.Min(a.Add(low, lengths(1)), end), fraction)


def bicubic(a: Float32, axis: Geometry, factor: Factor, *, align_corners: bool) -> Taps:
    """Four samples around the source with a = -0.75; those outside are the one at the edge."""
    at = _sources(a, axis, factor, align_corners=align_corners, keeps=False)
    end = a.Sub(axis.sides, lengths(1))
    floor = a.Min(a.integer(a.Floor(at)), end)
    after = a.Min(a.Max(a.Sub(at, a.single(floor)), single(0)), single(1))
    before, one = a.Sub(single(1), after), single(1)
    weights = [_far(a, a.Add(after, one), -0.75), _near(a, after, -0.75)]
    weights += [_near(a, before, -0.75), _far(a, a.Add(before, one), -0.75)]
    index = a.Add(a.column(floor), np.arange(-1, 3))
    return Taps(a.Min(a.Max(index, lengths(0)), end), a.stack(*weights))


def _near(a: Float32, x: Number, alpha: float) -> Number:
    """``((alpha + 2) * x - (alpha + 3)) * x * x + 1``."""
    return a.fused(a.Mul(a.fused(single(alpha + 2), x, single(-alpha - 3)), x), x, single(1))


def _far(a: Float32, x: Number, alpha: float) -> Number:
    """``((alpha * x - 5 * alpha) * x + 8 * alpha) * x - 4 * alpha``."""
    y = a.fused(single(alpha), x, single(-5 * alpha))
    return a.fused(a.fused(y, x, single(8 * alpha)), x, single(-4 * alpha))


def antialiased(a: Float32, axis: Geometry, factor: Factor, interpolation: str) -> Taps:
    """A filter (bicubic: a = -0.5) around ``(i + 0.5) * scale``, as much wider as the axis becomes shorter."""
    scale = _scale(a, axis, factor)
    stretch = a.Max(scale, single(1))
    reach = a.Mul(stretch, single(2 if interpolation == "bicubic" else 1))
    center = a.Mul(scale, a.Add(_indices(a, axis), single(0.5)))
    first = a.Max(a.integer(a.Add(a.Sub(center, reach), single(0.5))), lengths(0))
    past = a.Min(a.integer(a.Add(a.Add(center, reach), single(0.5))), axis.sides)
    most = a.most(a.Sub(past, first))
    taps, past = a.count_to(most), a.column(past)
    index = a.Add(a.column(first), taps)
    away = a.Add(a.Add(a.single(taps), a.column(a.Sub(a.single(first), center))), single(0.5))
    away = a.Abs(a.Mul(away, a.inverse(stretch)))
    if interpolation == "bicubic":
        outer = a.Where(a.Less(away, single(2)), _far(a, away, -0.5), single(0))
        weight = a.Where(a.Less(away, single(1)), _near(a, away, -0.5), outer)
    else:
        weight = a.Max(a.Sub(single(1), away), single(0))
    weight = a.Where(a.Less(index, past), weight, single(0))
    return Taps(a.Min(index, a.Sub(past, lengths(1))), a.Div(weight, a.total(weight)))


def area(a: Float32, axis: Geometry) -> Taps:
    """The mean from ``floor(i * length / new length)`` to before ``ceil((i + 1) * length / new length)``."""
    places = a.places(axis.start, axis.count)
    first = a.Div(a.Mul(places, axis.sides), axis.resized)
    past = a.ceil_div(a.Mul(a.Add(places, lengths(1)), axis.sides), axis.resized)
    many = a.column(a.Sub(past, first))
    taps = a.count_to(a.most(a.Sub(past, first)))
    index, past = a.Add(a.column(first), taps), a.column(past)
    weight = a.Where(a.Less(index, past), a.inverse(a.single(many)), single(0))
    return Taps(a.Min(index, a.Sub(past, lengths(1))), weight)


@dataclass(frozen=True)
class Interpolation:
    """The arguments of ``torch.nn.functional.interpolate``; ``factors`` are those that made the size, if any did."""

    mode: str
    antialias: bool = False
    align_corners: bool = False
    factors: tuple[Factor, Factor] = (None, None)


def resample(op: Ops, x: Value, geometry: Geometry, how: Interpolation, finish: Finish) -> Value:
    """The wanted outputs, planar."""
    a = Float32(op)
    rows, columns = ((geometry.axis(a, i), how.factors[i]) for i in (0, 1))
    if how.mode == "nearest":
        return picked(op, x, nearest(a, *rows), nearest(a, *columns))
    if how.mode == "nearest_exact":
        return picked(op, x, *(nearest_exact(a, geometry, i, how.factors[i]) for i in (0, 1)))
    corners = how.align_corners
    if how.mode == "bilinear" and not how.antialias:
        pairs = bilinear(a, *rows, align_corners=corners), bilinear(a, *columns, align_corners=corners)
        return Passes(op, x, geometry, pairs).interpolated(*pairs, finish)
    if how.mode == "area":
        taps = area(a, rows[0]), area(a, columns[0])
    elif how.antialias:
        taps = antialiased(a, *rows, how.mode), antialiased(a, *columns, how.mode)
    else:
        taps = bicubic(a, *rows, align_corners=corners), bicubic(a, *columns, align_corners=corners)
    return Passes(op, x, geometry, taps).sums(*taps, finish, vertical_first=False)
