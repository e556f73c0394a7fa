"""box_blur like Pillow: a box whose radius need not be whole."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from onnxprep.step import Claim, Ops, Value, parameter
from onnxprep.steps.image._blurs import pair
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._extended_box import ExtendedBoxBlur, Radius, blurred
from onnxprep.tensor import Array, Tensor


class BoxBlur(ExtendedBoxBlur):
    """``y = (2**23 + e * x[i - r - 1] + w * sum x[i - r .. i + r] + e * x[i + r + 1]) >> 24``, along rows, then columns.

    r is the whole part of radius, ``w = 2**24 / (2 * radius + 1)`` in float32, cut to a whole number, ``e`` half of
    what is then missing to 2**24: pixels at the ends count in part. Beyond the edge lies the edge.

    Input: image, uint8, GRAY, RGB, BGR or RGBA.
    Output: the same.
    Rounds: twice, half up.
    Source: Pillow 13.0.0, src/libImaging/BoxBlur.c ImagingBoxBlur; ImageFilter.py BoxBlur.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1, 3 nor 4 channels.
    """

    operation: ClassVar[str] = "box_blur"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageFilter.BoxBlur"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageFilter.BoxBlur"),
    }

    radius: Radius | tuple[Radius, Radius] = parameter("of the box or [vertical, horizontal], px, 0..500")

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Band matrices in float64, where 24-bit weights times bytes are exact."""
        return blurred(op, inputs[0], pair(self.radius), 1, np.float32)

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own filter, image by image; it names the horizontal radius first."""
        from PIL import ImageFilter

        vertical, horizontal = pair(self.radius)
        return on_pillow(inputs[0], lambda picture: picture.filter(ImageFilter.BoxBlur((horizontal, vertical))))
