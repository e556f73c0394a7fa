"""rescale_normalize of timm's PrefetchLoader: fused, the constants in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._per_channel import CLIP, IMAGENET, PerChannel, Std, images
from onnxprep.steps.image.planar import Float32, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleNormalizeTimm(PerChannel):
    """``y[c] = (x[c] - fl32(mean[c] * 255)) / fl32(std[c] * 255)`` in float32, the products in float64.

    What timm's scripts do with their default ``--prefetcher``; without it they do ``rescale`` and ``normalize`` like timm.

    Input: image, uint8 or float32 (0..255).
    Output: float32, same layout, shape and colour.
    Rounds: the products, the subtraction and the division to float32, half to even.
    Source: timm 1.0, data/loader.py PrefetchLoader.
    Raises: ContractError where the tensor is not a uint8 or float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "rescale_normalize"
    claims: ClassVar = {"timm-prefetch": Claim("timm", ">=1.0,<2", "data.loader.PrefetchLoader")}
    dtypes: ClassVar = ("uint8", "float32")

    mean: tuple[Float32, ...] = parameter("per channel, 0..1", min_length=1)
    std: Std = parameter("per channel, same unit; never 0", min_length=1)

    def numbers(self) -> tuple[Array, Array]:
        """Mean and std of 0..255."""
        mean, std = (np.array(values, np.float64) * 255 for values in (self.mean, self.std))
        return mean.astype(np.float32), std.astype(np.float32)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own loader, on the CPU, over batches of one CHW image."""
        import torch
        from timm.data.loader import PrefetchLoader

        def one(image: Array) -> Array:
            batches = [(torch.from_numpy(image[None].copy()), torch.zeros(1))]
            loader = PrefetchLoader(
                batches, mean=self.mean, std=self.std, channels=len(image), device=torch.device("cpu")
            )
            ((batch, _),) = loader
            return batch[0].numpy()

        return each_image(inputs[0], "CHW", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes with the usual constants, float pixels, one and four channels."""
        for sample, parameters in zip(images(), (IMAGENET, CLIP, CLIP, IMAGENET), strict=True):
            yield Case(parameters, (sample,))
        for sample in list(images("float32"))[:2]:
            yield Case(CLIP, (sample,))
        gray = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({"mean": [0.1307], "std": [0.3081]}, (gray,))
        rgba = Sample(TensorSpec("uint8", (4, 5, 4), "HWC", "RGBA", (0.0, 255.0)), seed=2)
        yield Case({"mean": [0.1, 0.9, 0.5, 0.0], "std": [-0.3, 0.2, 1.0, 0.7]}, (rgba,))
