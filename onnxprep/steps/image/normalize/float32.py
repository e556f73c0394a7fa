"""normalize in float32: what torchvision, timm and transformers do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._per_channel import CLIP, IMAGENET, PerChannel, Std
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Normalize(PerChannel):
    """``y[c] = (x[c] - mean[c]) / std[c]`` in float32, mean and std rounded to float32 first.

    Input: image, float32.
    Output: float32, same layout, shape and colour.
    Rounds: twice, after the subtraction and after the division, half to even.
    Source: torchvision 0.28, transforms/_functional_tensor.py and transforms/v2/functional/_misc.py normalize, also
        inside timm 1.0 and the torchvision backend of transformers 5.23; transformers 5.23, image_transforms.py
        normalize.
    Raises: ContractError where the tensor is not a float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "normalize"
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.normalize"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.normalize"),
        "timm": Claim("timm", ">=1.0,<2", "data.transforms_factory.transforms.Normalize"),
        "transformers-pil": Claim("transformers", ">=5,<6", "image_transforms.normalize"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.normalize"),
    }

    std: Std = parameter("per channel, same unit; never 0", min_length=1)

    def numbers(self) -> tuple[Array, Array]:
        """Mean and std."""
        return np.array(self.mean, np.float32), np.array(self.std, np.float32)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on CHW images."""
        (x,) = inputs
        return each_image(x, "CHW", self._library)

    def _library(self, image: Array) -> Array:
        if self.like == "transformers-pil":
            from transformers.image_transforms import normalize

            return normalize(image, self.mean, self.std, input_data_format="channels_first")
        import torch

        tensor, mean, std = torch.from_numpy(image), list(self.mean), list(self.std)
        if self.like == "transformers-torchvision":
            from transformers.image_processing_backends import TorchvisionBackend

            return TorchvisionBackend.normalize(None, tensor, mean, std).numpy()
        if self.like == "timm":
            from timm.data.transforms_factory import transforms

            return transforms.Normalize(torch.tensor(mean), torch.tensor(std))(tensor).numpy()
        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import normalize
        else:
            from torchvision.transforms.v2.functional import normalize
        return normalize(tensor, mean, std).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """ImageNet's constants on planar and interleaved images, and a single channel."""
        for layout, shape in (("NCHW", (2, 3, 5, 7)), ("HWC", (4, 3, 3))):
            yield Case(IMAGENET, (Sample(TensorSpec("float32", shape, layout, "RGB", (0.0, 1.0)), seed=1),))
        yield Case(CLIP, (Sample(TensorSpec("float32", (3, 6, 5), "CHW", "RGB", (0.0, 1.0)), seed=2),))
        yield Case(
            {"mean": [0.1307], "std": [0.3081]}, (Sample(TensorSpec("float32", (1, 1, 28, 28), "NCHW", "GRAY")),)
        )
