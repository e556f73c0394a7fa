"""select_channel: one channel of an image, as a gray image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image.planar import NUMBERS, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class SelectChannel(Step):
    """``y = x[..., index : index + 1]``: the Y of ``rgb_to_ycbcr``, for one.

    Input: image of numbers, any colour or none.
    Output: the same dtype and layout, GRAY.
    Rounds: never.
    Source: NumPy's basic slicing.
    Raises: ContractError where the tensor is no image or has too few channels, or an unknown number of them.
    """

    operation: ClassVar[str] = "select_channel"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "x[..., index : index + 1]")}

    index: Annotated[int, Field(ge=0, lt=65_536)] = parameter("which, from 0")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """One channel."""
        (x,) = inputs
        refuse_unless_image(x, *NUMBERS)
        channels = x.dim("C")
        enough = isinstance(channels, int) and channels > self.index
        refuse_unless(enough, "has no such channel", expected=f"C of {self.index + 1} or more", got=x)
        return (replace(x.with_dims(C=1), color="GRAY"),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Gather of one."""
        (x,) = inputs
        return op.Gather(x, op.int64([self.index]), axis=x.spec.axis("C"))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's slicing."""
        (x,) = inputs
        axis = str(x.spec.layout).index("C")
        return np.moveaxis(np.moveaxis(x.array, axis, -1)[..., self.index : self.index + 1], -1, axis)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every layout, the first channel and others, bytes and floats."""
        shapes = {"NHWC": (2, 9, 7, 3), "NCHW": (2, 4, 5, 6), "HWC": (1, 1, 3), "CHW": (5, 3, 2)}
        for index, (layout, shape) in enumerate(shapes.items()):
            spec = TensorSpec("uint8", shape, layout, None, (0.0, 255.0))
            yield Case({"index": index % 3}, (Sample(spec, index),))
        yield Case({"index": 1}, (Sample(TensorSpec("float32", (1, 3, 4, 5), "NCHW", "BGR", (-1.0, 1.0)), 7),))
