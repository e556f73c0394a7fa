"""to_layout: the order of the axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image.planar import NUMBERS, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec, from_layout


class ToLayout(Step):
    """The same image with its axes in another order; ``NCHW`` and ``NHWC`` make a batch of one out of a single image.

    Images lie planar in the graph whatever their layout, so this emits an Unsqueeze for a new axis N and else nothing;
    where the value leaves the nodes as NHWC or HWC, a Transpose is put there.

    Input: image of any number.
    Output: the same dtype, colour and range in the wanted layout.
    Rounds: never.
    Source: NumPy's transpose and ``x[np.newaxis]``.
    Raises: ContractError where the tensor is no image, or a batch is to become a single image.
    """

    operation: ClassVar[str] = "to_layout"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "transpose")}

    layout: Literal["NCHW", "NHWC", "CHW", "HWC"] = parameter("one letter per axis, in the order that is wanted")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The axes are reordered, N is new with length 1."""
        (x,) = inputs
        refuse_unless_image(x, *NUMBERS)
        single = "N" in str(x.layout) and "N" not in self.layout
        refuse_unless(not single, "cannot take a batch apart", expected="a single image, CHW or HWC", got=x)
        return (x.in_layout(self.layout),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Unsqueeze where N is new."""
        (x,) = inputs
        new = "N" in self.layout and "N" not in str(x.spec.layout)
        return op.Unsqueeze(x, axes=[0]) if new else x

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's transpose."""
        (x,) = inputs
        layout, array = str(x.spec.layout), x.array
        if len(self.layout) > len(layout):
            layout, array = f"N{layout}", array[np.newaxis]
        return from_layout(array, layout, self.layout)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every pair of layouts that is allowed."""
        shapes = {"NCHW": (2, 3, 4, 5), "NHWC": (2, 4, 5, 3), "CHW": (3, 4, 5), "HWC": (4, 5, 3)}
        for layout, shape in shapes.items():
            for to in shapes:
                if "N" in to or "N" not in layout:
                    yield Case({"layout": to}, (Sample(TensorSpec("uint8", shape, layout, "RGB", (0.0, 255.0)), 1),))
        yield Case({"layout": "NCHW"}, (Sample(TensorSpec("float32", (1, 1, 2), "HWC", None), seed=2),))
