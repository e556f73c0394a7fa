"""resize like torchvision on uint8 tensors, and like the transformers processors that use it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import model_validator

from onnxprep.step import Case, Claim, Ops, Value, parameter, wrong
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._pillow.cases import torch_cases
from onnxprep.steps.image.resize._torch import library
from onnxprep.steps.image.resize._torch.resizing import TorchResizing, draw_resize
from onnxprep.tensor import Array, Tensor

_NOTE = (
    "x86-64 with AVX2 or AVX-512, tensors on the CPU; nearest_exact of 4 channels: a contiguous tensor; 3 channels to "
    "1 x 1 px: one that lies as HWC, torch fails on others; an output that reads more than 514 inputs of an axis is proven only where H and W are known, and tested elsewhere"
)


class Resize(TorchResizing):
    """``y = clip((2**(p - 1) + sum k * x) >> p, 0, 255)`` along each row, then along each column, uint8 in between.

    ``k = trunc(w * 2**p + copysign(0.5, w))``, p the largest number up to 22 for which every k of the axis is below
    2**15. With ``antialias``, w is the filter stretched by max(length / new length, 1) around the centre of the output
    pixel, cut at the edges and divided by its sum, in float64. Without it w is interpolated between the 2 or 4 nearest
    inputs (bicubic with -0.75), where the edges repeat. ``nearest`` takes ``x[floor(i * s)]``, ``nearest_exact``
    ``x[floor((i + 0.5) * s)]``, s = length / new length in float32; both ignore ``antialias``.
    Only what a following crop keeps is computed.

    Input: image, uint8, 1 to 4 channels, of which alpha is one like the others; all images of a call have the same H and W.
    Output: uint8, the same layout and colour.
    Rounds: after each pass, half up.
    Source: torchvision 0.28, transforms/v2/functional/_geometry.py resize_image; torch 2.13,
        aten/src/ATen/native/cpu/UpSampleKernel.cpp.
    Raises: ContractError where the tensor is no uint8 image, has more than 4 channels, or a side would become 0.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "torchvision-v2": Claim("torchvision", ">=0.28,<0.29", "transforms.v2.functional.resize", note=_NOTE)
    }
    interpolation: Literal["nearest", "nearest_exact", "bilinear", "bicubic", "lanczos"] = parameter(
        "the filter, by torchvision's name; lanczos only with antialias"
    )
    antialias: bool = parameter("whether the filter widens where the image shrinks", default=True)

    @model_validator(mode="after")
    def _lanczos_is_antialiased(self) -> Resize:
        if self.interpolation == "lanczos" and not self.antialias:
            raise wrong("is false", at=".antialias", expected="true, as torchvision demands for lanczos")
        return self

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        """Two passes over tap tables, which are constants where all lengths are known."""
        return self.resize(op, x, geometry, sizes, self.interpolation, antialias=self.antialias)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own resize, image by image; the size by the library the rule is named after."""
        (x,) = inputs
        return library.torchvision(x, self.size, self.interpolation, antialias=self.antialias)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every filter, with and without antialias; odd sizes, one pixel, tall images, up, down and not at all."""
        for i, case in enumerate(torch_cases(("nearest", "nearest_exact", "bilinear", "bicubic", "lanczos"))):
            antialias = i % 5 < 3 or case.parameters["interpolation"] == "lanczos"
            yield replace(case, parameters={**case.parameters, "antialias": antialias})

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any filter from any size to any other."""
        case = draw_resize(
            rng, largest, ("nearest", "nearest_exact", "bilinear", "bicubic", "bilinear", "bicubic", "lanczos")
        )
        antialias = bool(rng.integers(2)) or case.parameters["interpolation"] == "lanczos"
        return replace(case, parameters={**case.parameters, "antialias": antialias})


class TransformersResize(TorchResizing):
    """As ``torchvision-v2`` with ``antialias``; ``nearest`` is its ``nearest_exact``. Box and hamming: transformers fails.

    Input: image, uint8, 1 to 4 channels, of which alpha is one like the others; all images of a call have the same H and W.
    Output: uint8, the same layout and colour.
    Rounds: after each pass, half up.
    Source: transformers 5.23, image_processing_backends.py TorchvisionBackend.resize; torchvision 0.28 and torch 2.13,
        see ``torchvision-v2``.
    Raises: ContractError where the tensor is no uint8 image, has more than 4 channels, or a side would become 0.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.resize", note=_NOTE)
    }
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = parameter("the filter, by Pillow's name")

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        """Two passes over tap tables, which are constants where all lengths are known."""
        interpolation = {"nearest": "nearest_exact"}.get(self.interpolation, self.interpolation)
        return self.resize(op, x, geometry, sizes, interpolation, antialias=True)

    def oracle(self, *inputs: Tensor) -> Array:
        """The backend's own resize, image by image; the size by the library the rule is named after."""
        (x,) = inputs
        return library.transformers(x, self.size, self.interpolation)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every filter; odd sizes, one pixel, tall images, up, down and not at all."""
        return torch_cases(("nearest", "bilinear", "bicubic", "lanczos"))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any filter from any size to any other."""
        return draw_resize(rng, largest, ("nearest", "bilinear", "bicubic", "lanczos"))
