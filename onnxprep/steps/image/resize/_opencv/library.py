"""What cv2 makes of an image. Shares no arithmetic with the graph."""

from __future__ import annotations

from onnxprep.steps.image.planar import each_image
from onnxprep.steps.image.resize._library import resized_sides
from onnxprep.steps.image.resize._sizes.rule import Pair, SizeRule
from onnxprep.tensor import Array, Tensor

_FLAGS = {"bilinear": "LINEAR", "bilinear_exact": "LINEAR_EXACT", "bicubic": "CUBIC"}


def resize(
    x: Tensor, size: Pair | SizeRule | None, scale: tuple[float, float] | None, interpolation: str, *, ipp: bool = False
) -> Array:
    """``cv2.resize`` on every image, by OpenCV's own code or, with ``ipp``, as wheels for x86 do it by default."""
    import cv2

    h, w = (int(x.spec.dim(letter)) for letter in "HW")  # type: ignore[arg-type]  # a Tensor's dims are ints
    flag = getattr(cv2, f"INTER_{_FLAGS.get(interpolation, interpolation.upper())}")
    sides = None if size is None else resized_sides(size, h, w)[::-1]
    fy, fx = scale or (0.0, 0.0)

    def one(image: Array) -> Array:
        made = cv2.resize(image, sides, fx=fx, fy=fy, interpolation=flag)
        return made.reshape(*made.shape[:2], image.shape[2])  # cv2 drops the axis of a single channel

    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(ipp)
    try:
        return each_image(x, "HWC", one)
    finally:
        cv2.ipp.setUseIPP(used)
