"""What the libraries that pad make of an image. Shares no arithmetic with the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxprep.steps.image._borders import Fill
from onnxprep.steps.image._padding import fill_for
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor


def cropped(x: Tensor, like: str, sides: tuple[int, int], fill: Fill) -> Array:
    """Every image, by the library; a fill that it cannot have replaces what it pads."""
    if like == "timm":
        return each_image(x, "HWC", lambda image: _timm(image, sides, fill))
    zeros = each_image(x, "HWC", lambda image: _library(image, like, sides))
    if fill == 0:
        return zeros
    ones = Tensor(np.ones_like(x.array), x.spec)
    inside = each_image(ones, "HWC", lambda image: _library(image, like, sides)) == 1

    def around(image: Array) -> Array:
        return np.broadcast_to(np.array(fill_for(image, fill), image.dtype), (*sides, image.shape[-1]))

    return np.where(inside, zeros, each_image(x, "HWC", around))


def _timm(image: Array, sides: tuple[int, int], fill: Fill) -> Array:
    """Pictures take a fill per channel, tensors do not: those go channel by channel."""
    import torch
    from PIL import Image
    from timm.data.transforms import center_crop_or_pad

    values = fill_for(image, fill)
    if image.dtype == np.uint8 and image.shape[-1] == 3:
        return np.asarray(center_crop_or_pad(Image.fromarray(image), list(sides), fill=values))
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    made = [
        center_crop_or_pad(torch.from_numpy(p[None]), list(sides), fill=v) for p, v in zip(planes, values, strict=True)
    ]
    return np.concatenate([np.asarray(plane) for plane in made]).transpose(1, 2, 0)


def _library(image: Array, like: str, sides: tuple[int, int]) -> Array:
    planar = np.ascontiguousarray(image.transpose(2, 0, 1))
    return np.asarray(_functions(like)(planar, sides)).transpose(1, 2, 0)


def _functions(like: str) -> Any:
    return {"transformers-pil": _transformers_pil, "transformers-torchvision": _transformers_torchvision}.get(
        like, lambda planar, sides: _torchvision(planar, like, sides)
    )


def _transformers_pil(planar: Array, sides: tuple[int, int]) -> Any:
    from transformers.image_transforms import center_crop

    return center_crop(planar, sides, "channels_first", "channels_first")


def _transformers_torchvision(planar: Array, sides: tuple[int, int]) -> Any:
    import torch
    from transformers.image_processing_backends import TorchvisionBackend
    from transformers.image_utils import SizeDict

    size = SizeDict(height=sides[0], width=sides[1])
    return TorchvisionBackend.center_crop(None, torch.from_numpy(planar), size)


def _torchvision(planar: Array, like: str, sides: tuple[int, int]) -> Any:
    import torch

    if like == "torchvision-v1":
        from torchvision.transforms import functional
    else:
        from torchvision.transforms.v2 import functional
    if planar.dtype != np.uint8 or len(planar) != 3:
        return functional.center_crop(torch.from_numpy(planar), list(sides))
    from PIL import Image

    picture = functional.center_crop(Image.fromarray(planar.transpose(1, 2, 0)), list(sides))
    return np.asarray(picture).transpose(2, 0, 1)
