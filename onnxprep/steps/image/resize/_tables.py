"""Tap tables of both axes, as constants where H and W are known and as nodes where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from onnxprep.numerics.filters import SUPPORT
from onnxprep.numerics.taps import DIGIT_ZERO, PRECISION, Bands, bands, digits, float_pair, tap_table
from onnxprep.step import Ops, Value
from onnxprep.steps.image.resize._arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._filters import filter_nodes

Product = Literal["float", "integer", "integer_many"]
"""How a band matrix meets the samples: see ``_products``."""

FEW = 8
"""Up to so many taps two float32 products are faster than one integer product (measured, AVX-512)."""

Sizes = tuple[int | None, int | None]
"""How many outputs are wanted of H and W, as far as that is known."""

_END = 2**62
_TO_LEVELS = 2.0**PRECISION


@dataclass(frozen=True)
class Geometry:
    """What both axes (H, W) go through. Every number is int64 [2].

    Attributes:
        sides: lengths before.
        resized: lengths after.
        start, count: the outputs that are wanted of ``resized``.
    """

    sides: Number
    resized: Number
    start: Number
    count: Number

    def axis(self, a: Arithmetic, i: int) -> Geometry:
        """The same numbers of one axis, int64 [1]."""
        return Geometry(a.pick(self.sides, i), a.pick(self.resized, i), a.pick(self.start, i), a.pick(self.count, i))


class KnownTables:
    """Computed now: one constant per matrix.

    Attributes:
        counts: wanted outputs per axis (H, W), int64 [1] each.
        begins, ends: first input that is needed and the one past the last.
        indices: [blocks, span], the inputs of each block, counted from ``begins``.
        whole: whether the outputs are known to fill their blocks.
    """

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, _: Sizes = (None, None)) -> None:
        sides, resized, start, count = (_ints(op, n) for n in vars(geometry).values())
        taps = [tap_table(*axis) for axis in zip(sides, resized, [interpolation] * 2, start, count, strict=True)]
        blocks = [_outputs_per_block(sides[i], resized[i]) for i in (0, 1)]
        self._op = op
        self._bands: list[Bands] = [bands(t, block) for t, block in zip(taps, blocks, strict=True)]
        self._most = max(t.most for t in taps)
        self.counts = lengths(count[0]), lengths(count[1])
        self.begins = lengths(self._bands[0].begin), lengths(self._bands[1].begin)
        self.ends = lengths(self._bands[0].end), lengths(self._bands[1].end)
        self.indices: tuple[Number, Number] = (self._bands[0].index, self._bands[1].index)
        self.whole = count[0] % blocks[0] == 0, count[1] % blocks[1] == 0

    def product(self) -> Product:
        """How to multiply; proven for any number of taps."""
        return "float" if self._most <= FEW else "integer" if self._most <= 518 else "integer_many"

    def matrices(self, product: Product) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The band matrices of both axes, [blocks, rows, span] each."""
        return self._matrices(self._bands[0], product), self._matrices(self._bands[1], product)

    def _matrices(self, axis: Bands, product: Product) -> tuple[Value, ...]:
        if product != "float":
            return (self._op.constant(digits(axis.weights), "uint8"),)
        high, low = float_pair(axis.weights)
        return self._op.float32(high), self._op.float32(low)


def _ints(op: Ops, numbers: Number) -> tuple[int, int]:
    known = Arithmetic(op).known(numbers)
    if known is None:
        raise TypeError("a known length was expected")
    return int(known[0]), int(known[1])


def _outputs_per_block(length: int, resized: int) -> int:
    """2 where an axis shrinks more than 6 times, 8 where it grows, else 4: wider blocks multiply by more zeros."""
    return 2 if length > 6 * resized else 8 if length < resized else 4


