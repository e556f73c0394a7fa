"""box_blur like OpenCV on bytes: a sum times a rounded reciprocal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Case, Claim, Ops, Value, parameter, wrong
from onnxprep.steps.image._bands import Planes, Window
from onnxprep.steps.image._blurs import Blur, cases_of, pair
from onnxprep.steps.image._borders import FROM_OPENCV, OpencvRule
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor

_Side = Annotated[int, Field(gt=0, le=255)]


def _proven(size: Any) -> Any:
    area = math.prod(pair(size))
    if area == 2:
        raise wrong(
            "covers 2 px, which OpenCV computes wrong: 0 becomes 1, 255 becomes 0 in some columns",
            expected="1 px, or 3 and more",
        )
    if area > 256 and area % 2 == 0:
        # half way between two bytes OpenCV then rounds by the processor's vector length and the column
        raise wrong(f"covers {area} px", expected="odd sides where it covers more than 256 px")
    if area > 16000:
        raise wrong(f"covers {area} px", expected="at most 16000 px")
    return size


def _scale(area: int) -> tuple[float, float]:
    """Factor and summand that make the mean of a sum, cut to a whole number."""
    if area > 256:
        return 1 / area, 0.5
    if area == 1:
        return 1.0, 0.0
    factor, rest = divmod(2**23, area)
    up = rest / area >= 0.5
    factor, summand = (factor + 1, area // 2) if up else (factor, area // 2 + 1)
    return factor / 2**23, summand * factor / 2**23


class BoxBlur(Blur):
    """``y = (sum + d) * f >> 23``, the sum over the kernel's px, f and d as OpenCV takes them for its area.

    ``f = round(2**23 / area)``, ``d = area // 2``, and 1 more where f was rounded down or is exact. This is the mean,
    rounded up from 1/2 on, with a power of 2 from ``1/2 - 1/area`` on. A kernel of more than 256 px gives the mean,
    rounded to the nearest. An even kernel reaches one px further up and left. An image smaller than the kernel is
    reflected as often as it takes.

    Input: image, uint8, 1, 3 or 4 channels.
    Output: the same.
    Rounds: once, as above.
    Source: OpenCV 5.0.0, modules/imgproc/src/box_filter.simd.hpp ColumnSum.
    Raises: ContractError where the tensor is no uint8 image, or has another number of channels.
    """

    operation: ClassVar[str] = "box_blur"
    claims: ClassVar = {
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "blur"),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "blur"),
    }

    kernel_size: Annotated[_Side | tuple[_Side, _Side], AfterValidator(_proven)] = parameter(
        "side or [height, width], px; odd where it covers more than 256 px, at most 16000 px, not 2"
    )
    padding_mode: OpencvRule = parameter("what lies beyond the edge, by OpenCV's names", "reflect_101")

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Band matrices of ones; the factor is in the second one, where float64 holds it exactly."""
        (x,), (height, width) = inputs, pair(self.kernel_size)
        if height * width == 1:
            return x
        factor, summand = _scale(height * width)
        rows = Window([factor] * height, height // 2, FROM_OPENCV[self.padding_mode])
        columns = Window([1.0] * width, width // 2, FROM_OPENCV[self.padding_mode])
        return Planes(op, x).weighted(rows, columns, summand)

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own, image by image."""
        import cv2

        height, width = pair(self.kernel_size)

        def one(image: Array) -> Array:
            border = getattr(cv2, f"BORDER_{self.padding_mode.upper()}")
            return np.asarray(cv2.blur(image, (width, height), borderType=border)).reshape(image.shape)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Odd and even kernels, every border, images smaller than the kernel, one pixel."""
        rgb, gray = ("NHWC", (2, 9, 13, 3), "RGB"), ("CHW", (1, 20, 35), "GRAY")
        listed: list[tuple[dict[str, Any], tuple[str, tuple[int, ...], str]]] = [
            ({"kernel_size": 3}, rgb), ({"kernel_size": 3, "padding_mode": "replicate"}, gray),
            ({"kernel_size": 5}, ("HWC", (6, 7, 4), "RGBA")), ({"kernel_size": [2, 4], "padding_mode": "reflect"}, rgb),
            ({"kernel_size": [1, 4]}, gray), ({"kernel_size": [9, 1]}, ("NCHW", (1, 3, 17, 33), "RGB")),
            ({"kernel_size": 16}, gray), ({"kernel_size": [17, 31], "padding_mode": "reflect"}, ("HWC", (40, 5, 3), "BGR")),
            ({"kernel_size": 6}, ("HWC", (1, 1, 3), "RGB")), ({"kernel_size": 1}, rgb),
        ]  # fmt: skip
        yield from cases_of(listed)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any kernel and border."""
        sides = [int(rng.integers(1, rng.choice([4, 8, 40]))) for _ in range(2)]
        if sides[0] * sides[1] > 256 or sides[0] * sides[1] == 2:
            sides = [side | 1 for side in sides]
        border = str(rng.choice(["reflect_101", "reflect", "replicate"], p=[0.6, 0.2, 0.2]))
        whole = rng.random() < 0.4 and (sides[0] % 2 == 1 or sides[0] <= 16)
        return Case(
            {"kernel_size": sides[0] if whole else sides, "padding_mode": border}, (random_image(rng, largest),)
        )
