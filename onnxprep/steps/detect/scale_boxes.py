"""scale_boxes: boxes in the pixels of the picture that came in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import PrivateAttr

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Frame, Ops, Sample, Step, Value, catalogue, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec

_AXES = (1, 0, 1, 0)  # x1, y1, x2, y2 along (H, W)


class ScaleBoxes(Step):
    """Every geometric step from ``frame`` back to the graph's input is undone, the last one first, then clipped.

    In float32, each operation rounded: letterbox ``(x - offset) / gain`` (Ultralytics' scale_boxes); resize
    ``x * (old / new)`` (torchvision's resize_boxes); pad and crop ``x - offset``. Normalized boxes, 0..1 of the output
    of a resize, are multiplied by width and height of the picture (transformers' post_process_object_detection).

    Input: boxes, float32 [..., 4], x1, y1, x2, y2.
    Output: the same, px of the graph's input; with ``clip`` in 0..width and 0..height.
    Rounds: after every operation, half to even.
    Source: Ultralytics 8.3, utils/ops.py scale_boxes and clip_boxes; torchvision 0.28, models/detection/transform.py
        resize_boxes; transformers 5.23, image_processing_detr.py.
    Raises: ContractError where the tensor is no float32 [..., 4], ``frame`` is no step before the model or leads
        through one that cannot be undone, or normalized boxes lie in another frame than that of resizes.
    """

    operation: ClassVar[str] = "scale_boxes"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "the formulas above in float32")}
    inputs: ClassVar[tuple[str, ...]] = ("boxes",)
    outputs: ClassVar[tuple[str, ...]] = ("boxes",)

    frame: str = parameter("name of the step before the model in whose output the boxes lie", min_length=1)
    coordinates: Literal["pixels", "normalized"] = parameter("unit of the boxes: px, or 0..1 of the frame", "pixels")
    clip: bool = parameter("whether boxes end at the edges of the picture", True)

    _undone: tuple[Step, ...] = PrivateAttr(())

    def undoing(self, steps: Sequence[Step]) -> Step:
        """The same, knowing what to undo."""
        resized = all(step.operation == "resize" for step in steps)
        if self.coordinates == "normalized" and not (steps and resized):
            named = ", ".join(step.operation for step in steps) or "no resize"
            hint = "`coordinates: pixels`, or the name of the resize before the pad"
            raise ContractError("is no frame of normalized boxes", expected="resizes only", got=named, hint=hint)
        copy = self.model_copy()
        copy._undone = tuple(steps)  # noqa: SLF001  # of the same class
        return copy

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Boxes of the same number; where they end is not known."""
        x = inputs[0]
        four = x.shape is None or (x.shape[-1:] and (x.shape[-1] in (4, None) or isinstance(x.shape[-1], str)))
        refuse_unless(x.dtype == "float32" and bool(four), "is not boxes", expected="float32[..., 4]", got=x)
        return (replace(x, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The undoing of each step, with its own formula; then Max and Min."""
        x, *told = inputs
        frames = [Frame(*told[k : k + 3]) for k in range(0, len(told), 3)]
        if not frames:
            return x
        picture = op.Gather(op.Cast(frames[-1].in_size, to="float32"), op.int64(_AXES))
        if self.coordinates == "normalized":
            x = op.Mul(x, picture)
        else:
            for step, frame in zip(self._undone, frames, strict=True):
                x = step.undo(op, x, frame, _AXES)
        return op.Min(op.Max(x, op.float32(0.0)), picture) if self.clip else x

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy, float32."""
        boxes, told = inputs[0].array, [tensor.array for tensor in inputs[1:]]
        if not told:
            return boxes
        height, width = told[-3].astype(np.float32)
        picture = np.array([width, height, width, height])
        if self.coordinates == "normalized":
            boxes = boxes * picture
        else:
            for k, step in enumerate(self._undone):
                boxes = _undone(step.operation, boxes, *told[3 * k : 3 * k + 3])
        return np.clip(boxes, np.float32(0), picture) if self.clip else boxes

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """No frame; a letterbox, a resize, a crop behind a resize, a pad; clipped or not; several axes."""
        boxes = TensorSpec("float32", (2, 7, 4), None, None, (-50.0, 900.0))
        letterbox, resize = _step("letterbox", "ultralytics", resize_like="opencv-5"), _resize()
        crop, pad = _step("crop", "", top=3, left=4, height=9, width=9), _step("pad", "numpy", left=3, top=2)
        yield Case({"frame": "letterbox"}, (Sample(boxes, 1),))
        for seed, undone in enumerate([(letterbox,), (resize,), (crop, resize), (pad,), (pad, resize, crop)]):
            told = tuple(sample for k in range(len(undone)) for sample in _frame(10 * seed + k))
            for clip in (True, False):
                yield Case({"frame": "any", "clip": clip}, (Sample(boxes, seed), *told), undoes=undone)
        normal = Sample(TensorSpec("float32", (5, 4), None, None, (-0.1, 1.1)), 3)
        yield Case({"frame": "any", "coordinates": "normalized"}, (normal, *_frame(3)), undoes=(resize,))
        none = Sample(TensorSpec("float32", (0, 4)), 3)
        yield Case({"frame": "any"}, (none, *_frame(4)), undoes=(resize,))


def _step(operation: str, like: str, **parameters: Any) -> Step:
    return catalogue()[operation][like].model_validate({"like": like, **parameters})


def _resize() -> Step:
    return _step("resize", "pillow-13", size=256, interpolation="bilinear")


def _undone(operation: str, boxes: Array, in_size: Array, gain: Array, offset: Array) -> Array:
    """As the library of the step undoes it, one coordinate after the other."""
    made = boxes.copy()
    new = np.rint(in_size * gain)
    for k in range(4):
        axis = 1 if k % 2 == 0 else 0
        if operation == "resize":
            made[..., k] *= np.float32(in_size[axis]) / np.float32(new[axis])
        else:
            made[..., k] -= np.float32(offset[axis])
            made[..., k] /= np.float32(gain[axis])
    return made


def _frame(seed: int) -> tuple[Sample, ...]:
    ranges: Any = (("int64", (1.0, 2000.0)), ("float64", (0.1, 4.0)), ("int64", (-300.0, 300.0)))
    return tuple(Sample(TensorSpec(dtype, (2,), None, None, span), seed + k) for k, (dtype, span) in enumerate(ranges))
