"""A separable resize in float32: sums over the taps of an axis, one tap after the other, or interpolations of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32
from onnxprep.steps.image.resize._geometry import Geometry

Finish = Callable[[Value], Value]
"""What is done to every float32 result, in whatever order they lie."""

_END = 2**62


@dataclass(frozen=True)
class Taps:
    """``y[i] = sum over k of x[index[i, k]] * weight[i, k]``; int64 and float32 [n, k].

    Neither the first nor the last column of ``index`` ever falls. Where an output has fewer taps, weights are 0.
    """

    index: Number
    weight: Number

    def edges(self, a: Float32) -> tuple[Number, Number]:
        """The first input that is read and the one past the last, [1] each."""
        flat = a.flat(self.index)
        return a.pick(flat, 0), a.Add(a.last(flat), lengths(1))


@dataclass(frozen=True)
class Pairs:
    """``y[i] = x[low[i]] + (x[high[i]] - x[low[i]]) * fraction[i]``; int64, int64 and float32 [n], none ever falls."""

    low: Number
    high: Number
    fraction: Number

    def edges(self, a: Float32) -> tuple[Number, Number]:
        """The first input that is read and the one past the last, [1] each."""
        return a.pick(self.low, 0), a.Add(a.last(self.high), lengths(1))


class Passes:
    """Both passes over an image of any layout, of which only what the wanted outputs read is touched.

    An image is [H, images, W, channels] for the pass over rows and [W, images, channels, H] for that over columns; the
    planes of a planar image are images of one channel. All transpositions are of two axes, which runtimes are fast at.
    """

    def __init__(self, op: Ops, x: Value, geometry: Geometry, axes: tuple[Taps, Taps] | tuple[Pairs, Pairs]) -> None:
        a = Float32(op)
        self._op, self._a, self._layout = op, a, str(x.spec.layout)
        self._h, self._w = (a.pick(geometry.count, i) for i in (0, 1))
        self._planes = a.size(x, "C")
        self._channels = self._planes if self._layout.endswith("C") else lengths(1)
        self._one_image = self._layout == "HWC" or (self._layout == "NHWC" and x.spec.dim("N") == 1)
        whole = geometry.count is geometry.resized
        edges: list[tuple[Number, Number]] = [(lengths(0), a.pick(geometry.sides, i)) for i in (0, 1)]
        edges = edges if whole else [axes[0].edges(a), axes[1].edges(a)]
        self._begins = [begin for begin, _ in edges]
        self._sides = [a.Sub(end, begin) for begin, end in edges]
        self._x = x if whole else self._cut(x, edges)

    def _cut(self, x: Value, edges: list[tuple[Number, Number]]) -> Value:
        begin, end = (self._a.value(self._a.join(*numbers)) for numbers in zip(*edges, strict=True))
        return self._op.Slice(x, begin, end, self._op.int64([x.spec.axis("H"), x.spec.axis("W")]))

    def _reshaped(self, x: Value, *dims: Number) -> Value:
        return self._op.Reshape(x, self._a.value(self._a.join(*dims)))

    def _lines(self, x: Value, height: Number) -> Value:
        """[H, values of a line]; ``height`` rows have been taken of ``x``."""
        outer = {"NCHW": 2, "NHWC": 1, "CHW": 1, "HWC": 0}[self._layout]
        if outer and not self._one_image:
            x = self._swapped(self._reshaped(x, lengths(-1), height, self._a.Mul(self._sides[1], self._channels)))
        return self._reshaped(x, height, lengths(-1))

    def _swapped(self, x: Value) -> Value:
        return self._op.Transpose(x, perm=[1, 0, 2])

    def _columns(self, lines: Value, height: Number) -> Value:
        """From [H, values of a line] to [W, values of a column]."""
        columns = self._op.Transpose(lines, perm=[1, 0])
        if not self._one_image:
            inner = self._a.Mul(self._channels, height)
            columns = self._swapped(self._reshaped(columns, lengths(-1), self._sides[1], inner))
        return self._reshaped(columns, self._sides[1], lengths(-1))

    def _planar(self, y: Value) -> Value:
        """[images, channels, h, w], whatever its form, as the layout has it."""
        channels = (self._planes,) if "N" in self._layout else ()
        return self._reshaped(y, lengths(-1), *channels, self._h, self._w)

    def sums(self, rows: Taps, columns: Taps, finish: Finish, *, vertical_first: bool) -> Value:
        """Sums along both axes, planar."""
        op, many = self._op, lengths(-1)
        lines = self._lines(self._x, self._sides[0])
        if vertical_first:
            y = self._reshaped(self._summed(lines, 0, rows, self._h), self._h, many)
            y = finish(self._summed(self._columns(y, self._h), 1, columns, self._w))
            return self._planar(op.Transpose(self._reshaped(y, self._w, many), perm=[1, 0]))
        y = self._summed(self._columns(lines, self._sides[0]), 1, columns, self._w)
        y = op.Transpose(self._reshaped(y, self._w, many), perm=[1, 0])
        y = self._swapped(self._reshaped(y, many, self._sides[0], self._w))
        y = finish(self._summed(self._reshaped(y, self._sides[0], many), 0, rows, self._h))
        return self._planar(self._swapped(self._reshaped(y, self._h, many, self._w)))

    def _summed(self, samples: Value, i: int, taps: Taps, count: Number) -> Value:
        """One pass along the first axis, [n, 1, values of a line]; an output at a time, so that its taps stay cached."""
        op, a = self._op, self._a
        index, weight = a.value(a.Sub(taps.index, self._begins[i])), a.value(taps.weight)

        def one(trip: Value) -> Value:
            read = self._single(op.Gather(samples, op.Gather(index, trip, axis=0), axis=0))
            products = op.Mul(read, op.Unsqueeze(op.Gather(weight, trip, axis=0), axes=[1]))
            sums = op.CumSum(products, op.int64(0))  # no MatMul and no ReduceSum: they add in an order of their own
            return op.Slice(sums, op.int64([-1]), op.int64([_END]), op.int64([0]))

        return op.loop(a.value(a.scalar(count)), one)

    def _single(self, x: Value) -> Value:
        return x if x.spec.dtype == "float32" else self._op.Cast(x, to="float32")

    def interpolated(self, rows: Pairs, columns: Pairs, finish: Finish) -> Value:
        """Between two columns, then between two rows; planar. All four samples are taken before anything is computed."""
        op, a = self._op, self._a
        both = a.value(a.Sub(a.join(rows.low, rows.high), self._begins[0]))
        twice = a.Mul(self._h, lengths(2))
        lines = self._lines(op.Gather(self._x, both, axis=self._layout.index("H")), twice)
        samples = self._columns(lines, twice)
        low, high = (
            self._single(op.Gather(samples, a.value(a.Sub(side, self._begins[1])), axis=0))
            for side in (columns.low, columns.high)
        )
        between = op.Add(low, op.Mul(op.Sub(high, low), a.value(a.column(columns.fraction))))
        top, bottom = op.Split(self._reshaped(between, lengths(-1), lengths(2), self._h), axis=1, split=[1, 1])
        y = finish(op.Add(top, op.Mul(op.Sub(bottom, top), a.value(rows.fraction))))
        return self._planar(op.Transpose(self._reshaped(y, self._w, lengths(-1)), perm=[1, 0]))


def as_is(y: Value) -> Value:
    """Nothing is done."""
    return y


def to_bytes(op: Ops, y: Value) -> Value:
    """Rounded half to even and clipped to uint8."""
    return op.Cast(op.Clip(op.Round(y), op.float32(0.0), op.float32(255.0)), to="uint8")


def picked(op: Ops, x: Value, rows: Number, columns: Number) -> Value:
    """The samples where ``rows`` and ``columns`` cross (int64 [n]) of an image in any layout; planar."""
    layout, a = str(x.spec.layout), Float32(op)
    x = op.Gather(x, a.value(rows), axis=layout.index("H"))
    x = op.Gather(x, a.value(columns), axis=layout.index("W"))
    planar = layout if layout.index("C") < layout.index("H") else f"{layout[:-3]}CHW"
    return x if planar == layout else op.Transpose(x, perm=[layout.index(letter) for letter in planar])
