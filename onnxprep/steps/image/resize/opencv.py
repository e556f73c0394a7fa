"""resize like cv2.resize: what its code without Intel's IPP computes, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.resize import _opencv_library
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._opencv_cases import cases, drawn
from onnxprep.steps.image.resize._opencv_geometry import by_factors, by_lengths
from onnxprep.steps.image.resize._opencv_table import TABLE
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.steps.image.resize.sizes import Size
from onnxprep.tensor import Array, Tensor, TensorSpec

_NOTE = (
    "x86-64 wheels, IPP on (their default) or off; area blocks below 8.4 million px; nearest_exact of 4.x on sides below "
    "32768 px. On aarch64 nearest, nearest_exact, bilinear_exact and area by whole numbers or upwards are the same; area by "
    "fractions differs by 1 in up to 0.13 % of the values, bilinear in many (4.x with 3 channels is the same)"
)
_Factor = Annotated[float, Field(gt=0, lt=65536)]


def _exactly_one(scale: tuple[float, float] | None, info: ValidationInfo) -> tuple[float, float] | None:
    if "size" not in info.data:
        return scale  # it is wrong itself
    if scale is None and info.data["size"] is None:
        raise wrong("is missing, and so is `size`", expected="exactly one of `size` and `scale`")
    if scale is not None and info.data["size"] is not None:
        hint = "cv2.resize with fx and fy samples by them, with dsize by the quotient of the lengths"
        raise wrong("is given beside `size`", expected="exactly one of `size` and `scale`", hint=hint)
    return scale


class Resize(Resizing):
    """``y[i] = mix of x[floor(u)], x[floor(u) + 1]``, ``u = float32((i + 0.5) * scale - 0.5)``, columns, then rows.

    ``scale = 1 / (new length / length)`` with ``size``, ``1 / factor`` with ``scale``, float64: two operations.
    ``bilinear``: weights of 11 bits, ``((b0 * (h0 >> 4) >> 16) + (b1 * (h1 >> 4) >> 16) + 2) >> 2``.
    ``bilinear_exact``: weights of 8 bits, ``(h0 * (256 - b) + h1 * b + 2**15) >> 16``, u in float64.
    ``area``: the mean of the block or window that an output covers; ``bilinear`` with weights by covered area where a
    side becomes longer. ``nearest``: ``x[floor(i * scale)]``. ``nearest_exact``: by the middle of the output, in 16-bit
    fixed point (4.x) or a running sum (5.0). Halving both sides makes ``bilinear`` and ``bilinear_exact`` ``area``.

    Input: image of 1, 3 or 4 channels, uint8; float32 for ``nearest`` and ``nearest_exact``.
    Output: the same dtype, layout and colour.
    Rounds: ``bilinear`` cuts after the columns and in each row's term, then half up; ``bilinear_exact`` once, half up;
        ``area`` once, half to even, blocks of 2 x 2 half up.
    Source: OpenCV 5.0.0 and 4.14.0, imgproc/src/resize.cpp.
    Raises: ContractError where the tensor is no image of such a dtype and number of channels, or a side would become 0.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "cv2.resize", note=_NOTE),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "cv2.resize", note=_NOTE),
    }
    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "float32")

    size: Size | None = parameter(  # type: ignore[assignment]  # optional here, as there is `scale`
        "[height, width], 256 for the shorter edge, or a rule with its lengths; px", None
    )
    scale: Annotated[tuple[_Factor, _Factor] | None, AfterValidator(_exactly_one)] = parameter(
        "[fy, fx], new length / length, instead of `size`: cv2.resize's fx and fy", None, validate_default=True
    )
    interpolation: Literal["nearest", "nearest_exact", "bilinear", "bilinear_exact", "area"] = parameter(
        "the filter: cv2's INTER_NEAREST, INTER_NEAREST_EXACT, INTER_LINEAR, INTER_LINEAR_EXACT, INTER_AREA"
    )

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        """By the factors half to even; else by the size rule."""
        if self.scale is None:
            return super().resized(a, sides)
        return a.integer(a.Round(a.Mul(a.double(sides), np.array(self.scale))))

    def at_least(self) -> tuple[int, int]:
        """Factors promise nothing."""
        return (0, 0) if self.scale is not None else super().at_least()

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule or the factors where they can be told."""
        (x,) = inputs
        (y,) = super().infer(x)
        channels = x.dim("C")
        refuse_unless(channels in (1, 3, 4), "has another number of channels", expected="C = 1, 3 or 4", got=x)
        table = TABLE[self.like]
        known = " or ".join(dtype for dtype, name in table if name == self.interpolation)
        fits = (x.dtype, self.interpolation) in table
        refuse_unless(fits, f"cannot be resized by `{self.interpolation}`", expected=known, got=x)
        if self.like == "opencv-4" and self.interpolation == "nearest_exact":
            short = all(not isinstance(x.dim(letter), int) or int(x.dim(letter)) < 2**15 for letter in "HW")  # type: ignore[arg-type]
            refuse_unless(short, "is too long for OpenCV's int32", expected="sides below 32768 px", got=x)
        return (y,)

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        """By the table."""
        scale = self.scale
        whole = by_lengths(op, geometry) if scale is None else by_factors(op, geometry, scale)
        return TABLE[self.like][x.spec.dtype, self.interpolation](op, x, whole, sizes)

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own resize without IPP, image by image; the size by the library the rule is named after."""
        return _opencv_library.resize(inputs[0], self.size, self.scale, self.interpolation)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every filter and every way through it."""
        return cases()

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Parameters and images."""
        modes = list(TABLE[like])
        dtype, interpolation = modes[rng.integers(len(modes))]
        return drawn(rng, largest, dtype, interpolation)
