"""What torchvision and transformers make of a uint8 tensor. Shares no arithmetic with the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxprep.steps.image.planar import each_image
from onnxprep.steps.image.resize._library import resized_sides
from onnxprep.steps.image.resize._sizes.rule import Pair, SizeRule
from onnxprep.tensor import Array, Tensor


def torchvision(x: Tensor, size: Pair | SizeRule, interpolation: str, *, antialias: bool) -> Array:
    """``torchvision.transforms.v2.functional.resize`` on every image."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    mode = InterpolationMode[interpolation.upper()]
    return _each(x, size, lambda image, sides: functional.resize(image, list(sides), mode, antialias=antialias))


def transformers(x: Tensor, size: Pair | SizeRule, interpolation: str) -> Array:
    """``TorchvisionBackend.resize`` on every image, as the processors call it."""
    from PIL.Image import Resampling
    from transformers.image_processing_backends import TorchvisionBackend
    from transformers.image_utils import SizeDict

    backend, resample = TorchvisionBackend(), Resampling[interpolation.upper()]
    return _each(
        x, size, lambda image, sides: backend.resize(image, SizeDict(height=sides[0], width=sides[1]), resample)
    )


def _each(x: Tensor, size: Pair | SizeRule, resize: Callable[[Any, Pair], Any]) -> Array:
    import torch

    height, width = (int(x.spec.dim(letter)) for letter in "HW")  # type: ignore[arg-type]  # a Tensor's dims are ints
    new = resized_sides(size, height, width)
    if 0 in x.array.shape:
        dims = {"N": 0, "H": new[0], "W": new[1], "C": x.spec.dim("C")}
        return np.zeros([int(dims[letter]) for letter in str(x.spec.layout)], np.uint8)  # type: ignore[arg-type]
    if new == (1, 1):  # torch fails on contiguous tensors of 3 channels, but not on those that lie as HWC
        return each_image(
            x, "HWC", lambda image: resize(torch.from_numpy(image).permute(2, 0, 1), new).permute(1, 2, 0).numpy()
        )
    return each_image(x, "CHW", lambda image: resize(torch.from_numpy(image), new).numpy())
