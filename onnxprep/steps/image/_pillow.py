"""What oracles need to call Pillow. Shares no arithmetic with the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor


def by_pillow(x: Tensor, function: Callable[[Any], Any]) -> Array:
    """``function`` on every image as one of mode L, RGB or RGBA."""
    from PIL import Image

    def one(image: Array) -> Array:
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        return np.asarray(function(picture)).reshape(image.shape)

    return each_image(x, "HWC", one)
