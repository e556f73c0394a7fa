"""rotate90: quarter turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._mirror import backwards, columns, rows, turned
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.flip import IMAGES
from onnxprep.steps.image.planar import NUMBERS, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Rotate90(Step):
    """``y[i, j] = x[j, W - 1 - i]`` k times: k quarter turns counter-clockwise.

    Pillow calls them ROTATE_90, ROTATE_180 and ROTATE_270; OpenCV's ROTATE_90_CLOCKWISE is k = 3.

    Input: image of any number.
    Output: the same; H and W change places where k is 1 or 3.
    Rounds: never.
    Source: NumPy's rot90.
    Raises: ContractError where the tensor is no image.
    """

    operation: ClassVar[str] = "rotate90"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "rot90")}

    k: int = parameter("quarter turns counter-clockwise, 1..3", ge=1, le=3)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W may change places."""
        (x,) = inputs
        refuse_unless_image(x, *NUMBERS)
        return (x if self.k == 2 else x.with_dims(H=x.dim("W"), W=x.dim("H")),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Gather of rows before or behind a Transpose."""
        (x,) = inputs
        a = Arithmetic(op)
        if self.k == 1:
            return turned(op, x, backwards(a, a.size(x, "W")))
        upside_down = rows(op, x, backwards(a, a.size(x, "H")))
        return turned(op, upside_down) if self.k == 3 else columns(op, upside_down, backwards(a, a.size(x, "W")))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's rot90."""
        return each_image(inputs[0], "HWC", lambda image: np.rot90(image, self.k))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All turns of images of many kinds."""
        for k in (1, 2, 3):
            for i, image in enumerate(IMAGES):
                yield Case({"k": k}, (Sample(image, seed=i),))
