"""invert of the libraries other than Pillow 13."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value
from onnxprep.steps.image._bytes import EVERY, ByteToByte, cases_of, on_pillow, on_torch
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor


class InvertElsewhere(ByteToByte):
    """``y = 255 - x``.

    Input: image, uint8, RGB or GRAY.
    Output: the same.
    Rounds: never.
    Source: Pillow 12.3, ImageOps.py invert; torchvision 0.28, transforms/_functional_tensor.py and
        transforms/v2/functional/_color.py invert; OpenCV 5.0 and 4.14, bitwise_not.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1 nor 3 channels.
    """

    operation: ClassVar[str] = "invert"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageOps.invert"),
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.invert"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.invert"),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "bitwise_not"),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "bitwise_not"),
    }

    def table(self) -> Array:
        """What becomes of every byte."""
        return (255 - EVERY).astype(np.uint8)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """BitwiseNot where there is one, 7 times as fast; else in int32: ONNX Runtime has no Sub for bytes."""
        (x,) = inputs
        if op.opset >= 18:
            return op.BitwiseNot(x)
        return op.Cast(op.Sub(op.constant(255, "int32"), op.Cast(x, to="int32")), to="uint8")

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function, image by image."""
        (x,) = inputs
        if self.like.startswith("opencv"):
            import cv2

            return each_image(x, "HWC", lambda image: cv2.bitwise_not(image).reshape(image.shape))
        if self.like == "pillow-12":
            from PIL import ImageOps

            return on_pillow(x, ImageOps.invert)
        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import invert
        else:
            from torchvision.transforms.v2.functional import invert
        return on_torch(x, invert)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes."""
        yield from cases_of({})
