"""The arithmetic of instance_masks: from prototypes and coefficients to masks, detection by detection."""

from __future__ import annotations

from dataclasses import dataclass

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.segment._bilinear import Ends, between, ends_of
from onnxprep.steps.segment._undo import Undone

STRIDE = 4
"""How many times as long the sides of the model's input are as those of the prototypes (Ultralytics, process_mask)."""


@dataclass(frozen=True)
class Found:
    """The detections of all images.

    Attributes:
        logits: float32 [N * used, h, w].
        boxes: float32 [N * used, 4].
        batch: how many images, int64 [1]; one at least.
        used: how many rows of each image are computed, int64 [1]; one at least.
        sides: h and w, int64 [2].
    """

    logits: Value
    boxes: Value
    batch: Value
    used: Value
    sides: Value


def found(op: Ops, protos: Value, extra: Value, indices: Value, boxes: Value) -> Found:
    """The logits of the rows up to the last detection of any image. No batch is empty: MatMul would refuse it."""
    one, zero = op.int64([1]), op.int64([0])
    images = _part(op, protos, 0)
    missing = op.Sub(one, op.Min(images, one))
    protos, extra, boxes = (
        _one_more(op, x, rank, missing, "float32") for x, rank in ((protos, 4), (extra, 3), (boxes, 3))
    )
    indices = _one_more(op, indices, 2, missing, "int64", -1)
    exists = op.Not(op.Less(indices, op.int64(0)))
    places = op.Add(op.Cast(exists, to="int64"), op.int64(0))
    count = op.Range(op.int64(1), op.Add(op.Squeeze(_part(op, indices, 1), axes=[0]), op.int64(1)), op.int64(1))
    used = op.ReduceMax(op.Reshape(op.Mul(places, count), op.int64([-1])), axes=[0], keepdims=1)
    used = op.Max(used, one)
    indices, boxes = (op.Slice(x, zero, used, one) for x in (indices, boxes))
    exists = op.Not(op.Less(indices, op.int64(0)))
    boxes = op.Where(op.Unsqueeze(exists, axes=[2]), boxes, op.float32(0.0))
    batch, depth = _part(op, protos, 0), _part(op, protos, 1)
    chosen = op.Unsqueeze(op.Max(indices, op.int64(0)), axes=[1])
    chosen = op.Expand(chosen, op.Concat(batch, depth, used, axis=0))
    weights = op.Transpose(op.GatherElements(extra, chosen, axis=2), perm=[0, 2, 1])
    sides = op.Concat(_part(op, protos, 2), _part(op, protos, 3), axis=0)
    logits = op.MatMul(weights, op.Reshape(protos, op.Concat(batch, depth, op.int64([-1]), axis=0)))
    rows = op.Reshape(logits, op.Concat(op.int64([-1]), sides, axis=0))
    return Found(rows, op.Reshape(boxes, op.int64([-1, 4])), batch, used, sides)


def _part(op: Ops, x: Value, axis: int) -> Value:
    return op.Slice(op.Shape(x), op.int64([axis]), op.int64([axis + 1]), op.int64([0]))


def _one_more(op: Ops, x: Value, rank: int, missing: Value, dtype: str, fill: int = 0) -> Value:
    """As many images more as are missing."""
    known = x.spec.shape[0] if x.spec.shape else None
    if isinstance(known, int) and known:
        return x
    zeros = op.int64([0] * rank)
    pads = op.Concat(zeros, missing, op.int64([0] * (rank - 1)), axis=0)
    return op.Pad(x, pads, op.constant(fill, dtype), mode="constant")


def at_prototypes(op: Ops, these: Found) -> Value:
    """``logit > 0`` inside the boxes, a quarter as large as in the model's input; [N * used, h, w]."""
    a = Arithmetic(op)
    scaled = op.Mul(these.boxes, op.float32(1 / STRIDE))
    x1, y1, x2, y2 = (op.Reshape(edge, op.int64([-1, 1, 1])) for edge in op.Split(scaled, split=[1, 1, 1, 1], axis=1))
    r, c = (a.value(a.single(a.count_to(a.pick(these.sides, i)))) for i in (1, 0))
    inside = op.And(_inside(op, r, x1, x2), _inside(op, op.Reshape(c, op.int64([-1, 1])), y1, y2))
    return op.Cast(op.And(op.Greater(these.logits, op.float32(0.0)), inside), to="uint8")


def _inside(op: Ops, place: Value, first: Value, end: Value) -> Value:
    return op.And(op.Not(op.Less(place, first)), op.Less(place, end))


@dataclass(frozen=True)
class Resizes:
    """The interpolations that lead to the wanted size, the rows and the columns of each; the last one first."""

    size: Number
    steps: tuple[tuple[Ends, Ends], ...]


