"""Suppression by OpenCV's rectangles: corner and size in float64, which ONNX's NonMaxSuppression does not know."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value

_EPSILON = float(np.finfo(np.float64).eps)


def rectangles(op: Ops, boxes: Value) -> tuple[Value, Value]:
    """Upper left corner and size of boxes, float32 [N, K, 4]; float64 [N, 2, K] each."""
    corners = op.Cast(op.Transpose(boxes, perm=[0, 2, 1]), to="float64")
    low, high = op.Split(corners, split=[2, 2], axis=1)
    return low, op.Sub(high, low)


def largest_corner(op: Ops, low: Value, size: Value) -> Value:
    """The largest coordinate of any box of an image, 0 at least; float64 [N, 1, 1]."""
    every = op.Concat(low, op.Add(low, size), axis=1)
    never_empty = op.Pad(every, op.int64([0, 0, 0, 0, 0, 1]), op.float64(0.0), mode="constant")
    found: Value = op.ReduceMax(never_empty, axes=[1, 2], keepdims=1)
    return found


def greedy(op: Ops, low: Value, size: Value, alive: Value, threshold: float, most: int) -> tuple[Value, Value]:
    """Image and place of what is left, int64 [M] each, by image, best first.

    The best that is left goes out with all that it overlaps, of every image at once, until nothing is left.
    """
    one_more = op.int64([0, 0, 0, 0, 0, 1])  # that is no candidate: no axis of length 0
    low, size = (op.Pad(x, one_more, op.float64(0.0), mode="constant") for x in (low, size))
    there = op.Pad(op.Cast(alive, to="float32"), op.int64([0, 0, 0, 1]), op.float32(0.0), mode="constant")
    end, area = op.Add(low, size), _product(op, size)
    boxes = op.Concat(low, size, end, area, axis=1)
    places = op.Range(op.int64(0), op.Squeeze(op.Shape(there, start=1, end=2), axes=[0]), op.int64(1))

    def best(left: Value) -> tuple[Value, Value, Value]:
        first = op.ArgMax(left, axis=1, keepdims=1)
        which = op.Add(op.Unsqueeze(first, axes=[1]), op.int64(np.zeros((1, 7, 1))))
        kept = op.Split(op.GatherElements(boxes, which, axis=2), split=[2, 2, 2, 1], axis=1)
        near = _overlap(op, (low, size, end, area), kept)
        stays = op.And(op.LessOrEqual(near, op.float32(threshold)), op.Greater(places, first))
        rest = op.Where(stays, left, op.float32(0.0))
        found = op.Greater(op.GatherElements(left, first, axis=1), op.float32(0.5))
        going = op.Greater(op.ReduceSum(rest, axes=[0, 1], keepdims=0), op.float32(0.5))
        return going, rest, op.Squeeze(op.Where(found, first, op.int64(-1)), axes=[1])

    made = op.Transpose(op.repeat(op.int64(most), there, best), perm=[1, 0])
    rows = op.NonZero(op.GreaterOrEqual(made, op.int64(0)))
    return op.Gather(rows, op.int64(0), axis=0), op.GatherND(made, op.Transpose(rows, perm=[1, 0]))


def _overlap(op: Ops, every: tuple[Value, ...], kept: tuple[Value, ...]) -> Value:
    """``1 - jaccardDistance`` of every box and the one that is kept, float32 [N, K]; 1 where both have no area.

    Corner, size and end are [N, 2, K] and [N, 2, 1], the area [N, 1, K] and [N, 1, 1]. What has no size in one direction
    has no common part there either: the library's test for it needs no node.
    """
    zero, before = op.float64(0.0), op.Less(every[0], kept[0])
    low, low_size, low_end = (op.Where(before, a, b) for a, b in zip(every[:3], kept, strict=False))
    high, high_size = (op.Where(before, b, a) for a, b in zip(every[:2], kept, strict=False))
    length = op.Max(op.Min(op.Sub(low_size, op.Sub(high, low)), high_size), zero)
    apart = op.And(op.Less(low, zero), op.Less(low_end, high))
    common = _product(op, op.Where(apart, zero, length))
    areas = op.Add(every[3], kept[3])
    distance = op.Sub(op.float64(1.0), op.Div(common, op.Sub(areas, common)))
    distance = op.Where(op.LessOrEqual(areas, op.float64(_EPSILON)), zero, distance)
    return op.Squeeze(op.Sub(op.float32(1.0), op.Cast(distance, to="float32")), axes=[1])


def _product(op: Ops, pair: Value) -> Value:
    """[N, 1, K] of [N, 2, K]."""
    x, y = op.Split(pair, split=[1, 1], axis=1)
    product: Value = op.Mul(x, y)
    return product
