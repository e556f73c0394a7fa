"""Nearest neighbour as Pillow does it: by a running sum, not by a product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.resize._geometry import Geometry


def nearest(op: Ops, x: Value, geometry: Geometry) -> Value:
    """The wanted outputs of an image in any layout; planar."""
    return gather(op, x, lambda axis: indices(op, geometry.axis(Arithmetic(op), axis)))


def gather(op: Ops, x: Value, places: Callable[[int], Value]) -> Value:
    """The rows ``places(0)`` and columns ``places(1)`` of an image in any layout; planar."""
    layout = str(x.spec.layout)
    for axis, letter in enumerate("HW"):
        x = op.Gather(x, places(axis), axis=layout.index(letter))
    planar = layout if layout.index("C") < layout.index("H") else f"{layout[:-3]}CHW"
    return x if planar == layout else op.Transpose(x, perm=[layout.index(letter) for letter in planar])


def indices(op: Ops, axis: Geometry) -> Value:
    """``trunc(i)``, ``i = s / 2, s / 2 + s, (s / 2 + s) + s, ...``, ``s = length / resized``, all float64.

    Of a part of the axis, ``s`` is its length / resized, and ``i`` starts so much later.

    Source: Pillow 13.0.0, src/libImaging/Geometry.c ImagingScaleAffine.
    """
    a = Arithmetic(op)
    scale, resized, start, end = (
        a.ratio(axis.extent(), axis.resized),
        axis.resized,
        axis.start,
        a.Add(axis.start, axis.count),
    )
    half = a.Add(axis.begin(), a.Mul(scale, np.array([0.5])))
    known = [a.known(n) for n in (half, scale, resized, start, end)]
    if all(n is not None for n in known):
        place, step, length, first, last = (n.item() for n in known if n is not None)
        sums = np.cumsum(np.concatenate([[place], np.full(length - 1, step)]))
        return op.int64(sums.astype(np.int64)[first:last])
    # not a Concat with an empty tensor where one output is wanted: ONNX Runtime's CumSum would write into it
    first_one = op.Equal(a.value(a.count_to(resized)), op.int64(0))
    steps = op.Where(first_one, a.value(half), a.value(scale))
    steps = op.Reshape(steps, a.value(a.Max(resized, lengths(1))))  # fails where the side became 0
    sums = op.CumSum(steps, op.int64(0))
    kept = op.Slice(sums, a.value(start), a.value(end), op.int64([0]))
    return op.Cast(kept, to="int64")
