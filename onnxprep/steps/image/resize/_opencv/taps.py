"""Which two samples cv2's bilinear resize mixes for each output of an axis, and how much of the second it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry


@dataclass(frozen=True)
class Taps:
    """Of one axis, for the wanted outputs.

    Attributes:
        first, second: which samples, int64 [n], in order.
        part: what the second counts, 0..1, float32 or float64 [n].
    """

    first: Number
    second: Number
    part: Number


def as_dtype(op: Ops, x: Number, dtype: str) -> Number:
    """``x`` cast, now where it is known."""
    known = Arithmetic(op).known(x)
    return op.Cast(x, to=dtype) if known is None else known.astype(dtype)


def stack(op: Ops, x: Number, y: Number, axis: int) -> Number:
    """Two [n] as [2, n] or [n, 2]."""
    a = Arithmetic(op)
    known = a.known(x), a.known(y)
    if known[0] is not None and known[1] is not None:
        return np.stack([known[0], known[1]], axis)
    shape = op.int64([1, -1] if axis == 0 else [-1, 1])
    return op.Concat(*(op.Reshape(a.value(n), shape) for n in (x, y)), axis=axis)


def outputs(a: Arithmetic, axis: OpencvGeometry) -> Number:
    """The numbers of the wanted outputs, int64 [n]."""
    return a.Add(axis.start, a.count_to(axis.count))


def by_centers(op: Ops, axis: OpencvGeometry, *, cut: bool) -> Taps:
    """Pixel centres on each other; ``part`` in float32. ``cut`` also sets it to 0 where a tap is outside.

    Source: OpenCV 5.0.0, imgproc/src/resize.cpp: cv::hal::resize, the columns with ``cut``, the rows without.
    """
    a = Arithmetic(op)
    centers = a.Add(a.double(outputs(a, axis)), np.array([0.5]))
    place = as_dtype(op, a.Sub(a.Mul(centers, axis.scale), np.array([0.5])), "float32")
    below = a.Floor(place)
    return _clamped(a, axis, a.integer(below), a.Sub(place, below), cut=cut)


def by_edges(op: Ops, axis: OpencvGeometry, *, cut: bool) -> Taps:
    """Pixel edges on each other: what INTER_AREA does where it makes an image longer.

    Source: as above, ``interpolation == INTER_AREA`` with a scale below 1.
    """
    a = Arithmetic(op)
    numbers, one, zero = outputs(a, axis), np.array([1.0]), np.array([0], np.float32)
    below = a.Floor(a.Mul(a.double(numbers), axis.scale))
    covered = a.Mul(a.Add(below, one), axis.ratio)
    part = as_dtype(op, a.Sub(a.Add(a.double(numbers), one), covered), "float32")
    part = a.Where(a.Greater(part, zero), a.Sub(part, a.Floor(part)), zero)
    return _clamped(a, axis, a.integer(below), part, cut=cut)


def exact_by_centers(op: Ops, axis: OpencvGeometry) -> Taps:
    """``by_centers`` in float64 all the way.

    Source: OpenCV 5.0.0, imgproc/src/resize.cpp: interpolationLinear.
    """
    a = Arithmetic(op)
    centers = a.Add(a.double(outputs(a, axis)), np.array([0.5]))
    place = a.Sub(a.Mul(axis.scale, centers), np.array([0.5]))
    below = a.Floor(place)
    return _clamped(a, axis, a.integer(below), a.Sub(place, below), cut=True)


def _clamped(a: Arithmetic, axis: OpencvGeometry, first: Number, part: Number, *, cut: bool) -> Taps:
    last = a.Sub(axis.sides, lengths(1))
    second = a.Add(first, lengths(1))
    if cut:
        inside = a.And(a.Less(lengths(-1), first), a.Less(first, last))
        dtype = part.spec.dtype if isinstance(part, Value) else part.dtype
        part = a.Where(inside, part, np.zeros(1, dtype))
    first, second = (a.Min(a.Max(i, lengths(0)), last) for i in (first, second))
    return Taps(first, second, part)