class EmittedTables:
    """The same, computed when the graph runs. Axes of which equally many outputs are wanted are computed together."""

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, sizes: Sizes) -> None:
        a, together = Arithmetic(op), sizes[0] is not None and sizes[0] == sizes[1]
        if together:
            self._axes = [_Axes(op, geometry, interpolation, 2)]
        else:
            self._axes = [_Axes(op, geometry.axis(a, i), interpolation, 1) for i in (0, 1)]
        self._op, self._place = op, [(0, 0), (0, 1)] if together else [(0, 0), (1, 0)]
        self.counts = a.pick(geometry.count, 0), a.pick(geometry.count, 1)
        self.begins = self._pair([axes.begin for axes in self._axes])
        self.ends = self._pair([axes.end for axes in self._axes])
        self.indices = self._pair([axes.index for axes in self._axes])
        self.whole = sizes[0] is not None and sizes[0] % 8 == 0, sizes[1] is not None and sizes[1] % 8 == 0

    def _pair(self, of_axes: list[Value]) -> tuple[Value, Value]:
        take = [self._op.Gather(of_axes[i], self._op.int64(j), axis=0) for i, j in self._place]
        return take[0], take[1]

    def few(self) -> Value:
        """Whether no output has more than ``FEW`` taps."""
        most = self._axes[0].most
        if len(self._axes) == 2:
            most = self._op.Max(most, self._axes[1].most)
        return self._op.Less(most, self._op.int64(FEW + 1))  # type: ignore[no-any-return]

    def matrices(self, product: Product) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The band matrices of both axes, [blocks, rows, span] each."""
        if product != "float":
            pair = self._pair([axes.digits() for axes in self._axes])
            return (pair[0],), (pair[1],)
        both = [axes.float_pair() for axes in self._axes]
        high, low = self._pair([m[0] for m in both]), self._pair([m[1] for m in both])
        return (high[0], low[0]), (high[1], low[1])


class _Axes:
    """The tables of A axes of which equally many outputs are wanted: ``numerics.taps`` with a first axis A."""

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, axes: int) -> None:
        i, f, a = op.int64, op.float64, Arithmetic(op)
        sides, resized, start = (a.value(n) for n in (geometry.sides, geometry.resized, geometry.start))
        count = a.pick(geometry.count, 0)
        self._op, self._axes = op, axes
        self._block = self._outputs_per_block(sides, resized)
        self._blocks = a.value(a.ceil_div(count, self._block))
        rows = op.Range(i(0), op.Squeeze(op.Mul(self._blocks, self._block)), i(1))
        rows = op.Min(rows, a.value(a.Sub(count, lengths(1))))  # the last block repeats the last output
        scale = op.Div(op.Cast(sides, to="float64"), op.Cast(resized, to="float64"))
        stretch = op.Max(scale, f(1.0))
        support = op.Unsqueeze(op.Mul(stretch, f(SUPPORT[interpolation])), axes=[1])
        places = op.Cast(op.Add(op.Unsqueeze(start, axes=[1]), rows), to="float64")
        centers = op.Mul(op.Add(places, f(0.5)), op.Unsqueeze(scale, axes=[1]))  # [A, rows]
        first = op.Max(op.Cast(op.Add(op.Sub(centers, support), f(0.5)), to="int64"), i(0))
        last = op.Cast(op.Add(op.Add(centers, support), f(0.5)), to="int64")
        last = op.Min(last, op.Unsqueeze(sides, axes=[1]))
        self.most = op.ReduceMax(op.Sub(last, first), keepdims=0)
        positions = op.Add(op.Unsqueeze(first, axes=[2]), op.Range(i(0), self.most, i(1)))  # [A, rows, taps]
        offsets = op.Sub(op.Cast(positions, to="float64"), op.Unsqueeze(centers, axes=[2]))
        # Reciprocal: ONNX Runtime turns Div(1, s) * y into y / s, which rounds once instead of twice
        shrink = op.Unsqueeze(op.Reciprocal(stretch), axes=[1, 2])
        values = filter_nodes(op, op.Mul(op.Add(offsets, f(0.5)), shrink), interpolation)
        inside = op.Less(positions, op.Unsqueeze(last, axes=[2]))
        self.weights = self._fixed_point(op.Where(inside, values, f(0.0)))
        self.first, self.last = first, last
        self._place(first, last)

    def _outputs_per_block(self, sides: Value, resized: Value) -> Value:
        op, i = self._op, self._op.int64
        shrinks = op.Greater(op.ReduceMax(op.Sub(sides, op.Mul(resized, i(6))), keepdims=1), i(0))
        grows = op.Less(op.ReduceMax(op.Sub(sides, resized), keepdims=1), i(0))
        return op.Where(shrinks, i([2]), op.Where(grows, i([8]), i([4])))  # type: ignore[no-any-return]

    def _fixed_point(self, values: Value) -> Value:
        """Divided by their sum, times 2**22, rounded half away from zero; float64 [A, rows, taps]."""
        op, f = self._op, self._op.float64
        total = op.CumSum(values, op.int64(2))  # adds one tap after the other, as the C loop does
        total = op.Slice(total, op.int64([-1]), op.int64([_END]), op.int64([2]))
        total = op.Where(op.Equal(total, f(0.0)), f(1.0), total)
        scaled = op.Mul(op.Div(values, total), f(_TO_LEVELS))
        return op.Mul(op.Floor(op.Add(op.Abs(scaled), f(0.5))), op.Sign(scaled))  # type: ignore[no-any-return]

    def _place(self, first: Value, last: Value) -> None:
        """Which inputs each block reads, and which tap of each output stands at each of them."""
        op, i, block = self._op, self._op.int64, self._block
        block_first = op.Slice(first, i([0]), i([_END]), i([1]), block)
        block_last = op.Slice(last, op.Sub(block, i([1])), i([_END]), i([1]), block)
        span = op.ReduceMax(op.Sub(block_last, block_first), keepdims=0)
        self._span = op.Reshape(span, i([1]))
        positions = op.Add(op.Unsqueeze(block_first, axes=[2]), op.Range(i(0), span, i(1)))  # [A, blocks, span]
        self.begin = op.Slice(first, i([0]), i([1]), i([1]))
        self.end = op.Slice(last, i([-1]), i([_END]), i([1]))
        capped = op.Min(positions, op.Unsqueeze(op.Sub(self.end, i(1)), axes=[2]))
        self.index = op.Sub(capped, op.Unsqueeze(self.begin, axes=[2]))
        # tap -1 and tap `most` both mean a column of zeros that is added behind the last tap
        firsts = op.Reshape(first, op.Concat(i([self._axes]), self._blocks, block, i([1]), axis=0))
        taps = op.Clip(op.Sub(op.Unsqueeze(positions, axes=[2]), firsts), i(-1), self.most)
        self._tap = op.Reshape(taps, op.Concat(i([self._axes, -1]), self._span, axis=0))  # [A, rows, span]
        self._padded = op.Pad(self.weights, i([0, 0, 0, 0, 0, 1]), mode="constant")

    def float_pair(self) -> tuple[Value, Value]:
        """``numerics.taps.float_pair`` in bands: float32 [A, blocks, block, span] twice."""
        op, f = self._op, self._op.float64
        scaled = op.Mul(self._padded, f(2.0**-8))
        high = op.Floor(op.Add(scaled, f(0.5)))
        shape = op.Concat(op.int64([self._axes]), self._blocks, self._block, self._span, axis=0)
        high, low = (op.Cast(part, to="float32") for part in (high, op.Sub(scaled, high)))
        high, low = (op.Reshape(op.GatherElements(part, self._tap, axis=2), shape) for part in (high, low))
        return high, low

    def digits(self) -> Value:
        """``numerics.taps.digits`` in bands: uint8 [A, blocks, 3 * block, span]."""
        op, f, i = self._op, self._op.float64, self._op.int64
        factors, shifts = f(np.array([[1.0], [2.0**-7], [2.0**-15]])), f([[0.0], [0.0], [DIGIT_ZERO / 256]])
        floors = op.Floor(op.Add(op.Mul(op.Unsqueeze(self._padded, axes=[2]), factors), shifts))
        above = op.Mul(op.Gather(floors, i([1, 2, 2]), axis=2), f([[128.0], [256.0], [0.0]]))
        stored = op.Cast(op.Add(op.Sub(floors, above), f(float(DIGIT_ZERO))), to="uint8")  # [A, rows, 3, taps + 1]
        tap = op.Expand(op.Unsqueeze(self._tap, axes=[2]), i([1, 1, 3, 1]))
        rows = op.Mul(self._block, i([3]))
        shape = op.Concat(i([self._axes]), self._blocks, rows, self._span, axis=0)
        return op.Reshape(op.GatherElements(stored, tap, axis=3), shape)  # type: ignore[no-any-return]
