"""The bands of axes as nodes, for lengths that are known only when the graph runs."""

from __future__ import annotations

import numpy as np

from onnxprep.numerics.filters import SUPPORT
from onnxprep.numerics.taps import DIGIT_ZERO, PRECISION
from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._fixed_point.filters import filter_nodes
from onnxprep.steps.image.resize._fixed_point.products import Product, apply_bands
from onnxprep.steps.image.resize._geometry import Geometry

FEW = {"box": 6, "bilinear": 3, "hamming": 3, "bicubic": 2, "lanczos": 1}
"""Reductions below these mean at most about 8 taps: two float32 products are then faster than an integer one.

Measured on AVX-512 with VNNI; older processors would gain from higher ones, exact as long as there are 32 taps at most.
"""

_END = 2**62
_BLOCKS = (2, 4, 8)


def fills_blocks(size: int | None) -> bool:
    """Whether so many outputs are known to fill blocks of any length."""
    return size is not None and size % max(_BLOCKS) == 0


class Axes:
    """The bands of A axes of which equally many outputs are wanted: ``numerics.taps`` with a first axis A.

    Attributes:
        few: whether the product ``float`` is right and fast for all A, bool [1] or a scalar.
        index: [A, blocks, span], the inputs of each block.
        edges: first input that is needed and the one past the last, of the first axis, then of the second.
        weights: fixed point, as float32 [A, blocks, block, span].

    The filter is evaluated at every place of the bands and cut to 0 where an output has no tap: a few more values
    than taps, but far fewer nodes than moving taps to their places takes. Everything is float64 until the end.
    """

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, size: int | None) -> None:
        f, a = op.float64, Arithmetic(op)
        self._op, self._interpolation = op, interpolation
        # int64 [1]: how many times the axis that shrinks most becomes shorter
        quotient = op.ReduceMax(op.Div(a.value(geometry.whole_extent()), a.value(geometry.resized)), keepdims=1)
        self._choose_product(quotient)
        self._block = self._outputs_per_block(quotient)
        sides, resized, start = (self._column(n) for n in (geometry.sides, geometry.resized, geometry.start))
        extent = sides if geometry.extent() is geometry.sides else self._column(geometry.extent())
        scale = op.Div(a.value(extent), a.value(resized))
        stretch = op.Max(scale, f(1.0))
        support = op.Mul(stretch, f(SUPPORT[interpolation]))
        places = op.Mul(a.value(self._half_places(a, geometry, start, resized, size)), scale)  # [A, blocks, block, 1]
        centers = a.value(a.Add(self._column(geometry.begin()), places))
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

    def _choose_product(self, quotient: Value) -> None:
        self.few = self._op.Less(quotient, self._op.int64([FEW[self._interpolation]]))

    def _outputs_per_block(self, quotient: Value) -> Value:
        """``numerics.taps.outputs_per_block``."""
        op, i = self._op, self._op.int64
        small = op.Where(op.Less(quotient, i([1])), i([8]), i([4]))
        return op.Where(op.Greater(quotient, i([5])), i([2]), small)

    def _half_places(
        self,
        a: Arithmetic,
        geometry: Geometry,
        start: Number,
        resized: Number,  # noqa: ARG002  # for a subclass
        size: int | None,
    ) -> Number:
        """The outputs plus one half, [A, blocks, block, 1] or less of it; the last block repeats the last output.

        ``start`` and ``resized`` are columns of float64, ``size`` how many outputs are wanted if that is known.
        """
        places = self._wanted(a, a.pick(geometry.count, 0), size)
        return a.Add(start, self._op.Reshape(places, a.value(a.join(lengths(-1), self._block, lengths(1)))))

    def _wanted(self, a: Arithmetic, count: Number, size: int | None) -> Value:
        """``0.5, 1.5, ...`` for whole blocks."""
        op = self._op
        if size is not None and fills_blocks(size):
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
        begin = op.Slice(self._kept(block_first), i([0]), i([1]), i([1]))
        end = op.Slice(self._kept(block_last), i([-1]), i([_END]), i([1]))
        index = op.Sub(op.Min(self._kept(positions), op.Sub(end, f(1.0))), begin)
        self.index = op.Squeeze(op.Cast(index, to="int64"), axes=[2])
        edges = op.Cast(op.Concat(begin, end, axis=1), to="int64")
        self.edges = op.Reshape(edges, i([-1]))
        return positions

    def _kept(self, of_blocks: Value) -> Value:
        """Of a tensor [A, blocks, ...] the blocks of wanted outputs, where there are others as well."""
        return of_blocks

    def _total(self, values: Value) -> Value:
        """The sums over the taps, [A, blocks, block, 1]: one tap after the other, as the C loop adds."""
        op = self._op
        return op.Slice(op.CumSum(values, op.int64(3)), op.int64([-1]), op.int64([_END]), op.int64([3]))

    def _fixed_point(self, values: Value) -> Value:
        """Divided by their sum, times 2**22, rounded half away from zero: float32 holds that exactly, 4-D as ``values``."""
        op, f = self._op, self._op.float64
        total = self._total(values)
        if self._interpolation == "box":  # the others always have a tap within half a filter
            total = op.Where(op.Equal(total, f(0.0)), f(1.0), total)
        return self._rounded(op.Div(values, op.Mul(total, f(2.0**-PRECISION))))

    def _rounded(self, scaled: Value) -> Value:
        """Half away from zero."""
        op, f = self._op, self._op.float64
        if self._interpolation in ("box", "bilinear", "hamming"):
            return op.Cast(op.Floor(op.Add(scaled, f(0.5))), to="float32")
        rounded = op.Mul(op.Floor(op.Add(op.Abs(scaled), f(0.5))), op.Sign(scaled))
        return op.Cast(rounded, to="float32")

    def operands(self, product: Product) -> tuple[Value, ...]:
        """What ``apply`` needs of the axes: the band matrices, [A, blocks, parts of the weights * block, span]."""
        return (self.digits(),) if product != "float" else (self._op.Concat(*self.float_pair(), axis=2),)

    def apply(self, product: Product, *operands: Value) -> Value:
        """Outputs from the operands of one axis and gathered samples."""
        return apply_bands(self._op, product, *operands)

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
