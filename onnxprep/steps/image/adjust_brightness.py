"""adjust_brightness: every pixel times a factor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter
from onnxprep.steps.image._bytes import EVERY, ByteToByte, cases_of, look_up, on_pillow, on_torch, product
from onnxprep.steps.image.planar import Float32
from onnxprep.tensor import Array, Tensor, TensorSpec

_FUNCTION = "ImageEnhance.Brightness"


class AdjustBrightness(ByteToByte):
    """``y = trunc(min(x * brightness_factor, 255))`` in float32; the alpha of RGBA, which only Pillow takes, stays.

    Input: image, uint8, GRAY or RGB; for Pillow RGBA, too.
    Output: the same.
    Rounds: the factor and the product to float32, half to even; then towards 0.
    Source: Pillow 13.0.0, ImageEnhance.py Brightness and libImaging/Blend.c; torchvision 0.28,
        transforms/_functional_tensor.py and transforms/v2/functional/_color.py adjust_brightness.
    Raises: ContractError where the tensor is not a uint8 image, or has another number of channels.
    """

    operation: ClassVar[str] = "adjust_brightness"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", _FUNCTION),
        "pillow-12": Claim("Pillow", ">=12.2,<13", _FUNCTION),
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.adjust_brightness"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.adjust_brightness"),
    }

    brightness_factor: Annotated[Float32, Field(ge=0)] = parameter("0 is black, 1 the image itself; factor in Pillow")

    @property
    def _pillow(self) -> bool:
        return self.like.startswith("pillow")

    @property
    def channels(self) -> tuple[int, ...]:  # type: ignore[override]  # a family has one more
        """How many the library takes."""
        return (1, 3, 4) if self._pillow else (1, 3)

    def table(self) -> Array:
        """What becomes of every byte."""
        with np.errstate(over="ignore"):
            return np.minimum(EVERY.astype(np.float32) * np.float32(self.brightness_factor), 255).astype(np.uint8)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes and their range; alpha may be any byte."""
        (told,) = super().infer(*inputs)
        return (told if told.dim("C") != 4 else inputs[0],)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Arithmetic, faster than a table; with alpha a table per channel."""
        (x,) = inputs
        if x.spec.dim("C") == 4:
            return look_up(op, x, np.stack([*[self.table()] * 3, EVERY.astype(np.uint8)]))
        bright = product(op, x, self.brightness_factor)
        return op.Cast(op.Clip(bright, op.float32(0), op.float32(255)), to="uint8")

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function, image by image."""
        (x,), factor = inputs, self.brightness_factor
        if self._pillow:
            from PIL.ImageEnhance import Brightness

            return on_pillow(x, lambda image: Brightness(image).enhance(factor))
        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import adjust_brightness
        else:
            from torchvision.transforms.v2.functional import adjust_brightness
        return on_torch(x, lambda image: adjust_brightness(image, factor))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Darker, brighter, black and unchanged; alpha."""
        yield from cases_of(*({"brightness_factor": factor} for factor in (0.7, 1.3, 0.0, 1.0, 400.0)))
        rgba = Sample(TensorSpec("uint8", (2, 4, 6, 5), "NCHW", "RGBA", (0.0, 255.0)), seed=9)
        yield Case({"brightness_factor": 1.7}, (rgba,), like=("pillow-13", "pillow-12"))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A random factor."""
        case = super().draw(like, rng, largest)
        return Case({"brightness_factor": float(rng.uniform(0, 3))}, case.inputs, case.like)
