"""Suppression by ONNX's NonMaxSuppression, whose arithmetic is torchvision's once boxes and scores are prepared."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.detect._detections import in_fixed_width, numbers
from onnxprep.steps.detect.nms._candidates import Candidates, Passing


def floor32(threshold: float) -> float:
    """The largest float32 not above it: a float32 is above the one exactly where it is above the other."""
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def prepared(op: Ops, boxes: Value) -> Value:
    """Corners in the wrong order, which the operator would put right, become sides of length 0: never any overlap."""
    low = op.Slice(boxes, op.int64([0]), op.int64([2]), op.int64([2]))
    high = op.Slice(boxes, op.int64([2]), op.int64([4]), op.int64([2]))
    made: Value = op.Concat(low, op.Max(low, high), axis=2)
    return made


def surrogate(op: Ops, alive: Value) -> Value:
    """Scores k, k - 1, ... in the order of the candidates and 0 for what is none: no ties, whatever a runtime does."""
    k = op.Shape(alive, start=1, end=2)
    falling = op.Cast(op.Sub(k, numbers(op, k)), to="float32")
    made: Value = op.Where(alive, falling, op.float32(0.0))
    return made


def suppressed(op: Ops, boxes: Value, scores: Value, iou_threshold: float, most: int) -> tuple[Value, Value, Value]:
    """Image, class and box of what is left, int64 [M] each, by image, by class, best first.

    Args:
        op: what to emit into.
        boxes: [N, k, 4].
        scores: surrogates [N, C, k]; 0 is no candidate.
        iou_threshold: what overlaps more than this much is dropped, as a float32.
        most: how many are left of each image and class.
    """
    limits = (op.int64([most]), op.float32([iou_threshold]), op.float32([0.0]))
    left = op.NonMaxSuppression(boxes, scores, *limits)
    image, which, box = (op.Gather(left, op.int64(i), axis=1) for i in range(3))
    return image, which, box


def detected(op: Ops, found: Candidates, image: Value, place: Value, width: int) -> tuple[Value, ...]:
    """The five ports."""
    sources = (
        (found.boxes, np.zeros((1, 4))), (found.scores, np.zeros(1)),
        (found.classes, np.full(1, -1)), (found.indices, np.full(1, -1)),
    )  # fmt: skip
    n = op.Shape(found.scores, start=0, end=1)
    counts, boxes, scores, classes, indices = in_fixed_width(op, n, image, place, width, sources)
    return boxes, scores, classes, counts, indices


def together(op: Ops, found: Candidates, boxes: Value, iou_threshold: float, width: int) -> tuple[Value, ...]:
    """The five ports, once candidates suppress each other where ``boxes``, moved or not, say that they overlap."""
    scores = op.Unsqueeze(surrogate(op, found.alive), axes=[1])
    image, _, place = suppressed(op, prepared(op, boxes), scores, iou_threshold, width)
    return detected(op, found, image, place, width)


def by_class(
    op: Ops, passing: Passing, found: Candidates, boxes: Value, iou_threshold: float, most: int, width: int
) -> tuple[Value, ...]:
    """The five ports, each class by itself; what is left of them is put back into the order of the candidates.

    Args:
        op: what to emit into.
        passing: boxes that pass for any class, classes first.
        found: the pairs of them.
        boxes: of ``passing``, as the operator shall see them.
        iou_threshold: what overlaps more than this much is dropped, as a float32.
        most: how many are left of each class at most.
        width: how many of all classes.
    """
    n, classes, k = (op.Shape(passing.scores, start=i, end=i + 1) for i in range(3))
    k = op.Add(k, op.int64([1]))  # one more box, so that no axis has length 0
    one_more = op.Pad(boxes, op.int64([0, 0, 0, 0, 1, 0]), op.float32(0.0), mode="constant")
    empty = op.Expand(op.float32(0.0), op.Concat(n, op.Mul(classes, k), axis=0))
    pair = op.Add(op.Mul(found.classes, k), found.passing)
    rank = op.ScatterElements(empty, pair, surrogate(op, found.alive), axis=1)
    cube = op.Reshape(rank, op.Concat(n, classes, k, axis=0))
    image, which, box = suppressed(op, one_more, cube, iou_threshold, most)
    pair = op.Add(op.Mul(op.Add(op.Mul(image, classes), which), k), box)
    ranks = op.Cast(op.Gather(op.Reshape(rank, op.int64([-1])), pair, axis=0), to="int64")
    length = op.Max(op.Shape(found.alive, start=1, end=2), op.int64([1]))
    place = op.Sub(op.Mul(op.Add(image, op.int64(1)), length), ranks)
    marks = op.Expand(op.int64(0), op.Mul(n, length))
    marked = op.ScatterElements(marks, place, op.Expand(op.int64(1), op.Shape(place)), axis=0)
    place = op.Reshape(op.NonZero(marked), op.int64([-1]))
    image = op.Div(place, length)
    return detected(op, found, image, op.Sub(place, op.Mul(image, length)), width)
