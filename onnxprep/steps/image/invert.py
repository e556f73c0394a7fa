"""invert: the negative of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Invert(Step):
    """``y = 255 - x``.

    Input: image, uint8, RGB or GRAY.
    Output: the same.
    Rounds: never.
    Source: Pillow 13.0.0, ImageOps.py invert.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1 nor 3 channels.
    """

    operation: ClassVar[str] = "invert"
    claims: ClassVar = {"pillow-13": Claim("Pillow", ">=13,<14", "ImageOps.invert")}

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="invert before `rescale`")
        refuse_unless(x.dim("C") in (1, 3), "works on RGB and GRAY", expected="C = 1 or C = 3", got=x)
        return (x,)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """In int32: ONNX Runtime has no Sub for bytes."""
        (x,) = inputs
        return op.Cast(op.Sub(op.constant(255, "int32"), op.Cast(x, to="int32")), to="uint8")

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own function, image by image."""
        from PIL import Image, ImageOps

        def one(image: Array) -> Array:
            return np.asarray(ImageOps.invert(Image.fromarray(image.squeeze(axis=2) if gray else image))).reshape(
                image.shape
            )

        gray = inputs[0].spec.dim("C") == 1
        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """A batch of pictures as decoders give them, and a single gray one, planar."""
        yield Case({}, (Sample(TensorSpec("uint8", (2, 5, 7, 3), "NHWC", "RGB", (0.0, 255.0)), seed=1),))
        yield Case({}, (Sample(TensorSpec("uint8", (1, 1, 9), "CHW", "GRAY", (0.0, 255.0)), seed=2),))
