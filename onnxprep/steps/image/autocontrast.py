"""autocontrast: the darkest level becomes 0, the brightest 255."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image._levels import LEVELS, Levels
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_Percent = Annotated[float, Field(ge=0, le=100)]


class Autocontrast(Step):
    """``y = clip(trunc(x * s - low * s), 0, 255)``, ``s = 255 / (high - low)`` in float64, channel by channel.

    low and high are the lowest and highest level of the channel after the ``floor(H * W * cutoff / 100)`` darkest and
    brightest pixels were left out. A channel of one level stays as it is, and one of which nothing is left.

    Input: image, uint8, GRAY, RGB or BGR.
    Output: the same.
    Rounds: once, towards 0.
    Source: Pillow 13.0.0, ImageOps.py autocontrast.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1 nor 3 channels.
    """

    operation: ClassVar[str] = "autocontrast"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageOps.autocontrast"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageOps.autocontrast"),
    }
    inherits: ClassVar[bool] = False
    min_opset: ClassVar[int] = 16  # ScatterElements that adds

    cutoff: _Percent | tuple[_Percent, _Percent] = parameter(
        "pixels to leave out at the dark and the bright end, or [dark, bright], percent, 0..100", 0.0
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The same tensor with levels from anywhere in 0..255."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale` or `to_dtype`")
        refuse_unless(x.dim("C") in (1, 3), "works on GRAY and RGB", expected="C = 1 or C = 3", got=x)
        return (replace(x, range=(0.0, 255.0)),)

    @property
    def _ends(self) -> tuple[float, float]:
        return self.cutoff if isinstance(self.cutoff, tuple) else (self.cutoff, self.cutoff)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The two levels per plane, from a histogram where something is cut off, and a table."""
        levels = Levels(op, inputs[0])
        low, high = self._cut(op, levels) if any(self._ends) else levels.extremes()
        nothing = op.Not(op.Greater(high, low))
        span = op.Cast(op.Max(op.Sub(high, low), op.constant(1, "int32")), to="float64")
        scale = op.Div(op.float64(255), span)
        offset = op.Mul(op.Neg(op.Cast(low, to="float64")), scale)
        wide = op.Add(op.Mul(levels.row(LEVELS, "float64"), scale), offset)
        wide = op.Clip(wide, op.float64(0), op.float64(255))
        table = op.Where(nothing, levels.row(LEVELS, "float64"), wide)
        return levels.mapped(op.Cast(table, to="uint8"))

    def _cut(self, op: Ops, levels: Levels) -> tuple[Value, Value]:
        a, counts, row = Arithmetic(op), levels.histogram(), levels.row(LEVELS, "int32")
        dark, bright = (op.Cast(a.value(_share(a, levels.pixels, end)), to="int32") for end in self._ends)
        below = op.CumSum(counts, op.constant(1, "int32"), exclusive=1)
        upto = op.Add(below, counts)
        low = op.ReduceMin(op.Where(op.Greater(upto, dark), row, op.constant(255, "int32")), axes=[1], keepdims=1)
        kept = op.Sub(op.Cast(a.value(levels.pixels), to="int32"), dark)
        above = op.Sub(kept, op.Max(op.Sub(below, dark), op.constant(0, "int32")))
        high = op.ReduceMax(op.Where(op.Greater(above, bright), row, op.constant(-1, "int32")), axes=[1], keepdims=1)
        return low, high

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own function, image by image."""
        from PIL import ImageOps

        return on_pillow(inputs[0], lambda picture: ImageOps.autocontrast(picture, self.cutoff))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Cut at neither end, both and one, so that something, all or nothing is left; one level, one pixel."""
        drawn: list[tuple[Any, tuple[str, tuple[int, ...], str], tuple[float, float]]] = [
            (0.0, ("NHWC", (2, 9, 13, 3), "RGB"), (30.0, 211.0)), (0.0, ("CHW", (1, 20, 35), "GRAY"), (7.0, 9.0)),
            (5.0, ("NHWC", (2, 29, 13, 3), "BGR"), (30.0, 211.0)), (0.0, ("HWC", (1, 1, 3), "RGB"), (0.0, 255.0)),
            ([2.5, 0.0], ("CHW", (1, 20, 35), "GRAY"), (20.0, 240.0)), (1.0, ("HWC", (6, 7, 1), "GRAY"), (99.0, 99.0)),
            ([0.0, 33.3], ("NCHW", (1, 3, 17, 18), "RGB"), (100.0, 140.0)), (50.0, ("CHW", (1, 8, 8), "GRAY"), (0.0, 255.0)),
            ([70.0, 45.0], ("HWC", (12, 7, 3), "RGB"), (0.0, 255.0)), (20.0, ("CHW", (1, 9, 9), "GRAY"), (4.0, 5.0)),
        ]  # fmt: skip
        for i, (cutoff, (layout, shape, color), span) in enumerate(drawn):
            yield Case({"cutoff": cutoff}, (Sample(TensorSpec("uint8", shape, layout, color, span), seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any cutoff."""
        ends = [float(rng.choice([0.0, 1.0, 10.0, 50.0, 100 * rng.random(), 20 * rng.random()])) for _ in range(2)]
        return Case({"cutoff": ends if rng.random() < 0.5 else ends[0]}, (random_image(rng, largest, ["RGB", "GRAY"]),))


def _share(a: Arithmetic, pixels: Number, percent: float) -> Number:
    """``pixels * percent // 100`` as Python has it: the quotient is rounded, its floor is not."""
    part = a.Mul(a.double(pixels), np.array([percent]))
    hundreds = a.Floor(a.Div(part, np.array([100.0])))
    over = a.Greater(a.Mul(hundreds, np.array([100.0])), part)
    return a.Sub(a.integer(hundreds), a.Where(over, lengths(1), lengths(0)))
