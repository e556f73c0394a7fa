"""Maps of another size, a few rows at a time, as torch's CPU kernels compute them.

They fuse multiplications with the additions behind them: ``fma(x, w, y)`` is here a float64 sum, rounded once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32
from onnxprep.steps.image.resize._geometry import Geometry

Each = Callable[[Value], Value]
"""What is made of rows [rows, N, C, W]: [rows, N, ...]."""

_AT_ONCE = 2**16
"""About so many values are computed at once: they stay in a core's cache."""


class Rows:
    """``F.interpolate(x, size)`` of x float32 NCHW, C known; ``each`` is done to its rows."""

    def __init__(self, op: Ops, x: Value, size: Number, each: Each) -> None:
        self._op, self._a, self._each = op, Float32(op), each
        self._channels = int(x.spec.dim("C") or 0)
        self._sides, self._size = self._a.size(x, "HW"), size
        geometry = Geometry(self._sides, size, lengths(0, 0), size)
        self._axes = geometry.axis(self._a, 0), geometry.axis(self._a, 1)
        self._x = op.Transpose(x, perm=[2, 0, 1, 3])

    def value(self) -> Value:
        """[H, N, ...]."""
        raise NotImplementedError

    def side(self, columns: Number) -> Value:
        """The inputs under all columns of the output, [h, N, C, W]."""
        return self._op.Gather(self._x, self._a.value(columns), axis=3)

    def columns(self, places: Sequence[Number]) -> list[Value]:
        """The inputs under all columns of the output for each of some rows of places, [W, h * N * C].

        Transposed, for ONNX Runtime takes single values ten times as slowly as whole rows.
        """
        op, width = self._op, self._a.value(self._a.pick(self._sides, 1))
        flat = op.Reshape(self._x, op.Concat(op.int64([-1]), width, axis=0))
        upright = op.Transpose(flat, perm=[1, 0])
        return [op.Gather(upright, self._a.value(place), axis=0) for place in places]

    def lines(self, y: Value) -> Value:
        """[W, h * N * C] as [h, N, C, W]."""
        op, a = self._op, self._a
        height, width = a.value(a.pick(self._sides, 0)), a.value(a.pick(self._size, 1))
        shape = op.Concat(height, op.int64([-1, self._channels]), width, axis=0)
        return op.Reshape(op.Transpose(y, perm=[1, 0]), shape)

    def double(self, x: Value) -> Value:
        """As float64."""
        return self._op.Cast(x, to="float64")

    def fused(self, x: Value, weight: Value, rest: Value) -> Value:
        """``fma(x, weight, rest)``; x and weight are float64 already."""
        op = self._op
        return op.Cast(op.Add(op.Mul(x, weight), self.double(rest)), to="float32")

    def tall(self, weights: Number) -> Value:
        """[H] as [H, 1, 1, 1]."""
        return self._op.Reshape(self._a.value(weights), self._op.int64([-1, 1, 1, 1]))

    def by_rows(self, some: Callable[[Each], Value]) -> Value:
        """A number of rows at a time; the last rows are computed once more where that does not divide H.

        ``some`` gets what takes those rows of anything that has one entry for each of H.
        """
        op, a = self._op, self._a
        height, width = (a.pick(self._size, i) for i in (0, 1))
        many = a.Max(a.Div(lengths(_AT_ONCE // self._channels), width), lengths(1))
        many = a.Min(many, height)
        trips = a.ceil_div(height, many)
        places = a.Min(a.count_to(a.Mul(trips, many)), a.Sub(height, lengths(1)))
        table = op.Reshape(a.value(places), a.value(a.join(trips, many)))

        def trip(number: Value) -> Value:
            rows = op.Gather(table, number, axis=0)
            return self._each(some(lambda x: op.Gather(x, rows, axis=0)))

        blocks = op.loop(a.value(a.scalar(trips)), trip)
        rest = op.Slice(op.Shape(blocks), op.int64([3]), op.int64([2**62]), op.int64([0]))
        shape = op.Concat(a.value(a.Mul(trips, many)), op.int64([-1]), rest, axis=0)  # -1, as N may be 0
        made = op.Reshape(blocks, shape)
        return op.Slice(made, op.int64([0]), a.value(height), op.int64([0]))


def whole(op: Ops, x: Value, size: Number, rows: Rows) -> Value:
    """All rows of ``x`` with nothing done to them, NCHW."""
    made: Value = op.Transpose(rows.value(), perm=[1, 2, 0, 3])
    sizes = Float32(op).two_ints(size) or (None, None)
    return Value(made.name, x.spec.with_dims(H=sizes[0], W=sizes[1]))
