"""Cubic and Lanczos of 8 taps as cv2.resize computes them itself, for bytes and for float32.

The columns first: for bytes whole numbers below 2**24, which float32 holds, for float32 tap after tap.
"""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._opencv.axes import (
    Taps,
    cubic_weights,
    in_2048ths,
    lanczos_weights,
    neighbours,
    places,
)
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.passes import (
    across,
    first_of,
    from_left,
    from_right,
    planar,
    products,
    to_bytes,
    with_tail,
)
from onnxprep.steps.image.resize._opencv.ways import ALWAYS


def resample_cubic(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """uint8."""
    return first_of(op, x, geometry, (ALWAYS, lambda: cubic_bytes(op, x, geometry)))


def resample_lanczos(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """uint8."""
    return first_of(op, x, geometry, (ALWAYS, lambda: _lanczos_bytes(op, x, geometry)))


def resample_cubic_float(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """float32."""
    return first_of(op, x, geometry, (ALWAYS, lambda: floats(op, x, geometry, cubic=True)))


def resample_lanczos_float(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """float32."""
    return first_of(op, x, geometry, (ALWAYS, lambda: floats(op, x, geometry, cubic=False)))


def cubic_bytes(op: Ops, x: Value, geometry: OpencvGeometry) -> Value:
    """Rows in float32 from the last tap to the first, and what fills no vector of 8 in whole numbers."""
    columns, down = across(op, x, _taps(op, x, geometry, cubic=True))
    unit = np.array([2.0**-22], np.float32)
    scaled = [(read, Arithmetic(op).Mul(weight, unit)) for read, weight in down]

    def body(some: Value) -> Value:
        return to_bytes(op, op.Round(from_right(op, products(op, some, scaled, "float32"))))

    def tail(some: Value) -> Value:
        total = from_left(op, products(op, some, down, "float64"))  # whole numbers below 2**53
        return to_bytes(op, op.Floor(op.Add(op.Mul(total, op.float64(2.0**-22)), op.float64(0.5))))

    return planar(op, with_tail(op, columns, geometry, 8, body, tail))


def _lanczos_bytes(op: Ops, x: Value, geometry: OpencvGeometry) -> Value:
    """Whole numbers all the way; the last sum fits int32."""
    columns, down = across(op, x, _taps(op, x, geometry, cubic=False))
    total = from_left(op, products(op, op.Cast(columns, to="int32"), down, "int32"))
    total = op.Add(total, op.constant(1 << 21, "int32"))
    # Div cuts towards 0 where OpenCV shifts: they differ for negative sums only, which become 0 either way
    levels = op.Div(total, op.constant(1 << 22, "int32"))
    return planar(op, op.Cast(op.Clip(levels, op.constant(0, "int32"), op.constant(255, "int32")), to="uint8"))


def floats(op: Ops, x: Value, geometry: OpencvGeometry, *, cubic: bool) -> Value:
    """Rows from the last tap to the first, and what fills no vector of 4 from the first to the last."""
    columns, down = across(op, x, _taps(op, x, geometry, cubic=cubic))

    def body(some: Value) -> Value:
        return from_right(op, products(op, some, down, "float32"))

    def tail(some: Value) -> Value:
        return from_left(op, products(op, some, down, "float32"))

    return planar(op, with_tail(op, columns, geometry, 4, body, tail))


def _taps(op: Ops, x: Value, geometry: OpencvGeometry, *, cubic: bool) -> list[Taps]:
    """Of the rows and of the columns; bytes are weighted with whole numbers."""
    a = Arithmetic(op)
    both: list[Taps] = []
    for i in (0, 1):
        axis = geometry.axis(a, i)
        left, part = places(a, axis)
        weights = cubic_weights(a, part) if cubic else lanczos_weights(a, part)
        weights = in_2048ths(a, weights) if x.spec.dtype == "uint8" else weights
        both.append(neighbours(a, axis, left, weights))
    return both
