"""What torch, Ultralytics, transformers, OpenCV and Pillow make of maps. Shares no arithmetic with the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxprep.steps.segment._placed import Pair, Placed, placed
from onnxprep.tensor import Array, Tensor

Resize = Callable[[Array, Pair], Array]
"""Classes [N, h, w] of another size."""


def masked(step: Any, inputs: tuple[Tensor, ...], nearest: Resize, *, maps_first: bool) -> Array:
    """The mask; ``maps_first`` where maps are resized, by torch, else classes, by ``nearest``."""
    x, told = inputs[0].array, inputs[1:]
    x = x.transpose(0, 3, 1, 2) if inputs[0].spec.layout == "NHWC" else x
    way = placed(step._undone, told[-3].array) if told else []  # noqa: SLF001  # what the step was given to undo
    size = (step.size, step.size) if isinstance(step.size, int) else step.size
    fill = getattr(step, "fill", 0)
    dtype = step.dtype or ("uint8" if x.shape[1] <= 256 else "int64")
    if not maps_first:
        classes = (
            x.argmax(axis=1) if step.threshold is None else (x[:, 0] > np.float32(step.threshold)).astype(np.int64)
        )
        return _back(classes, way, size, nearest, fill).astype(dtype)
    if step.like == "ultralytics" and way:
        return _chosen(step, _letterboxed(x, way[0])).astype(dtype)
    if step.like.startswith("transformers") and step.threshold is None and x.shape[0]:
        return _segformer(x, way[-1].before if way else size).astype(dtype)
    ends = [k for k, place in enumerate(way) if place.step.operation in ("crop", "center_crop")]
    if not ends:
        return _chosen(step, _back(x, way, size, _bilinear, 0)).astype(dtype)
    before, after = way[: ends[0]], way[ends[0] :]
    maps = _bilinear(_cut(x, before, _bilinear, 0), after[0].after)
    return _back(_chosen(step, maps), after, size, nearest, fill).astype(dtype)


def _back(x: Array, way: list[Placed], size: Pair | None, resize: Resize, fill: int) -> Array:
    """Any array whose last axes are H and W, as large as the picture or the size."""
    target = way[-1].before if way else size
    return x if target is None else resize(_cut(x, way, resize, fill), target)


def _cut(x: Array, way: list[Placed], resize: Resize, fill: int) -> Array:
    """What shows the picture; resizes wait for the next step that needs the size."""
    for place in way:
        if place.step.operation == "resize":
            continue
        x = resize(x, place.after)
        ends = [min(f + n, m) for f, n, m in zip(place.first, place.inner, place.after, strict=True)]
        kept = x[..., max(place.first[0], 0) : ends[0], max(place.first[1], 0) : ends[1]]
        up, over = (max(-f, 0) for f in place.first)
        x = np.full((*x.shape[:-2], *place.inner), fill, x.dtype)
        x[..., up : up + kept.shape[-2], over : over + kept.shape[-1]] = kept
    return x


def _chosen(step: Any, x: Array) -> Array:
    import torch

    maps = torch.from_numpy(np.ascontiguousarray(x))
    made = maps.argmax(dim=1) if step.threshold is None else (maps[:, 0] > step.threshold).to(torch.int64)
    return made.numpy()


def _interpolated(x: Array, size: Pair, **how: Any) -> Array:
    import torch

    if x.shape[0] == 0:
        return np.zeros((*x.shape[:2], *size), np.float32)
    return torch.nn.functional.interpolate(torch.from_numpy(np.ascontiguousarray(x)), tuple(size), **how).numpy()


def _bilinear(x: Array, size: Pair) -> Array:
    return _interpolated(x, size, mode="bilinear", align_corners=False)


def torch_nearest(mask: Array, size: Pair) -> Array:
    """``interpolate`` of classes as floats."""
    return _interpolated(mask[:, None].astype(np.float32), size, mode="nearest")[:, 0].astype(np.int64)


def opencv_nearest(mask: Array, size: Pair) -> Array:
    """``cv2.resize``; cv2 takes no int64."""
    import cv2

    new = (size[1], size[0])
    made = [cv2.resize(one.astype(np.int32), new, interpolation=cv2.INTER_NEAREST) for one in mask]
    return np.stack(made).astype(np.int64) if made else np.zeros((0, *size), np.int64)


def pillow_nearest(mask: Array, size: Pair) -> Array:
    """``Image.resize``; Pillow takes no int64."""
    from PIL import Image

    new = (size[1], size[0])
    made = [np.asarray(Image.fromarray(one.astype(np.int32)).resize(new, Image.Resampling.NEAREST)) for one in mask]
    return np.stack(made).astype(np.int64) if made else np.zeros((0, *size), np.int64)


def _letterboxed(x: Array, place: Placed) -> Array:
    """As the semantic predictor does it: to the size of the model's input, then scale_masks."""
    import torch
    from ultralytics.utils import ops

    maps = torch.from_numpy(x if x.shape[-2:] == tuple(place.after) else _bilinear(x, place.after))
    gains = [inner / before for inner, before in zip(place.inner, place.before, strict=True)]
    usual = place.step.scaleup and place.step.center  # type: ignore[attr-defined]  # a letterbox
    ratio_pad = None if usual else (tuple(gains), (place.first[1], place.first[0]))
    made: Array = ops.scale_masks(maps, place.before, ratio_pad).numpy()
    return made


def _segformer(x: Array, size: Pair | None) -> Array:
    from types import SimpleNamespace

    import torch
    from transformers import SegformerImageProcessor

    sizes = None if size is None else [tuple(size)] * x.shape[0]
    outputs = SimpleNamespace(logits=torch.from_numpy(np.ascontiguousarray(x)))
    made = SegformerImageProcessor().post_process_semantic_segmentation(outputs, target_sizes=sizes)
    return np.stack([one.numpy() for one in made])
