"""adjust_contrast like Pillow: around a mean that is a whole number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_LUMINANCE = (19595, 38470, 7471)
"""Of R, G and B, * 2**16 (Pillow 13.0.0, src/libImaging/Convert.c, L24)."""


class AdjustContrast(Step):
    """``y = trunc(clip(mean + contrast_factor * (x - mean), 0, 255))`` in float32.

    ``mean`` is that of ``L = (19595 R + 38470 G + 7471 B + 2**15) >> 16`` over the image, rounded half up; a GRAY image
    is its own L. Alpha stays as it is.

    Input: image, uint8, GRAY, RGB or RGBA.
    Output: the same.
    Rounds: L half up, the mean half up, the product and the sum to float32, then towards 0.
    Source: Pillow 13.0.0, ImageEnhance.py Contrast; src/libImaging/Convert.c rgb2l, Blend.c.
    Raises: ContractError where the tensor is no uint8 image, is BGR, or has neither 1, 3 nor 4 channels.
    """

    operation: ClassVar[str] = "adjust_contrast"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageEnhance.Contrast"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageEnhance.Contrast"),
    }
    inherits: ClassVar[bool] = False

    contrast_factor: float = parameter("0: gray, 1: as it is, 2: twice as far from the mean; 0..1000", ge=0, le=1000)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The same tensor with levels from anywhere in 0..255."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale` or `to_dtype`")
        refuse_unless(x.dim("C") in (1, 3, 4), "has another number of channels", expected="C = 1, 3 or 4", got=x)
        refuse_unless(
            x.color != "BGR", "weighs R, G and B", expected="RGB", got=x, hint="put `convert_color` before it"
        )
        return (replace(x, range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The mean from whole numbers, then five operations per pixel."""
        (x,), a = inputs, Arithmetic(op)
        lead, shape = ("NC", "NCHW") if x.spec.rank == 4 else ("C", "CHW")
        pixels = a.product(a.size(x, "HW"))
        # also keeps ONNX Runtime from moving the Transpose of a layout behind all this: three numbers per row are slow
        rows = op.Reshape(x, a.value(a.join(a.size(x, lead), pixels)))
        axis, channels = len(lead) - 1, int(x.spec.dim("C") or 0)  # infer refuses what is not known
        alpha: list[Value] = []
        if channels == 4:
            rows, *alpha = op.Split(rows, axis=axis, split=[3, 1])
        levels = rows if channels == 1 else self._luminance(op, rows, axis)
        mean = self._mean(op, levels, axis, a.value(a.double(pixels)))
        apart = op.Mul(op.Sub(op.Cast(rows, to="float32"), mean), op.float32(self.contrast_factor))
        y = op.Cast(op.Clip(op.Add(apart, mean), op.float32(0), op.float32(255)), to="uint8")
        return op.Reshape(op.Concat(y, *alpha, axis=axis) if alpha else y, a.value(a.size(x, shape)))

    @staticmethod
    def _luminance(op: Ops, rows: Value, axis: int) -> Any:
        red, green, blue = (
            op.Mul(op.Cast(part, to="float32"), op.float32(weight))
            for part, weight in zip(op.Split(rows, axis=axis, split=[1, 1, 1]), _LUMINANCE, strict=True)
        )
        total = op.Add(op.Add(red, green), op.Add(blue, op.float32(2**15)))
        return op.Cast(op.Mul(total, op.float32(2.0**-16)), to="int32")

    @staticmethod
    def _mean(op: Ops, levels: Value, axis: int, pixels: Value) -> Any:
        """Of the image, float32 [..., 1, 1]; the sum is float64, which holds every whole number in question."""
        total = op.ReduceSum(op.Cast(levels, to="float64"), axes=[axis + 1], keepdims=1)
        mean = op.Floor(op.Add(op.Div(total, pixels), op.float64(0.5)))
        return op.Cast(mean, to="float32")

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own class, image by image."""
        from PIL import ImageEnhance

        return on_pillow(inputs[0], lambda picture: ImageEnhance.Contrast(picture).enhance(self.contrast_factor))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Less and more contrast, none and all of it, with alpha and without; one pixel."""
        drawn: list[tuple[float, tuple[str, tuple[int, ...], str], tuple[float, float]]] = [
            (1.5, ("NHWC", (2, 9, 13, 3), "RGB"), (0.0, 255.0)), (0.3, ("CHW", (1, 20, 35), "GRAY"), (0.0, 255.0)),
            (0.0, ("HWC", (6, 7, 4), "RGBA"), (0.0, 255.0)), (1.0, ("NCHW", (2, 3, 5, 4), "RGB"), (0.0, 255.0)),
            (3.7, ("HWC", (12, 7, 4), "RGBA"), (100.0, 160.0)), (0.9, ("HWC", (1, 1, 3), "RGB"), (0.0, 255.0)),
            (17.0, ("CHW", (3, 40, 3), "RGB"), (50.0, 90.0)), (1.1, ("HWC", (19, 21, 1), "GRAY"), (3.0, 30.0)),
        ]  # fmt: skip
        for i, (factor, (layout, shape, color), span) in enumerate(drawn):
            yield Case({"contrast_factor": factor}, (Sample(TensorSpec("uint8", shape, layout, color, span), seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any factor, half of them at most 1."""
        factor = float(rng.choice([0.0, 1.0, rng.random(), rng.random(), 2.0, 1 + rng.random(), 10 * rng.random()]))
        return Case({"contrast_factor": factor}, (random_image(rng, largest),))
