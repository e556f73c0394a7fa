"""ycbcr_to_rgb of Pillow: sums of tables in 1/64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image._color import planes, refuse_unless_three_channels, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.steps.image.rgb_to_ycbcr.pillow import SHAPES
from onnxprep.tensor import Array, Tensor, TensorSpec


class YcbcrToRgb(Step):
    """``R = Y + t(1.402 cr)``, ``G = Y + t(-0.34414 cb, -0.71414 cr)``, ``B = Y + t(1.772 cb)``, clipped to 0..255.

    cb and cr are the second and third channel less 128, ``t(v, ...) = floor((trunc(64 v + 1/2) + ...) / 64)``.

    Input: image, uint8, three channels Y, Cb, Cr of full range (JPEG); no colour is declared.
    Output: uint8, same layout, RGB.
    Rounds: each product to 1/64 towards 0 after adding a half, then the sum down.
    Source: Pillow 13.0, src/libImaging/ConvertYCbCr.c.
    Raises: ContractError where the tensor is no uint8 image of three channels, or declares a colour.
    """

    operation: ClassVar[str] = "ycbcr_to_rgb"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", 'Image.convert("RGB") of a YCbCr image'),
        "pillow-12": Claim("Pillow", ">=12.2,<13", 'Image.convert("RGB") of a YCbCr image'),
    }
    inherits: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The colour is RGB."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale`")
        refuse_unless_three_channels(x, "Y, Cb and Cr")
        return (replace(x, color="RGB", range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Four products, cut by the Cast to int32: right for every byte, with and without fused multiply-add."""
        (x,) = inputs
        y, cb, cr = (op.Cast(plane, to="float32") for plane in planes(op, x, 3))
        cb, cr = op.Sub(cb, op.float32(128)), op.Sub(cr, op.float32(128))

        def product(plane: Value, weight: float) -> Value:
            scaled = op.Mul(plane, op.float32(np.float32(64 * weight)))
            return op.Cast(op.Add(scaled, op.float32(0.5)), to="int32")

        def color(offset: Value) -> Value:
            down = op.Floor(op.Mul(op.Cast(offset, to="float32"), op.float32(1 / 64)))
            return op.Cast(op.Clip(op.Add(y, down), op.float32(0), op.float32(255)), to="uint8")

        green = op.Add(product(cb, -0.34414), product(cr, -0.71414))
        return together(op, [color(product(cr, 1.402)), color(green), color(product(cb, 1.772))], x)

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own conversion."""
        from PIL import Image

        def one(image: Array) -> Array:
            given = Image.frombytes("YCbCr", image.shape[1::-1], image.tobytes())
            return np.asarray(given.convert("RGB"))

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts; one pixel."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            yield Case({}, (Sample(TensorSpec("uint8", shape, layout, None, (0.0, 255.0)), seed=i),))
