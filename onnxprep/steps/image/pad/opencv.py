"""pad like OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._borders import FROM_OPENCV, Rule
from onnxprep.steps.image._padding import fill_for, refuse_more_channels
from onnxprep.steps.image.pad._four_sides import FourSides, cases, draw
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class PadOpencv(FourSides):
    """``y[i + top, j + left] = x[i, j]``; around it ``fill``, or what ``padding_mode`` makes of ``x``.

    replicate ``aaa|abcd|ddd``, reflect ``cba|abcd|dcb``, reflect_101 ``dcb|abcd|cba``, wrap ``bcd|abcd|abc``, as often
    as the border needs it. One ``fill`` is for all channels; OpenCV's ``value=114`` is ``[114, 0, 0]``. CUDA has no
    Pad for uint8: ONNX Runtime then puts ``fill`` there on the CPU.

    Input: image, uint8 or float32; at most 4 channels.
    Output: the same dtype, layout and colour; H and W are longer by the border.
    Rounds: never; ``fill`` is rounded to float32.
    Source: OpenCV 5.0, modules/core/src/copy.cpp copyMakeBorder and borderInterpolate; 4.14 does the same.
    Raises: ContractError where the tensor is no image, has more than 4 channels, or ``fill`` does not fit it.
    """

    operation: ClassVar[str] = "pad"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "copyMakeBorder"),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "copyMakeBorder"),
    }

    padding_mode: Literal["constant", "replicate", "reflect", "reflect_101", "wrap"] = parameter(
        "what is put there, by OpenCV's name", "constant"
    )

    def rule(self) -> Rule:
        """OpenCV's name -> NumPy's."""
        return FROM_OPENCV[self.padding_mode]

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are longer; the range takes in the values around the image."""
        (x,) = inputs
        (y,) = super().infer(x)
        refuse_more_channels(x)
        return (y,)

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own function, image by image."""
        import cv2

        if f"opencv-{cv2.__version__.split('.')[0]}" != self.like:
            raise ImportError(f"{self.like} was asked for, OpenCV {cv2.__version__} is installed", name="cv2")
        border = getattr(cv2, f"BORDER_{self.padding_mode.upper()}")

        def one(image: Array) -> Array:
            sides = (self.top, self.bottom, self.left, self.right)
            padded = cv2.copyMakeBorder(image, *sides, border, value=fill_for(image, self.fill))
            return np.asarray(padded).reshape(*padded.shape[:2], image.shape[-1])

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every border, more than the image is long, one pixel, an axis without a border; fills per channel."""
        yield from cases(tuple(FROM_OPENCV))
        rgba = TensorSpec("uint8", (1, 3, 2, 4), "NHWC", "RGBA", (0.0, 255.0))
        yield Case({"bottom": 2, "fill": [1.0, 2.0, 3.0, 4.0]}, (Sample(rgba, 9),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random borders of up to 40 px."""
        return draw(tuple(FROM_OPENCV), rng, largest)
