"""What Ultralytics makes of an image; its LetterBox re-implemented around the calls of OpenCV and Pillow.

Source: ultralytics 8.3, data/augment.py LetterBox. Shares no arithmetic with the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from onnxprep.step import Claim
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor

Borders = tuple[int, int, int, int]
Library = Callable[[Array, tuple[int, int], Borders], Array]
"""(HWC image, (width, height) to resize it to, (top, bottom, left, right)) -> what comes out."""

_NOTE = "the geometry is re-implemented from ultralytics 8.3 data/augment.py LetterBox; "
_CV2 = "cv2.resize and cv2.copyMakeBorder are OpenCV's own, with IPP off"
CLAIMS: Mapping[str, Claim] = {
    "opencv-5": Claim("opencv-python-headless", ">=5,<6", "resize, copyMakeBorder", note=_NOTE + _CV2),
    "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "resize, copyMakeBorder", note=_NOTE + _CV2),
    "pillow-13": Claim("Pillow", ">=13,<14", "Image.resize, ImageOps.expand", note=_NOTE + "the rest is Pillow's own"),
}
"""``resize_like`` -> what is promised."""


def letterboxed(
    x: Tensor, like: str, geometry: tuple[tuple[int, int], bool, bool, bool, int, bool], fill: int, interpolation: str
) -> Array:
    """Every image, by the functions of one library."""
    new_shape, auto, scale_fill, scaleup, stride, center = geometry
    library = (_pillow if like.startswith("pillow") else _opencv)(x, like, fill, interpolation)

    def one(image: Array) -> Array:
        shape = image.shape[:2]
        r = min(new_shape[0] / shape[0], new_shape[1] / shape[1])
        if not scaleup:
            r = min(r, 1.0)
        new_unpad = max(round(shape[1] * r), 1), max(round(shape[0] * r), 1)
        dw, dh = float(new_shape[1] - new_unpad[0]), float(new_shape[0] - new_unpad[1])
        if auto:
            dw, dh = float(np.mod(dw, stride)), float(np.mod(dh, stride))
        elif scale_fill:
            dw, dh = 0.0, 0.0
            new_unpad = (new_shape[1], new_shape[0])
        if center:
            dw /= 2
            dh /= 2
        top, bottom = round(dh - 0.1) if center else 0, round(dh + 0.1)
        left, right = round(dw - 0.1) if center else 0, round(dw + 0.1)
        return library(image, new_unpad, (top, bottom, left, right))

    return each_image(x, "HWC", one)


def _opencv(x: Tensor, like: str, fill: int, interpolation: str) -> Library:  # noqa: ARG001
    import cv2

    if f"opencv-{cv2.__version__.split('.')[0]}" != like:
        raise ImportError(f"{like} was asked for, OpenCV {cv2.__version__} is installed", name="cv2")
    names = {"bicubic": "CUBIC", "bilinear": "LINEAR", "bilinear_exact": "LINEAR_EXACT"}
    flag = getattr(cv2, f"INTER_{names.get(interpolation, interpolation.upper())}")

    def one(image: Array, size: tuple[int, int], border: Borders) -> Array:
        used = cv2.ipp.useIPP()
        cv2.ipp.setUseIPP(False)
        try:
            inside = cv2.resize(image, size, interpolation=flag) if image.shape[1::-1] != size else image
        finally:
            cv2.ipp.setUseIPP(used)
        made = cv2.copyMakeBorder(inside, *border, cv2.BORDER_CONSTANT, value=(fill,) * 4)
        return np.asarray(made).reshape(*made.shape[:2], image.shape[-1])

    return one


def _pillow(x: Tensor, like: str, fill: int, interpolation: str) -> Library:
    import PIL
    from PIL import Image, ImageOps

    if f"pillow-{PIL.__version__.split('.')[0]}" != like:
        raise ImportError(f"{like} was asked for, Pillow {PIL.__version__} is installed", name="PIL")
    flag = Image.Resampling[interpolation.upper()]

    def picture(image: Array, size: tuple[int, int], border: Borders) -> Array:
        top, bottom, left, right = border
        inside = Image.fromarray(image)
        inside = inside.resize(size, flag) if inside.size != size else inside
        color = fill if image.ndim == 2 else (fill,) * image.shape[-1]
        return np.asarray(ImageOps.expand(inside, (left, top, right, bottom), color))

    def one(image: Array, size: tuple[int, int], border: Borders) -> Array:
        if image.shape[-1] == 3 or x.spec.color == "RGBA":
            return picture(image, size, border)
        planes = [np.ascontiguousarray(image[..., c]) for c in range(image.shape[-1])]
        return np.stack([picture(plane, size, border) for plane in planes], axis=-1)

    return one
