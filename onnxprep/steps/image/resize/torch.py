"""resize like torch.nn.functional.interpolate on float32 images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter, random_sides, wrong
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.resize._floats.bounded import Bounded, refuse_mixed_up
from onnxprep.steps.image.resize._floats.library import on_batch
from onnxprep.steps.image.resize._floats.sums import as_is
from onnxprep.steps.image.resize._floats.torch import Interpolation, resample
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._library import resized_sides
from onnxprep.steps.image.resize.sizes import Size
from onnxprep.tensor import Array, Tensor, TensorSpec

Factor = Annotated[float, Field(gt=0, lt=65536)]
_INTERPOLATIONS = ("nearest", "nearest_exact", "bilinear", "bicubic", "area")


class ResizeTorch(Bounded):
    """``y = sum of w * x`` over both axes with torch's float32 weights; only the order of the sums is not torch's.

    ``nearest`` takes ``x[floor(i * scale)]``, ``nearest_exact`` ``x[floor((i + 0.5) * scale)]``; ``bilinear`` and
    ``bicubic`` (a = -0.75) look around ``(i + 0.5) * scale - 0.5``, with ``align_corners`` around ``i * scale``; with
    ``antialias`` they (bicubic: a = -0.5) are as wide as the reduction; ``area`` is the mean of what it covers.
    Only what a following crop keeps is computed.

    Input: image, float32 (finite), any number of channels; all images of a call have the same H and W.
    Output: the same dtype, layout and colour.
    Rounds: every float32 operation by itself.
    Source: torch 2.13, aten/src/ATen/native/UpSample.h, cpu/UpSampleKernel.cpp, AdaptiveAveragePooling.cpp.
    Raises: ContractError where the tensor is no float32 image, or a side would become 0.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "torch": Claim(
            "torch",
            ">=2.13,<3",
            "nn.functional.interpolate",
            absolute=3e-4,
            note="on values in 0..255, and in proportion on others: 1.2e-6 of the largest absolute value; area as long as an "
            "output covers at most 20 000 inputs, which torch adds up in one float32; CPU kernels on processors with FMA "
            "(without it torch itself differs by 0.002 at 200 px, more on longer sides); nearest and nearest_exact are "
            "bit-exact for contiguous tensors; an antialiased output 1 px wide is that of a channels-last tensor: torch 2.13 "
            "mixes up the pixels of a contiguous one",
        )
    }
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    bound: ClassVar[str] = "within 1.2e-6 of the largest absolute value of the input"

    size: Size | None = parameter(  # type: ignore[assignment]  # optional here, as there is `scale`
        "[height, width], 256 for the shorter edge, or a rule with its lengths; px", None
    )
    scale: tuple[Factor, Factor] | None = parameter(
        "[fy, fx], new length / length, instead of `size`: scale_factor, which samples by them", None
    )
    interpolation: Literal["nearest", "nearest_exact", "bilinear", "bicubic", "area"] = parameter(
        "the filter, by torch's mode"
    )
    antialias: bool = parameter("whether bilinear and bicubic grow with the reduction", False)
    align_corners: bool = parameter("whether the outermost samples of both sides coincide", False)

    @model_validator(mode="after")
    def _torch_takes_it(self) -> Self:
        if (self.size is None) == (self.scale is None):
            problem = "is missing, and so is `scale`" if self.size is None else "is given beside `scale`"
            raise wrong(problem, at="size", expected="exactly one of `size` and `scale`")
        if self._chooses and any(factor % 1 for factor in self.scale or ()):
            hint = "torch's kernels differ among each other where a length stays or doubles by such factors"
            raise wrong("has a fraction", at="scale", expected=f"whole numbers for {self.interpolation}", hint=hint)
        for name in ("antialias", "align_corners"):
            if getattr(self, name) and self.interpolation not in ("bilinear", "bicubic"):
                raise wrong(f"{self.interpolation} knows no {name}", at=name, expected="false")
        if self.antialias and self.align_corners:
            raise wrong("antialias with align_corners is not offered", at="align_corners", expected="false")
        return self

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        """By the factors, cut; else by the size rule."""
        if self.scale is None:
            return super().resized(a, sides)
        return a.integer(a.Mul(a.double(sides), np.array(self.scale)))

    def at_least(self) -> tuple[int, int]:
        """Factors promise nothing."""
        return (0, 0) if self.scale is not None else super().at_least()

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule where it can be told; sums may leave the range of the input."""
        (x,), (y,) = inputs, super().infer(*inputs)
        refuse_mixed_up(x, y, antialias=self.antialias)
        inside = self._chooses or (self.interpolation == "bilinear" and not self.antialias)
        return (y if inside else replace(y, range=None),)

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:  # noqa: ARG002
        """Not by ONNX's Resize: it computes other weights (up to 0.012 off on 0..255), and needs opset 18."""
        how = Interpolation(self.interpolation, self.antialias, self.align_corners, self.scale or (None, None))
        return resample(op, x, geometry, how, as_is)

    def oracle(self, *inputs: Tensor) -> Array:
        """Torch's own function; antialiased on a channels-last tensor, as the claim notes."""
        import torch

        options: dict[str, Any] = {"mode": self.interpolation.replace("_", "-")}
        if self.interpolation in ("bilinear", "bicubic"):
            options |= {"antialias": self.antialias, "align_corners": self.align_corners}

        def resized(images: Any) -> Any:
            if self.size is None:
                size = {"scale_factor": self.scale, "recompute_scale_factor": False}
            else:
                size = {"size": resized_sides(self.size, *images.shape[-2:])}
            return torch.nn.functional.interpolate(images, **options, **size)

        return on_batch(inputs[0], resized, channels_last=self.antialias)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every mode with everything it knows, up and down; one pixel, tall images, every layout."""
        for i, how in enumerate(_ways()):
            yield _case((1, 3, 23, 31), {"size": [11, 17], **how}, i)
            yield _case((2, 9, 5, 3), {"size": [20, 13], **how}, i, "NHWC")
            scale = [3.0, 2.0] if how["exact"] else [1.73, 0.61]
            yield _case((10, 6, 3), {"scale": scale, **how}, i, "HWC")
        bicubic = {"interpolation": "bicubic", "exact": False}
        yield _case((3, 41, 12), {"size": [7, 3], "antialias": True, **bicubic}, 1, "CHW")
        yield _case((12, 19, 3), {"size": [1, 1], "align_corners": True, **bicubic}, 2, "HWC")
        yield _case((1, 1, 3), {"size": [3, 5], "align_corners": True, **bicubic}, 3, "HWC")
        yield _case((1, 37, 50, 3), {"size": 24, "interpolation": "bilinear", "exact": False}, 4, "NHWC")
        yield _case((2, 1, 6, 7), {"size": [6, 7], "antialias": True, **bicubic}, 5, "NCHW", "GRAY")

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any mode to any size."""
        ways = list(_ways())
        height, width = random_sides(rng, largest)
        spec = TensorSpec("float32", (1, 3, 1, 1), "NCHW", "RGB", (0.0, 255.0))
        spec = spec.with_dims(N=int(rng.integers(1, 3)), H=height, W=width)
        way = ways[rng.integers(len(ways))]
        size: dict[str, Any] = {"size": random_sides(rng, largest)}
        if rng.random() < 0.3:
            factors = rng.integers(1, 4, 2) if way["exact"] else np.exp(rng.uniform(-1.5, 1.5, 2))
            size = {"scale": [float(factor) for factor in factors]}
        return Case({**size, **way}, (Sample(spec, int(rng.integers(2**31))),))


def _ways() -> Iterator[dict[str, Any]]:
    for interpolation in _INTERPOLATIONS:
        way: dict[str, Any] = {"interpolation": interpolation, "exact": interpolation.startswith("nearest")}
        yield way
        if interpolation in ("bilinear", "bicubic"):
            yield {**way, "antialias": True}
            yield {**way, "align_corners": True}


def _case(
    shape: tuple[int, ...], parameters: dict[str, Any], seed: int, layout: str = "NCHW", color: str = "RGB"
) -> Case:
    return Case(parameters, (Sample(TensorSpec("float32", shape, layout, color, (0.0, 255.0)), seed),))
