"""Bilinear and cubic as the IPP inside the wheels for x86 computes them, as close as its code for all processors is.

IPP reads at the exact place, not at OpenCV's rounded one. Its bits depend on the processor; float64 is in their middle.
Images with a side below 2 px (bilinear) or 4 px (cubic) it leaves to OpenCV (OpenCV 5.0.0, hal/ipp/src/resize_ipp.cpp).
"""

from __future__ import annotations

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._opencv.axes import cubic_weights, neighbours, places, two_taps
from onnxprep.steps.image.resize._opencv.cubic import cubic_bytes, floats
from onnxprep.steps.image.resize._opencv.floats import linear_ways
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.passes import across, first_of, from_left, planar, products, to_bytes
from onnxprep.steps.image.resize._opencv.taps import exact_by_centers
from onnxprep.steps.image.resize._opencv.ways import ALWAYS


def resample_cubic_ipp(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """uint8 in float32, which is as close to IPP as float64 is there; float32 in float64."""
    a, is_bytes = Arithmetic(op), x.spec.dtype == "uint8"

    def exact() -> Value:
        taps = []
        for i in (0, 1):
            axis = geometry.axis(a, i)
            left, part = places(a, axis, exact=True)
            taps.append(neighbours(a, axis, left, cubic_weights(a, part)))
        dtype = "float32" if is_bytes else "float64"
        columns, down = across(op, x, taps, dtype=dtype)
        y = planar(op, from_left(op, products(op, columns, down, dtype)))
        return to_bytes(op, op.Round(y)) if is_bytes else op.Cast(y, to="float32")

    def native() -> Value:
        return cubic_bytes(op, x, geometry) if is_bytes else floats(op, x, geometry, cubic=True)

    return first_of(op, x, geometry, (_sides_are_at_least(a, geometry, 4), exact), (ALWAYS, native))


def resample_linear_ipp(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """float32 in float64."""
    a = Arithmetic(op)

    def exact() -> Value:
        taps = [two_taps(a, exact_by_centers(op, geometry.axis(a, i))) for i in (0, 1)]
        columns, down = across(op, x, taps, dtype="float64")
        return op.Cast(planar(op, from_left(op, products(op, columns, down, "float64"))), to="float32")

    takes = _sides_are_at_least(a, geometry, 2)
    return first_of(op, x, geometry, (takes, exact), *linear_ways(op, x, geometry))


def _sides_are_at_least(a: Arithmetic, geometry: OpencvGeometry, length: int) -> Number:
    return a.Not(a.Less(a.least(geometry.sides), lengths(length)))
