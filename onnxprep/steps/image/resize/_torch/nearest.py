"""Nearest neighbour as torch does it, in float32."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize._nearest import gather

_SMALL = 128
"""Up to this sum of the new sides torch takes another kernel for contiguous images, and that another formula."""

_HALF = np.array([0.5])


def nearest(op: Ops, x: Value, geometry: Geometry, *, exact: bool) -> Value:
    """The wanted outputs of an image in any layout; planar."""
    a = Arithmetic(op)
    total = a.Add(a.pick(geometry.resized, 0), a.pick(geometry.resized, 1))
    small = a.Less(total, lengths(_SMALL + 1))
    return gather(op, x, lambda axis: a.value(_indices(a, geometry.axis(a, axis), small, exact=exact)))


def _indices(a: Arithmetic, axis: Geometry, small: Number, *, exact: bool) -> Number:
    """``min(floor(float32(i * s)), length - 1)``, ``s = float32(length / resized)``.

    Exact: ``float32((i + 0.5) * s)``; beyond small sizes ``float32(float32((i + 0.5) * s - 0.5) + 0.5)``, the inner
    one a fused multiply-add. Products of two float32 are exact in float64, so that everything is rounded once.

    Source: torch 2.13, aten/src/ATen/native/UpSample.h nearest_neighbor_compute_source_index and
        nearest_neighbor_exact_compute_source_index; cpu/UpSampleKernel.cpp HelperInterpNearestExact.
    """
    scale = a.double(a.Div(a.single(axis.sides), a.single(axis.resized)))
    outputs = a.double(a.Add(axis.start, a.count_to(axis.count)))
    if exact:
        centers = a.Mul(a.Add(outputs, _HALF), scale)
        shifted = a.Max(a.single(a.Sub(centers, _HALF)), _single(0.0))
        places = a.Where(small, a.single(centers), a.Add(shifted, _single(0.5)))
    else:
        places = a.single(a.Mul(outputs, scale))
    return a.Min(a.integer(a.Floor(places)), a.Sub(axis.sides, lengths(1)))


def _single(x: float) -> Number:
    return np.array([x], np.float32)
