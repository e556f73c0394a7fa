"""equalize like Pillow: whole numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image._levels import LEVELS, Levels
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Equalize(Step):
    """``y = (step // 2 + number of pixels below x) // step``, image by image and channel by channel.

    ``step`` is the number of pixels below the highest level of the channel, divided by 255 and cut; where that is 0
    the channel stays as it is.

    Input: image, uint8, GRAY, RGB or BGR.
    Output: the same.
    Rounds: once, down.
    Source: Pillow 13.0.0, ImageOps.py equalize.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1 nor 3 channels.
    """

    operation: ClassVar[str] = "equalize"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageOps.equalize"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageOps.equalize"),
    }
    inherits: ClassVar[bool] = False
    min_opset: ClassVar[int] = 16  # ScatterElements that adds

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The same tensor with levels from anywhere in 0..255."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="equalize before `rescale` or `to_dtype`")
        refuse_unless(x.dim("C") in (1, 3), "works on GRAY and RGB", expected="C = 1 or C = 3", got=x)
        return (replace(x, range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A histogram per plane and a table from its sums."""
        levels = Levels(op, inputs[0])
        counts = levels.histogram()
        below = op.CumSum(counts, op.constant(1, "int32"), exclusive=1)
        below_highest = op.ReduceMax(
            op.Where(op.Greater(counts, op.constant(0, "int32")), below, op.constant(0, "int32")), axes=[1], keepdims=1
        )
        step = op.Div(below_highest, op.constant(255, "int32"))
        # levels above the highest may give more than 255: no pixel has them
        safe = op.Max(step, op.constant(1, "int32"))
        spread = op.Div(op.Add(op.Div(step, op.constant(2, "int32")), below), safe)
        spread = op.Min(spread, op.constant(255, "int32"))
        same = op.Equal(step, op.constant(0, "int32"))
        return levels.mapped(op.Cast(op.Where(same, levels.row(LEVELS, "int32"), spread), to="uint8"))

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own function, image by image."""
        from PIL import ImageOps

        return on_pillow(inputs[0], ImageOps.equalize)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Few levels and many, more pixels than levels and fewer, one level, one pixel."""
        for i, (layout, shape, color, span) in enumerate([
            ("NHWC", (2, 29, 33, 3), "RGB", (0.0, 255.0)), ("CHW", (1, 40, 35), "GRAY", (90.0, 140.0)),
            ("HWC", (9, 7, 3), "BGR", (0.0, 255.0)), ("NCHW", (1, 3, 30, 31), "RGB", (7.0, 9.0)),
            ("CHW", (1, 20, 20), "GRAY", (77.0, 77.0)), ("HWC", (1, 1, 3), "RGB", (0.0, 255.0)),
            ("HWC", (19, 21, 1), "GRAY", (0.0, 1.0)),
        ]):  # fmt: skip
            yield Case({}, (Sample(TensorSpec("uint8", shape, layout, color, span), seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any image, mostly large enough to be changed."""
        return Case({}, (random_image(rng, 2 * largest, ["RGB", "GRAY"]),))
