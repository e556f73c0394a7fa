"""What the steps share that subtract one number per channel and divide by another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, ValidationInfo

from onnxprep.step import Case, Ops, Sample, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image.planar import Float32, refuse_unless_image
from onnxprep.tensor import Array, TensorSpec

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CLIP = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}


def _divides(std: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
    hint = "ImageNet's std is [0.229, 0.224, 0.225]"
    for i, value in enumerate(std):
        if np.float32(value) == 0:
            raise wrong("is 0 in float32", at=f"[{i}]", expected="a non-zero number", hint=hint)
    return as_many_as_mean(std, info)


def as_many_as_mean(values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
    """A validator: one number for each of ``mean``, which is declared before."""
    mean = info.data.get("mean", values)  # absent where it is wrong itself
    if len(values) != len(mean):
        raise wrong(f"has {len(values)} numbers", expected=f"{len(mean)}, as many as mean")
    return values


Std = Annotated[tuple[Float32, ...], AfterValidator(_divides)]
"""Numbers that are divided by, one for each of ``mean``."""


def column(values: Any, dtype: str) -> Array:
    """One number per channel, as it meets a planar image."""
    return np.asarray(values, dtype).reshape(-1, 1, 1)


class PerChannel(Step):
    """Base: ``y[c] = (x[c] - shift[c]) / divisor[c]`` in float32, or ``* factor[c]`` where a class ``multiplies``."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    multiplies: ClassVar[bool] = False

    mean: tuple[Float32, ...] = parameter("per channel, in the unit of the input (0..1 after rescale)", min_length=1)

    def numbers(self) -> tuple[Array, Array]:
        """What is subtracted, and what is then divided by (or multiplied with): float32, per channel."""
        raise NotImplementedError

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; keeps layout, shape and colour; the range is what becomes of its ends."""
        (x,) = inputs
        hint = "put `rescale` before it" if x.dtype == "uint8" else "put `to_dtype: {dtype: float32}` before it"
        refuse_unless_image(x, *self.dtypes, hint=hint)
        refuse_unless(
            x.dim("C") in (None, len(self.mean)) or isinstance(x.dim("C"), str),
            "has another number of channels",
            expected=f"C = {len(self.mean)}, one per mean and std",
            got=x,
        )
        known = (0.0, 255.0) if x.range is None and x.dtype == "uint8" else x.range
        if known is None:
            return (replace(x, dtype="float32", range=None),)
        with np.errstate(all="ignore"):
            ends = [self.arithmetic(np.float32(end)) for end in known]
        finite = bool(np.isfinite(ends).all())
        refuse_unless(finite, "leaves float32 with these numbers", expected="finite results", got=x)
        return (replace(x, dtype="float32", range=(float(np.min(ends)), float(np.max(ends)))),)

    def arithmetic(self, x: np.float32) -> Array:
        """What becomes of a value in every channel."""
        shift, scale = self.numbers()
        return (x - shift) * scale if self.multiplies else (x - shift) / scale

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Cast, Sub and Div, or Mul where the library multiplies: with ImageNet's numbers they differ in 31 %."""
        (x,) = inputs
        wide = x if x.spec.dtype == "float32" else op.Cast(x, to="float32")
        shift, scale = (op.float32(column(numbers, "float32")) for numbers in self.numbers())
        shifted = op.Sub(wide, shift)
        return op.Mul(shifted, scale) if self.multiplies else op.Div(shifted, scale)

    @classmethod
    def random(cls, rng: np.random.Generator, channels: int) -> dict[str, Any]:
        """Random parameters: means within the unit range, standard deviations from 0.05 to 1."""
        return {"mean": rng.uniform(0, 1, channels).tolist(), "std": rng.uniform(0.05, 1, channels).tolist()}

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Every third time the constants of a case, else random ones."""
        case = super().draw(like, rng, largest)
        if rng.random() < 1 / 3:
            return case
        channels = case.inputs[0].spec.dim("C")
        return Case({**case.parameters, **cls.random(rng, int(channels or 0))}, case.inputs, case.like)


def images(dtype: str = "uint8") -> Iterator[Sample]:
    """Three channels in every layout; of bytes the first shows all 256 in each of its channels."""
    for seed, (layout, shape, color) in enumerate(
        (
            ("HWC", (64, 64, 3) if dtype == "uint8" else (11, 13, 3), "RGB"),
            ("NCHW", (2, 3, 5, 7), "RGB"),
            ("NHWC", (1, 1, 9, 3), "BGR"),
            ("CHW", (3, 6, 1), "RGB"),
        )
    ):
        yield Sample(TensorSpec(dtype, shape, layout, color, (0.0, 255.0)), seed)
