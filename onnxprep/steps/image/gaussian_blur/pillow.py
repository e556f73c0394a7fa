"""gaussian_blur like Pillow: three extended boxes, one after the other."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from onnxprep.step import Claim, Ops, Value, parameter
from onnxprep.steps.image._blurs import pair
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._extended_box import ExtendedBoxBlur, Radius, blurred
from onnxprep.tensor import Array, Tensor


def _box(radius: float) -> np.float32:
    """Radius of the box that, three times, has the variance ``radius ** 2``; every operation in float32, as in C."""
    f = np.float32
    variance = f(radius) * f(radius) / f(3)
    length = f(np.sqrt(12 * float(variance) + 1))  # here C has doubles
    whole = f(np.floor((float(length) - 1) / 2))
    part = (f(2) * whole + f(1)) * (whole * (whole + f(1)) - f(3) * variance)
    return f(whole + part / (f(6) * (variance - (whole + f(1)) * (whole + f(1)))))


class GaussianBlur(ExtendedBoxBlur):
    """``y = (2**23 + e * x[i - r - 1] + w * sum x[i - r .. i + r] + e * x[i + r + 1]) >> 24``.

    Three times along the rows, then three times along the columns. r is the whole part of the radius of a box that, three times, has the variance ``radius ** 2``:
    ``L = sqrt(4 * radius**2 + 1)``, ``l = floor((L - 1) / 2)``, radius of the box ``l + a`` with
    ``a = (2l + 1) * (l(l + 1) - radius**2) / (6 * (radius**2 / 3 - (l + 1)**2))``; ``w = 2**24 / (2 * (l + a) + 1)``,
    cut to a whole number, ``e`` half of what is then missing to 2**24; all in float32. Beyond the edge lies the edge.

    Input: image, uint8, GRAY, RGB, BGR or RGBA.
    Output: the same.
    Rounds: six times, half up.
    Source: Pillow 13.0.0, src/libImaging/BoxBlur.c ImagingGaussianBlur; ImageFilter.py GaussianBlur.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1, 3 nor 4 channels.
    """

    operation: ClassVar[str] = "gaussian_blur"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageFilter.GaussianBlur"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageFilter.GaussianBlur"),
    }

    radius: Radius | tuple[Radius, Radius] = parameter("standard deviation or [vertical, horizontal], px, 0..500")

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Band matrices in float64, where 24-bit weights times bytes are exact."""
        return blurred(op, inputs[0], pair(self.radius), 3, _box)

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own filter, image by image; it names the horizontal radius first."""
        from PIL import ImageFilter

        vertical, horizontal = pair(self.radius)
        return on_pillow(inputs[0], lambda picture: picture.filter(ImageFilter.GaussianBlur((horizontal, vertical))))
