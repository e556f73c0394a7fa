"""center_crop of the libraries that pad an image which is too small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, Window, parameter, refuse_unless
from onnxprep.steps.image.planar import Side, at_least, cut, each_image, known_size, pad, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_HALF_EVEN = ("timm", "torchvision-v1", "torchvision-v2")


class CenterCrop(Step):
    """``y = x[top : top + h, left : left + w]`` with the middles aligned; an image that is too small is padded first.

    Too large by d: torchvision and timm cut ``round(d / 2)`` (half to even) at the top and left, transformers
    ``d // 2``. Too small by d: ``d // 2`` is put there, by transformers-pil ``(d + 1) // 2``. The libraries pad with 0
    (timm with any value); another ``fill`` replaces just what they pad. CUDA has no Pad for uint8: ONNX Runtime then
    pads on the CPU.

    Input: image, uint8 or float32.
    Output: the same dtype, layout and colour; H, W = size.
    Rounds: never.
    Source: torchvision 0.28, transforms/functional.py and transforms/v2/functional/_geometry.py center_crop; timm 1.0,
        data/transforms.py center_crop_or_pad; transformers 5.23, image_transforms.py and image_processing_backends.py
        center_crop.
    Raises: ContractError where the tensor is no image, or a uint8 image is to be filled with a fraction.
    """

    operation: ClassVar[str] = "center_crop"
    claims: ClassVar = {
        "timm": Claim("timm", ">=1.0,<2", "data.transforms.center_crop_or_pad"),
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.center_crop"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.center_crop"),
        "transformers-pil": Claim("transformers", ">=5,<6", "image_transforms.center_crop"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.center_crop"),
    }

    size: Side | tuple[Side, Side] = parameter("of the crop: the side of a square or [height, width], px")
    fill: float = parameter("value around an image that is too small, 0..255", 0.0, ge=0, le=255)

    @property
    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are the size; the range takes in ``fill`` where padding is possible."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype` before it")
        whole = x.dtype != "uint8" or float(self.fill).is_integer()
        refuse_unless(whole, f"cannot fill with {self.fill:g}", expected="a whole number for uint8", got=x)
        cropped = x.with_dims(H=self._sides[0], W=self._sides[1])
        if x.range is None or self._fits(at_least(x)):
            return (cropped,)
        return (replace(cropped, range=(min(x.range[0], self.fill), max(x.range[1], self.fill))),)

    def _fits(self, least: tuple[int, int]) -> bool:
        return all(length >= side for length, side in zip(least, self._sides, strict=True))

    def _known(self, size: Array) -> tuple[Array, Array, Array]:
        """Start, length and padding (top, left, bottom, right) for an image of known size."""
        surplus, missing = np.maximum(size - self._sides, 0), np.maximum(self._sides - size, 0)
        start = np.round(surplus / 2).astype(np.int64) if self.like in _HALF_EVEN else surplus // 2
        before = (missing + 1) // 2 if self.like == "transformers-pil" else missing // 2
        return start, np.minimum(size, self._sides), np.concatenate([before, missing - before])

    def window(self, op: Ops, size: Value, at_least: tuple[int, int]) -> Window:
        """What is kept of the image, and what is missing around it."""
        known = op.known(size)
        if known is not None:
            start, length, padding = self._known(known)
            missing = op.int64(padding) if padding.any() else None
            return Window(op.int64(start), op.int64(length), (int(length[0]), int(length[1])), missing)
        sides = op.int64(self._sides)
        surplus = op.Max(op.Sub(size, sides), op.int64(0))
        begin = _half_to_even(op, surplus) if self.like in _HALF_EVEN else op.Div(surplus, op.int64(2))
        if self._fits(at_least):
            return Window(begin, sides, self._sides)
        kept = op.Min(size, sides)
        lacking = op.Sub(sides, kept)
        before = op.Div(op.Add(lacking, op.int64(1)) if self.like == "transformers-pil" else lacking, op.int64(2))
        height, width = (side if least >= side else None for least, side in zip(at_least, self._sides, strict=True))
        return Window(begin, kept, (height, width), op.Concat(before, op.Sub(lacking, before), axis=0))

    def pad_window(self, op: Ops, kept: Value, window: Window) -> Value:
        """One Pad; none where nothing can be missing."""
        return kept if window.padding is None else pad(op, kept, window.padding, self.fill)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Slice and Pad, each only where it can be needed."""
        (x,) = inputs
        size = known_size(x.spec)
        if size is None:
            window = self.window(op, op.size(x, "HW"), at_least(x.spec))
            return self.pad_window(op, cut(op, x, window.start, op.Add(window.start, window.size)), window)
        start, length, padding = self._known(np.array(size))
        kept = x if tuple(length) == size else cut(op, x, op.int64(start), op.int64(start + length))
        return pad(op, kept, op.int64(padding), self.fill) if padding.any() else kept

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function; torchvision's on PIL images where they are uint8 RGB, else on tensors."""
        (x,) = inputs
        cropped = each_image(x, "HWC", self._library)
        if self.fill == 0 or self.like == "timm":
            return cropped
        ones = Tensor(np.ones_like(x.array), x.spec)
        return np.where(each_image(ones, "HWC", self._library) == 1, cropped, np.array(self.fill, x.array.dtype))

    def _library(self, image: Array) -> Array:
        planar = np.ascontiguousarray(image.transpose(2, 0, 1))
        return np.asarray(self._cropped(planar)).transpose(1, 2, 0)

    def _cropped(self, planar: Array) -> Any:
        if self.like == "transformers-pil":
            from transformers.image_transforms import center_crop

            return center_crop(planar, self._sides, "channels_first", "channels_first")
        import torch

        tensor, sides = torch.from_numpy(planar), list(self._sides)
        if self.like == "transformers-torchvision":
            from transformers.image_processing_backends import TorchvisionBackend
            from transformers.image_utils import SizeDict

            return TorchvisionBackend.center_crop(None, tensor, SizeDict(height=sides[0], width=sides[1]))
        if self.like == "timm":
            from timm.data.transforms import center_crop_or_pad

            return center_crop_or_pad(tensor, sides, fill=self.fill)
        if self.like == "torchvision-v1":
            from torchvision.transforms import functional
        else:
            from torchvision.transforms.v2 import functional
        if planar.dtype != np.uint8 or len(planar) != 3:
            return functional.center_crop(tensor, sides)
        from PIL import Image

        picture = functional.center_crop(Image.fromarray(planar.transpose(1, 2, 0)), sides)
        return np.asarray(picture).transpose(2, 0, 1)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Differences of 1 to 5 px in both directions, so that every rounding shows; one pixel."""
        for i, (size, height, width) in enumerate([(4, 5, 7), ([6, 5], 11, 6), (7, 4, 8), ([5, 8], 2, 3), (3, 1, 1)]):
            image = TensorSpec("uint8", (1, height, width, 3), "NHWC", "RGB", (0.0, 255.0))
            yield Case({"size": size}, (Sample(image, seed=i),))
            planar = TensorSpec("float32", (2, 1, height, width), "NCHW", "GRAY", (0.0, 1.0))
            yield Case({"size": size, "fill": 0.5}, (Sample(planar, seed=i),))
        yield Case({"size": [4, 6], "fill": 114.0}, (Sample(TensorSpec("uint8", (5, 5, 3), "HWC", "BGR"), seed=9),))


def _half_to_even(op: Ops, x: Value) -> Any:
    return op.Cast(op.Round(op.Div(op.Cast(x, to="float64"), op.float64(2))), to="int64")
