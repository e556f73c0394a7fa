"""Cutting or padding an image to the proportions it is resized to, as Keras does before its resize."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32, single
from onnxprep.steps.image.resize._geometry import Geometry

Quotient = Callable[[Number, Number], Number]
"""Of two int64: Keras divides in float32 where it knows shapes as tensors, in float64 where they are Python's ints."""


def _proportional(a: Float32, geometry: Geometry, quotient: Quotient) -> Number:
    """The height that goes with the width, and the width that goes with the height.

    Source: Keras 3.15, src/backend/tensorflow/image.py resize.
    """
    sides, resized = ([a.pick(n, i) for i in (1, 0)] for n in (geometry.sides, geometry.resized))
    products = a.Mul(a.join(*sides), geometry.resized)
    return a.integer(quotient(products, a.join(*resized)))


def _half(a: Float32, difference: Number) -> Number:
    return a.integer(a.Mul(a.single(difference), single(0.5)))


def cropped_to_aspect(a: Float32, op: Ops, x: Value, geometry: Geometry, quotient: Quotient) -> tuple[Value, Number]:
    """The largest part of the proportions in the middle, and its sides."""
    sides = a.Max(a.Min(geometry.sides, _proportional(a, geometry, quotient)), lengths(1))
    start = _half(a, a.Sub(geometry.sides, sides))
    axes = op.int64([x.spec.axis("H"), x.spec.axis("W")])
    return _alike(op.Slice(x, a.value(start), a.value(a.Add(start, sides)), axes), x), sides


def padded_to_aspect(a: Float32, op: Ops, x: Value, geometry: Geometry, fill: float) -> tuple[Value, Number]:
    """As many pixels of ``fill`` on both sides as come near the proportions, and the sides with them."""
    both = a.Max(geometry.sides, _proportional(a, geometry, a.quotient))
    before = _half(a, a.Sub(both, geometry.sides))
    at = {letter: a.pick(before, i) for i, letter in enumerate("HW")}
    pads = a.join(*(at.get(letter, lengths(0)) for letter in str(x.spec.layout) * 2))
    padded = op.Pad(x, a.value(pads), op.constant(np.float64(fill), x.spec.dtype), mode="constant")
    return _alike(padded, x), a.Add(geometry.sides, a.Mul(before, lengths(2)))


def _alike(y: Value, x: Value) -> Value:
    return Value(y.name, x.spec.with_dims(H=None, W=None))
