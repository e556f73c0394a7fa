"""How Pillow resizes RGBA: with the colours multiplied by alpha, and divided by the resized alpha afterwards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.planar import cut, in_planes
from onnxprep.steps.image.resize._geometry import Geometry


def resample_rgba(op: Ops, x: Value, geometry: Geometry, resampled: Callable[[Value], Value]) -> Value:
    """The wanted outputs of an RGBA image, planar; ``resampled`` resizes the four channels, each for itself.

    An image that has the size already and is resized as a whole is left as it is, as Pillow does.
    """
    a, planes = Arithmetic(op), in_planes(op, x)
    changed = geometry.changes(a)
    known = a.known(changed)

    def kept() -> Value:
        return cut(op, planes, a.value(geometry.start), a.value(a.Add(geometry.start, geometry.count)))

    def resized() -> Value:
        return _straight(op, resampled(_premultiplied(op, planes)), _axis(planes))

    if known is not None:
        return resized() if known[0] else kept()
    return op.branch(a.value(a.Greater(a.scalar(changed), np.array(0))), resized, kept)


def _axis(planes: Value) -> int:
    return len(planes.spec.shape or ()) - 3


def _split(op: Ops, planes: Value, axis: int) -> tuple[Value, Value]:
    color, alpha = op.Split(op.Cast(planes, to="int32"), split=[3, 1], axis=axis)
    return color, alpha


def _premultiplied(op: Ops, planes: Value) -> Value:
    """``t = c * a + 128; (t + t / 256) / 256``.

    Source: Pillow 13.0.0, src/libImaging/Convert.c rgbA2rgba, ImagingUtils.h MULDIV255.
    """
    color, alpha = _split(op, planes, _axis(planes))
    whole = op.constant(256, "int32")
    t = op.Add(op.Mul(color, alpha), op.constant(128, "int32"))
    by_alpha = op.Div(op.Add(t, op.Div(t, whole)), whole)
    both = op.Concat(by_alpha, alpha, axis=_axis(planes))
    return Value(op.Cast(both, to="uint8").name, planes.spec)


def _straight(op: Ops, planes: Value, axis: int) -> Value:
    """``min(255 * c / a, 255)``; c itself where a is 0 or 255.

    Source: Pillow 13.0.0, src/libImaging/Convert.c rgba2rgbA.
    """
    color, alpha = _split(op, planes, axis)
    full = op.constant(255, "int32")
    divisor = op.Where(op.Equal(alpha, op.constant(0, "int32")), full, alpha)  # 255 * c / 255 = c
    divided = op.Min(op.Div(op.Mul(color, full), divisor), full)
    return op.Cast(op.Concat(divided, alpha, axis=axis), to="uint8")
