"""flip: the mirror image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._mirror import backwards, columns, rows
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.planar import NUMBERS, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Flip(Step):
    """``y[i, j] = x[i, W - 1 - j]`` (horizontal), ``y[i, j] = x[H - 1 - i, j]`` (vertical).

    torchvision calls them hflip and vflip, Pillow FLIP_LEFT_RIGHT and FLIP_TOP_BOTTOM; OpenCV's flip codes are 1 and 0.

    Input: image of any number.
    Output: the same.
    Rounds: never.
    Source: NumPy's flip; the functions named above copy the same pixels.
    Raises: ContractError where the tensor is no image.
    """

    operation: ClassVar[str] = "flip"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "flip")}

    direction: Literal["horizontal", "vertical"] = parameter("left and right, or top and bottom change places")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes no description."""
        (x,) = inputs
        refuse_unless_image(x, *NUMBERS)
        return (x,)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Gather of rows."""
        (x,) = inputs
        a = Arithmetic(op)
        if self.direction == "vertical":
            return rows(op, x, backwards(a, a.size(x, "H")))
        return columns(op, x, backwards(a, a.size(x, "W")))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's flip."""
        axis = 1 if self.direction == "horizontal" else 0
        return each_image(inputs[0], "HWC", lambda image: np.flip(image, axis))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts, several dtypes and numbers of channels; one pixel, one row, one column."""
        for direction in ("horizontal", "vertical"):
            for i, image in enumerate(IMAGES):
                yield Case({"direction": direction}, (Sample(image, seed=i),))


IMAGES = (
    TensorSpec("uint8", (2, 5, 8, 3), "NHWC", "RGB", (0.0, 255.0)),
    TensorSpec("float32", (1, 3, 6, 4), "NCHW", "BGR", (0.0, 1.0)),
    TensorSpec("uint8", (7, 1, 4), "HWC", "RGBA", (0.0, 255.0)),
    TensorSpec("float32", (1, 1, 9), "CHW", "GRAY"),
    TensorSpec("uint8", (1, 1, 1), "HWC", "GRAY", (0.0, 255.0)),
    TensorSpec("int64", (5, 4, 3), "CHW", None, (-1000.0, 1000.0)),
)
"""Small images of many kinds."""
