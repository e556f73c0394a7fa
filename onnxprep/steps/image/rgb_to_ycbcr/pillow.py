"""rgb_to_ycbcr of Pillow: sums of tables in 1/64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image._color import planes, refuse_unless_color, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_WEIGHTS = ((0.299, 0.587, 0.114), (-0.16874, -0.33126, 0.5), (0.5, -0.41869, -0.08131))
"""Of red, green and blue in Y, Cb and Cr; the tables follow from these five digits, not from more."""


class RgbToYcbcr(Step):
    """``y[k] = floor(sum_c trunc(64 w[k, c] x[c] + 1/2) / 64) + (0, 128, 128)[k]``: Y, Cb, Cr, full range (JPEG).

    w = (0.299, 0.587, 0.114), (-0.16874, -0.33126, 0.5), (0.5, -0.41869, -0.08131). Towards 0: in Pillow's tables a
    negative product of -10.8 is -10 and one of -10.2 is -9.

    Input: image, uint8, RGB.
    Output: uint8, same layout, three channels Y, Cb, Cr; no colour is declared.
    Rounds: each product to 1/64 as above, then the sum down.
    Source: Pillow 13.0, src/libImaging/ConvertYCbCr.c.
    Raises: ContractError where the tensor is no uint8 image or is not RGB.
    """

    operation: ClassVar[str] = "rgb_to_ycbcr"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", 'Image.convert("YCbCr")'),
        "pillow-12": Claim("Pillow", ">=12.2,<13", 'Image.convert("YCbCr")'),
    }
    inherits: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The colour is none that has a name here."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale`")
        refuse_unless_color(x, "RGB")
        return (replace(x.with_dims(C=3), color=None, range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Nine products, cut by the Cast to int32: right for every byte, with and without fused multiply-add."""
        (x,) = inputs
        colors = [op.Cast(plane, to="float32") for plane in planes(op, x, 3)]

        def product(plane: Value, weight: float) -> Value:
            scaled = op.Mul(plane, op.float32(np.float32(64 * weight)))
            return op.Cast(op.Add(scaled, op.float32(0.5)), to="int32")

        def channel(weights: tuple[float, float, float], offset: int) -> Value:
            red, green, blue = map(product, colors, weights)
            scaled = op.Mul(op.Cast(op.Add(op.Add(red, green), blue), to="float32"), op.float32(1 / 64))
            return op.Cast(op.Add(scaled, op.float32(offset)) if offset else scaled, to="uint8")

        return together(
            op, [channel(weights, offset) for weights, offset in zip(_WEIGHTS, (0, 128, 128), strict=True)], x
        )

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own conversion."""
        from PIL import Image

        return each_image(inputs[0], "HWC", lambda image: np.asarray(Image.fromarray(image).convert("YCbCr")))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts; one pixel."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            yield Case({}, (Sample(TensorSpec("uint8", shape, layout, "RGB", (0.0, 255.0)), seed=i),))


SHAPES = {"NHWC": (2, 9, 7, 3), "NCHW": (1, 3, 8, 9), "HWC": (1, 1, 3), "CHW": (3, 11, 6)}
"""Layout -> shape of a small image."""
