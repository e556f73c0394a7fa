"""The two passes of a separable resize: in chunks that stay in the cache, only for the samples that are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._fixed_point.image import Image, as_image
from onnxprep.steps.image.resize._fixed_point.products import Product
from onnxprep.steps.image.resize._fixed_point.tables import EmittedTables, KnownTables

_COLUMNS = 512
"""Lines of all images and channels that the first pass takes at a time, about: its sums then stay in the cache."""

_LINES = 16
"""Chunks have a multiple of so many lines: matrix products and transpositions work on that many (measured, AVX-512)."""


def resample(op: Ops, x: Value, tables: KnownTables | EmittedTables, vertical_first: Number) -> Value:
    """The kept outputs of an image that lies in any layout; planar.

    An order that is known although the tables are not can only be horizontal first.
    """
    a, image = Arithmetic(op), as_image(op, x)
    dims = ((a.size(x, "C"),) if "N" in str(x.spec.layout) else ()) + tables.counts
    if isinstance(tables, KnownTables):
        order = a.known(vertical_first)
        if order is None:
            raise TypeError("the order of the passes was expected to be known")
        return _Passes(op, image, tables, tables.product()).run(bool(order), dims)
    few = tables.few()
    # Flat Ifs of which one gives all bytes and the others none. Nested ones are shorter, but ONNX Runtime 1.31 crashes
    # at load where it inlines an If whose branch holds another If with a constant condition.
    ways: list[tuple[Value, Product, bool]]
    if a.known(vertical_first) is not None:
        ways = [(few, "float", False), (op.Not(few), "integer", False)]
    else:
        vertical = a.value(vertical_first)
        horizontal = op.Not(vertical)
        by_floats = op.And(horizontal, few)
        ways = [
            (by_floats, "float", False),
            (op.Xor(horizontal, by_floats), "integer", False),
            (vertical, "integer", True),  # rare: one arithmetic will do
        ]
    nothing = op.constant(np.zeros(0), "uint8")

    def one(condition: Value, product: Product, vertically: bool) -> Value:
        passes = lambda: _Passes(op, image, tables, product).run(vertically, ())  # noqa: E731
        return op.branch(condition, passes, lambda: nothing)

    arms = [one(*way) for way in ways]
    return op.Reshape(op.Concat(*arms, axis=0), a.value(a.join(lengths(-1), *dims)))


@dataclass(frozen=True)
class _Chunks:
    """Chunks of ``lines`` lines each; the last one ends with the last line and so overlaps its neighbour.

    Attributes:
        trips: how many have to be computed, [1]; 0 where there is no image.
        lines: how many lines each has, [1].
        numbers: 0, 1, 2 ...
        offsets: the first line of each.
    """

    trips: Number
    lines: Number
    numbers: Number
    offsets: Number

    def place(self, a: Arithmetic, index: Number, slots: Number) -> Number:
        """Where line ``index`` lies in the stacked chunks, each of them ``slots`` times ``lines`` rows."""
        rows = a.Mul(self.lines, slots)
        shifts = a.Sub(a.Mul(self.numbers, rows), self.offsets)
        return a.Add(index, a.take(shifts, a.Div(index, self.lines)))


class _Passes:
    """Both passes, by one way of multiplying."""

    def __init__(self, op: Ops, image: Image, tables: KnownTables | EmittedTables, product: Product) -> None:
        self._op, self._a, self._image, self._tables = op, Arithmetic(op), image, tables
        self._most_bytes = None if product == "float" else tables.most_bytes
        self._needed = [self._a.Sub(tables.ends[i], tables.begins[i]) for i in (0, 1)]
        self._sums = tables.sums(product)

    def run(self, vertical_first: bool, dims: tuple[Number, ...]) -> Value:
        """uint8 [-1, *dims], planar."""
        y = self._vertical_first() if vertical_first else self._horizontal_first()
        return self._op.Reshape(y, self._shape(lengths(-1), *dims))

    def _horizontal_first(self) -> Value:
        """Lines as columns: [w, (channel, image, line)], one gather of whole rows, one product, and back."""
        op, a, (images, channels) = self._op, self._a, (self._image.images, self._image.channels)
        slots, (_, width) = a.Mul(images, channels), self._tables.counts
        chunks = self._chunks(0)
        # what does not change from trip to trip is computed before them
        as_lines = self._shape(a.Mul(images, chunks.lines), lengths(-1))
        as_columns = self._shape(self._needed[1], lengths(-1))
        made, kept = self._shape(lengths(-1), a.Mul(slots, chunks.lines)), self._shape(lengths(-1), width)

        cut = self._cut(chunks, 0)

        def lines(trip: Number) -> Value:
            part = op.Transpose(op.Reshape(cut(trip), as_lines), perm=[1, 0])
            part = op.Reshape(part, as_columns)
            return op.Transpose(self._resampled(part, 1, self._tables.indices[1], made), perm=[1, 0])

        first = op.Reshape(self._stack(chunks.trips, lines), kept)
        place, offsets = chunks.place(a, self._tables.indices[0], slots), self._offsets(slots, chunks.lines)

        def picture(i: Number) -> Value:
            return self._resampled(first, 0, a.Add(place, a.take(offsets, i)), kept)

        return self._stack(slots, picture)

    def _vertical_first(self) -> Value:
        """[h, (image, column, channel)] lies almost as the image does; the second pass goes image by image."""
        op, a, (images, channels) = self._op, self._a, (self._image.images, self._image.channels)
        height, _ = self._tables.counts
        chunks = self._chunks(1)
        by_image = None if self._is_one(images) else self._shape(images, self._needed[0], lengths(-1))
        as_columns = self._shape(self._needed[0], lengths(-1))
        made = self._shape(lengths(-1), a.Mul(a.Mul(images, channels), chunks.lines))
        kept = self._shape(lengths(-1), a.Mul(channels, height))

        cut = self._cut(chunks, 1)

        def lines(trip: Number) -> Value:
            part = cut(trip)
            if by_image is not None:
                part = op.Transpose(op.Reshape(part, by_image), perm=[1, 0, 2])
            part = op.Reshape(part, as_columns)
            return op.Transpose(self._resampled(part, 0, self._tables.indices[0], made), perm=[1, 0])

        first = op.Reshape(self._stack(chunks.trips, lines), kept)
        place = chunks.place(a, self._tables.indices[1], images)

        def picture(i: Number) -> Value:
            rows = a.Add(place, a.Mul(i, chunks.lines))
            return op.Transpose(self._resampled(first, 1, rows, kept), perm=[1, 0])

        return self._stack(images, picture)

    def _resampled(self, samples: Value, axis: int, rows: Number, shape: Value) -> Value:
        """One pass along axis 0 of ``samples``: uint8 [outputs, columns]; ``shape`` is [-1, columns]."""
        op, a, tables = self._op, self._a, self._tables
        gathered = op.Gather(samples, a.value(rows), axis=0)
        y = op.Reshape(self._sums[axis](gathered), shape)
        if tables.whole[axis]:
            return y
        return op.Slice(y, op.int64([0]), a.value(tables.counts[axis]), op.int64([0]))

    def _chunks(self, axis: int) -> _Chunks:
        """Chunks of the lines along ``axis``, which the first pass does not resize."""
        a, total = self._a, self._needed[axis]
        slots = a.Mul(self._image.images, self._image.channels)
        count = a.Add(a.Div(a.Mul(total, slots), lengths(_COLUMNS)), lengths(1))
        if self._most_bytes is not None:
            whole = a.Mul(a.Mul(total, slots), self._needed[1 - axis])
            count = a.Max(count, a.ceil_div(whole, lengths(self._most_bytes)))
        lines = a.Mul(a.ceil_div(total, a.Mul(count, lengths(_LINES))), lengths(_LINES))
        lines = a.Min(lines, total)
        count = a.ceil_div(total, lines)
        numbers = a.count_to(count)
        offsets = a.Min(a.Mul(numbers, lines), a.Sub(total, lines))
        return _Chunks(a.Mul(count, a.Sign(self._image.images)), lines, numbers, offsets)

    def _cut(self, chunks: _Chunks, axis: int) -> Callable[[Number], Value]:
        """What gives the needed part of chunk ``trip``, [images, h, w, channels]."""
        op, a, tables = self._op, self._a, self._tables
        moving = np.array([[1, 0]] if axis == 0 else [[0, 1]])
        starts = a.Add(a.Mul(a.column(chunks.offsets), moving), a.join(*tables.begins))  # [count, 2]
        sizes = (chunks.lines, self._needed[1]) if axis == 0 else (self._needed[0], chunks.lines)
        ends = a.Add(starts, a.join(*sizes))

        def cut(trip: Number) -> Value:
            corners = (a.value(a.take(n, trip)) for n in (starts, ends))
            return op.Slice(self._image.x, *corners, op.int64([1, 2]))

        return cut

    def _offsets(self, slots: Number, lines: Number) -> Number:
        """How far the lines of each picture (image, channel) lie behind those of the first: they lie (channel, image)."""
        a, (images, channels) = self._a, (self._image.images, self._image.channels)
        numbers = a.count_to(slots)
        if not self._is_one(images) and not self._is_one(channels):
            numbers = a.Add(a.Mul(a.Mod(numbers, channels), images), a.Div(numbers, channels))
        return a.column(a.Mul(numbers, lines))

    def _is_one(self, n: Number) -> bool:
        known = self._a.known(n)
        return known is not None and int(known[0]) == 1

    def _shape(self, *dims: Number) -> Value:
        return self._a.value(self._a.join(*dims))

    def _stack(self, count: Number, part: Callable[[Number], Value]) -> Value:
        """``part(0) .. part(count - 1)`` one behind the other."""
        if self._is_one(count):
            return part(np.array(0))
        return self._op.loop(self._a.value(self._a.scalar(count)), part)
