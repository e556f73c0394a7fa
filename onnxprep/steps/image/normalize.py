"""normalize: subtract a mean and divide by a standard deviation, per channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image.planar import Float32, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


def _divides(std: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
    hint = "ImageNet's std is [0.229, 0.224, 0.225]"
    for i, value in enumerate(std):
        if np.float32(value) == 0:
            raise wrong("is 0 in float32", at=f"[{i}]", expected="a non-zero number", hint=hint)
    mean = info.data.get("mean", std)  # absent where it is wrong itself
    if len(std) != len(mean):
        raise wrong(f"has {len(std)} numbers", expected=f"{len(mean)}, as many as mean")
    return std


class Normalize(Step):
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
        "numpy": Claim("numpy", ">=1.26", "(x - mean) / std in float32"),
    }

    mean: tuple[Float32, ...] = parameter("per channel, in the unit of the input (0..1 after rescale)", min_length=1)
    std: Annotated[tuple[Float32, ...], AfterValidator(_divides)] = parameter(
        "per channel, same unit; never 0", min_length=1
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Keeps dtype, layout, shape and colour; the range is what becomes of its ends."""
        (x,) = inputs
        hint = "put `rescale` before it" if x.dtype == "uint8" else "put `to_dtype` before it"
        refuse_unless_image(x, "float32", hint=hint)
        refuse_unless(
            x.dim("C") in (None, len(self.mean)) or isinstance(x.dim("C"), str),
            "has another number of channels",
            expected=f"C = {len(self.mean)}, one per mean and std",
            got=x,
        )
        return (replace(x, range=self._range(x.range)),)

    def _range(self, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given is None:
            return None
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        ends = [(np.float32(end) - mean) / std for end in given]
        return float(np.min(ends)), float(np.max(ends))

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Sub, Div: never a multiplication by 1/std, which differs in 31 % of the values."""
        (x,) = inputs
        mean, std = (op.float32(self._column(values, x.spec)) for values in (self.mean, self.std))
        return op.Div(op.Sub(x, mean), std)

    def _column(self, values: tuple[float, ...], spec: TensorSpec) -> Array:
        after = len(str(spec.layout)) - spec.axis("C") - 1
        return np.array(values, np.float32).reshape(-1, *[1] * after)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on CHW images."""
        (x,) = inputs
        return each_image(x, "HWC", self._numpy) if self.like == "numpy" else each_image(x, "CHW", self._library)

    def _numpy(self, image: Array) -> Array:
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        return (image - mean) / std

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
        imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        clip = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
        for layout, shape in (("NCHW", (2, 3, 5, 7)), ("HWC", (4, 3, 3))):
            yield Case(imagenet, (Sample(TensorSpec("float32", shape, layout, "RGB", (0.0, 1.0)), seed=1),))
        yield Case(clip, (Sample(TensorSpec("float32", (3, 6, 5), "CHW", "RGB", (0.0, 1.0)), seed=2),))
        yield Case(
            {"mean": [0.1307], "std": [0.3081]}, (Sample(TensorSpec("float32", (1, 1, 28, 28), "NCHW", "GRAY")),)
        )
