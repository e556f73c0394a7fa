"""torch's bilinear interpolation of float32 maps, bit for bit: its two CPU kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32, single
from onnxprep.steps.image.resize._floats.sums import Pairs
from onnxprep.steps.image.resize._floats.torch import bilinear
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.segment._rows import Each, Rows, whole

_SMALL, _VECTOR = 128, 8
"""Outputs whose H + W is at most that go channel by channel, in vectors of eight.

Source: torch 2.13, aten/src/ATen/native/cpu/UpSampleKernel.cpp, _use_vectorized_kernel_cond_2d, AVX2 kernels.
"""


class Bilinear(Rows):
    """``F.interpolate(x, size, mode="bilinear")`` of x float32 NCHW, C known; ``each`` is done to its rows.

    w = 1 - fraction, fraction of the column, v those of the row. Large outputs: ``fma(t, v0, b * v1)``, t and b being
    ``fma(left, w0, right * w1)``. Small ones: the sum of four products, one fused into the
    next: the upper right, upper left, lower left, lower right, each with ``v * w``; of channels in whole vectors the
    lower left, lower right, upper right, upper left. (With a single thread torch does so to large outputs of three
    channels, too.)
    """

    def __init__(self, op: Ops, x: Value, size: Number, each: Each) -> None:
        super().__init__(op, x, size, each)
        self._rows, self._columns = (bilinear(self._a, axis, None, align_corners=False) for axis in self._axes)

    def value(self) -> Value:
        """[H, N, ...]."""
        small = self._is_small()
        known = self._a.known(small)
        if known is None:
            return self._op.branch(self._a.value(self._a.scalar(small)), self._four_products, self._nested)
        return self._four_products() if known.all() else self._nested()

    def _is_small(self) -> Number:
        """Whether torch goes channel by channel: also where one pixel of many channels is both layouts at once."""
        a = self._a
        small = a.Less(a.Add(a.pick(self._size, 0), a.pick(self._size, 1)), lengths(_SMALL + 1))
        pixel = a.Equal(a.product(self._sides), lengths(1))
        return small if self._channels < 4 else a.Or(small, pixel)

    def _ends(self, axis: Pairs) -> tuple[Number, Number]:
        return self._a.Sub(single(1), axis.fraction), axis.fraction

    def _nested(self) -> Value:
        """Every row of the input between its columns first, then between two of them."""
        op, a = self._op, self._a
        before, after = map(a.column, self._ends(self._columns))
        left, right = self.columns([self._columns.low, self._columns.high])
        products = op.Mul(right, a.value(after))
        lines = self.lines(self.fused(self.double(left), a.value(a.double(before)), products))
        above, below = (self.tall(n) for n in self._ends(self._rows))
        above = self.double(above)

        def some(take: Each) -> Value:
            top = op.Gather(lines, take(a.value(self._rows.low)), axis=0)
            bottom = op.Gather(lines, take(a.value(self._rows.high)), axis=0)
            return self.fused(self.double(top), take(above), op.Mul(bottom, take(below)))

        return self.by_rows(some)

    def _four_products(self) -> Value:
        """All four pixels with the products of their weights."""
        op, a = self._op, self._a
        weights = [a.value(n) for n in self._ends(self._columns)]
        heights = [self.tall(n) for n in self._ends(self._rows)]
        whole = self._channels // _VECTOR * _VECTOR
        groups = [(0, whole, (2, 3, 1, 0)), (whole, self._channels, (1, 0, 2, 3))]
        sides = [self.side(n) for n in (self._columns.low, self._columns.high)]

        def some(take: Each) -> Value:
            places = [take(a.value(n)) for n in (self._rows.low, self._rows.high)]
            samples = [op.Gather(side, place, axis=0) for place in places for side in sides]
            products = [op.Mul(take(height), weight) for height in heights for weight in weights]
            made = [self._summed(samples, products, *group) for group in groups if group[0] < group[1]]
            return op.Concat(*made, axis=2) if len(made) > 1 else made[0]

        return self.by_rows(some)

    def _summed(
        self, samples: Sequence[Value], products: Sequence[Value], start: int, end: int, order: Sequence[int]
    ) -> Value:
        op = self._op
        if end - start < self._channels:
            cut = (op.int64([start]), op.int64([end]), op.int64([2]))
            samples = [op.Slice(sample, *cut) for sample in samples]
        y = op.Mul(samples[order[0]], products[order[0]])
        for k in order[1:]:
            y = self.fused(self.double(samples[k]), self.double(products[k]), y)
        return y


@dataclass(frozen=True)
class Ends:
    """Of the outputs along an axis: the two inputs around each, int64 [n], and their weights, float32."""

    low: Value
    high: Value
    before: Value
    after: Value

    def part(self, op: Ops, start: Value, end: Value) -> Ends:
        """Those from ``start`` to before ``end``, [1] each."""
        cut = (op.Slice(n, start, end, op.int64([0])) for n in (self.low, self.high, self.before, self.after))
        return Ends(*cut)

    def moved(self, op: Ops, by: Value) -> Ends:
        """The same of inputs that begin so much later."""
        return Ends(op.Add(self.low, by), op.Add(self.high, by), self.before, self.after)


def ends_of(op: Ops, length: Number, resized: Number) -> Ends:
    """Of an axis; int64 [1] each."""
    a = Float32(op)
    axis = bilinear(a, Geometry(length, resized, lengths(0), resized), None, align_corners=False)
    weights = (a.Sub(single(1), axis.fraction), axis.fraction)
    return Ends(*map(a.value, (axis.low, axis.high, *weights)))


def between(op: Ops, x: Value, ends: Ends) -> Value:
    """``fma(x[low], before, x[high] * after)`` of rows; that of columns, then of rows, is torch's kernel for large outputs."""
    shape = op.int64([-1, 1])
    before, after = (op.Reshape(n, shape) for n in (ends.before, ends.after))
    low, high = (op.Gather(x, n, axis=0) for n in (ends.low, ends.high))
    products = (
        op.Mul(op.Cast(low, to="float64"), op.Cast(before, to="float64")),
        op.Cast(op.Mul(high, after), to="float64"),
    )
    return op.Cast(op.Add(*products), to="float32")


def interpolated(op: Ops, x: Value, size: Number) -> Value:
    """The maps themselves, NCHW."""
    return whole(op, x, size, Bilinear(op, x, size, lambda y: y))
