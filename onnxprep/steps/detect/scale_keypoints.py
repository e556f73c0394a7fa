"""scale_keypoints: points in the pixels of the picture that came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.detect import _frames
from onnxprep.steps.detect._undoing import Undoing
from onnxprep.tensor import Array, Tensor, TensorSpec

_AXES = (1, 0)  # x, y along (H, W)
_END = 2**62


class ScaleKeypoints(Undoing):
    """Every geometric step from ``frame`` back to the graph's input is undone, the last one first, then clipped.

    As ``scale_boxes``, in float32, each operation rounded: letterbox ``(x - offset) / gain``; resize
    ``x * (old / new)``; pad and crop ``x - offset``. A letterbox is undone like Ultralytics from 8.4.124 on; before, it
    put points up to half a pixel elsewhere than boxes.

    Input: keypoints, float32 [..., 2] or [..., 3]: x, y and a score that stays as it is.
    Output: the same, px of the graph's input; with ``clip`` in 0..width and 0..height.
    Rounds: after every operation, half to even.
    Source: Ultralytics 8.4.190, utils/ops.py scale_coords; the others as ``scale_boxes``.
    Raises: ContractError where the tensor is no float32 [..., 2] or [..., 3], or ``frame`` is no step before the model
        or leads through one that cannot be undone, or through a letterbox without ``like``. NaN stays NaN; no points
        give none.
    """

    operation: ClassVar[str] = "scale_keypoints"
    claims: ClassVar = {
        "": Claim("numpy", ">=1.26", "the formulas above in float32"),
        "ultralytics": Claim("ultralytics", ">=8.4.124,<9", "utils.ops.scale_coords"),
    }
    inputs: ClassVar[tuple[str, ...]] = ("keypoints",)
    outputs: ClassVar[tuple[str, ...]] = ("keypoints",)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Points of the same number; where they end is not known."""
        x = inputs[0]
        fits = x.shape is None or (x.shape[-1:] and (x.shape[-1] in (2, 3, None) or isinstance(x.shape[-1], str)))
        expected, hint = "float32[..., 2] or [..., 3]", "reshape [N, 51] to [N, 17, 3] in the model"
        right = x.dtype == "float32" and bool(fits) and not x.is_image
        refuse_unless(right, "is not points", expected=expected, got=x, hint=hint)
        return (replace(x, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The undoing of each step, with its own formula; then Max and Min; the score as it was."""
        x, *told = inputs
        frames = self.frames(told)
        if not frames:
            return x
        scored = (x.spec.shape or (None,))[-1] != 2
        axis, two = op.int64([-1]), op.int64([2])
        y = op.Slice(x, op.int64([0]), two, axis) if scored else x
        y = self.clipped(op, self.back(op, y, frames, _AXES), frames, _AXES)
        return op.Concat(y, op.Slice(x, two, op.int64([_END]), axis), axis=-1) if scored else y

    def oracle(self, *inputs: Tensor) -> Array:
        """Ultralytics where one letterbox is all there is to undo; else NumPy."""
        points, told = inputs[0].array.copy(), [tensor.array for tensor in inputs[1:]]
        if not told:
            return points
        height, width = told[-3].tolist()
        if self._undone[0].ways_back:
            return _by_ultralytics(self._undone[0], points, height, width, clip=self.clip)
        xy = points[..., :2]
        for k, step in enumerate(self._undone):
            xy = _frames.undone(step.operation, xy, *told[3 * k : 3 * k + 3])
        points[..., :2] = np.clip(xy, np.float32(0), np.array([width, height], np.float32)) if self.clip else xy
        return points

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """What scale_boxes is held against, as points; with scores and without; none."""
        for k, case in enumerate([*_frames.cases(), *_frames.letterboxes()]):
            if "coordinates" in case.parameters:
                continue
            points = _points((2, 7, 17, 3) if k % 2 else (2, 9, 2), k)
            yield Case(case.parameters, (points, *case.inputs[1:]), case.like and case.like[:1], case.undoes)
        resize = _frames.step("resize", "pillow-13", size=256, interpolation="bilinear")
        for k, shape in enumerate([(0, 3), (3,), (1, 2)]):
            yield Case({"frame": "any"}, (_points(shape, k), *_frames.frame(k)), ("",), (resize,))
        yield Case({"frame": "letterbox"}, (_points((2, 5, 3), 1),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A letterbox of a random size for Ultralytics; else one of the cases with other numbers."""
        if not like:
            return super().draw(like, rng, largest)
        size = [int(32 * rng.integers(1, 30)) for _ in range(2)]
        drawn = _frames.letterboxes(int(rng.integers(2**31)), size, auto=bool(rng.random() < 0.3))
        case = drawn[int(rng.integers(2))]
        points = _points((2, 9, int(rng.integers(2, 4))), int(rng.integers(2**31)))
        return Case(case.parameters, (points, *case.inputs[1:]), (like,), case.undoes)


def _points(shape: tuple[int, ...], seed: int) -> Sample:
    return Sample(TensorSpec("float32", shape, None, None, (-50.0, 900.0)), seed)


def _by_ultralytics(letterbox: Step, points: Array, height: int, width: int, *, clip: bool) -> Array:
    """Its scale_coords, which clips; without, its scale_boxes, which has the same formula."""
    import torch
    from ultralytics.utils import ops

    sides = _frames.letterboxed_sides(letterbox, height, width)
    if clip:
        return np.asarray(ops.scale_coords(sides, torch.from_numpy(points.copy()), (height, width)).numpy())
    corners = np.concatenate([points[..., :2], points[..., :2]], -1)
    moved = _frames.by_ultralytics(letterbox, corners, height, width, clip=False)
    return np.concatenate([moved[..., :2], points[..., 2:]], -1)
