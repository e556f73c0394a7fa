"""What the operations that follow albumentations' PadIfNeeded share."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from onnxprep.step import Sample, parameter
from onnxprep.steps.image._borders import FROM_OPENCV, Border, Fill, Rule
from onnxprep.steps.image._padding import Padding, fill_for, refuse_more_channels
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor, TensorSpec

POSITIONS = ("center", "top_left", "top_right", "bottom_left", "bottom_right")


class PadIfNeeded(Padding):
    """A step says how much is missing."""

    position: Literal["center", "top_left", "top_right", "bottom_left", "bottom_right"] = parameter(
        "where the image lies in the result", "center"
    )
    padding_mode: Literal["constant", "replicate", "reflect", "reflect_101", "wrap"] = parameter(
        "what is put around it, by OpenCV's name", "constant"
    )
    fill: Fill = parameter("where padding_mode is constant: one value, or one per channel", 0.0)

    def missing(self, a: Arithmetic, sides: Number) -> Number:
        """By how much the result is longer, int64 [2]."""
        raise NotImplementedError

    def needed(self) -> dict[str, int | None]:
        """The arguments of PadIfNeeded."""
        raise NotImplementedError

    def border(self, a: Arithmetic, sides: Number) -> Border:
        """What is missing, placed."""
        missing = self.missing(a, sides)
        if self.position == "center":
            before = a.Div(missing, lengths(2))
        else:
            before = a.Mul(missing, lengths(self.position.startswith("bottom"), self.position.endswith("right")))
        return Border(before, a.Sub(missing, before))

    def rule(self) -> Rule:
        """OpenCV's name -> NumPy's."""
        return FROM_OPENCV[self.padding_mode]

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W may be longer; the range takes in the values around the image."""
        (x,) = inputs
        (y,) = super().infer(x)
        refuse_more_channels(x)
        return (y,)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own transform, image by image."""
        import albumentations
        import cv2

        border = getattr(cv2, f"BORDER_{self.padding_mode.upper()}")

        def one(image: Array) -> Array:
            fill = fill_for(image, self.fill)
            placed = {"position": self.position, "border_mode": border, "fill": fill}
            return np.asarray(albumentations.PadIfNeeded(**self.needed(), **placed, p=1.0)(image=image)["image"])

        return each_image(inputs[0], "HWC", one)


def samples() -> tuple[Sample, ...]:
    """Images whose sides are longer and shorter than those of the cases, and as long; one pixel."""
    rgb = TensorSpec("uint8", (2, 5, 7, 3), "NHWC", "RGB", (0.0, 255.0))
    real = TensorSpec("float32", (3, 6, 9), "CHW", "RGB", (0.0, 1.0))
    gray = TensorSpec("uint8", (1, 12, 3), "CHW", "GRAY", (0.0, 255.0))
    return Sample(rgb, 1), Sample(real, 2), Sample(rgb.with_dims(H=1, W=1), 3), Sample(gray, 4)


def placements(rng: np.random.Generator) -> dict[str, Any]:
    """A random position, border and fill."""
    fill = [float(n) for n in rng.integers(0, 256, 3)]
    return {
        "position": str(rng.choice(POSITIONS)),
        "padding_mode": str(rng.choice(list(FROM_OPENCV))),
        "fill": fill if rng.random() < 0.5 else fill[0],
    }
