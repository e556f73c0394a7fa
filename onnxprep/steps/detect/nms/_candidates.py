"""What every nms starts with: which boxes and classes are candidates at all, as few and as early as possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from onnxprep.step import Ops, Step, Value, refuse_unless
from onnxprep.steps.detect._detections import (
    DETECTIONS,
    common,
    detections,
    longest,
    refuse_unless_rows,
    sorted_by_score,
    take_rows,
)
from onnxprep.tensor import TensorSpec

NEVER = float("-inf")
"""Score of what is no candidate."""


class Nms(Step):
    """Base: candidates in, detections out."""

    inputs: ClassVar[tuple[str, ...]] = ("boxes", "scores")
    outputs: ClassVar[tuple[str, ...]] = DETECTIONS

    @property
    def width(self) -> int:
        """How many detections an image gets at most."""
        return int(self.max_detections)  # type: ignore[attr-defined]  # every family has this parameter

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many rows as there may be detections."""
        boxes, scores = inputs
        refuse_unless_rows(boxes, "boxes", "float32", "N, K, 4", last=4)
        refuse_unless_rows(scores, "scores", "float32", "N, C, K")
        n = common("images", [(boxes, 0), (scores, 0)])
        hint = "scores are [N, C, K], classes before candidates: is a transposition missing?"
        candidates = common("candidates", [(boxes, 1), (scores, 2)], hint)
        classes = (scores.shape or ())[1]
        refuse_unless(classes != 0, "gets no classes", expected="float32[N, C, K] with C > 0", got=scores)
        return detections(boxes, scores, (n, self.width), (classes, candidates))


def matched(op: Ops, boxes: Value, scores: Value) -> tuple[Value, Value]:
    """Boxes and scores; where only the run can tell that they are of the same candidates, a Reshape fails on others."""
    of_boxes, of_scores = (
        (x.spec.shape or ())[:1] + (x.spec.shape or ())[i : i + 1] for x, i in ((boxes, 1), (scores, 2))
    )
    if of_boxes == of_scores and None not in of_boxes:
        return boxes, scores
    n, k = op.Shape(scores, start=0, end=1), op.Shape(scores, start=2, end=3)
    return op.Reshape(boxes, op.Concat(n, k, op.int64([4]), axis=0)), scores


@dataclass(frozen=True)
class Candidates:
    """Boxes [N, k, 4], scores, classes and indices [N, k], best first; ``alive`` [N, k] tells which there are.

    ``passing`` tells of pairs which of the boxes that pass for any class it is.
    """

    boxes: Value
    scores: Value
    classes: Value
    indices: Value
    alive: Value
    passing: Value | None = None


def limited(op: Ops, k: Value, most: int | None) -> Value:
    """``k`` or ``most``, whichever is less."""
    return k if most is None else op.Min(k, op.int64([most]))


def first_passing(op: Ops, passing: Value, n: Value) -> Value:
    """The places of what is true in every row [N, K], ascending, as many as in the fullest one; int64 [N, k]."""
    _, places = sorted_by_score(op, op.Cast(passing, to="float32"), longest(op, passing), n)
    return places


def columns(op: Ops, scores: Value, places: Value) -> Value:
    """Scores [N, C, k] of the boxes ``places`` [N, k], which ascend: memory is then read in its order."""
    wide = op.Concat(op.Shape(scores, start=0, end=2), op.Shape(places, start=1, end=2), axis=0)
    taken: Value = op.GatherElements(scores, op.Expand(op.Unsqueeze(places, axes=[1]), wide), axis=2)
    return taken


