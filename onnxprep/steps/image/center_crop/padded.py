"""center_crop of the libraries that pad an image which is too small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, Window, parameter
from onnxprep.steps.image._borders import Border, Fill, surround
from onnxprep.steps.image._padding import refuse_unfit_fill, with_fill
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.center_crop._library import cropped
from onnxprep.steps.image.planar import Side, at_least, cut, known_size, refuse_unless_image
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
    Raises: ContractError where the tensor is no image, or ``fill`` does not fit its dtype or channels.
    """

    operation: ClassVar[str] = "center_crop"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {
        "timm": Claim("timm", ">=1.0,<2", "data.transforms.center_crop_or_pad"),
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.center_crop"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.center_crop"),
        "transformers-pil": Claim("transformers", ">=5,<6", "image_transforms.center_crop"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.center_crop"),
    }

    size: Side | tuple[Side, Side] = parameter("of the crop: the side of a square or [height, width], px")
    fill: Fill = parameter("value around an image that is too small: one, or one per channel", 0.0)

    @property
    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def channels_alike(self, x: TensorSpec) -> bool:  # noqa: ARG002
        """Unless each channel is filled with a value of its own."""
        return not isinstance(self.fill, tuple)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are the size; the range takes in ``fill`` where padding is possible."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        refuse_unfit_fill(x, self.fill)
        y = x.with_dims(H=self._sides[0], W=self._sides[1])
        return (y if self._fits(at_least(x)) else with_fill(y, self.fill),)

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
        return kept if window.padding is None else self._padded(op, kept, window.padding)

    def _padded(self, op: Ops, x: Value, padding: Value) -> Value:
        a = Arithmetic(op)
        before, after = (a.join(a.pick(padding, i), a.pick(padding, i + 1)) for i in (0, 2))
        return surround(op, x, Border(before, after), "constant", self.fill)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Slice and Pad, each only where it can be needed."""
        (x,) = inputs
        size = known_size(x.spec)
        if size is None:
            window = self.window(op, op.size(x, "HW"), at_least(x.spec))
            return self.pad_window(op, cut(op, x, window.start, op.Add(window.start, window.size)), window)
        start, length, padding = self._known(np.array(size))
        kept = x if tuple(length) == size else cut(op, x, op.int64(start), op.int64(start + length))
        return self._padded(op, kept, op.int64(padding)) if padding.any() else kept

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:
        """What is cut off before the middle, or put there."""
        a = Arithmetic(op)
        window = self.window(op, size, (1, 1))
        offset = a.Sub(lengths(0, 0), window.start)
        if window.padding is not None:
            offset = a.Add(offset, a.join(a.pick(window.padding, 0), a.pick(window.padding, 1)))
        return op.float64([1.0, 1.0]), a.value(offset), op.int64(self._sides)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function; torchvision's on PIL images where they are uint8 RGB, else on tensors."""
        return cropped(inputs[0], self.like, self._sides, self.fill)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Differences of 1 to 5 px in both directions, so that every rounding shows; one pixel."""
        for i, (size, height, width) in enumerate([(4, 5, 7), ([6, 5], 11, 6), (7, 4, 8), ([5, 8], 2, 3), (3, 1, 1)]):
            image = TensorSpec("uint8", (1, height, width, 3), "NHWC", "RGB", (0.0, 255.0))
            yield Case({"size": size}, (Sample(image, seed=i),))
            planar = TensorSpec("float32", (2, 1, height, width), "NCHW", "GRAY", (0.0, 1.0))
            yield Case({"size": size, "fill": 0.5}, (Sample(planar, seed=i),))
        mean = {"size": [4, 6], "fill": [124.0, 116.0, 104.0]}
        yield Case(mean, (Sample(TensorSpec("uint8", (5, 5, 3), "HWC", "RGB", (0.0, 255.0)), seed=8),))
        yield Case({"size": [4, 6], "fill": 114.0}, (Sample(TensorSpec("uint8", (5, 5, 3), "HWC", "BGR"), seed=9),))


def _half_to_even(op: Ops, x: Value) -> Any:
    return op.Cast(op.Round(op.Div(op.Cast(x, to="float64"), op.float64(2))), to="int64")
