"""Tap tables of both axes, as constants where H and W are known and as nodes where they are not."""

from __future__ import annotations

from typing import Literal

import numpy as np

from onnxprep.numerics.filters import SUPPORT
from onnxprep.numerics.taps import (
    DIGIT_ZERO,
    PRECISION,
    Bands,
    bands,
    digits,
    float_pair,
    outputs_per_block,
    tap_table,
)
from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._filters import filter_nodes
from onnxprep.steps.image.resize._geometry import Geometry, Sizes

Product = Literal["float", "integer", "integer_many"]
"""How a band matrix meets the samples: see ``_products``."""

_FEW = {"box": 6, "bilinear": 3, "hamming": 3, "bicubic": 2, "lanczos": 1}
"""Reductions below these mean at most about 8 taps: two float32 products are then faster than an integer one.

Measured on AVX-512 with VNNI; older processors would gain from higher ones, exact as long as there are 32 taps at most.
"""

_END = 2**62
_BLOCKS = (2, 4, 8)


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
        quotients = [side // new for side, new in zip(sides, resized, strict=True)]
        blocks = [outputs_per_block(quotient) for quotient in quotients]
        self._op, self._few, self._most = op, max(quotients) < _FEW[interpolation], max(t.most for t in taps)
        self._bands: list[Bands] = [bands(t, block) for t, block in zip(taps, blocks, strict=True)]
        self.counts = lengths(count[0]), lengths(count[1])
        self.begins = lengths(self._bands[0].begin), lengths(self._bands[1].begin)
        self.ends = lengths(self._bands[0].end), lengths(self._bands[1].end)
        self.indices: tuple[Number, Number] = (self._bands[0].index, self._bands[1].index)
        self.whole = count[0] % blocks[0] == 0, count[1] % blocks[1] == 0

    def product(self) -> Product:
        """How to multiply; proven for any number of taps."""
        return "float" if self._few else "integer" if self._most <= 518 else "integer_many"

    def matrices(self, product: Product) -> tuple[Value, Value]:
        """The band matrix of either axis, [blocks, parts of the weights * block, span]."""
        return self._matrix(self._bands[0], product), self._matrix(self._bands[1], product)

    def _matrix(self, axis: Bands, product: Product) -> Value:
        if product != "float":
            return self._op.constant(digits(axis.weights), "uint8")
        return self._op.float32(np.concatenate(float_pair(axis.weights), axis=1))


def _ints(op: Ops, numbers: Number) -> tuple[int, int]:
    known = Arithmetic(op).known(numbers)
    if known is None:
        raise TypeError("a known length was expected")
    return int(known[0]), int(known[1])


class EmittedTables:
    """The same, computed when the graph runs. Axes of which equally many outputs are wanted are computed together."""

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, sizes: Sizes) -> None:
        a, together = Arithmetic(op), sizes[0] is not None and sizes[0] == sizes[1]
        if together:
            self._axes = [_Axes(op, geometry, interpolation, sizes[0])]
        else:
            self._axes = [_Axes(op, geometry.axis(a, i), interpolation, sizes[i]) for i in (0, 1)]
        self._op, self._place = op, [(0, 0), (0, 1)] if together else [(0, 0), (1, 0)]
        self.counts = a.pick(geometry.count, 0), a.pick(geometry.count, 1)
        edges = [edge for axes in self._axes for edge in op.Split(axes.edges, split=[1, 1] * (3 - len(self._axes)))]
        self.begins, self.ends = (edges[0], edges[2]), (edges[1], edges[3])
        self.indices = self._pair([axes.index for axes in self._axes])
        self.whole = _fills_blocks(sizes[0]), _fills_blocks(sizes[1])

    def _pair(self, of_axes: list[Value]) -> tuple[Value, Value]:
        take = [self._op.Gather(of_axes[i], self._op.int64(j), axis=0) for i, j in self._place]
        return take[0], take[1]

    def few(self) -> Value:
        """Whether no output has more than about 8 taps."""
        few = [axes.few for axes in self._axes]
        return few[0] if len(few) == 1 else self._op.And(*few)

    def matrices(self, product: Product) -> tuple[Value, Value]:
        """The band matrix of either axis, [blocks, parts of the weights * block, span]."""
        if product != "float":
            return self._pair([axes.digits() for axes in self._axes])
        return self._pair([self._op.Concat(*axes.float_pair(), axis=2) for axes in self._axes])


def _fills_blocks(size: int | None) -> bool:
    return size is not None and size % max(_BLOCKS) == 0