def grouping(op: Ops, scores: Value) -> tuple[int, int]:
    """How many groups the classes are looked at in, and how large these are; (1, C), (1, 0) if unknown, for one.

    A maximum over few rows at a time is several times as fast, and only one group is searched for the class itself.
    """
    classes = (scores.spec.shape or (None, None))[1]
    if not isinstance(classes, int):
        return 1, 0
    if op.opset < 14 or classes < 12:  # before, Reshape cannot make axes of length 0
        return 1, classes
    groups = min((d for d in range(1, classes + 1) if classes % d == 0), key=lambda d: d + classes // d)
    return groups, classes // groups


def best_of_groups(op: Ops, scores: Value) -> tuple[Value, Value]:
    """The best score of every box, [N, K], and of every group of classes, [N, G, K]."""
    groups, size = grouping(op, scores)
    if groups == 1:
        return op.ReduceMax(scores, axes=[1], keepdims=0), scores
    n, k = op.Shape(scores, start=0, end=1), op.Shape(scores, start=2, end=3)
    apart = op.Reshape(scores, op.Concat(n, op.int64([groups, size]), k, axis=0), allowzero=1)
    of_groups = op.ReduceMax(apart, axes=[2], keepdims=0)
    return op.ReduceMax(of_groups, axes=[1], keepdims=0), of_groups


def best_class(op: Ops, scores: Value, of_groups: Value, places: Value) -> Value:
    """The first of the best classes of the boxes ``places``, int64 [N, k]."""
    groups, size = grouping(op, scores)
    group: Value = op.ArgMax(columns(op, of_groups, places), axis=1, keepdims=int(groups > 1))
    if groups == 1:
        return group
    n, k = op.Shape(scores, start=0, end=1), op.Shape(scores, start=2, end=3)
    member = op.Mul(op.int64([[[j] for j in range(size)]]), k)
    start = op.Add(op.Mul(op.Mul(group, op.int64(size)), k), op.Unsqueeze(places, axes=[1]))
    members = op.GatherElements(op.Flatten(scores, axis=1), op.Flatten(op.Add(start, member), axis=1), axis=1)
    apart = op.Concat(n, op.int64([size]), op.Shape(places, start=1, end=2), axis=0)
    first = op.ArgMax(op.Reshape(members, apart, allowzero=1), axis=1, keepdims=1)
    found: Value = op.Squeeze(op.Add(op.Mul(group, op.int64(size)), first), axes=[1])
    return found


def of_best_class(op: Ops, boxes: Value, scores: Value, threshold: float, most: int | None) -> Candidates:
    """Every box with the first of its best classes, where that is above the threshold."""
    n, never = op.Shape(scores, start=0, end=1), op.float32(NEVER)
    best, of_groups = best_of_groups(op, scores)
    passing = op.Greater(best, op.float32(threshold))
    places = first_passing(op, passing, n)
    left = op.GatherElements(op.Where(passing, best, never), places, axis=1)
    held, order = sorted_by_score(op, left, limited(op, op.Shape(places, start=1, end=2), most), n)
    classes, indices = best_class(op, scores, of_groups, places), op.GatherElements(places, order, axis=1)
    return Candidates(
        take_rows(op, boxes, indices),
        held,
        op.GatherElements(classes, order, axis=1),
        indices,
        op.Greater(held, never),
    )


@dataclass(frozen=True)
class Passing:
    """The boxes of which a class may be above the threshold, in their order: boxes [N, k, 4], indices [N, k].

    ``scores`` [N, k, C], or [N, C, k] with ``class_first``, are minus infinity where they are not above it.
    """

    boxes: Value
    scores: Value
    indices: Value
    class_first: bool


def boxes_passing(op: Ops, boxes: Value, scores: Value, threshold: float, *, class_first: bool) -> Passing:
    """Drops the boxes that no class has; unless classes come first also those of which a score is NaN."""
    level, never = op.float32(threshold), op.float32(NEVER)
    best, _ = best_of_groups(op, scores)
    passing = op.Not(op.LessOrEqual(best, level))  # the maximum may be NaN where another class passes
    places = first_passing(op, passing, op.Shape(scores, start=0, end=1))
    of_classes = columns(op, scores, places)
    above = op.Greater(of_classes, level)
    if not class_first:
        above = op.And(above, op.Not(op.IsNaN(op.ReduceSum(of_classes, axes=[1], keepdims=1))))
    left = op.Where(above, of_classes, never)
    left = left if class_first else op.Transpose(left, perm=[0, 2, 1])
    return Passing(take_rows(op, boxes, places), left, places, class_first)


def of_every_class(op: Ops, found: Passing, most: int | None) -> Candidates:
    """Every pair of a box and a class; equal scores in the order of (class, box), or of (box, class)."""
    n, inner = op.Shape(found.scores, start=0, end=1), op.Shape(found.scores, start=2, end=3)
    flat, never = op.Flatten(found.scores, axis=1), op.float32(NEVER)
    k = limited(op, longest(op, op.Greater(flat, never)), most)
    held, place = sorted_by_score(op, flat, k, n)
    inner = op.Max(inner, op.int64([1]))
    outer = op.Div(place, inner)
    rest = op.Sub(place, op.Mul(outer, inner))
    which, box = (outer, rest) if found.class_first else (rest, outer)
    indices = op.GatherElements(found.indices, box, axis=1)
    return Candidates(take_rows(op, found.boxes, box), held, which, indices, op.Greater(held, never), box)
