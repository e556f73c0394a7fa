"""Bilinear and area as cv2.resize computes them for float32."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._opencv.axes import Taps, area_table, two_taps
from onnxprep.steps.image.resize._opencv.float_blocks import block_ways
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.passes import (
    across,
    columns_first,
    first_of,
    from_left,
    only_needed,
    planar,
    products,
    rows_first,
    running_sum,
)
from onnxprep.steps.image.resize._opencv.taps import by_centers, by_edges
from onnxprep.steps.image.resize._opencv.ways import ALWAYS, Way, both, halves

_UNROLLED = 16
"""Up to so many taps are added by a node each; more by CumSum, which keeps all products at a time."""


def resample_linear_float(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """Two neighbours per axis; where both sides are halved the mean of blocks, as INTER_AREA."""
    return first_of(op, x, geometry, *linear_ways(op, x, geometry))


def linear_ways(op: Ops, x: Value, geometry: OpencvGeometry) -> list[Way]:
    """``resample_linear_float`` but for the copy."""
    a = Arithmetic(op)
    return [
        *block_ways(op, x, geometry, halves(a, geometry)),
        (ALWAYS, lambda: _linear(op, x, geometry, area=False)),
    ]


def resample_area_float(op: Ops, x: Value, geometry: OpencvGeometry, _: Sizes) -> Value:
    """Blocks where both scales are whole; weights by coverage where no side grows; else bilinear at other places."""
    a = Arithmetic(op)
    shrinks = both(a, a.Not(a.Less(geometry.scale, np.array([1.0]))))
    whole = a.And(shrinks, both(a, a.Equal(geometry.scale, a.Round(geometry.scale))))
    return first_of(
        op,
        x,
        geometry,
        *block_ways(op, x, geometry, whole),
        (shrinks, lambda: _covered(op, x, geometry)),
        (ALWAYS, lambda: _linear(op, x, geometry, area=True)),
    )


def _linear(op: Ops, x: Value, geometry: OpencvGeometry, *, area: bool) -> Value:
    a, rule = Arithmetic(op), by_edges if area else by_centers
    taps = [two_taps(a, rule(op, geometry.axis(a, i), cut=i == 1)) for i in (0, 1)]
    columns, down = across(op, x, taps)
    return planar(op, from_left(op, products(op, columns, down, "float32")))


def _covered(op: Ops, x: Value, geometry: OpencvGeometry) -> Value:
    a = Arithmetic(op)
    down, along = (area_table(a, geometry.axis(a, i)) for i in (0, 1))
    x, along = _needed(op, x, "W", along)
    x, down = _needed(op, x, "H", down)
    return planar(op, _summed(op, rows_first(op, _summed(op, columns_first(op, x), *along)), *down))


def _needed(op: Ops, x: Value, letter: str, table: tuple[Number, Number]) -> tuple[Value, tuple[Number, Number]]:
    read, weight = table
    if not isinstance(read, np.ndarray):
        return x, table
    x, taps = only_needed(op, x, letter, [(column, column) for column in read.T])
    return x, (np.stack([np.asarray(place) for place, _ in taps], axis=1), weight)


def _summed(op: Ops, x: Value, read: Number, weight: Number) -> Value:
    """The weighted inputs of every output, one added to the other."""
    a = Arithmetic(op)
    if isinstance(read, np.ndarray) and isinstance(weight, np.ndarray) and read.shape[1] <= _UNROLLED:
        taps: Taps = list(zip(read.T, weight.T, strict=True))
        return from_left(op, products(op, x, taps, "float32"))
    gathered = op.Gather(x, a.value(read), axis=0)
    others = [1] * (len(x.spec.shape or ()) - 1)
    factor = op.Reshape(a.value(weight), op.int64([0, 0, *others]))
    return running_sum(op, op.Mul(gathered, factor), 1)
