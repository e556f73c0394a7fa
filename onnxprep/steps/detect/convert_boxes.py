"""convert_boxes: boxes as corners, as corner and size, or as centre and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless, wrong
from onnxprep.tensor import Array, Tensor, TensorSpec

Format = Literal["xyxy", "xywh", "cxcywh"]
_FUNCTIONS = {
    ("cxcywh", "xyxy"): "xywh2xyxy", ("xyxy", "cxcywh"): "xyxy2xywh", ("cxcywh", "xywh"): "xywh2ltwh",
    ("xyxy", "xywh"): "xyxy2ltwh", ("xywh", "cxcywh"): "ltwh2xywh", ("xywh", "xyxy"): "ltwh2xyxy",
}  # fmt: skip
"""Ultralytics says xywh where torchvision says cxcywh, and ltwh where torchvision says xywh."""
_CENTRES = {("cxcywh", "xyxy"): "center_to_corners_format", ("xyxy", "cxcywh"): "corners_to_center_format"}


class ConvertBoxes(Step):
    """``x1 = cx - w / 2``, ``x2 = cx + w / 2``, ``cx = (x1 + x2) / 2``, ``w = x2 - x1``, ``x2 = x1 + w``; y alike.

    Between xywh and cxcywh torchvision goes through the corners; Ultralytics moves the corner and keeps the size, which
    rounds less.

    Input: boxes, float32 [..., 4].
    Output: the same, in the other format.
    Rounds: after every operation, half to even.
    Source: torchvision 0.28, ops/_box_convert.py; Ultralytics 8.4.190, utils/ops.py (8.3.0 has the same arithmetic);
        transformers 5.23, image_transforms.py center_to_corners_format.
    Raises: ContractError where the tensor is no float32 [..., 4]. NaN stays in the numbers it goes into.
    """

    operation: ClassVar[str] = "convert_boxes"
    claims: ClassVar = {
        "torchvision": Claim("torchvision", ">=0.19", "ops.box_convert"),
        "ultralytics": Claim("ultralytics", ">=8.3", "utils.ops xywh2xyxy and its kin"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "image_transforms.center_to_corners_format"),
    }
    inputs: ClassVar[tuple[str, ...]] = ("boxes",)
    outputs: ClassVar[tuple[str, ...]] = ("boxes",)

    in_format: Format = parameter("what the four numbers are; cx, cy: the centre, in xywh: the upper left corner")
    out_format: Format = parameter("what they become")

    @model_validator(mode="after")
    def _known(self) -> Self:
        known: Any = {"ultralytics": _FUNCTIONS, "transformers-torchvision": _CENTRES}.get(self.like)
        if known and self.in_format != self.out_format and (self.in_format, self.out_format) not in known:
            expected = ", ".join(f"{a} to {b}" for a, b in known)
            problem = f"{self.like} does not convert {self.in_format} to {self.out_format}"
            raise wrong(problem, at="out_format", expected=expected, hint="`like: torchvision` converts all")
        return self

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Boxes of the same number, in no known range."""
        (x,) = inputs
        four = x.shape is None or (x.shape[-1:] and (x.shape[-1] in (4, None) or isinstance(x.shape[-1], str)))
        fits = x.dtype == "float32" and bool(four) and not x.is_image
        refuse_unless(fits, "is not boxes", expected="float32[..., 4]", got=x)
        return (replace(x, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """By pairs: both coordinates at once."""
        (x,) = inputs
        if self.in_format == self.out_format:
            return x
        first, second = op.Split(x, split=(2, 2), axis=-1)
        if self.like == "ultralytics" and "xyxy" not in (self.in_format, self.out_format):
            moved = op.Sub if self.in_format == "cxcywh" else op.Add
            return op.Concat(moved(first, op.Mul(second, op.float32(0.5))), second, axis=-1)
        if self.in_format == "cxcywh":
            half = op.Mul(second, op.float32(0.5))
            first, second = op.Sub(first, half), op.Add(first, half)
        elif self.in_format == "xywh":
            second = op.Add(first, second)
        if self.out_format == "cxcywh":
            first, second = op.Mul(op.Add(first, second), op.float32(0.5)), op.Sub(second, first)
        elif self.out_format == "xywh":
            second = op.Sub(second, first)
        return op.Concat(first, second, axis=-1)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        import torch

        boxes, pair = torch.from_numpy(inputs[0].array), (self.in_format, self.out_format)
        if self.like == "torchvision":
            from torchvision.ops import box_convert

            return np.asarray(box_convert(boxes, *pair))
        if self.in_format == self.out_format:
            return inputs[0].array
        if self.like == "ultralytics":
            from ultralytics.utils import ops

            return np.asarray(getattr(ops, _FUNCTIONS[pair])(boxes))
        from transformers import image_transforms

        return np.asarray(getattr(image_transforms, _CENTRES[pair])(boxes))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every pair; no boxes, one box without other axes, sizes below 0, far apart numbers."""
        every = ("xyxy", "xywh", "cxcywh")
        shapes = [(2, 7, 4), (0, 4), (4,), (3, 0, 4), (11, 4), (1, 1, 2, 4)]
        for k, (a, b) in enumerate((a, b) for a in every for b in every):
            centres = a == b or (a, b) in _CENTRES
            likes = ("torchvision", "ultralytics", *(["transformers-torchvision"] if centres else []))
            span = (-700.0, 1e4) if k % 2 else (-0.2, 1.3)
            for shape in (shapes[k % 6], shapes[(k + 3) % 6]):
                boxes = TensorSpec("float32", shape, None, None, span)
                yield Case({"in_format": a, "out_format": b}, (Sample(boxes, k),), likes)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any pair of two; up to three axes; numbers of any size."""
        pairs: Any = list({"transformers-torchvision": _CENTRES}.get(like, _FUNCTIONS))
        a, b = pairs[rng.integers(len(pairs))]
        shape = (*(int(n) for n in rng.integers(0, largest, rng.integers(0, 3))), 4)
        high = float(10.0 ** rng.uniform(-3, 5))
        boxes = TensorSpec("float32", shape, None, None, (-high * float(rng.integers(0, 2)), high))
        return Case({"in_format": str(a), "out_format": str(b)}, (Sample(boxes, int(rng.integers(2**31))),))