class _Axes:
    """The bands of A axes of which equally many outputs are wanted: ``numerics.taps`` with a first axis A.

    The filter is evaluated at every place of the bands and cut to 0 where an output has no tap: a few more values
    than taps, but far fewer nodes than moving taps to their places takes. Everything is float64 until the end.
    """

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, size: int | None) -> None:
        f, a = op.float64, Arithmetic(op)
        self._op, self._interpolation = op, interpolation
        # int64 [1]: how many times the axis that shrinks most becomes shorter
        quotient = op.ReduceMax(op.Div(a.value(geometry.sides), a.value(geometry.resized)), keepdims=1)
        self.few = op.Less(quotient, op.int64([_FEW[interpolation]]))
        self._block = self._outputs_per_block(quotient)
        sides, resized, start = (self._column(n) for n in (geometry.sides, geometry.resized, geometry.start))
        scale = op.Div(a.value(sides), a.value(resized))
        stretch = op.Max(scale, f(1.0))
        support = op.Mul(stretch, f(SUPPORT[interpolation]))
        places = self._half_places(a, a.pick(geometry.count, 0), size)
        places = op.Reshape(places, a.value(a.join(lengths(-1), self._block, lengths(1))))
        centers = op.Mul(a.value(a.Add(start, places)), scale)  # [A, blocks, block, 1]
        first = op.Floor(op.Max(op.Add(op.Sub(centers, support), f(0.5)), f(0.0)))
        last = op.Min(op.Floor(op.Add(op.Add(centers, support), f(0.5))), a.value(sides))
        positions = self._positions(first, last)
        offsets = op.Add(op.Sub(positions, centers), f(0.5))
        # Reciprocal: ONNX Runtime turns Div(1, s) * y into y / s, which rounds once instead of twice
        values = filter_nodes(op, op.Mul(offsets, op.Reciprocal(stretch)), interpolation)
        inside = op.Xor(op.Less(positions, first), op.Less(positions, last))
        self.weights = self._fixed_point(op.Where(inside, values, f(0.0)))

    def _column(self, n: Number) -> Number:
        """float64 [A, 1, 1, 1]."""
        known = Arithmetic(self._op).known(n)
        if known is not None:
            return known.astype(np.float64).reshape(-1, 1, 1, 1) if known.any() else np.zeros((), np.float64)
        # not Unsqueeze: ONNX Runtime 1.31 logs an error where it follows the values of shapes through several axes
        return self._op.Reshape(self._op.Cast(n, to="float64"), self._op.int64([-1, 1, 1, 1]))

    def _outputs_per_block(self, quotient: Value) -> Value:
        """``numerics.taps.outputs_per_block``."""
        op, i = self._op, self._op.int64
        small = op.Where(op.Less(quotient, i([1])), i([8]), i([4]))
        return op.Where(op.Greater(quotient, i([5])), i([2]), small)

    def _half_places(self, a: Arithmetic, count: Number, size: int | None) -> Value:
        """``0.5, 1.5, ...`` for whole blocks; the last block repeats the last output."""
        op = self._op
        if size is not None and _fills_blocks(size):
            return op.float64(np.arange(size) + 0.5)
        end = op.Mul(a.value(a.ceil_div(count, self._block)), self._block)
        rows = op.Range(op.float64(0.0), op.Squeeze(op.Cast(end, to="float64")), op.float64(1.0))
        last = a.value(a.double(a.Sub(count, lengths(1))))
        return op.Add(op.Min(rows, last), op.float64(0.5))

    def _positions(self, first: Value, last: Value) -> Value:
        """The inputs of each block, [A, blocks, 1, span]; also what is needed at all, and the index from its start."""
        op, f, i = self._op, self._op.float64, self._op.int64
        block_first = op.Slice(first, i([0]), i([1]), i([2]))
        block_last = op.Slice(last, i([-1]), i([_END]), i([2]))
        span = op.ReduceMax(op.Cast(op.Sub(block_last, block_first), to="int64"), keepdims=0)
        positions = op.Add(block_first, op.Cast(op.Range(i(0), span, i(1)), to="float64"))
        begin = op.Slice(block_first, i([0]), i([1]), i([1]))
        end = op.Slice(block_last, i([-1]), i([_END]), i([1]))
        index = op.Sub(op.Min(positions, op.Sub(end, f(1.0))), begin)
        self.index = op.Squeeze(op.Cast(index, to="int64"), axes=[2])
        edges = op.Cast(op.Concat(begin, end, axis=1), to="int64")
        self.edges = op.Reshape(edges, i([-1]))  # begin and end of the first axis, then of the second
        return positions

    def _fixed_point(self, values: Value) -> Value:
        """Divided by their sum, times 2**22, rounded half away from zero: float32 holds that exactly, 4-D as ``values``."""
        op, f = self._op, self._op.float64
        total = op.CumSum(values, op.int64(3))  # adds one tap after the other, as the C loop does
        total = op.Slice(total, op.int64([-1]), op.int64([_END]), op.int64([3]))
        if self._interpolation == "box":  # the others always have a tap within half a filter
            total = op.Where(op.Equal(total, f(0.0)), f(1.0), total)
        scaled = op.Div(values, op.Mul(total, f(2.0**-PRECISION)))
        if self._interpolation in ("box", "bilinear", "hamming"):
            return op.Cast(op.Floor(op.Add(scaled, f(0.5))), to="float32")
        rounded = op.Mul(op.Floor(op.Add(op.Abs(scaled), f(0.5))), op.Sign(scaled))
        return op.Cast(rounded, to="float32")

    def float_pair(self) -> tuple[Value, Value]:
        """``numerics.taps.float_pair``: float32 [A, blocks, block, span] twice."""
        op, f = self._op, self._op.float32
        scaled = op.Mul(self.weights, f(2.0**-12))
        high = op.Floor(op.Add(scaled, f(0.5)))
        return high, op.Sub(scaled, high)

    def digits(self) -> Value:
        """``numerics.taps.digits``: uint8 [A, blocks, 3 * block, span]."""
        op, f, zero = self._op, self._op.float32, float(DIGIT_ZERO)
        rest = op.Floor(op.Mul(self.weights, f(2.0**-7)))
        top = op.Floor(op.Add(op.Mul(rest, f(2.0**-8)), f(zero / 256)))
        low, middle = op.Sub(self.weights, op.Mul(rest, f(128.0))), op.Sub(rest, op.Mul(top, f(256.0)))
        return op.Cast(op.Add(op.Concat(low, middle, top, axis=2), f(zero)), to="uint8")
