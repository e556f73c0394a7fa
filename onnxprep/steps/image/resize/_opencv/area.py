"""cv2.INTER_AREA on bytes: whole blocks, fractional windows, and a kind of bilinear where an image becomes longer."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._opencv.area_blocks import HIGHEST, LARGEST, blocks
from onnxprep.steps.image.resize._opencv.area_windows import windows
from onnxprep.steps.image.resize._opencv.bilinear import Bilinear
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import lines_of
from onnxprep.steps.image.resize._opencv.nearest import copied
from onnxprep.steps.image.resize._opencv.pairs import Pairs
from onnxprep.steps.image.resize._opencv.taps import by_edges
from onnxprep.steps.image.resize._opencv.ways import ALWAYS, both, first_way, planar_dims, same


def resample_area(op: Ops, x: Value, geometry: OpencvGeometry, sizes: Sizes) -> Value:  # noqa: ARG001
    """Three operations under one name."""
    a, lines = Arithmetic(op), lines_of(op, x, geometry.sides)
    shrinks = both(a, a.Not(a.Less(geometry.scale, np.array([1.0]))))
    # cv2 asks whether it is within 2**-52 of a whole number: no other double is, from 1 on
    whole = a.Round(geometry.scale)
    whole_times = a.And(shrinks, both(a, a.Equal(geometry.scale, whole)))
    block = a.integer(whole)
    small = a.And(a.Less(a.product(block), lengths(LARGEST + 1)), a.Less(a.pick(block, 0), lengths(HIGHEST + 1)))

    def longer() -> Value:
        rows, columns = (by_edges(op, geometry.axis(a, i), cut=i == 1) for i in (0, 1))
        return Pairs(op, lines, geometry, rows, columns, Bilinear()).by_inputs()

    ways = [
        (same(a, geometry), lambda: copied(op, lines, geometry)),
        (a.And(whole_times, small), lambda: blocks(op, lines, geometry, block)),
        (whole_times, lambda: blocks(op, lines, geometry, block, "float64")),
        (shrinks, lambda: windows(op, lines, geometry)),
        (ALWAYS, longer),
    ]
    return first_way(op, ways, planar_dims(a, lines, geometry))
