"""resize like cv2.resize: bit by bit what its own code computes, closely what Intel's IPP inside its wheels does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._opencv import library
from onnxprep.steps.image.resize._opencv.cases import cases, drawn
from onnxprep.steps.image.resize._opencv.float_cases import float_cases
from onnxprep.steps.image.resize._opencv.geometry import by_factors, by_lengths
from onnxprep.steps.image.resize._opencv.table import BOUNDS, IPP, TABLE
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.steps.image.resize.sizes import Size
from onnxprep.tensor import Array, Tensor, TensorSpec

_NOTE = (
    "x86-64 wheels. `native`: IPP off, which changes nothing but bicubic and float32 bilinear; uint8 area blocks below 8.4 "
    "million px; nearest_exact of 4.x on sides below 32768 px. `ipp`: bicubic within 1 of uint8 (1 value in 100 000 "
    "differs) and 2e-4 of float32, float32 bilinear within 4e-5, for images of 0..255. On aarch64 nearest, nearest_exact, "
    "uint8 bilinear_exact, lanczos4 and area by whole numbers or upwards are the same, others differ"
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


_IPP_HINT = "`ipp` is what cv2 runs by default on x86, bounded; `native` what it runs with OPENCV_IPP=disabled, exact"


def _which_code(path: str | None, info: ValidationInfo) -> str | None:
    interpolation = info.data.get("interpolation", "")
    if path is None and interpolation == "bicubic":
        raise wrong("is missing", expected="`native` or `ipp`", hint=_IPP_HINT)
    if path == "ipp" and interpolation not in BOUNDS:
        raise wrong(f"has no other code for {interpolation}", expected="`native`, or nothing")
    return path


class Resize(Resizing):
    """``y[i] = mix of x[floor(u)], x[floor(u) + 1]``, ``u = float32((i + 0.5) * scale - 0.5)``, columns, then rows.

    ``scale = 1 / (new length / length)`` with ``size``, ``1 / factor`` with ``scale``, float64: two operations.
    ``bilinear``: weights of 11 bits, ``((b0 * (h0 >> 4) >> 16) + (b1 * (h1 >> 4) >> 16) + 2) >> 2``.
    ``bilinear_exact``: weights of 8 bits, ``(h0 * (256 - b) + h1 * b + 2**15) >> 16``, u in float64.
    ``area``: the mean of the block or window that an output covers; ``bilinear`` with weights by covered area where a
    side becomes longer. ``nearest``: ``x[floor(i * scale)]``. ``nearest_exact``: by the middle of the output, in 16-bit
    fixed point (4.x) or a running sum (5.0). Halving both sides makes ``bilinear`` and ``bilinear_exact`` ``area``.

    ``bicubic`` (-3/4) and ``lanczos4``: weights in float32; bytes with whole weights of 11 bits, rows of ``bicubic`` in
    float32 but for the end of each row, ``n % 8`` numbers that fill no vector. float32: column sums from the first tap on,
    row sums from the last on but for ``n % 4`` numbers.

    Input: image of 1, 3 or 4 channels, uint8 or float32.
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
    interpolation: Literal["nearest", "nearest_exact", "bilinear", "bilinear_exact", "bicubic", "area", "lanczos4"] = (
        parameter("the filter: cv2's INTER_NEAREST, _NEAREST_EXACT, _LINEAR, _LINEAR_EXACT, _CUBIC, _AREA, _LANCZOS4")
    )
    path: Annotated[Literal["native", "ipp"] | None, AfterValidator(_which_code)] = parameter(
        "for bicubic, and for float32 bilinear: `native` is cv2.ipp.setUseIPP(False), exact; `ipp` is cv2's default on "
        "x86, which differs from processor to processor: bounded",
        None,
        validate_default=True,
    )

    def promise(self) -> Claim:
        """Bounded where IPP computes."""
        claim = self.claims[self.like]
        bounded = self.path == "ipp" and self.interpolation in BOUNDS
        return replace(claim, absolute=BOUNDS[self.interpolation]) if bounded else claim

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        """By the factors half to even; else by the size rule."""
        if self.scale is None:
            return super().resized(a, sides)
        return a.integer(a.Round(a.Mul(a.double(sides), np.array(self.scale))))

    def at_least(self) -> tuple[int, int]:
        """Factors promise nothing."""
        return (0, 0) if self.scale is not None else super().at_least()

    def channels_alike(self, x: TensorSpec) -> bool:
        """Where rows are computed in vectors, their ends are not, and which numbers stand there depends on the order."""
        chooses = self.interpolation.startswith("nearest")
        return chooses or (x.dtype == "uint8" and self.interpolation != "bicubic")

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
        twofold = (x.dtype, self.interpolation) in IPP
        refuse_unless(
            self.path is not None or not twofold,
            f"has two codes for {x.dtype}",
            expected="path: `native` or `ipp`",
            got=x,
            hint=_IPP_HINT,
        )
        refuse_unless(
            self.path != "ipp" or twofold,
            f"is not computed by IPP for {x.dtype}",
            expected="path: `native`, or none",
            got=x,
        )
        if self.like == "opencv-4" and self.interpolation == "nearest_exact":
            short = all(not isinstance(x.dim(letter), int) or int(x.dim(letter)) < 2**15 for letter in "HW")  # type: ignore[arg-type]
            refuse_unless(short, "is too long for OpenCV's int32", expected="sides below 32768 px", got=x)
        computed = x.dtype == "float32" and not self.interpolation.startswith("nearest")
        return (replace(y, range=None) if computed else y,)  # rounding may leave the range

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        """By the table."""
        scale = self.scale
        whole = by_lengths(op, geometry) if scale is None else by_factors(op, geometry, scale)
        mode = x.spec.dtype, self.interpolation
        native = TABLE[self.like][mode]
        return (IPP.get(mode, native) if self.path == "ipp" else native)(op, x, whole, sizes)

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own resize with or without IPP, image by image; the size by the library the rule is named after."""
        return library.resize(inputs[0], self.size, self.scale, self.interpolation, ipp=self.path == "ipp")

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every filter and every way through it."""
        yield from cases()
        yield from float_cases()

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Parameters and images."""
        modes = list(TABLE[like])
        dtype, interpolation = modes[rng.integers(len(modes))]
        case = drawn(rng, largest, dtype, interpolation)
        path = {"path": "native"} if (dtype, interpolation) in IPP else {}
        return Case({**case.parameters, **path}, case.inputs)
