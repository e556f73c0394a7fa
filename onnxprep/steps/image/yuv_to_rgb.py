"""yuv_to_rgb: the frames of cameras and video decoders, with a quarter as many colours as pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, random_sides, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.tensor import Array, Tensor, TensorSpec

_BRIGHTNESS, _V_RED, _V_GREEN, _U_GREEN, _U_BLUE = 1220542, 1673527, -852492, -409993, 2116026
"""BT.601 in units of 2^-20."""


class YuvToRgb(Step):
    """``R = (y + 1673527 v + 2^19) >> 20``, ``G = (y - 852492 v - 409993 u + 2^19) >> 20``, ``B = (y + 2116026 u + 2^19) >> 20``.

    ``y = 1220542 max(Y - 16, 0)``, u = U - 128, v = V - 128, the result clipped to 0..255: BT.601, Y of 16..235. Every
    U and V serves two by two pixels. The tensor is the buffer as decoders give it, one byte per element: for an image of
    H rows the H rows of Y, and below them H / 2 rows that hold U and V: as pairs (NV12: U first, NV21: V first) or as one
    plane after the other (I420: U first, YV12: V first).

    Input: uint8, layout HW or NHW of H * 3/2 rows and an even W.
    Output: uint8, CHW or NCHW, RGB or BGR; H is two thirds of the rows.
    Rounds: once, half up.
    Source: OpenCV 5.0, modules/imgproc/src/color_yuv.simd.hpp YUV420sp2RGB and YUV420p2RGB.
    Raises: ContractError where the tensor is no such buffer; where its size is not known before, running the graph fails
        in a Reshape of this step if it has an odd W or a number of rows that is no multiple of 3.
    """

    operation: ClassVar[str] = "yuv_to_rgb"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "cvtColor, COLOR_YUV2RGB_NV12 and its kin"),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "cvtColor, COLOR_YUV2RGB_NV12 and its kin"),
    }
    inherits: ClassVar[bool] = False

    format: Literal["NV12", "NV21", "I420", "YV12"] = parameter("how U and V lie in the buffer")
    to: Literal["RGB", "BGR"] = parameter("the colour that is wanted", "RGB")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """An image of two thirds of the rows."""
        (x,) = inputs
        known = x.layout in ("HW", "NHW") and x.rank == len(str(x.layout))
        refuse_unless(known, "needs the buffer of a frame", expected="layout HW or NHW, H * 3/2 rows", got=x)
        refuse_unless(x.dtype == "uint8", f"does not work on {x.dtype}", expected="uint8", got=x)
        rows, width = x.dim("H"), x.dim("W")
        whole = not isinstance(rows, int) or (rows > 0 and rows % 3 == 0)
        refuse_unless(whole, "cannot be H * 3/2 rows of an even H", expected="rows in a multiple of 3", got=x)
        even = not isinstance(width, int) or (width > 0 and width % 2 == 0)
        refuse_unless(even, "has an odd width", expected="an even W", got=x)
        height = rows // 3 * 2 if isinstance(rows, int) else None
        before = () if x.layout == "HW" else (x.dim("N"),)
        layout = "CHW" if x.layout == "HW" else "NCHW"
        return (TensorSpec("uint8", (*before, 3, height, width), layout, self.to, (0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """In int32; what U and V add is computed before each of them becomes two by two."""
        (x,) = inputs
        a, axis = Arithmetic(op), x.spec.axis("H")
        batch = a.size(x, "N") if axis else lengths(1)
        rows, width = a.size(x, "H"), a.size(x, "W")
        height = a.Div(a.Mul(rows, lengths(2)), lengths(3))
        half, across, two = a.Div(height, lengths(2)), a.Div(width, lengths(2)), lengths(2)

        def part(start: Number, end: Number, *sides: Number) -> Value:
            kept = op.Slice(x, a.value(start), a.value(end), op.int64([axis]))
            return op.Reshape(kept, a.value(a.join(batch, *sides)))

        if self.format in ("NV12", "NV21"):
            chroma = op.Transpose(part(height, rows, half, across, two), perm=[0, 3, 1, 2])
        else:
            chroma = part(height, rows, two, half, across)
        offsets = op.Resize(
            self._offsets(op, chroma), op.float32([]), op.float32([1, 1, 2, 2]), mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        y = op.Sub(_int(op, part(lengths(0), height, lengths(1), height, width)), op.constant(16, "int32"))
        y = op.Mul(op.Max(y, op.constant(0, "int32")), op.constant(_BRIGHTNESS, "int32"))
        sums = op.Max(op.Add(offsets, y), op.constant(0, "int32"))
        levels = op.Min(op.Div(sums, op.constant(2**20, "int32")), op.constant(255, "int32"))
        image = op.Cast(levels, to="uint8")
        return image if axis else op.Squeeze(image, axes=[0])

    def _offsets(self, op: Ops, chroma: Value) -> Value:
        """What U and V add to y, one plane per colour."""
        first, second = op.Split(op.Sub(_int(op, chroma), op.constant(128, "int32")), split=[1, 1], axis=1)
        u, v = (first, second) if self.format in ("NV12", "I420") else (second, first)
        red, blue = op.Mul(v, op.constant(_V_RED, "int32")), op.Mul(u, op.constant(_U_BLUE, "int32"))
        green = op.Add(op.Mul(v, op.constant(_V_GREEN, "int32")), op.Mul(u, op.constant(_U_GREEN, "int32")))
        planes = (red, green, blue) if self.to == "RGB" else (blue, green, red)
        return op.Add(op.Concat(*planes, axis=1), op.constant(2**19, "int32"))

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own conversion, frame by frame."""
        import cv2

        code = getattr(cv2, f"COLOR_YUV2{self.to}_{self.format}")
        (x,) = inputs
        frames = x.array if x.spec.layout == "NHW" else x.array[np.newaxis]
        made = np.stack([cv2.cvtColor(frame, code).transpose(2, 0, 1) for frame in frames])
        return np.ascontiguousarray(made if x.spec.layout == "NHW" else made[0])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All formats, both colours, batches and single frames; the smallest frame; halves of odd height."""
        for i, form in enumerate(("NV12", "NV21", "I420", "YV12")):
            for to, layout, shape in (("RGB", "NHW", (2, 9, 8)), ("BGR", "HW", (6, 34)), ("RGB", "HW", (3, 2))):
                frame = TensorSpec("uint8", shape, layout, None, (0.0, 255.0))
                yield Case({"format": form, "to": to}, (Sample(frame, seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Frames of any even size."""
        case = super().draw(like, rng, largest)
        height, width = random_sides(rng, max(2, largest // 2))
        spec = case.inputs[0].spec.with_dims(H=3 * height, W=2 * width)
        return replace(case, inputs=(Sample(spec, int(rng.integers(2**31))),))


def _int(op: Ops, x: Value) -> Value:
    return op.Cast(x, to="int32")
