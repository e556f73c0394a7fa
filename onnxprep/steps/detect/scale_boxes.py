"""scale_boxes: boxes in the pixels of the picture that came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect._frames import by_ultralytics, cases, letterboxes, undone
from onnxprep.steps.detect._undoing import Undoing, picture
from onnxprep.tensor import Array, Tensor, TensorSpec

_AXES = (1, 0, 1, 0)  # x1, y1, x2, y2 along (H, W)


class ScaleBoxes(Undoing):
    """Every geometric step from ``frame`` back to the graph's input is undone, the last one first, then clipped.

    In float32, each operation rounded: letterbox ``(x - offset) / gain`` (Ultralytics' scale_boxes); resize
    ``x * (old / new)`` (torchvision's resize_boxes); pad and crop ``x - offset``. Normalized boxes, 0..1 of the output
    of a resize, are multiplied by width and height of the picture (transformers' post_process_object_detection).

    Releases of Ultralytics undo a letterbox differently: ``like: ultralytics`` divides by rounded side / side, each
    side by its own; ``ultralytics-8.4.25`` (until 8.4.123) both by the gain before rounding; ``ultralytics-8.3`` (8.0.200
    until 8.4.24) counts the border from sides that were not rounded, too. They lie up to a pixel apart.

    Input: boxes, float32 [..., 4], x1, y1, x2, y2.
    Output: the same, px of the graph's input; with ``clip`` in 0..width and 0..height.
    Rounds: after every operation, half to even.
    Source: Ultralytics 8.4.190, 8.4.60 and 8.3.253, utils/ops.py scale_boxes and clip_boxes; torchvision 0.28, models/detection/transform.py
        resize_boxes; transformers 5.23, image_processing_detr.py.
    Raises: ContractError where the tensor is no float32 [..., 4], ``frame`` is no step before the model or leads
        through one that cannot be undone or through a letterbox without ``like``, or normalized boxes lie in another
        frame than that of resizes.
    """

    operation: ClassVar[str] = "scale_boxes"
    claims: ClassVar = {
        "": Claim("numpy", ">=1.26", "the formulas above in float32"),
        "ultralytics": Claim("ultralytics", ">=8.4.124,<9", "utils.ops.scale_boxes"),
        "ultralytics-8.4.25": Claim("ultralytics", ">=8.4.25,<8.4.124", "utils.ops.scale_boxes"),
        "ultralytics-8.3": Claim("ultralytics", ">=8.0.200,<8.4.25", "utils.ops.scale_boxes"),
    }
    inputs: ClassVar[tuple[str, ...]] = ("boxes",)
    outputs: ClassVar[tuple[str, ...]] = ("boxes",)

    coordinates: Literal["pixels", "normalized"] = parameter("unit of the boxes: px, or 0..1 of the frame", "pixels")

    def undoing(self, steps: Sequence[Step]) -> Self:
        """The same, knowing what to undo."""
        if self.coordinates == "normalized" and not (steps and all(step.operation == "resize" for step in steps)):
            named = ", ".join(step.operation for step in steps) or "no resize"
            hint = "`coordinates: pixels`, or the name of the resize before the pad"
            raise ContractError("is no frame of normalized boxes", expected="resizes only", got=named, hint=hint)
        return super().undoing(steps)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Boxes of the same number; where they end is not known."""
        x = inputs[0]
        four = x.shape is None or (x.shape[-1:] and (x.shape[-1] in (4, None) or isinstance(x.shape[-1], str)))
        fits = x.dtype == "float32" and bool(four) and not x.is_image
        refuse_unless(fits, "is not boxes", expected="float32[..., 4] without layout", got=x)
        return (replace(x, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The undoing of each step, with its own formula; then Max and Min."""
        x, *told = inputs
        frames = self.frames(told)
        if not frames:
            return x
        normal = self.coordinates == "normalized"
        x = op.Mul(x, picture(op, frames, _AXES)) if normal else self.back(op, x, frames, _AXES)
        return self.clipped(op, x, frames, _AXES)

    def oracle(self, *inputs: Tensor) -> Array:
        """Ultralytics where one letterbox is all there is to undo; NumPy in float32 elsewhere."""
        boxes, told = inputs[0].array, [tensor.array for tensor in inputs[1:]]
        if self._undone and self._undone[0].ways_back:
            return by_ultralytics(self._undone[0], boxes, *told[0].tolist(), clip=self.clip)
        if not told:
            return boxes
        height, width = told[-3].astype(np.float32)
        picture = np.array([width, height, width, height])
        if self.coordinates == "normalized":
            boxes = boxes * picture
        else:
            for k, step in enumerate(self._undone):
                boxes = undone(step.operation, boxes, *told[3 * k : 3 * k + 3])
        return np.clip(boxes, np.float32(0), picture) if self.clip else boxes

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """No frame; a letterbox, a resize, a crop behind a resize, a pad; clipped or not; several axes."""
        yield from cases()
        yield from letterboxes()

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A letterbox of a random size for Ultralytics; else one of the cases with other numbers."""
        if not like:
            return super().draw(like, rng, largest)
        size = [int(32 * rng.integers(1, 30)) for _ in range(2)]
        return letterboxes(int(rng.integers(2**31)), size, auto=bool(rng.random() < 0.3))[int(rng.integers(2))]
