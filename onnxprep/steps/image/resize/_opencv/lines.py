"""How an image lies while cv2's resize works on it.

Both ends are bytes in long rows; between them columns lie first, so that taking a column is copying a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths

_VALUES = 460_800
"""Values that one trip of a loop makes, about: 240 rows of 640 pixels; they then stay in the cache."""


@dataclass(frozen=True)
class Lines:
    """An image as [images, H, W * channels]. Planar ones are N * C images of one channel.

    Attributes:
        images, channels: int64 [1].
        dims: lengths before H and W of the planar result, int64 [0], [1] (C) or [2] (N, C).
    """

    x: Value
    images: Number
    channels: Number
    dims: Number


def lines_of(op: Ops, x: Value, sides: Number) -> Lines:
    """The image in any layout; nothing is copied."""
    a, one = Arithmetic(op), lengths(1)
    layout = str(x.spec.layout)
    channels = a.size(x, "C")
    dims = a.join(a.size(x, "N"), channels) if "N" in layout else channels
    planar = layout.index("C") < layout.index("H")
    images = a.product(dims) if planar else (a.size(x, "N") if "N" in layout else one)
    inner = one if planar else channels
    shape = a.join(images, a.pick(sides, 0), a.Mul(a.pick(sides, 1), inner))
    return Lines(op.Reshape(x, a.value(shape)), images, inner, dims)


class Pictures:
    """The moves between lines and columns, and the order that results have to be put in."""

    def __init__(self, op: Ops, lines: Lines) -> None:
        self.op, self.a, self.lines = op, Arithmetic(op), lines
        self.slots = self.a.Mul(lines.images, lines.channels)

    def shape(self, *dims: Number) -> Value:
        """The lengths as a tensor of the graph."""
        return self.a.value(self.a.join(*dims))

    def columns(self, rows: Value, count: Number, width: Number) -> Value:
        """[images, count, width * channels] as [width, (channel, image, row)]."""
        op, a, lines = self.op, self.a, self.lines
        row = a.Mul(width, lines.channels)
        flat = op.Transpose(op.Reshape(rows, self.shape(a.Mul(lines.images, count), row)), perm=[1, 0])
        return op.Reshape(flat, self.shape(width, a.Mul(self.slots, count)))

    def rows(self, columns: Value, width: Number) -> Value:
        """[width, (channel, image, row)] in any shape as [(channel, image, row), width]."""
        return self.op.Transpose(self.op.Reshape(columns, self.shape(width, lengths(-1))), perm=[1, 0])

    def planar(self, rows: Value, count: Number, trip: Number, trips: Number) -> Value:
        """[(trip, channel, image, row of the trip), width] as [(image, channel, row), width].

        ``trip`` rows are made at a time; the last trip ends with the last row and so overlaps its neighbour.
        """
        a = self.a
        one_kind = self._is_one(self.lines.images) or self._is_one(self.lines.channels)
        if self._is_one(trips) and one_kind:
            return rows
        numbers = a.count_to(count)
        at = a.Div(numbers, trip)
        first = a.Min(a.Mul(at, trip), a.Sub(count, trip))
        place = a.Add(a.Mul(at, a.Mul(self.slots, trip)), a.Sub(numbers, first))
        pictures = a.count_to(self.slots)
        if not one_kind:
            by_image = a.Mul(a.Mod(pictures, self.lines.channels), self.lines.images)
            pictures = a.Add(by_image, a.Div(pictures, self.lines.channels))
        # an Add of two constants, not one large constant: it is folded when the model is loaded
        index = self.op.Add(a.value(a.column(a.Mul(pictures, trip))), a.value(place))
        return self.op.Gather(rows, self.op.Reshape(index, self.op.int64([-1])), axis=0)

    def by_trips(self, count: Number, width: Number, work: Number, rows: Callable[[Number, Number], Value]) -> Value:
        """The planar picture, [(image, channel, row), width]; ``rows(start, n)`` gives [(channel, image, row), width].

        ``work`` is how many values go through, in one channel of one image.
        """
        op, a = self.op, self.a
        values = a.Mul(work, self.slots)
        trips = a.Add(a.Div(values, lengths(_VALUES)), lengths(1))
        trip = a.Min(a.Mul(a.ceil_div(count, a.Mul(trips, lengths(8))), lengths(8)), count)
        trips = a.ceil_div(count, trip)
        if self._is_one(trips):
            made = rows(lengths(0), trip)
        else:
            last = a.Sub(count, trip)
            starts = a.value(a.Min(a.Mul(a.count_to(trips), trip), last))

            def body(i: Value) -> Value:
                return rows(op.Reshape(op.Gather(starts, i, axis=0), op.int64([1])), trip)

            made = op.Reshape(op.loop(a.value(a.scalar(trips)), body), self.shape(lengths(-1), width))
        return self.planar(made, count, trip, trips)

    def _is_one(self, n: Number) -> bool:
        known = self.a.known(n)
        return known is not None and int(known.item()) == 1


def part(op: Ops, x: Value, axis: int, start: Number, count: Number) -> Value:
    """``count`` from ``start`` on along an axis; all of it where both say so now."""
    a, known = Arithmetic(op), Arithmetic(op).known
    first, many, whole = known(start), known(count), x.spec.shape[axis] if x.spec.shape else None
    if first is not None and many is not None and int(first.item()) == 0 and whole == int(many.item()):
        return x
    return op.Slice(x, a.value(start), a.value(a.Add(start, count)), op.int64([axis]))
