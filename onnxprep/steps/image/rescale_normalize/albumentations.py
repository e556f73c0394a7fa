"""rescale_normalize of albumentations: its Normalize, which multiplies by a reciprocal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._per_channel import CLIP, IMAGENET, PerChannel, Std, images
from onnxprep.steps.image.planar import Float32, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleNormalizeAlbumentations(PerChannel):
    """``y[c] = (x[c] - mean[c] * m) * (1 / (std[c] * m))`` with ``m = max_pixel_value``, in float32.

    Normalize with ``normalization="standard"``, its default.

    Input: image, uint8 or float32.
    Output: float32, same layout, shape and colour.
    Rounds: mean, std and m to float32, their products, the reciprocal, the subtraction and the last product; half to even.
    Source: albumentations 2.0.8, augmentations/pixel/transforms.py Normalize; albucore 0.0.24, functions.py normalize.
    Raises: ContractError where the tensor is not a uint8 or float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "rescale_normalize"
    claims: ClassVar = {"albumentations": Claim("albumentations", ">=2.0,<3", "Normalize")}
    dtypes: ClassVar = ("uint8", "float32")
    multiplies: ClassVar = True

    mean: tuple[Float32, ...] = parameter("per channel, of values divided by max_pixel_value", min_length=1)
    std: Std = parameter("per channel, same unit; never 0", min_length=1)
    max_pixel_value: Annotated[Float32, Field(gt=1e-30)] = parameter(
        "largest value of the input; 1 for a float image of 0..1", 255.0
    )

    def numbers(self) -> tuple[Array, Array]:
        """Mean in the unit of the input, and the reciprocal of std in it."""
        m = np.float32(self.max_pixel_value)
        return np.array(self.mean, np.float32) * m, np.float32(1) / (np.array(self.std, np.float32) * m)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own transform on HWC images."""
        from albumentations import Normalize

        transform = Normalize(self.mean, self.std, self.max_pixel_value)
        return each_image(inputs[0], "HWC", lambda image: transform(image=image)["image"].reshape(image.shape))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes with the usual constants, float pixels of 0..255 and 0..1, one and four channels."""
        constants: tuple[dict[str, Any], ...] = (IMAGENET, CLIP, {"mean": [0.5] * 3, "std": [0.5] * 3}, IMAGENET)
        for sample, parameters in zip(images(), constants, strict=True):
            yield Case(parameters, (sample,))
        for sample, most in zip(list(images("float32"))[:2], (1.0, 255.0), strict=True):
            yield Case({**CLIP, "max_pixel_value": most}, (sample,))
        gray = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({"mean": [0.1307], "std": [0.3081], "max_pixel_value": 254.0}, (gray,))
        rgba = Sample(TensorSpec("uint8", (4, 5, 4), "HWC", "RGBA", (0.0, 255.0)), seed=2)
        yield Case({"mean": [0.1, 0.9, 0.5, 0.0], "std": [-0.3, 0.2, 1.0, 0.7]}, (rgba,))
