"""ycbcr_to_rgb of OpenCV: whole weights of 14 bits, from the order Y, Cr, Cb."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._color import planes, refuse_unless_three_channels, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.steps.image.rgb_to_ycbcr.pillow import SHAPES
from onnxprep.tensor import Array, Tensor, TensorSpec

_FUNCTION = "cvtColor, COLOR_YCrCb2RGB and COLOR_YCrCb2BGR"


class YcrcbToRgb(Step):
    """``R = Y + (22987 cr) >> 14``, ``G = Y + (-5636 cb - 11698 cr) >> 14``, ``B = Y + (29049 cb) >> 14``, clipped.

    cr and cb are the second and third channel less 128; ``>>`` rounds half up here. **The order is Y, Cr, Cb**, as
    OpenCV has it; Pillow's is Y, Cb, Cr.

    Input: image, uint8, three channels Y, Cr, Cb; no colour is declared.
    Output: uint8, same layout, RGB or BGR.
    Rounds: once per channel, half up.
    Source: OpenCV 5.0, modules/imgproc/src/color_yuv.simd.hpp YCrCb2RGB_i.
    Raises: ContractError where the tensor is no uint8 image of three channels, or declares a colour.
    """

    operation: ClassVar[str] = "ycbcr_to_rgb"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", _FUNCTION),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", _FUNCTION),
    }
    inherits: ClassVar[bool] = False

    to: Literal["RGB", "BGR"] = parameter("the colour that is wanted", "RGB")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The colour is the wanted one."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale`")
        refuse_unless_three_channels(x, "Y, Cr and Cb")
        return (replace(x, color=self.to, range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """In float32: all values are multiples of 2^-14 below 512 and exact in any order."""
        (x,) = inputs
        y, cr, cb = (op.Cast(plane, to="float32") for plane in planes(op, x, 3))
        y, cr, cb = op.Add(y, op.float32(0.5)), op.Sub(cr, op.float32(128)), op.Sub(cb, op.float32(128))

        def color(*parts: tuple[Value, int]) -> Value:
            level = y
            for plane, weight in parts:
                level = op.Add(level, op.Mul(plane, op.float32(weight / 2**14)))
            # what is below 0 is clipped, so the Cast cuts downwards
            return op.Cast(op.Clip(level, op.float32(0), op.float32(255)), to="uint8")

        colors = [color((cr, 22987)), color((cb, -5636), (cr, -11698)), color((cb, 29049))]
        return together(op, colors if self.to == "RGB" else colors[::-1], x)

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own conversion."""
        import cv2

        code = cv2.COLOR_YCrCb2RGB if self.to == "RGB" else cv2.COLOR_YCrCb2BGR
        return each_image(inputs[0], "HWC", lambda image: cv2.cvtColor(image, code))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts, both colours; one pixel."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            for to in ("RGB", "BGR"):
                yield Case({"to": to}, (Sample(TensorSpec("uint8", shape, layout, None, (0.0, 255.0)), seed=i),))
