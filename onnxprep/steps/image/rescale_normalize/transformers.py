"""rescale_normalize of the torchvision backend of transformers: fused in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._per_channel import CLIP, IMAGENET, PerChannel, Std, images
from onnxprep.steps.image.planar import Float32, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleNormalizeTransformers(PerChannel):
    """``y[c] = (x[c] - mean[c] * k) / (std[c] * k)`` with ``k = 1 / scale``, in float32.

    What a processor does that both rescales and normalises, as all of them do by default.

    Input: image, uint8 or float32.
    Output: float32, same layout, shape and colour.
    Rounds: mean, std and k to float32, their products, the subtraction and the division; half to even.
    Source: transformers 5.23, image_processing_backends.py TorchvisionBackend.rescale_and_normalize.
    Raises: ContractError where the tensor is not a uint8 or float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "rescale_normalize"
    claims: ClassVar = {
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.rescale_and_normalize")
    }
    dtypes: ClassVar = ("uint8", "float32")

    mean: tuple[Float32, ...] = parameter("per channel, of values after scaling (0..1); image_mean", min_length=1)
    std: Std = parameter("per channel, same unit; never 0; image_std", min_length=1)
    scale: Annotated[Float32, Field(gt=1e-30)] = parameter("factor of the rescaling; rescale_factor", 1 / 255)

    def numbers(self) -> tuple[Array, Array]:
        """Mean and std in the unit of the input."""
        k = np.float32(1 / self.scale)
        return np.array(self.mean, np.float32) * k, np.array(self.std, np.float32) * k

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own method on CHW images."""
        import torch
        from transformers.image_processing_backends import TorchvisionBackend

        processor = object.__new__(TorchvisionBackend)  # its methods, without an image processor's files

        def one(image: Array) -> Array:
            tensor = torch.from_numpy(image.copy())
            return processor.rescale_and_normalize(tensor, True, self.scale, True, self.mean, self.std).numpy()

        return each_image(inputs[0], "CHW", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes with the usual constants, other scales, float pixels, one and four channels."""
        constants: tuple[dict[str, Any], ...] = (IMAGENET, CLIP, {"mean": [0.5] * 3, "std": [0.5] * 3})
        for sample, parameters in zip(images(), (*constants, {**IMAGENET, "scale": 1 / 127.5}), strict=True):
            yield Case(parameters, (sample,))
        for sample in list(images("float32"))[:2]:
            yield Case(CLIP, (sample,))
        gray = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({"mean": [0.1307], "std": [0.3081], "scale": 0.0078}, (gray,))
        rgba = Sample(TensorSpec("uint8", (4, 5, 4), "HWC", "RGBA", (0.0, 255.0)), seed=2)
        yield Case({"mean": [0.1, 0.9, 0.5, 0.0], "std": [-0.3, 0.2, 1.0, 0.7]}, (rgba,))
