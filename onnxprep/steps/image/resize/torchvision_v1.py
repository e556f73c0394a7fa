"""resize like torchvision.transforms.functional on uint8 tensors: in float32, rounded at the end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter, random_sides
from onnxprep.steps.image.resize._floats.bounded import Bounded, refuse_mixed_up
from onnxprep.steps.image.resize._floats.library import on_batch
from onnxprep.steps.image.resize._floats.sums import to_bytes
from onnxprep.steps.image.resize._floats.torch import Interpolation, resample
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._library import resized_sides
from onnxprep.tensor import Array, Tensor, TensorSpec

_INTERPOLATIONS = ("nearest", "nearest_exact", "bilinear", "bicubic")


class ResizeTorchvisionV1(Bounded):
    """``y = clip(round(sum of w * x), 0, 255)`` over both axes with torch's float32 weights.

    The filters are those of the family torch. On PIL images torchvision resizes by Pillow: those take a family of
    Pillow, and torchvision.transforms.v2 on tensors is another family, too.

    Input: image, uint8, any number of channels; all images of a call have the same H and W.
    Output: the same dtype, layout and colour.
    Rounds: once, half to even; every float32 operation by itself.
    Source: torchvision 0.28, transforms/_functional_tensor.py resize; torch 2.13, cpu/UpSampleKernel.cpp.
    Raises: ContractError where the tensor is no uint8 image, or a side would become 0.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "torchvision-v1": Claim(
            "torchvision",
            ">=0.28,<1",
            "transforms.functional.resize",
            absolute=1.0,
            note="1 level in about 1 of 50 000 values of photos, 1 of 5 000 of noise and small images; nearest and "
            "nearest_exact are bit-exact for contiguous tensors; CPU kernels on processors with FMA; an antialiased output "
            "1 px wide is that of a channels-last tensor: torch 2.13 mixes up the pixels of a contiguous one",
        )
    }
    bound: ClassVar[str] = "within 1 level, in fewer than 1 of 5000 values"

    interpolation: Literal["nearest", "nearest_exact", "bilinear", "bicubic"] = parameter(
        "the filter, by torchvision's InterpolationMode"
    )
    antialias: bool = parameter("whether bilinear and bicubic grow with the reduction; of no effect on nearest", True)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule."""
        (x,), (y,) = inputs, super().infer(*inputs)
        refuse_mixed_up(x, y, antialias=self.antialias)
        return (y,)

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:  # noqa: ARG002
        """Torch's float32, rounded before it is turned into place."""
        finish = partial(to_bytes, op)
        return resample(op, x, geometry, Interpolation(self.interpolation, self.antialias), finish)

    def oracle(self, *inputs: Tensor) -> Array:
        """Torchvision's own function; antialiased on a channels-last tensor, as the claim notes."""
        from torchvision.transforms import InterpolationMode, functional

        mode = InterpolationMode(self.interpolation.replace("_", "-"))

        def resized(images: Any) -> Any:
            size = list(resized_sides(self.size, *images.shape[-2:]))
            return functional.resize(images, size, mode, antialias=self.antialias)

        return on_batch(inputs[0], resized, channels_last=self.antialias and not self._chooses)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every mode with and without antialias, up and down; one pixel, tall images, every layout, a size rule."""
        for i, how in enumerate(_ways()):
            yield _case((1, 3, 23, 31), {"size": [11, 17], **how}, i)
            yield _case((2, 9, 5, 3), {"size": [20, 13], **how}, i, "NHWC")
        bicubic = {"interpolation": "bicubic", "exact": False}
        yield _case((3, 41, 12), {"size": [7, 3], **bicubic}, 1, "CHW")
        yield _case((12, 19, 3), {"size": [1, 1], **bicubic}, 2, "HWC")
        yield _case((1, 1, 3), {"size": [3, 5], **bicubic}, 3, "HWC")
        yield _case((1, 37, 50, 3), {"size": 24, "interpolation": "bilinear", "exact": False}, 4, "NHWC")
        yield _case((2, 1, 6, 7), {"size": [6, 7], **bicubic}, 5, "NCHW", "GRAY")

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any mode to any size."""
        ways = list(_ways())
        height, width = random_sides(rng, largest)
        spec = TensorSpec("uint8", (1, 3, 1, 1), "NCHW", "RGB", (0.0, 255.0))
        spec = spec.with_dims(N=int(rng.integers(1, 3)), H=height, W=width)
        size = random_sides(rng, largest)
        return Case({"size": size, **ways[rng.integers(len(ways))]}, (Sample(spec, int(rng.integers(2**31))),))


def _ways() -> Iterator[dict[str, Any]]:
    for interpolation in _INTERPOLATIONS:
        chooses = interpolation.startswith("nearest")
        yield {"interpolation": interpolation, "exact": chooses}
        if not chooses:
            yield {"interpolation": interpolation, "exact": False, "antialias": False}


def _case(
    shape: tuple[int, ...], parameters: dict[str, Any], seed: int, layout: str = "NCHW", color: str = "RGB"
) -> Case:
    return Case(parameters, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed),))
