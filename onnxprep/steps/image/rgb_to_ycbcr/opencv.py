"""rgb_to_ycbcr of OpenCV: whole weights of 14 bits, in the order Y, Cr, Cb."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image._color import planes, refuse_unless_color, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.steps.image.rgb_to_ycbcr.pillow import SHAPES
from onnxprep.tensor import Array, Tensor, TensorSpec

_WEIGHTS = (4899, 9617, 1868)
_FUNCTION = "cvtColor, COLOR_RGB2YCrCb and COLOR_BGR2YCrCb"


class RgbToYcrcb(Step):
    """``Y = (4899 R + 9617 G + 1868 B) >> 14``, ``Cr = (11682 (R - Y)) >> 14 + 128``, ``Cb = (9241 (B - Y)) >> 14 + 128``.

    Each is rounded half up, not down, and clipped to 0..255. **The order is Y, Cr, Cb**, as OpenCV has it; Pillow's
    is Y, Cb, Cr.

    Input: image, uint8, RGB or BGR.
    Output: uint8, same layout, three channels Y, Cr, Cb; no colour is declared.
    Rounds: once for Y, and once for what is computed from it, half up.
    Source: OpenCV 5.0, modules/imgproc/src/color_yuv.simd.hpp RGB2YCrCb_i.
    Raises: ContractError where the tensor is no uint8 image or is neither RGB nor BGR.
    """

    operation: ClassVar[str] = "rgb_to_ycbcr"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", _FUNCTION),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", _FUNCTION),
    }
    inherits: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The colour is none that has a name here."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale`")
        refuse_unless_color(x, "RGB", "BGR")
        return (replace(x.with_dims(C=3), color=None, range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """In float32: all values are multiples of 2^-14 below 512 and exact in any order."""
        (x,) = inputs
        colors = [op.Cast(plane, to="float32") for plane in planes(op, x, 3)]
        red, green, blue = colors if x.spec.color == "RGB" else reversed(colors)
        weighted = [op.Mul(plane, op.float32(w / 2**14)) for plane, w in zip((red, green, blue), _WEIGHTS, strict=True)]
        y = op.Floor(op.Add(op.Add(op.Add(weighted[0], weighted[1]), weighted[2]), op.float32(0.5)))

        def difference(plane: Value, weight: int) -> Value:
            scaled = op.Mul(op.Sub(plane, y), op.float32(weight / 2**14))
            return op.Cast(op.Clip(op.Add(scaled, op.float32(128.5)), op.float32(0), op.float32(255)), to="uint8")

        return together(op, [op.Cast(y, to="uint8"), difference(red, 11682), difference(blue, 9241)], x)

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own conversion."""
        import cv2

        code = cv2.COLOR_RGB2YCrCb if inputs[0].spec.color == "RGB" else cv2.COLOR_BGR2YCrCb
        return each_image(inputs[0], "HWC", lambda image: cv2.cvtColor(image, code))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts, both colours; one pixel."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            for color in ("RGB", "BGR"):
                yield Case({}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=i),))