def to_input(op: Ops, these: Found) -> Resizes:
    """Four times as large."""
    a = Arithmetic(op)
    size = a.Mul(these.sides, lengths(STRIDE))
    return Resizes(size, (_ends(op, a, these.sides, size),))


def to_picture(op: Ops, these: Found, letterbox: Undone) -> Resizes:
    """As often doubled as the border of the letterbox needs to be whole, without it, then to the picture.

    Source: Ultralytics 8.4, utils/ops.py process_mask_native.
    """
    a, four = Arithmetic(op), lengths(STRIDE)
    inner = a.Sub(letterbox.end, letterbox.start)
    border = a.Sub(a.Mul(these.sides, four), inner)
    eighth, fourth = (a.Equal(a.most(a.Mod(border, lengths(n))), lengths(0)) for n in (8, 4))
    times = a.Where(eighth, lengths(1), a.Where(fourth, lengths(2), four))
    larger = a.Mul(these.sides, times)
    start, inner = (a.Div(a.Mul(n, times), four) for n in (letterbox.start, inner))
    rows, columns = _ends(op, a, inner, letterbox.in_size)
    moved = tuple(axis.moved(op, a.value(a.pick(start, i))) for i, axis in enumerate((rows, columns)))
    return Resizes(letterbox.in_size, ((moved[0], moved[1]), _ends(op, a, these.sides, larger)))


def _ends(op: Ops, a: Arithmetic, sides: Number, size: Number) -> tuple[Ends, Ends]:
    rows, columns = (ends_of(op, a.pick(sides, i), a.pick(size, i)) for i in (0, 1))
    return rows, columns


def resized(op: Ops, these: Found, resizes: Resizes) -> Value:
    """``logit > 0`` of resized logits inside the boxes, [N * used, H, W]; only what a box holds is computed."""
    a, zero = Arithmetic(op), op.int64([0])
    height, width = (a.pick(resizes.size, i) for i in (0, 1))

    def one(number: Value) -> Value:
        plane, box = (op.Gather(x, number, axis=0) for x in (these.logits, these.boxes))
        x1, y1, x2, y2 = (op.Slice(box, op.int64([k]), op.int64([k + 1]), zero) for k in range(4))
        spans = [_span(op, a, y1, y2, height), _span(op, a, x1, x2, width)]
        ends = [axis.part(op, *span) for axis, span in zip(resizes.steps[0], spans, strict=True)]
        passes = [ends]
        for wider in resizes.steps[1:]:
            begins = [op.Slice(axis.low, zero, op.int64([1]), zero) for axis in ends]
            pasts = [op.Add(op.Slice(axis.high, op.int64([-1]), op.int64([2**62]), zero), op.int64(1)) for axis in ends]
            passes[-1] = [axis.moved(op, op.Neg(begin)) for axis, begin in zip(ends, begins, strict=True)]
            ends = [axis.part(op, begin, past) for axis, begin, past in zip(wider, begins, pasts, strict=True)]
            passes.append(ends)
        for rows, columns in reversed(passes):
            upright = between(op, op.Transpose(plane, perm=[1, 0]), columns)
            plane = between(op, op.Transpose(upright, perm=[1, 0]), rows)
        (top, bottom), (left, right) = spans
        r, c = (op.Cast(_places(op, *span), to="float32") for span in (spans[1], spans[0]))
        inside = op.And(_inside(op, r, x1, x2), _inside(op, op.Reshape(c, op.int64([-1, 1])), y1, y2))
        mask = op.Cast(op.And(op.Greater(plane, op.float32(0.0)), inside), to="uint8")
        after = (op.Sub(a.value(height), bottom), op.Sub(a.value(width), right))
        return op.Pad(mask, op.Concat(top, left, *after, axis=0), op.constant(0, "uint8"), mode="constant")

    return op.loop(op.Squeeze(op.Mul(these.batch, these.used), axes=[0]), one)


def _span(op: Ops, a: Arithmetic, first: Value, end: Value, length: Number) -> tuple[Value, Value]:
    """The pixels of a box along one axis, [1] each, one at least: from the first to past the last; NaN is anywhere."""
    many = a.value(length)
    limit = op.Add(op.Cast(many, to="float32"), op.float32(1.0))

    def whole(edge: Value) -> Value:
        return op.Cast(op.Ceil(op.Min(op.Max(edge, op.float32(-1.0)), limit)), to="int64")

    start = op.Min(op.Max(whole(first), op.int64(0)), op.Sub(many, op.int64(1)))
    return start, op.Max(op.Min(whole(end), many), op.Add(start, op.int64(1)))


def _places(op: Ops, start: Value, end: Value) -> Value:
    return op.Range(op.Squeeze(start, axes=[0]), op.Squeeze(end, axes=[0]), op.int64(1))
