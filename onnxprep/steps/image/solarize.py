"""solarize: the negative of every byte that is not below a threshold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, parameter
from onnxprep.steps.image._bytes import EVERY, ByteToByte, cases_of, on_pillow, on_torch
from onnxprep.tensor import Array, Tensor


class Solarize(ByteToByte):
    """``y = x if x < threshold else 255 - x``.

    Input: image, uint8, GRAY or RGB.
    Output: the same.
    Rounds: never; torchvision rounds the threshold to float32.
    Source: Pillow 13.0.0, ImageOps.py solarize; torchvision 0.28, transforms/_functional_tensor.py and
        transforms/v2/functional/_color.py solarize.
    Raises: ContractError where the tensor is not a uint8 image, or has neither 1 nor 3 channels.
    """

    operation: ClassVar[str] = "solarize"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageOps.solarize"),
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageOps.solarize"),
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.solarize"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.solarize"),
    }

    threshold: Annotated[float, Field(ge=0, le=255)] = parameter("the lowest byte that is inverted, 0..255")

    def table(self) -> Array:
        """What becomes of every byte."""
        threshold = self.threshold if self.like.startswith("pillow") else float(np.float32(self.threshold))
        return np.where(threshold > EVERY, EVERY, 255 - EVERY).astype(np.uint8)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function, image by image."""
        (x,), threshold = inputs, self.threshold
        if self.like.startswith("pillow"):
            from PIL import ImageOps

            return on_pillow(x, lambda image: ImageOps.solarize(image, threshold))  # type: ignore[arg-type]  # it takes any number
        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import solarize
        else:
            from torchvision.transforms.v2.functional import solarize
        return on_torch(x, lambda image: solarize(image, threshold))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Whole thresholds, one between two bytes, one that float32 rounds up to a byte, and both ends."""
        yield from cases_of(*({"threshold": value} for value in (128.0, 100.0, 57.5, 199.9999999, 0.0, 255.0)))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A random threshold, every other time a whole one."""
        case, threshold = super().draw(like, rng, largest), float(rng.uniform(0, 255))
        return Case({"threshold": float(int(threshold)) if rng.integers(2) else threshold}, case.inputs)
