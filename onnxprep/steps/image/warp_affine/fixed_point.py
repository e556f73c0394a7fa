"""warp_affine like OpenCV 4: places in 1/32 px."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from onnxprep.step import Claim, Ops, Value
from onnxprep.steps.image.warp_affine._warping import Warping

_FAR = float(2**30)
"""2**20 px in 1/1024 px: as far as the claim goes, and what keeps indices in range further out."""


class WarpAffine(Warping):
    """``y = (sum of p * wx * wy + 512) >> 10`` of four neighbours, with places and weights in 1/32 px.

    With the inverse [[a, b, c], [d, e, f]] of the matrix in float64, ``X = (rint((b * y + c) * 1024) + 16 +
    rint(a * x * 1024)) >> 5``; its low 5 bits are the weight, the others the pixel. ``nearest`` adds 512 and shifts by 10.

    Input: image, uint8, GRAY, RGB or RGBA; matrix, float64 [2, 3], from pixels of the image to those of the result (as
        cv2.getAffineTransform and getRotationMatrix2D give it), one for all images of a call.
    Output: uint8, the same layout and colour; H, W = size.
    Rounds: places half to even to 1/1024 px and half up to 1/32 px; the sum half up.
    Source: OpenCV 4.14.0, imgproc/src/imgwarp.cpp warpAffine, WarpAffineInvoker, remapBilinear.
    Raises: ContractError where the tensor is no uint8 image of 1, 3 or 4 channels, or the matrix is not float64 [2, 3].
    """

    operation: ClassVar[str] = "warp_affine"
    claims: ClassVar = {
        "opencv-4": Claim(
            "opencv-python-headless",
            ">=4.8,<5",
            "warpAffine",
            note="x86-64 wheels; matrices that make it read less than 2**20 px away: its int32 overflows further out",
        )
    }

    def places(self, op: Ops, inverse: tuple[Value, ...]) -> tuple[Value, Value, Value, Value]:
        """In float64, which holds every number here."""
        f = op.float64
        y, x = (op.float64(np.arange(side, dtype=np.float64)) for side in self.size)
        units = 32.0 if self.interpolation == "bilinear" else 1.0
        half = f(512.0 / units)

        def axis(along: Value, down: Value, offset: Value) -> tuple[Value, Value]:
            rows = op.Round(op.Mul(op.Add(op.Mul(down, y), offset), f(1024.0)))
            columns = op.Round(op.Mul(op.Mul(along, x), f(1024.0)))
            rows, columns = (op.Min(op.Max(n, f(-_FAR)), f(_FAR)) for n in (rows, columns))
            place = op.Add(op.Reshape(op.Add(rows, half), op.int64([-1, 1])), columns)
            place = op.Floor(op.Mul(place, f(units / 1024)))
            if units == 1:
                return place, place
            whole = op.Floor(op.Mul(place, f(1 / units)))
            return whole, op.Sub(place, op.Mul(whole, f(units)))

        a, b, c, d, e, g = inverse
        (left, along), (top, down) = axis(a, b, c), axis(d, e, g)
        return top, left, down, along

    def mixed(self, op: Ops, pixels: tuple[Value, ...], down: Value, along: Value) -> Value:
        """In float32: every number is whole and below 2**24."""
        p = [op.Cast(pixel, to="float32") for pixel in pixels]
        down, along = (op.Cast(part, to="float32") for part in (down, along))
        up, back = (op.Sub(op.float32(32.0), part) for part in (down, along))
        top = op.Mul(op.Add(op.Mul(p[0], back), op.Mul(p[1], along)), up)
        bottom = op.Mul(op.Add(op.Mul(p[2], back), op.Mul(p[3], along)), down)
        # one ulp less than 2**10: ties round up
        return op.QuantizeLinear(op.Add(top, bottom), op.float32(2.0**10 * (1 - 2.0**-24)), op.constant(0, "uint8"))
