"""gray_to_rgb: one channel becomes three equal ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class GrayToRgb(Step):
    """``y[c] = x[0]`` for three channels.

    Input: image, uint8 or float32, GRAY.
    Output: the same dtype and layout, RGB.
    Rounds: never.
    Source: Pillow 13, Image.convert("RGB") of an L image; for float32 NumPy's ``repeat``.
    Raises: ContractError where the tensor is no image or is not GRAY.
    """

    operation: ClassVar[str] = "gray_to_rgb"
    claims: ClassVar = {"": Claim("Pillow", ">=12,<14", 'Image.convert("RGB")')}

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Three channels, RGB."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        refuse_unless(x.color == "GRAY", "is not a gray image", expected="GRAY", got=x)
        refuse_unless(x.dim("C") in (1, None), "has another number of channels", expected="C = 1", got=x)
        return (replace(x.with_dims(C=3), color="RGB"),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Concat of the plane with itself."""
        (x,) = inputs
        return op.Concat(x, x, x, axis=x.spec.axis("C"))

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow on bytes."""
        (x,) = inputs
        if x.spec.dtype != "uint8":
            return each_image(x, "HWC", lambda image: np.repeat(image, 3, axis=2))
        from PIL import Image

        return each_image(x, "HWC", lambda image: np.asarray(Image.fromarray(image[..., 0]).convert("RGB")))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Bytes and floats, both layouts."""
        yield Case({}, (Sample(TensorSpec("uint8", (2, 5, 4, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1),))
        yield Case({}, (Sample(TensorSpec("uint8", (1, 1, 1), "CHW", "GRAY", (0.0, 255.0)), seed=2),))
        yield Case({}, (Sample(TensorSpec("float32", (1, 1, 3, 2), "NCHW", "GRAY", (0.0, 1.0)), seed=3),))
