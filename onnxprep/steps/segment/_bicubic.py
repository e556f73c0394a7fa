"""torch's bicubic interpolation of float32 maps, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32, single
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.segment._rows import Each, Rows

_A = -0.75
_ORDER = (1, 0, 2, 3)
"""The first product is rounded, each other is fused into the sum."""


class Bicubic(Rows):
    """``F.interpolate(x, size, mode="bicubic")``: four inputs of each row, then four rows.

    Source: torch 2.13, aten/src/ATen/native/UpSample.h get_cubic_upsample_coefficients, cpu/UpSampleKernel.cpp; which
    operations its compiler has fused was found by comparison.
    """

    def __init__(self, op: Ops, x: Value, size: Number, each: Each) -> None:
        super().__init__(op, x, size, each)
        self._rows, self._columns = (_taps(self._a, axis) for axis in self._axes)

    def value(self) -> Value:
        """[H, N, ...]."""
        op, a = self._op, self._a
        places, weights = self._columns
        lines = self.lines(self._summed(self.columns(places), [a.value(a.column(weight)) for weight in weights]))
        heights = [self.tall(weight) for weight in self._rows[1]]

        def some(take: Each) -> Value:
            samples = [op.Gather(lines, take(a.value(place)), axis=0) for place in self._rows[0]]
            return self._summed(samples, [take(height) for height in heights])

        return self.by_rows(some)

    def _summed(self, samples: Sequence[Value], weights: Sequence[Value]) -> Value:
        y = self._op.Mul(samples[_ORDER[0]], weights[_ORDER[0]])
        for k in _ORDER[1:]:
            y = self.fused(self.double(samples[k]), self.double(weights[k]), y)
        return y


def _taps(a: Float32, axis: Geometry) -> tuple[list[Number], list[Number]]:
    """Around ``(i + 0.5) * scale - 0.5``: the four inputs of each output and their weights."""
    middles = a.Add(a.single(a.places(axis.start, axis.count)), single(0.5))
    at = a.fused(middles, a.quotient(axis.sides, axis.resized), single(-0.5))
    end = a.Sub(axis.sides, lengths(1))
    floor = a.Min(a.integer(a.Floor(at)), end)
    after = a.Min(a.Max(a.Sub(at, a.single(floor)), single(0)), single(1))
    before = a.Sub(single(1), after)
    weights = [_far(a, a.Add(after, single(1))), _near(a, after), _near(a, before), _far(a, a.Add(before, single(1)))]
    places = [a.Min(a.Max(a.Add(floor, lengths(k)), lengths(0)), end) for k in range(-1, 3)]
    return places, weights


def _near(a: Float32, x: Number) -> Number:
    """``((A + 2) * x - (A + 3)) * x * x + 1``, fused once."""
    y = a.fused(single(_A + 2), x, single(-_A - 3))
    return a.Add(a.Mul(a.Mul(y, x), x), single(1))


def _far(a: Float32, x: Number) -> Number:
    """``((A * x - 5 * A) * x + 8 * A) * x - 4 * A``, fused twice."""
    y = a.fused(a.fused(single(_A), x, single(-5 * _A)), x, single(8 * _A))
    return a.Sub(a.Mul(y, x), single(4 * _A))
