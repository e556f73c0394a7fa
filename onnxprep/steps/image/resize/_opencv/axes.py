"""Where cv2.resize reads along one axis, and with which weights, where it reads more than two inputs.

OpenCV rounds the place it reads at to float32 and works on from there; the order of every rounding is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.taps import Taps as TwoTaps
from onnxprep.steps.image.resize._opencv.taps import outputs
from onnxprep.tensor import Array

Taps = Sequence[tuple[Number, Number]]
"""For every tap the input it reads and its weight, one per output: int64 [n] and float [n]."""


def float32(*values: float) -> Array:
    """Known numbers, float32 [n]."""
    return np.array(values, np.float32)


def float64(*values: float) -> Array:
    """Known numbers, float64 [n]."""
    return np.array(values, np.float64)


def places(a: Arithmetic, axis: OpencvGeometry, *, exact: bool = False) -> tuple[Number, Number]:
    """The input left of every output, int64, and how far behind it the output lies: float32, ``exact`` in float64.

    Source: OpenCV 5.0.0, imgproc/src/resize.cpp, ``fx = (float)((dx + 0.5) * scale_x - 0.5)``.
    """
    middles = a.Mul(a.Add(a.double(outputs(a, axis)), float64(0.5)), axis.scale)
    place = a.Sub(middles, float64(0.5))
    place = place if exact else a.single(place)
    left = a.Floor(place)
    return a.integer(left), a.Sub(place, left)


def neighbours(a: Arithmetic, axis: OpencvGeometry, left: Number, weights: Sequence[Number]) -> Taps:
    """As many inputs as there are weights around ``left``; beyond an edge the one at the edge."""
    count = len(weights)
    offsets = np.arange(count)[:, None] - (count // 2 - 1)
    last = a.Sub(axis.sides, lengths(1))
    read = a.Max(a.Min(a.Add(left, offsets), last), lengths(0))
    return [(a.take(read, np.array(i)), weight) for i, weight in enumerate(weights)]


def two_taps(a: Arithmetic, taps: TwoTaps) -> Taps:
    """Linear interpolation."""
    return [(taps.first, a.Sub(_one_like(taps.part), taps.part)), (taps.second, taps.part)]


def area_table(a: Arithmetic, axis: OpencvGeometry) -> tuple[Number, Number]:
    """Which inputs an output covers and how much of it each makes up: int64 and float32, [n, taps].

    Slivers of up to 1/1000 px are left out. Outputs with fewer taps end in weights of 0.
    Source: OpenCV 5.0.0, imgproc/src/resize.cpp computeResizeAreaTab.
    """
    one, last = float64(1.0), a.Sub(a.double(axis.sides), float64(1.0))
    start = a.Mul(a.double(outputs(a, axis)), axis.scale)
    end = a.Add(start, axis.scale)
    covered = a.Min(axis.scale, a.Sub(a.double(axis.sides), start))
    final = a.Min(a.Floor(end), last)
    whole = a.Min(a.Ceil(start), final)
    before, behind = a.Sub(whole, start), a.Sub(end, final)
    first = a.Where(a.Greater(before, float64(1e-3)), a.Sub(whole, one), whole)
    most = a.Add(a.integer(a.most(a.Sub(final, first))), lengths(1))
    read = a.Add(a.column(first), a.double(a.count_to(most)))
    ends = a.Where(a.Greater(behind, float64(1e-3)), a.Div(a.Min(a.Min(behind, one), covered), covered), float64(0.0))
    at_end = a.Where(a.Equal(read, a.column(final)), a.column(ends), float64(0.0))
    inner = a.Where(a.Less(read, a.column(final)), a.column(a.Reciprocal(covered)), at_end)
    weight = a.Where(a.Less(read, a.column(whole)), a.column(a.Div(before, covered)), inner)
    return a.integer(a.Min(read, a.column(final))), a.single(weight)


def cubic_weights(a: Arithmetic, part: Number) -> list[Number]:
    """Keys' filter with -3/4, in the dtype of ``part`` and OpenCV's order (imgproc/src/resize.cpp interpolateCubic)."""
    one = _one_like(part)
    k = one * -0.75
    further = a.Add(part, one)
    first = a.Sub(a.Mul(k, further), 5 * k)
    first = a.Sub(a.Mul(a.Add(a.Mul(first, further), 8 * k), further), 4 * k)

    def inner(x: Number) -> Number:
        return a.Add(a.Mul(a.Mul(a.Sub(a.Mul(k + 2, x), k + 3), x), x), one)

    second, third = inner(part), inner(a.Sub(one, part))
    return [first, second, third, a.Sub(a.Sub(a.Sub(one, first), second), third)]


def lanczos_weights(a: Arithmetic, part: Number) -> list[Number]:
    """Lanczos of 8 taps, float32 (imgproc/src/resize.cpp interpolateLanczos4)."""
    q = 0.70710678118654752440084436210485
    turns = ((1.0, 0.0), (-q, -q), (0.0, 1.0), (q, -q), (-1.0, 0.0), (q, q), (0.0, -1.0), (-q, q))
    behind = a.Add(part, float32(3.0))

    def angle(x: Number) -> Number:
        return a.Mul(a.Mul(a.double(x), float64(-np.pi)), float64(0.25))

    sine = a.Sin(angle(behind))
    cosine = a.Sin(a.Add(angle(behind), float64(np.pi / 2)))  # ONNX Runtime has no Cos for float64
    weights = []
    for i, (of_sine, of_cosine) in enumerate(turns):
        away = a.Sub(behind, float32(i))
        off = a.Not(a.Less(a.Abs(away), float32(1e-6)))
        square = a.Where(off, a.Mul(angle(away), angle(away)), float64(1.0))
        turned = a.Add(a.Mul(sine, float64(of_sine)), a.Mul(cosine, float64(of_cosine)))
        weights.append(a.Where(off, a.single(a.Div(turned, square)), float32(1e30)))
    total = weights[0]
    for weight in weights[1:]:
        total = a.Add(total, weight)
    factor = a.Reciprocal(total)
    return [a.Mul(weight, factor) for weight in weights]


def in_2048ths(a: Arithmetic, weights: Sequence[Number]) -> list[Number]:
    """The weights as OpenCV's 11-bit integers, held in float32."""
    return [a.Round(a.Mul(weight, float32(2048.0))) for weight in weights]


def _one_like(x: Number) -> Array:
    return np.ones(1, x.dtype if isinstance(x, np.ndarray) else x.spec.dtype)
