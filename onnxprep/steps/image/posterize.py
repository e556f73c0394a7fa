"""posterize: only the leading bits of every byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.image._bytes import EVERY, ByteToByte, cases_of, on_pillow, on_torch, product
from onnxprep.tensor import Array, Tensor


class Posterize(ByteToByte):
    """``y = x & ~(2 ** (8 - bits) - 1)``.

    Input: image, uint8, GRAY or RGB.
    Output: the same.
    Rounds: down to a multiple of ``2 ** (8 - bits)``.
    Source: Pillow 13.0.0, ImageOps.py posterize; torchvision 0.28, transforms/_functional_tensor.py and
        transforms/v2/functional/_color.py posterize.
    Raises: ContractError where the tensor is not a uint8 image, or has neither 1 nor 3 channels.
    """

    operation: ClassVar[str] = "posterize"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageOps.posterize"),
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageOps.posterize"),
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.posterize"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.posterize"),
    }

    bits: Annotated[int, Field(ge=1, le=8)] = parameter("how many bits stay, 1..8")

    def table(self) -> Array:
        """What becomes of every byte."""
        return (EVERY >> (8 - self.bits) << (8 - self.bits)).astype(np.uint8)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Divided by a power of two, cut, and multiplied again: faster than a table, and than BitwiseAnd."""
        (x,), step = inputs, 2.0 ** (8 - self.bits)
        if self.bits == 8:
            return x
        cut = op.Cast(product(op, x, 1 / step), to="uint8")  # at most 127.5
        return op.Cast(product(op, cut, step), to="uint8")

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function, image by image."""
        (x,), bits = inputs, self.bits
        if self.like.startswith("pillow"):
            from PIL import ImageOps

            return on_pillow(x, lambda image: ImageOps.posterize(image, bits))
        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import posterize
        else:
            from torchvision.transforms.v2.functional import posterize
        return on_torch(x, lambda image: posterize(image, bits))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All there are."""
        yield from cases_of(*({"bits": bits} for bits in range(1, 9)))
