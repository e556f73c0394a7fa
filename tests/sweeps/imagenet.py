"""The ImageNet front end, twice: as our graph, and as Pillow with torchvision's arithmetic. Shared by sweep and benchmark."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import PIL
from PIL import Image
from steps import build

from onnxprep.spec.messages import validated
from onnxprep.step import Step, catalogue
from onnxprep.tensor import Array, Dim, TensorSpec

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
LIKE = f"pillow-{PIL.__version__.split('.')[0]}"
"""The family of the installed Pillow, which it is compared with."""
FILTERS = ("bilinear", "bicubic", "lanczos")


def photos() -> dict[str, Array]:
    """Real photos, uint8 HWC RGB: those of scikit-learn, and of scikit-image where it is installed."""
    from sklearn.datasets import load_sample_image

    found = {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    try:
        import skimage.data
    except ModuleNotFoundError:
        return found
    names = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry")
    return found | {name: getattr(skimage.data, name)() for name in names}


def photo_of(height: int, width: int) -> Array:
    """A photo of this size: China, enlarged."""
    return np.asarray(Image.fromarray(photos()["china"]).resize((width, height), Image.Resampling.BICUBIC))


def make(operation: str, like: str, **parameters: Any) -> Step:
    """The step as a spec makes it."""
    return validated(catalogue()[operation][like], parameters, like)


def graph(
    interpolation: str, size: Any = 256, crop: int = 224, shape: tuple[Dim, ...] = ("N", "H", "W", 3)
) -> onnx.ModelProto:
    """uint8 NHWC -> float32 NCHW; no crop where ``crop`` is 0."""
    steps = [make("resize", LIKE, size=size, interpolation=interpolation)]
    steps += [make("center_crop", "torchvision-v1", size=crop)] if crop else []
    steps += [make("rescale", "torchvision-v1"), make("normalize", "torchvision-v1", mean=MEAN, std=STD)]
    steps += [make("to_layout", "", layout="NCHW")]
    return build(steps, [TensorSpec("uint8", shape, "NHWC", "RGB", (0.0, 255.0))])


def by_numpy(image: Array | Image.Image, interpolation: str, size: Any = 256, crop: int = 224) -> Array:
    """What torchvision's first API makes of a picture, with Pillow's resize and NumPy's arithmetic: [3, h, w]."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    width, height = picture.size
    short = min(height, width)
    new = (int(size * width / short), int(size * height / short)) if isinstance(size, int) else size[::-1]
    picture = picture.resize(new, Image.Resampling[interpolation.upper()])
    if crop:
        left, top = (round((side - crop) / 2.0) for side in picture.size)
        picture = picture.crop((left, top, left + crop, top + crop))
    planar = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
    values = planar.astype(np.float32)
    values /= np.float32(255)
    values -= np.array(MEAN, np.float32)[:, None, None]
    values /= np.array(STD, np.float32)[:, None, None]
    return values


@cache
def torchvision_pipeline(interpolation: str, size: Any = 256, crop: int = 224) -> Any:
    """torchvision's own Compose; ``None`` where torchvision is not installed."""
    try:
        import torch
        from torchvision import transforms
    except ModuleNotFoundError:
        return None
    torch.set_num_threads(1)
    resize = transforms.Resize(size, transforms.InterpolationMode(interpolation))
    crops = [transforms.CenterCrop(crop)] if crop else []
    return transforms.Compose([resize, *crops, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])


def by_torchvision(image: Array, interpolation: str, size: Any = 256, crop: int = 224) -> Array | None:
    """The same by torchvision itself, [3, h, w]."""
    pipeline = torchvision_pipeline(interpolation, tuple(size) if isinstance(size, list) else size, crop)
    return None if pipeline is None else pipeline(Image.fromarray(image)).numpy()
