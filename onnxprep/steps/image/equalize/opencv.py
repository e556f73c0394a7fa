"""equalize like OpenCV: a scale in float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image._levels import LEVELS, Levels
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Equalize(Step):
    """``y = round((upto(x) - lowest) * (255 / (H * W - lowest)))`` in float32, image by image.

    ``upto`` is the number of pixels that are at most x, ``lowest`` the number of those that have the lowest level. An
    image of one level stays as it is.

    Input: image, uint8, GRAY.
    Output: the same.
    Rounds: the scale and the product to float32, then half to even.
    Source: OpenCV 5.0.0, modules/imgproc/src/histogram.cpp equalizeHist.
    Raises: ContractError where the tensor is no uint8 image of one channel.
    """

    operation: ClassVar[str] = "equalize"
    claims: ClassVar = {
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "equalizeHist"),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "equalizeHist"),
    }
    inherits: ClassVar[bool] = False
    min_opset: ClassVar[int] = 16  # ScatterElements that adds

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The same tensor with levels from anywhere in 0..255."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="equalize before `rescale` or `to_dtype`")
        refuse_unless(
            x.dim("C") == 1, "works on GRAY alone", expected="C = 1", got=x, hint="put `to_grayscale` before it"
        )
        return (replace(x, range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A histogram per image and a table from its sums."""
        levels, a = Levels(op, inputs[0]), Arithmetic(op)
        counts = levels.histogram()
        upto, pixels = op.CumSum(counts, op.constant(1, "int32")), op.Cast(a.value(levels.pixels), to="int32")
        there = op.Greater(counts, op.constant(0, "int32"))
        lowest = op.ReduceMin(op.Where(there, upto, op.constant(2**31 - 1, "int32")), axes=[1], keepdims=1)
        others = op.Sub(pixels, lowest)
        scale = op.Div(op.float32(255), op.Cast(op.Max(others, op.constant(1, "int32")), to="float32"))
        spread = op.Round(op.Mul(op.Cast(op.Sub(upto, lowest), to="float32"), scale))
        spread = op.Clip(spread, op.float32(0), op.float32(255))
        same = op.Equal(others, op.constant(0, "int32"))
        return levels.mapped(op.Cast(op.Where(same, levels.row(LEVELS, "float32"), spread), to="uint8"))

    def oracle(self, *inputs: Tensor) -> Array:
        """OpenCV's own function, image by image."""
        import cv2

        return each_image(inputs[0], "HWC", lambda image: np.asarray(cv2.equalizeHist(image)).reshape(image.shape))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Few levels and many, more pixels than levels and fewer, one level, one pixel."""
        for i, (layout, shape, span) in enumerate([
            ("NHWC", (2, 29, 33, 1), (0.0, 255.0)), ("CHW", (1, 40, 35), (90.0, 140.0)),
            ("HWC", (9, 7, 1), (0.0, 255.0)), ("NCHW", (1, 1, 30, 31), (7.0, 9.0)), ("CHW", (1, 20, 20), (77.0, 77.0)),
            ("HWC", (1, 1, 1), (0.0, 255.0)), ("HWC", (19, 21, 1), (0.0, 1.0)),
        ]):  # fmt: skip
            yield Case({}, (Sample(TensorSpec("uint8", shape, layout, "GRAY", span), seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any gray image."""
        return Case({}, (random_image(rng, 2 * largest, ["GRAY"]),))
