"""convert_scale_abs: OpenCV's brightness and contrast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._bytes import EVERY, ByteToByte, cases_of
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_NOTE = "on x86 with FMA, which OpenCV uses where it finds it"


class ConvertScaleAbs(ByteToByte):
    """``y = min(round(abs(x * alpha + beta)), 255)`` in float32.

    Input: image, uint8, with 1, 3 or 4 channels, all of which change.
    Output: the same.
    Rounds: alpha and beta to float32; product and sum together, once; the result to a whole number. Half to even.
    Source: OpenCV 5.0 and 4.14, modules/core/src/convert_scale.simd.hpp cvtabs_32f.
    Raises: ContractError where the tensor is not a uint8 image, or has another number of channels.
    """

    operation: ClassVar[str] = "convert_scale_abs"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "convertScaleAbs", note=_NOTE),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "convertScaleAbs", note=_NOTE),
    }
    channels: ClassVar = (1, 3, 4)

    # beyond these OpenCV's numbers leave int32
    alpha: Annotated[float, Field(ge=-1e6, le=1e6)] = parameter("factor, the contrast; -1e6..1e6", 1.0)
    beta: Annotated[float, Field(ge=-1e6, le=1e6)] = parameter("what is added, the brightness; -1e6..1e6", 0.0)

    def table(self) -> Array:
        """What becomes of every byte; in float64 the product is exact, so that the sum is what FMA gives."""
        alpha, beta = np.float64(np.float32(self.alpha)), np.float64(np.float32(self.beta))
        scaled = np.abs((EVERY * alpha + beta).astype(np.float32))
        return np.minimum(np.rint(scaled), 255).astype(np.uint8)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function, image by image."""
        import cv2

        def one(image: Array) -> Array:
            return cv2.convertScaleAbs(image, alpha=self.alpha, beta=self.beta).reshape(image.shape)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Brighter, more contrast, halves, below 0, both ends; alpha is a channel like any other."""
        pairs = ((1.3, 3.0), (1.5, 0.0), (1.0, -100.0), (-0.7, 30.25), (2.5, 0.5), (0.1, 1e6))
        yield from cases_of({}, *({"alpha": alpha, "beta": beta} for alpha, beta in pairs))
        rgba = Sample(TensorSpec("uint8", (2, 4, 6, 5), "NCHW", "RGBA", (0.0, 255.0)), seed=9)
        yield Case({"alpha": -1.1, "beta": 200.0}, (rgba,))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Random numbers of both signs; every third beta is 0."""
        case, beta = super().draw(like, rng, largest), float(rng.uniform(-200, 200))
        return Case({"alpha": float(rng.uniform(-3, 3)), "beta": beta if rng.integers(3) else 0.0}, case.inputs)
