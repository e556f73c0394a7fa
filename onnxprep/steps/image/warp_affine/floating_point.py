"""warp_affine like OpenCV 5: float32."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from onnxprep.step import Claim, Ops, Value
from onnxprep.steps.image.warp_affine._warping import Warping

_VECTOR = 16


class WarpAffine(Warping):
    """``y = rint(fma(v, t1 - t0, t0))``, ``t = fma(u, q - p, p)`` of two rows of neighbours p, q, all in float32.

    The inverse [[a, b, c], [d, e, f]] of the matrix is made in float64 and rounded; ``u`` and ``v`` are what
    ``fma(a, x, b * y + c)`` exceeds the pixel by; ``nearest`` rounds it half to even. Columns from ``16 * (width // 16)`` on
    take ``fma(a, x, b * y) + c``.

    Input: image, uint8, GRAY, RGB or RGBA; matrix, float64 [2, 3], from pixels of the image to those of the result (as
        cv2.getAffineTransform and getRotationMatrix2D give it), one for all images of a call.
    Output: uint8, the same layout and colour; H, W = size.
    Rounds: every operation in float32, fma once; the result half to even.
    Source: OpenCV 5.0.0, imgproc/src/imgwarp.cpp warpAffine and warp_kernels.simd.hpp.
    Raises: ContractError where the tensor is no uint8 image of 1, 3 or 4 channels, or the matrix is not float64 [2, 3].
    """

    operation: ClassVar[str] = "warp_affine"
    claims: ClassVar = {
        "opencv-5": Claim(
            "opencv-python-headless",
            ">=5,<6",
            "warpAffine",
            note="x86-64 wheels on processors with AVX2; on others 1 level apart in up to 0.015 % of the values; matrices "
            "that make it read less than 2**31 px away",
        )
    }

    def places(self, op: Ops, inverse: tuple[Value, ...]) -> tuple[Value, Value, Value, Value]:
        """An fma is a product and a sum in float64, then a Cast: the product is exact."""
        y, x = (np.arange(side, dtype=np.float32) for side in self.size)
        body = np.arange(self.size[1]) < self.size[1] // _VECTOR * _VECTOR
        a, b, c, d, e, g = (op.Cast(n, to="float32") for n in inverse)

        def axis(along: Value, down: Value, offset: Value) -> tuple[Value, Value]:
            across = op.Mul(op.Cast(along, to="float64"), op.float64(x))
            rows = op.Reshape(op.Mul(down, op.float32(y)), op.int64([-1, 1]))

            def fma(addend: Value) -> Value:
                return op.Cast(op.Add(across, op.Cast(addend, to="float64")), to="float32")

            if body.all():
                place = fma(op.Add(rows, offset))
            elif not body.any():
                place = op.Add(fma(rows), offset)
            else:
                place = op.Where(op.constant(body, "bool"), fma(op.Add(rows, offset)), op.Add(fma(rows), offset))
            whole = op.Round(place) if self.interpolation == "nearest" else op.Floor(place)
            return op.Cast(whole, to="float64"), op.Sub(place, whole)

        (left, along), (top, down) = axis(a, b, c), axis(d, e, g)
        return top, left, down, along

    def mixed(self, op: Ops, pixels: tuple[Value, ...], down: Value, along: Value) -> Value:
        """The Clip changes nothing: between two Casts it keeps ONNX Runtime from taking both away."""
        p = [op.Cast(pixel, to="float64") for pixel in pixels]
        down, along = (op.Cast(part, to="float64") for part in (down, along))

        def row(first: Value, second: Value) -> Value:
            mixed = op.Add(op.Mul(along, op.Sub(second, first)), first)
            return op.Clip(op.Cast(mixed, to="float32"), op.float32(0.0), op.float32(255.0))

        top, bottom = row(p[0], p[1]), row(p[2], p[3])
        apart = op.Cast(op.Sub(bottom, top), to="float64")
        y = op.Add(op.Mul(down, apart), op.Cast(top, to="float64"))
        return op.QuantizeLinear(op.Cast(y, to="float32"), op.float32(1.0), op.constant(0, "uint8"))
