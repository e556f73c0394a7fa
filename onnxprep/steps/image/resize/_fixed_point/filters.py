"""Pillow's resampling filters as nodes, in the order of operations of its C code."""

from __future__ import annotations

import math

from onnxprep.numerics.filters import HAMMING
from onnxprep.step import Ops, Value


def filter_nodes(op: Ops, x: Value, interpolation: str) -> Value:
    """The filter at ``x`` (float64).

    Source: Pillow 13.0.0, src/libImaging/Resample.c box_filter .. lanczos_filter.
    """
    filters = {"box": _box, "bilinear": _bilinear, "hamming": _hamming, "bicubic": _bicubic, "lanczos": _lanczos}
    return filters[interpolation](op, x)


def _box(op: Ops, x: Value) -> Value:
    inside = op.And(op.Greater(x, op.float64(-0.5)), op.Not(op.Greater(x, op.float64(0.5))))
    return op.Cast(inside, to="float64")


def _bilinear(op: Ops, x: Value) -> Value:
    return op.Max(op.Sub(op.float64(1.0), op.Abs(x)), op.float64(0.0))


def _bicubic(op: Ops, x: Value) -> Value:
    f, t = op.float64, op.Abs(x)
    near = op.Add(op.Mul(op.Mul(op.Sub(op.Mul(t, f(1.5)), f(2.5)), t), t), f(1.0))
    far = op.Mul(op.Sub(op.Mul(op.Add(op.Mul(op.Sub(t, f(5.0)), t), f(8.0)), t), f(4.0)), f(-0.5))
    return op.Where(op.Less(t, f(1.0)), near, op.Where(op.Less(t, f(2.0)), far, f(0.0)))


def _hamming(op: Ops, x: Value) -> Value:
    f, t = op.float64, op.Abs(x)
    zero = op.Equal(t, f(0.0))
    angle = op.Mul(op.Where(zero, f(1.0), t), f(math.pi))
    half = op.Sin(op.Mul(angle, f(0.5)))
    cosine = op.Sub(f(1.0), op.Mul(op.Mul(half, half), f(2.0)))  # ONNX Runtime has no float64 Cos
    window = op.Add(op.Mul(cosine, f(HAMMING[1])), f(HAMMING[0]))
    inside = op.Mul(op.Div(op.Sin(angle), angle), window)
    return op.Where(zero, f(1.0), op.Where(op.Less(t, f(1.0)), inside, f(0.0)))


def _lanczos(op: Ops, x: Value) -> Value:
    f, zero = op.float64, op.Equal(x, op.float64(0.0))
    nonzero = op.Where(zero, f(1.0), x)
    wide, narrow = op.Mul(nonzero, f(math.pi)), op.Mul(op.Div(nonzero, f(3.0)), f(math.pi))
    product = op.Mul(op.Div(op.Sin(wide), wide), op.Div(op.Sin(narrow), narrow))
    inside = op.And(op.Not(op.Less(x, f(-3.0))), op.Less(x, f(3.0)))
    return op.Where(zero, f(1.0), op.Where(inside, product, f(0.0)))
