"""The two passes of a separable resize: in chunks that stay in the cache, only for the samples that are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.resize._arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._products import apply_bands
from onnxprep.steps.image.resize._tables import EmittedTables, KnownTables, Product

_CHUNK = {"float": 300_000, "integer": 1_200_000, "integer_many": 1_200_000}
"""Samples that the first pass reads and writes per trip (measured; the float way needs 4 bytes for each)."""


@dataclass(frozen=True)
class _Image:
    """uint8 [images, H, W, channels]; planar images are [N * C, H, W, 1]. ``images``, ``channels``: int64 [1]."""

    x: Value
    images: Number
    channels: Number


def _as_image(op: Ops, x: Value) -> _Image:
    a, one = Arithmetic(op), lengths(1)
    match x.spec.layout:
        case "NHWC":
            return _Image(x, a.size(x, "N"), a.size(x, "C"))
        case "HWC":
            return _Image(op.Unsqueeze(x, axes=[0]), one, a.size(x, "C"))
        case "CHW":
            return _Image(op.Unsqueeze(x, axes=[3]), a.size(x, "C"), one)
    flat = op.Reshape(x, a.value(a.join(lengths(-1), a.size(x, "HW"), one)))
    return _Image(flat, a.Mul(a.size(x, "N"), a.size(x, "C")), one)


def resample(op: Ops, x: Value, tables: KnownTables | EmittedTables, vertical_first: Number) -> Value:
    """The kept outputs of an image that lies in any layout; planar."""
    a, image = Arithmetic(op), _as_image(op, x)
    dims = ((a.size(x, "C"),) if "N" in str(x.spec.layout) else ()) + tables.counts
    if isinstance(tables, KnownTables):
        order = a.known(vertical_first)
        if order is None:
            raise TypeError("the order of the passes was expected to be known")
        return _Passes(op, image, tables, tables.product()).run(bool(order), dims)
    few = tables.few()
    ways: list[tuple[Value, Product]] = [(few, "float"), (op.Not(few), "integer")]
    vertical = a.value(vertical_first)
    orders = [(vertical, True), (op.Not(vertical), False)]

    # Four flat Ifs of which one gives the images and three give none. Nested ones are shorter, but ONNX Runtime 1.31
    # crashes at load where it inlines an If whose branch holds another If with a constant condition.
    def none() -> Value:
        shape = a.value(a.join(lengths(0), *dims))
        return op.ConstantOfShape(shape, value=np.zeros(1, np.uint8))  # type: ignore[no-any-return]

    def one(condition: Value, product: Product, vertically: bool) -> Value:
        return op.branch(condition, lambda: _Passes(op, image, tables, product).run(vertically, dims), none)

    arms = [one(op.And(order, way), product, first) for order, first in orders for way, product in ways]
    return op.Concat(*arms, axis=0)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Chunks:
    """``count`` chunks of ``lines`` lines each; the last one ends with the last line and so overlaps its neighbour."""

    count: Number
    lines: Number
    last_start: Number

    def place(self, a: Arithmetic, index: Number, slots: Number) -> Number:
        """Where line ``index`` lies in the stacked chunks, each of them ``slots`` times ``lines`` rows."""
        chunk = a.Div(index, self.lines)
        within = a.Sub(index, a.Min(a.Mul(chunk, self.lines), self.last_start))
        return a.Add(a.Mul(chunk, a.Mul(self.lines, slots)), within)  # type: ignore[no-any-return]


class _Passes:
    """Both passes, by one way of multiplying."""

    def __init__(self, op: Ops, image: _Image, tables: KnownTables | EmittedTables, product: Product) -> None:
        self._op, self._a, self._image, self._tables, self._product = op, Arithmetic(op), image, tables, product
        self._needed = [self._a.Sub(tables.ends[i], tables.begins[i]) for i in (0, 1)]
        self._matrices = tables.matrices(product)

    def run(self, vertical_first: bool, dims: tuple[Number, ...]) -> Value:
        """uint8 [-1, *dims], planar."""
        y = self._vertical_first() if vertical_first else self._horizontal_first()
        return self._shaped(y, lengths(-1), *dims)

    def _horizontal_first(self) -> Value:
        """Lines as columns: [w, (channel, image, line)], one gather of whole rows, one product, and back."""
        op, a, (images, channels) = self._op, self._a, (self._image.images, self._image.channels)
        slots, (_, width) = a.Mul(images, channels), self._tables.counts
        chunks = self._chunks(0)
        columns = a.Mul(slots, chunks.lines)

        def lines(trip: Number) -> Value:
            part = self._cut(chunks, trip, 0)
            part = self._shaped(part, a.Mul(images, chunks.lines), lengths(-1))
            part = self._shaped(op.Transpose(part, perm=[1, 0]), self._needed[1], lengths(-1))
            return op.Transpose(self._resampled(part, 1, self._tables.indices[1], columns), perm=[1, 0])  # type: ignore[no-any-return]

        first = self._shaped(self._stack(chunks.count, lines), lengths(-1), width)
        place = chunks.place(a, self._tables.indices[0], slots)

        def picture(i: Number) -> Value:
            rows = a.Add(place, a.Mul(self._slot(i), chunks.lines))
            return self._resampled(first, 0, rows, width)

        return self._stack(slots, picture)

    def _vertical_first(self) -> Value:
        """[h, (image, column, channel)] lies almost as the image does; the second pass goes image by image."""
        op, a, (images, channels) = self._op, self._a, (self._image.images, self._image.channels)
        height, _ = self._tables.counts
        chunks = self._chunks(1)
        columns = a.Mul(a.Mul(images, channels), chunks.lines)

        def lines(trip: Number) -> Value:
            part = self._cut(chunks, trip, 1)
            if not self._is_one(images):
                part = self._shaped(part, images, self._needed[0], lengths(-1))
                part = op.Transpose(part, perm=[1, 0, 2])
            part = self._shaped(part, self._needed[0], lengths(-1))
            return op.Transpose(self._resampled(part, 0, self._tables.indices[0], columns), perm=[1, 0])  # type: ignore[no-any-return]

        both = a.Mul(channels, height)
        first = self._shaped(self._stack(chunks.count, lines), lengths(-1), both)
        place = chunks.place(a, self._tables.indices[1], images)

        def picture(i: Number) -> Value:
            rows = a.Add(place, a.Mul(i, chunks.lines))
            return op.Transpose(self._resampled(first, 1, rows, both), perm=[1, 0])  # type: ignore[no-any-return]

        return self._stack(images, picture)

    def _resampled(self, samples: Value, axis: int, rows: Number, columns: Number) -> Value:
        """One pass along axis 0 of ``samples``: uint8 [outputs, columns]."""
        op, a, tables = self._op, self._a, self._tables
        gathered = op.Gather(samples, a.value(rows), axis=0)
        y = apply_bands(op, self._product, self._matrices[axis], gathered, columns)
        if tables.whole[axis]:
            return y
        return op.Slice(y, op.int64([0]), a.value(tables.counts[axis]), op.int64([0]))  # type: ignore[no-any-return]

    def _chunks(self, axis: int) -> _Chunks:
        """Chunks of the lines along ``axis``, which the first pass does not resize."""
        a, other = self._a, 1 - axis
        total = self._needed[axis]
        each = a.Mul(
            a.Mul(self._image.images, self._image.channels), a.Add(self._needed[other], self._tables.counts[other])
        )
        count = a.ceil_div(a.Mul(total, each), lengths(_CHUNK[self._product]))
        any_image = a.Min(self._image.images, lengths(1))
        if not self._is_one(any_image):
            count = a.Max(count, lengths(1))  # not 0 where there is no image
        lines = a.ceil_div(total, count)
        return _Chunks(a.Mul(a.ceil_div(total, lines), any_image), lines, a.Sub(total, lines))

    def _cut(self, chunks: _Chunks, trip: Number, axis: int) -> Value:
        """The needed part of chunk ``trip``, [images, h, w, channels]."""
        op, a, tables = self._op, self._a, self._tables
        start = a.Add(tables.begins[axis], a.Min(a.Mul(trip, chunks.lines), chunks.last_start))
        end = a.Add(start, chunks.lines)
        begin_other, end_other = tables.begins[1 - axis], tables.ends[1 - axis]
        pairs = [(start, begin_other), (end, end_other)]
        starts, ends = (a.value(a.join(*(pair if axis == 0 else pair[::-1]))) for pair in pairs)
        return op.Slice(self._image.x, starts, ends, op.int64([1, 2]))  # type: ignore[no-any-return]

    def _slot(self, i: Number) -> Number:
        """Picture ``i`` counts (image, channel); its slot counts (channel, image)."""
        a, (images, channels) = self._a, (self._image.images, self._image.channels)
        if self._is_one(images) or self._is_one(channels):
            return i
        return a.Add(a.Mul(a.Mod(i, channels), images), a.Div(i, channels))  # type: ignore[no-any-return]

    def _is_one(self, n: Number) -> bool:
        known = self._a.known(n)
        return known is not None and int(known[0]) == 1

    def _shaped(self, x: Value, *dims: Number) -> Value:
        return self._op.Reshape(x, self._a.value(self._a.join(*dims)))  # type: ignore[no-any-return]

    def _stack(self, count: Number, part: Callable[[Number], Value]) -> Value:
        """``part(0) .. part(count - 1)`` one behind the other."""
        if self._is_one(count):
            return part(lengths(0))
        return self._op.loop(self._a.value(self._a.scalar(count)), part)
