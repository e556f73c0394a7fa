"""gaussian_blur like OpenCV on bytes: 8-bit weights, one rounding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Value, parameter, wrong
from onnxprep.steps.image._bands import Planes, Window
from onnxprep.steps.image._blurs import Blur, cases_of, pair
from onnxprep.steps.image._borders import FROM_OPENCV, OpencvRule, extended
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.gaussian_blur._opencv_weights import FIXED, weights
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor

_BINOMIAL = {tuple(FIXED[1]): 0, tuple(FIXED[3]): 2, tuple(FIXED[5]): 4}
"""Weights -> how many means of two neighbours give them."""

_Side = Annotated[int, Field(ge=0, le=601)]
_Sigma = Annotated[float, Field(ge=0, le=100)]


def _odd(size: Any) -> Any:
    for side in (size,) if isinstance(size, int) else size:
        if side % 2 == 0 and side:
            raise wrong(f"is {side}", expected="an odd number, or 0 to take it from sigma")
    return size


def _enough(sigma: Any, info: ValidationInfo) -> Any:
    size = info.data.get("kernel_size", 1)  # absent where it is wrong itself
    for side, s in zip(pair(size), _sigmas(sigma), strict=True):
        if 0 < s < 0.01:
            raise wrong(f"is {s:g}", expected="0, or at least 0.01")
        if side == 0 and s == 0:
            raise wrong("is 0 like kernel_size", expected="a sigma above 0, or a kernel_size above 0")
    return sigma


def _sigmas(sigma: Any) -> tuple[float, float]:
    """Vertical and horizontal: a vertical 0 takes the horizontal one."""
    vertical, horizontal = pair(sigma)
    return float(vertical or horizontal), float(horizontal)


class GaussianBlur(Blur):
    """``y = (2**15 + sum ky[i] * kx[j] * x[.. + i, .. + j]) >> 16``, k whole numbers whose sum is 256.

    ``k`` is the Gaussian ``exp(-d**2 / (2 * sigma**2))``, normalised, times 256 and rounded half to even from the edge
    to the middle, every error carried on to the next; the middle is what is missing to 256. With sigma 0 a kernel of
    at most 9 px has fixed weights, a longer one ``sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8``. With kernel_size 0 it is
    ``round(6 * sigma + 1) | 1``. An image smaller than the kernel is reflected as often as it takes.

    Input: image, uint8, 1, 3 or 4 channels.
    Output: the same.
    Rounds: once, half up.
    Source: OpenCV 5.0.0, modules/imgproc/src/smooth.dispatch.cpp GaussianBlur, smooth.simd.hpp.
    Raises: ContractError where the tensor is no uint8 image, or has another number of channels.
    """

    operation: ClassVar[str] = "gaussian_blur"
    claims: ClassVar = {
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "GaussianBlur"),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "GaussianBlur"),
    }

    kernel_size: Annotated[_Side | tuple[_Side, _Side], AfterValidator(_odd)] = parameter(
        "side or [height, width], px, odd, at most 601; 0: from sigma"
    )
    sigma: Annotated[_Sigma | tuple[_Sigma, _Sigma], AfterValidator(_enough)] = parameter(
        "standard deviation or [vertical, horizontal], px, 0.01..100; 0: from kernel_size (vertical: the horizontal one)",
        0.0,
        validate_default=True,
    )
    padding_mode: OpencvRule = parameter("what lies beyond the edge, by OpenCV's names", "reflect_101")

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Means of neighbours where the weights are binomial, else band matrices."""
        (x,) = inputs
        rows, columns = (weights(*both) for both in zip(pair(self.kernel_size), _sigmas(self.sigma), strict=True))
        pools = _BINOMIAL.get(tuple(rows)), _BINOMIAL.get(tuple(columns))
        if pools[0] is not None and pools[1] is not None:
            return self._pooled(op, x, pools[0], pools[1])
        vertical = Window([k / 2**16 for k in rows], len(rows) // 2, FROM_OPENCV[self.padding_mode])
        return Planes(op, x).weighted(vertical, Window(columns, len(columns) // 2, FROM_OPENCV[self.padding_mode]), 0.5)

    def _pooled(self, op: Ops, x: Value, rows: int, columns: int) -> Value:
        """Exact: a mean of four bytes has two bits more; eight means at most."""
        if not rows and not columns:
            return x
        a, single = Arithmetic(op), x.spec.rank == 3
        size, shape = a.size(x, "HW"), a.size(x, "CHW") if single else None
        y = op.Unsqueeze(x, axes=[0]) if single else x
        for axis, by in ((3, columns // 2), (2, rows // 2)):
            y = extended(op, y, a.pick(size, axis - 2), axis, (by, by), FROM_OPENCV[self.padding_mode])
        y = op.Cast(y, to="float32")
        for i in range(max(rows, columns)):
            y = op.AveragePool(y, kernel_shape=[2 if i < rows else 1, 2 if i < columns else 1])
        # a little more than the mean, so that its halves are rounded up and not to even
        y = op.QuantizeLinear(y, op.float32(1 - 2.0**-23), op.constant(0, "uint8"))
        return y if shape is None else op.Reshape(y, a.value(shape))

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own, image by image."""
        import cv2

        (height, width), (vertical, horizontal) = pair(self.kernel_size), pair(self.sigma)

        def one(image: Array) -> Array:
            border = getattr(cv2, f"BORDER_{self.padding_mode.upper()}")
            blurred = cv2.GaussianBlur(image, (width, height), horizontal, sigmaY=vertical, borderType=border)
            return np.asarray(blurred).reshape(image.shape)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Fixed and computed weights, every border, images smaller than the kernel, one pixel."""
        rgb, gray = ("NHWC", (2, 9, 13, 3), "RGB"), ("CHW", (1, 20, 35), "GRAY")
        listed: list[tuple[dict[str, Any], tuple[str, tuple[int, ...], str]]] = [
            ({"kernel_size": 3}, rgb), ({"kernel_size": 3, "padding_mode": "replicate"}, gray),
            ({"kernel_size": 5}, ("HWC", (6, 7, 4), "RGBA")), ({"kernel_size": [3, 5], "padding_mode": "reflect"}, rgb),
            ({"kernel_size": 7}, gray), ({"kernel_size": [9, 1]}, ("NCHW", (1, 3, 17, 33), "RGB")),
            ({"kernel_size": 11, "sigma": 1.7}, gray), ({"kernel_size": 0, "sigma": [1.1, 2.3]}, rgb),
            ({"kernel_size": [7, 31], "sigma": [0.0, 4.0], "padding_mode": "reflect"}, gray),
            ({"kernel_size": 5, "sigma": [0.7, 0.0], "padding_mode": "replicate"}, ("HWC", (40, 5, 3), "BGR")),
            ({"kernel_size": 5}, ("HWC", (1, 1, 3), "RGB")), ({"kernel_size": 13}, ("CHW", (3, 2, 1), "RGB")),
            ({"kernel_size": 1}, rgb),
        ]  # fmt: skip
        yield from cases_of(listed)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any kernel, sigma and border."""
        most = int(rng.choice([3, 5, 9, 31]))
        sides = [int(rng.integers(0, most + 1) // 2 * 2 + 1) for _ in range(2)]
        sigma = [float(rng.uniform(0.1, 6)) if rng.random() < 0.5 else 0.0 for _ in range(2)]
        sides = [0 if sigma[1] and rng.random() < 0.3 else side for side in sides]
        parameters = {
            "kernel_size": sides if rng.random() < 0.5 or 0 in sides else sides[0],
            "sigma": sigma if rng.random() < 0.5 or 0 in sides else sigma[1],
            "padding_mode": str(rng.choice(["reflect_101", "reflect", "replicate"], p=[0.6, 0.2, 0.2])),
        }
        return Case(parameters, (random_image(rng, largest),))
