"""Mixing two columns, then two rows: what the fixed-point bilinear resizes of cv2 have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import Lines, Pictures, part
from onnxprep.steps.image.resize._opencv.taps import Taps, stack

_END = 2**62


class FixedPoint(Protocol):
    """How one of them counts."""

    def samples(self, op: Ops, x: Value) -> Value:
        """Bytes as float32."""
        ...

    def column_weights(self, op: Ops, part: Number) -> tuple[Number, Number]:
        """Of the first and the second column, float32 [w] each; sums of samples times weights are exact."""
        ...

    def row_weights(self, op: Ops, part: Number) -> tuple[Number, Number]:
        """Of the first and the second row, [h] each, in the dtype of ``whole``."""
        ...

    def whole(self, op: Ops, mixed: Value) -> Value:
        """What the rows are mixed from."""
        ...

    def term(self, op: Ops, mixed: Value, weights: Value) -> Value:
        """What one row counts."""
        ...

    def close(self, op: Ops, total: Value) -> Value:
        """The sum of two terms as uint8."""
        ...


@dataclass(frozen=True)
class Pairs:
    """The taps of both axes of one image.

    Attributes:
        whole: whether all outputs are wanted, so that cutting away what is not needed would only cost.
    """

    op: Ops
    lines: Lines
    geometry: OpencvGeometry
    rows: Taps
    columns: Taps
    how: FixedPoint

    def by_outputs(self) -> Value:
        """For every output row its two rows are copied: best where the image becomes much shorter."""
        op, a, pictures = self.op, Arithmetic(self.op), Pictures(self.op, self.lines)
        height, width = (a.pick(self.geometry.count, i) for i in (0, 1))
        rows = a.value(stack(op, self.rows.first, self.rows.second, 0))
        weights = a.value(stack(op, *self.how.row_weights(op, self.rows.part), 0))
        columns = self._column_taps()

        def some(start: Number, count: Number) -> Value:
            twice = a.Mul(count, lengths(2))
            taken = op.Reshape(part(op, rows, 1, start, count), op.int64([-1]))
            source = self._narrow(op.Gather(self.lines.x, taken, axis=1), columns)
            mixed = self._mixed(pictures.columns(source, twice, columns.width), columns)
            mixed = op.Reshape(self.how.whole(op, mixed), pictures.shape(lengths(-1, 2), count))
            first, second = op.Split(self.how.term(op, mixed, part(op, weights, 1, start, count)), axis=1, split=[1, 1])
            return pictures.rows(self.how.close(op, op.Add(first, second)), width)

        return pictures.by_trips(height, width, a.Mul(height, width), some)

    def by_inputs(self) -> Value:
        """Every row is mixed once, then taken as often as needed: best where the image becomes longer."""
        op, a, pictures = self.op, Arithmetic(self.op), Pictures(self.op, self.lines)
        width = a.pick(self.geometry.count, 1)
        begin, count = self._needed(self.rows, 0)
        source = self._narrow(part(op, self.lines.x, 1, begin, count), columns := self._column_taps())
        mixed = self._mixed(pictures.columns(source, count, columns.width), columns)
        mixed = self.how.whole(op, pictures.rows(mixed, width))  # [(channel, image, row), width]
        taps = [a.value(a.Sub(rows, begin)) for rows in (self.rows.first, self.rows.second)]
        weights = [a.value(a.column(w)) for w in self.how.row_weights(op, self.rows.part)]

        def picture(i: Value) -> Value:
            channel, image = op.Mod(i, a.value(self.lines.channels)), op.Div(i, a.value(self.lines.channels))
            slot = op.Add(op.Mul(channel, a.value(self.lines.images)), image)
            above = op.Mul(slot, a.value(count))
            terms = [
                self.how.term(op, op.Gather(mixed, op.Add(rows, above), axis=0), weight)
                for rows, weight in zip(taps, weights, strict=True)
            ]
            return self.how.close(op, op.Add(*terms))

        made = op.loop(a.value(a.scalar(pictures.slots)), picture)
        return op.Reshape(made, pictures.shape(lengths(-1), width))

    def _mixed(self, columns: Value, taps: _ColumnTaps) -> Value:
        """[width, 1, anything] of [columns, anything]: exact, also where a GPU multiplies 11 bits as TF32."""
        return self.op.MatMul(taps.weights, self.how.samples(self.op, self.op.Gather(columns, taps.pairs, axis=0)))

    def _column_taps(self) -> _ColumnTaps:
        op, a = self.op, Arithmetic(self.op)
        begin, width = self._needed(self.columns, 1)
        pairs = stack(op, a.Sub(self.columns.first, begin), a.Sub(self.columns.second, begin), 1)
        weights = a.value(stack(op, *self.how.column_weights(op, self.columns.part), 1))
        return _ColumnTaps(begin, width, a.value(pairs), op.Reshape(weights, op.int64([-1, 1, 2])))

    def _needed(self, taps: Taps, axis: int) -> tuple[Number, Number]:
        """The first sample that is needed, and how many are; all of them where all outputs are wanted."""
        a = Arithmetic(self.op)
        if self.geometry.is_whole(a):
            return lengths(0), a.pick(self.geometry.sides, axis)
        known = a.known(taps.second)
        end = (
            lengths(known[-1])
            if known is not None
            else self.op.Slice(taps.second, *map(self.op.int64, ([-1], [_END], [0])))
        )
        begin = a.pick(taps.first, 0)
        return begin, a.Add(a.Sub(end, begin), lengths(1))

    def _narrow(self, rows: Value, taps: _ColumnTaps) -> Value:
        if self.geometry.is_whole(Arithmetic(self.op)):
            return rows
        a, channels = Arithmetic(self.op), self.lines.channels
        return part(self.op, rows, 2, a.Mul(taps.begin, channels), a.Mul(taps.width, channels))


@dataclass(frozen=True)
class _ColumnTaps:
    """Where the needed columns begin, how many there are, which of them are mixed ([w, 2]) and how ([w, 1, 2])."""

    begin: Number
    width: Number
    pairs: Value
    weights: Value
