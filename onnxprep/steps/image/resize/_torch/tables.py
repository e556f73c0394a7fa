"""Torch's tap tables of both axes: the filters of Pillow, but weights of 16 bits whose unit depends on the axis."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from onnxprep.numerics.taps import Taps
from onnxprep.numerics.taps_int16 import LIMIT, POWERS, SIGNED, UNSIGNED, Base, digits, int16_table
from onnxprep.step import Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._fixed_point.axes import Axes
from onnxprep.steps.image.resize._fixed_point.products import Product, Sums
from onnxprep.steps.image.resize._fixed_point.tables import EmittedTables, KnownTables
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize._torch.products import apply_int16, unit_of, units_of


def _base(interpolation: str) -> Base:
    return UNSIGNED if interpolation == "bilinear" else SIGNED


_MOST_BYTES = 2**20
"""Two digits leave so little to compute that what is gathered has to stay in the cache (measured, 12 Mpx)."""


class KnownInt16Tables(KnownTables):
    """Computed now: one constant per matrix."""

    most_bytes: ClassVar[int | None] = _MOST_BYTES

    def _taps(self, axes: list[tuple[int, int, str, int, int]]) -> list[Taps]:
        made = [int16_table(*axis) for axis in axes]
        self._powers = [power for _, power in made]
        return [taps for taps, _ in made]

    def product(self) -> Product:
        """How to multiply; proven for any number of taps."""
        if max(self._powers) <= LIMIT:
            return "float"
        return "integer" if self._most <= 514 else "integer_many"

    def sums(self, product: Product) -> tuple[Sums, Sums]:
        """What turns gathered samples of either axis into outputs."""
        op, base = self._op, _base(self._interpolation)
        scales = [op.float32(units_of(base, p) if product == "float" else unit_of(base, p)) for p in self._powers]
        matrices = [op.constant(digits(axis.weights, base), "uint8") for axis in self._bands]
        one, two = (partial(apply_int16, op, product, base, *axis) for axis in zip(matrices, scales, strict=True))
        return one, two


class Int16Axes(Axes):
    """The bands of A axes: ``numerics.taps_int16`` with a first axis A.

    The unit of the weights depends on all outputs of an axis. Where a crop keeps some of them, there are blocks before
    and behind the kept ones, as many as the axis with the most needs; outputs beyond the image repeat its last ones.
    """

    def _choose_product(self, quotient: Value) -> None:
        """Not by the reduction: see ``_fixed_point``."""

    def _half_places(
        self, a: Arithmetic, geometry: Geometry, start: Number, resized: Number, size: int | None
    ) -> Number:
        self._others: tuple[Value, Value] | None = None
        if geometry.count is geometry.resized:
            return super()._half_places(a, geometry, start, resized, size)
        op, f, block = self._op, self._op.float64, self._block
        kept = a.ceil_div(a.pick(geometry.count, 0), block)
        before = a.ceil_div(a.most(geometry.start), block)
        rest = a.Sub(a.most(a.Sub(geometry.resized, geometry.start)), a.Mul(kept, block))
        behind = a.ceil_div(a.Max(rest, lengths(0)), block)
        end = a.value(a.Add(before, kept))
        self._others = a.value(before), end
        ends = [a.Mul(a.Sub(lengths(0), before), block), a.Mul(a.Add(a.value(behind), kept), block)]
        first, last = (op.Squeeze(op.Cast(a.value(n), to="float64")) for n in ends)
        rows = op.Reshape(op.Range(first, last, f(1.0)), a.value(a.join(lengths(-1), block, lengths(1))))
        inside = op.Min(op.Max(op.Add(a.value(start), rows), f(0.0)), op.Sub(a.value(resized), f(1.0)))
        return op.Add(inside, f(0.5))

    def _kept(self, of_blocks: Value) -> Value:
        if self._others is None:
            return of_blocks
        return self._op.Slice(of_blocks, *self._others, self._op.int64([1]))

    def _fixed_point(self, values: Value) -> Value:
        """Divided by their sum, times ``2**p``, rounded half away from zero."""
        op, f = self._op, self._op.float64
        total = self._total(values)
        largest = op.ReduceMax(op.Div(op.ReduceMax(values, axes=[3], keepdims=1), total), axes=[1, 2], keepdims=1)
        fits = op.Less(op.Add(op.Mul(largest, f(POWERS)), f(0.5)), f(LIMIT))
        power = op.ReduceMax(op.Where(fits, f(POWERS), f(1.0)), axes=[3], keepdims=1)  # [A, 1, 1, 1]
        self._power = op.Cast(op.Reshape(power, op.int64([-1, 1])), to="float32")
        self.few = op.Less(op.ReduceMax(power, keepdims=0), f(2 * LIMIT))
        return self._rounded(op.Div(self._kept(values), op.Div(self._kept(total), power)))

    def operands(self, product: Product) -> tuple[Value, ...]:
        """The band matrices, [A, blocks, 2 * block, span], and the scales that go with them."""
        op, base = self._op, _base(self._interpolation)
        if product == "float":
            return self.digits(), op.Div(op.float32([[1.0, base.base]]), self._power)
        return self.digits(), op.Mul(op.Squeeze(self._power, axes=[1]), op.float32(unit_of(base, 1.0)))

    def apply(self, product: Product, *operands: Value) -> Value:
        """Outputs from the operands of one axis and gathered samples."""
        return apply_int16(self._op, product, _base(self._interpolation), *operands)

    def digits(self) -> Value:
        """``numerics.taps_int16.digits``."""
        op, f, base = self._op, self._op.float32, _base(self._interpolation)
        scaled = op.Mul(self.weights, f(1.0 / base.base))
        top = op.Floor(op.Add(scaled, f(base.zero / base.base)) if base.zero else scaled)
        both = op.Concat(op.Sub(self.weights, op.Mul(top, f(float(base.base)))), top, axis=2)
        return op.Cast(op.Add(both, f(float(base.zero))) if base.zero else both, to="uint8")


class EmittedInt16Tables(EmittedTables):
    """Computed when the graph runs."""

    axes: ClassVar[type[Axes]] = Int16Axes
    most_bytes: ClassVar[int | None] = _MOST_BYTES
