"""What SSD and RetinaNet share: corrections of anchors, which are made when the graph is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from onnxprep.step import Ops, Sample, Value, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import dims_of, either, part, same
from onnxprep.tensor import Array, Dim, TensorSpec

Side = Annotated[int, Field(gt=0, le=65536)]
Sides = tuple[Side, Side]
Positive = Annotated[float, Field(gt=0, le=65536)]
Maps = Annotated[tuple[Sides, ...], Field(min_length=1, max_length=16)]
PerMap = Annotated[tuple[Annotated[tuple[Positive, ...], Field(max_length=64)], ...], Field(max_length=16)]
Weights = tuple[Positive, Positive, Positive, Positive]
_LARGEST = math.log(1000.0 / 16)
"""BoxCoder's bbox_xform_clip: of a box's logarithmic growth."""


def grid(maps: Sides) -> tuple[Array, Array]:
    """Row and column of every cell, one row after the other."""
    rows, columns = np.divmod(np.arange(maps[0] * maps[1]), maps[1])
    return rows, columns


def grid_anchors(size: Sides, maps: Sequence[Sides], sides: PerMap, ratios: PerMap) -> Array:
    """x1, y1, x2, y2, float32 [K, 4], as AnchorGenerator computes them."""
    made = []
    for one, lengths, tall in zip(maps, sides, ratios, strict=True):
        roots = np.sqrt(np.array(tall, np.float32))
        high, wide = (np.multiply.outer(by, np.array(lengths, np.float32)).ravel() for by in (roots, 1 / roots))
        cell = np.round(np.stack([-wide, -high, wide, high], 1) / np.float32(2))
        rows, columns = (k * (side // n) for k, side, n in zip(grid(one), size, one, strict=True))
        shift = np.stack([columns, rows, columns, rows], 1).astype(np.float32)
        made.append((shift[:, None] + cell[None]).reshape(-1, 4))
    return np.concatenate(made)


def default_boxes(
    size: Sides,
    maps: Sequence[Sides],
    ratios: PerMap,
    scales: Sequence[float],
    steps: Sequence[float] | None,
    *,
    clip: bool,
) -> Array:
    """x1, y1, x2, y2, float32 [K, 4], as DefaultBoxGenerator computes them: scales in float64, the rest in float32."""
    made = []
    for k, one in enumerate(maps):
        pairs = [[scales[k]] * 2, [math.sqrt(scales[k] * scales[k + 1])] * 2]
        for root in map(math.sqrt, ratios[k]):
            wide, low = scales[k] * root, scales[k] / root
            pairs += [[wide, low], [low, wide]]
        sides = np.array(pairs, np.float32)
        sides = np.clip(sides, 0, 1) if clip else sides
        over = [length / steps[k] for length in size] if steps else one
        rows, columns = (
            (n.astype(np.float32) + np.float32(0.5)) / np.float32(by) for n, by in zip(grid(one), over, strict=True)
        )
        centres = np.repeat(np.stack([columns, rows], 1), len(sides), 0)
        made.append(np.concatenate([centres, np.tile(sides, (len(rows), 1))], 1))
    boxes, image = np.concatenate(made), np.array(size[::-1], np.float32)
    half = np.float32(0.5) * boxes[:, 2:]
    return np.concatenate([(boxes[:, :2] - half) * image, (boxes[:, :2] + half) * image], 1)


def dims_of_anchored(regression: TensorSpec, logits: TensorSpec, anchors: int, classes: str) -> tuple[Dim, Dim]:
    """N and the number of logits per anchor.

    Raises:
        ContractError: the two are not what such a head gives for so many anchors.
    """
    form = f"float32[N, {anchors}, 4]"
    n, k, four = dims_of(regression, form)
    others, scored, c = dims_of(logits, f"float32[N, {anchors}, {classes}]")
    swapped = "are boxes and logits swapped? `inputs: [bbox_regression, cls_logits]`" if c == 4 else ""
    refuse_unless(same(four, 4), f"has {four} numbers per box", expected=form, got=regression, hint=swapped)
    hint = "do `feature_maps`, and what each of their cells has, fit the model and its image?"
    problem = f"has {k} boxes where there are {anchors} anchors"
    refuse_unless(same(k, anchors), problem, expected=form, got=regression, hint=hint)
    fits = same(n, others) and same(scored, anchors)
    refuse_unless(fits, "has other anchors than the boxes", expected=f"float32[{n}, {anchors}, {classes}]", got=logits)
    return either(n, others), c


def decoded(op: Ops, deltas: Value, anchors: Array, weights: Weights, size: Sides) -> Value:
    """BoxCoder.decode_single, then clip_boxes_to_image: float32 [N, K, 4]; each operation rounded."""
    x1y1, x2y2 = anchors[:, :2].T, anchors[:, 2:].T
    sizes = x2y2 - x1y1  # as torch computes them, in float32
    centres = x1y1 + np.float32(0.5) * sizes
    by_number = op.Transpose(deltas, perm=(0, 2, 1))
    if set(weights) != {1.0}:
        by_number = op.Div(by_number, op.float32(np.reshape(weights, (1, 4, 1))))
    moved, grown = part(op, by_number, 0, 2, 1), op.Min(part(op, by_number, 2, 4, 1), op.float32(_LARGEST))
    centre = op.Add(op.Mul(moved, op.float32(sizes[None])), op.float32(centres[None]))
    half = op.Mul(op.Mul(op.Exp(grown), op.float32(sizes[None])), op.float32(0.5))
    boxes = op.Concat(op.Sub(centre, half), op.Add(centre, half), axis=1)
    height, width = size
    ends = op.float32(np.reshape((width, height, width, height), (1, 4, 1)))
    inside: Value = op.Transpose(op.Min(op.Max(boxes, op.float32(0.0)), ends), perm=(0, 2, 1))
    return inside


def heads(n: int, anchors: int, classes: int, seed: int, spread: float = 1.0) -> tuple[Sample, ...]:
    """Regression and logits of a head."""
    regression = TensorSpec("float32", (n, anchors, 4), None, None, (-spread, spread))
    return Sample(regression, seed), Sample(TensorSpec("float32", (n, anchors, classes)), seed + 1)


def of_torchvision(generator: Any, size: Sides, maps: Sequence[Sides]) -> Any:
    """The anchors that one of torchvision's generators makes for an image and its feature maps: a tensor [K, 4]."""
    import torch
    from torchvision.models.detection.image_list import ImageList

    images = ImageList(torch.zeros(1, 3, *size), [size])
    return generator(images, [torch.zeros(1, 1, *one) for one in maps])[0]


def decoded_by_torchvision(deltas: Array, anchors: Any, weights: Weights, size: Sides) -> Array:
    """BoxCoder.decode_single and clip_boxes_to_image, image by image, as postprocess_detections calls them."""
    import torch
    from torchvision.models.detection._utils import BoxCoder
    from torchvision.ops.boxes import clip_boxes_to_image

    coder = BoxCoder(weights)
    made = [clip_boxes_to_image(coder.decode_single(one, anchors), size) for one in torch.from_numpy(deltas)]
    return np.stack([one.numpy() for one in made]) if made else np.empty(deltas.shape, np.float32)
