"""normalize of Keras: the layer Normalization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._per_channel import PerChannel, as_many_as_mean, images
from onnxprep.steps.image.planar import Float32, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_Variance = Annotated[Float32, Field(ge=0)]


class NormalizeKeras(PerChannel):
    """``y[c] = (x[c] - mean[c]) / max(sqrt(variance[c]), 1e-7)`` in float32, mean and variance rounded to it first.

    Input: image, uint8 or float32, which the layer casts.
    Output: float32, same layout, shape and colour.
    Rounds: after every operation, half to even.
    Source: Keras 3.15, layers/preprocessing/normalization.py, with TensorFlow behind it.
    Raises: ContractError where the tensor is not a uint8 or float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "normalize"
    claims: ClassVar = {
        "keras": Claim(
            "keras", ">=3,<4", "layers.Normalization",
            note="with TensorFlow behind it; XLA, which JAX uses, divides by multiplying",
        )
    }  # fmt: skip
    dtypes: ClassVar = ("uint8", "float32")

    variance: Annotated[tuple[_Variance, ...], AfterValidator(as_many_as_mean)] = parameter(
        "per channel, the square of a standard deviation", min_length=1
    )

    def numbers(self) -> tuple[Array, Array]:
        """Mean and the divisor; a square root is correctly rounded everywhere."""
        divisor = np.maximum(np.sqrt(np.array(self.variance, np.float32)), np.float32(1e-7))
        return np.array(self.mean, np.float32), divisor

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own layer on HWC images."""
        from keras.layers import Normalization

        layer = Normalization(axis=-1, mean=self.mean, variance=self.variance)
        return each_image(inputs[0], "HWC", lambda image: np.asarray(layer(image[None])[0]))

    @classmethod
    def random(cls, rng: np.random.Generator, channels: int) -> dict[str, Any]:
        """Means and variances of pixels."""
        return {
            "mean": rng.uniform(0, 255, channels).tolist(),
            "variance": (rng.uniform(0, 90, channels) ** 2).tolist(),
        }

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """EfficientNet's and ConvNeXt's constants, no variance at all, one and four channels."""
        efficientnet = {"mean": [0.485, 0.456, 0.406], "variance": [0.229**2, 0.224**2, 0.225**2]}
        convnext = {
            "mean": [0.485 * 255, 0.456 * 255, 0.406 * 255],
            "variance": [(0.229 * 255) ** 2, (0.224 * 255) ** 2, (0.225 * 255) ** 2],
        }
        for sample, parameters in zip(images(), (convnext, efficientnet, convnext, convnext), strict=True):
            yield Case(parameters, (sample,))
        for sample in images("float32"):
            yield Case(convnext, (sample,))
        gray = Sample(TensorSpec("float32", (1, 1, 28, 28), "NCHW", "GRAY", (0.0, 1.0)))
        yield Case({"mean": [0.1307], "variance": [0.0949]}, (gray,))
        rgba = Sample(TensorSpec("uint8", (4, 5, 4), "HWC", "RGBA", (0.0, 255.0)), seed=2)
        yield Case({"mean": [0.1, 0.9, 0.5, 0.0], "variance": [0.0, 1e-16, 2.5, 1e-3]}, (rgba,))
