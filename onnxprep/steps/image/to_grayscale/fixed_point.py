"""to_grayscale of Pillow and OpenCV: whole weights, rounded half up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image._color import planes, refuse_unless_color
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_WEIGHTS = {"pillow": (19595, 38470, 7471, 65536), "opencv": (9798, 19235, 3735, 32768)}
"""Library -> weights of red, green and blue, and what they sum up to."""


class ToGrayscaleFixedPoint(Step):
    """``y = floor((19595 R + 38470 G + 7471 B) / 65536 + 1/2)``; OpenCV: ``(9798 R + 19235 G + 3735 B) / 32768``.

    This is also what torchvision and timm do to PIL images; on tensors they do something else.

    Input: image, uint8, RGB; OpenCV also BGR, the weights follow the declared colour.
    Output: uint8, same layout, GRAY.
    Rounds: once, half up.
    Source: Pillow 13.0, src/libImaging/Convert.c L24; OpenCV 5.0, modules/imgproc/src/color_rgb.simd.hpp RGB2Gray.
    Raises: ContractError where the tensor is no uint8 image or is not RGB (OpenCV: nor BGR).
    """

    operation: ClassVar[str] = "to_grayscale"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", 'Image.convert("L")'),
        "pillow-12": Claim("Pillow", ">=12.2,<13", 'Image.convert("L")'),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "cvtColor, COLOR_RGB2GRAY and COLOR_BGR2GRAY"),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "cvtColor, COLOR_RGB2GRAY and COLOR_BGR2GRAY"),
    }
    inherits: ClassVar[bool] = False

    @property
    def _library(self) -> str:
        return self.like.split("-", maxsplit=1)[0]

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """One channel; a weighted mean stays in the range."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale`; torchvision's works on float32 too")
        refuse_unless_color(x, *(("RGB", "BGR") if self._library == "opencv" else ("RGB",)))
        return (replace(x.with_dims(C=1), color="GRAY"),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Plane by plane: all values are multiples of 1 / total below 256, exact in float32 in any order."""
        (x,) = inputs
        *weights, total = _WEIGHTS[self._library]
        colors = planes(op, x, 3)
        y = op.float32(0.5)
        for plane, weight in zip(colors if x.spec.color == "RGB" else colors[::-1], weights, strict=True):
            y = op.Add(op.Mul(op.Cast(plane, to="float32"), op.float32(weight / total)), y)
        return op.Cast(y, to="uint8")  # at most 255.5, which Cast cuts

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        (x,) = inputs
        return each_image(x, "HWC", self._opencv(x) if self._library == "opencv" else _pillow)

    @staticmethod
    def _opencv(x: Tensor) -> Callable[[Array], Array]:
        import cv2

        code = cv2.COLOR_RGB2GRAY if x.spec.color == "RGB" else cv2.COLOR_BGR2GRAY
        return lambda image: cv2.cvtColor(image, code)[..., np.newaxis]

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Batches and single images, all layouts, one pixel; BGR where the library has it."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            yield Case({}, (Sample(TensorSpec("uint8", shape, layout, "RGB", (0.0, 255.0)), seed=i),))
        for layout, shape in (("NHWC", (2, 3, 8, 3)), ("CHW", (3, 6, 5))):
            bgr = TensorSpec("uint8", shape, layout, "BGR", (0.0, 255.0))
            yield Case({}, (Sample(bgr, seed=9),), ("opencv-5", "opencv-4"))


SHAPES = {"NHWC": (2, 5, 7, 3), "NCHW": (1, 3, 4, 9), "HWC": (1, 1, 3), "CHW": (3, 11, 2)}
"""Layout -> shape of a small image."""


def _pillow(image: Array) -> Array:
    from PIL import Image

    return np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis]
