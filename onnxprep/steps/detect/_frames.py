"""What scale_boxes and scale_keypoints are held against: random frames, and how libraries go back through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from onnxprep.step import Case, Sample, Step, catalogue
from onnxprep.tensor import Array, TensorSpec

_BOXES = TensorSpec("float32", (2, 7, 4), None, None, (-50.0, 900.0))
_ULTRALYTICS = ("ultralytics", "ultralytics-8.4.25", "ultralytics-8.3")


def step(operation: str, like: str, **parameters: Any) -> Step:
    """A step that is to be undone."""
    return catalogue()[operation][like].model_validate({"like": like, **parameters})


def frame(seed: int, shortest: float = 1.0) -> tuple[Sample, ...]:
    """in_size, gain and offset."""
    ranges: Any = (("int64", (shortest, 2000.0)), ("float64", (0.1, 4.0)), ("int64", (-300.0, 300.0)))
    return tuple(Sample(TensorSpec(dtype, (2,), None, None, span), seed + k) for k, (dtype, span) in enumerate(ranges))


def cases() -> Iterator[Case]:
    """Without a letterbox."""
    resize = step("resize", "pillow-13", size=256, interpolation="bilinear")
    crop, pad = step("crop", "", top=3, left=4, height=9, width=9), step("pad", "numpy", left=3, top=2)
    yield Case({"frame": "any"}, (Sample(_BOXES, 1),), like=("",))
    for seed, steps in enumerate([(resize,), (crop, resize), (pad,), (pad, resize, crop)]):
        told = tuple(sample for k in range(len(steps)) for sample in frame(10 * seed + k))
        for clip in (True, False):
            yield Case({"frame": "any", "clip": clip}, (Sample(_BOXES, seed), *told), ("",), steps)
    normal = Sample(TensorSpec("float32", (5, 4), None, None, (-0.1, 1.1)), 3)
    yield Case({"frame": "any", "coordinates": "normalized"}, (normal, *frame(3)), (), (resize,))
    yield Case({"frame": "any"}, (Sample(TensorSpec("float32", (0, 4)), 3), *frame(4)), ("",), (resize,))


def letterboxes(seed: int = 0, size: Sequence[int] = (640, 640), *, auto: bool = False) -> list[Case]:
    """One letterbox, as every release of Ultralytics undoes it."""
    made = [(seed, size, auto)] if seed else [(k, (640, 32 * k), k % 2 == 0) for k in range(20, 5, -3)]
    return [
        Case(
            {"frame": "letterbox", "clip": clip},
            (Sample(_BOXES, number), *frame(number, 100.0)),  # no side of a letterbox becomes 0
            _ULTRALYTICS,
            (step("letterbox", "ultralytics", resize_like="opencv-5", size=tuple(sides), auto=rectangle),),
        )
        for number, sides, rectangle in made
        for clip in (True, False)
    ]


def by_ultralytics(letterbox: Step, boxes: Array, height: int, width: int, *, clip: bool) -> Array:
    """Its scale_boxes; corner by corner, as the x, y of a box with a width, it does not clip."""
    import torch
    from ultralytics.utils.ops import scale_boxes

    sides, corners = letterboxed_sides(letterbox, height, width), torch.from_numpy(boxes.copy())
    if clip:
        return np.asarray(scale_boxes(sides, corners, (height, width)).numpy())
    pairs = torch.cat([corners.reshape(-1, 2), torch.zeros(boxes.size // 2, 2)], 1)
    moved = scale_boxes(sides, pairs, (height, width), xywh=True)[:, :2]
    return np.asarray(moved.numpy()).reshape(boxes.shape)


def letterboxed_sides(letterbox: Step, height: int, width: int) -> Any:
    """Height and width of what Ultralytics' LetterBox makes."""
    from ultralytics.data.augment import LetterBox

    told = letterbox.to_dict()
    if not told["auto"]:
        return tuple(told["size"])
    image = np.zeros((height, width, 3), np.uint8)
    return LetterBox(tuple(told["size"]), auto=True, stride=told["stride"])(image=image).shape[:2]


def undone(operation: str, x: Array, in_size: Array, gain: Array, offset: Array) -> Array:
    """As the library of the step undoes it, one coordinate after the other: x, y, x, y of [..., 2] or [..., 4]."""
    made = x.copy()
    new = np.rint(in_size * gain)
    for k in range(x.shape[-1]):
        axis = 1 if k % 2 == 0 else 0
        if operation == "resize":
            made[..., k] *= np.float32(in_size[axis]) / np.float32(new[axis])
        else:
            made[..., k] -= np.float32(offset[axis])
            made[..., k] /= np.float32(gain[axis])
    return made
