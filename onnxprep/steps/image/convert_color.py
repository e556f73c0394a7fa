"""convert_color: RGB to BGR and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image.planar import NUMBERS, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec, from_layout

_HINTS = {"RGBA": "`drop_alpha` gives RGB", "GRAY": "`gray_to_rgb` gives RGB"}


class ConvertColor(Step):
    """``y[c] = x[2 - c]`` where the colour differs; nothing where the image has it already.

    Input: image, any number, RGB or BGR; the colour is what the tensor declares.
    Output: the same dtype, layout and shape in the colour ``to``.
    Rounds: never.
    Source: NumPy's ``x[..., ::-1]``; OpenCV's COLOR_RGB2BGR and COLOR_BGR2RGB are the same copy.
    Raises: ContractError where the tensor is no image, or its colour is unknown, RGBA or GRAY.
    """

    operation: ClassVar[str] = "convert_color"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "x[..., ::-1]")}
    permutes: ClassVar[bool] = True

    to: Literal["RGB", "BGR"] = parameter("the colour that is wanted")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Only the colour changes."""
        (x,) = inputs
        refuse_unless_image(x, *NUMBERS)
        hint = _HINTS.get(str(x.color), "declare the colour of the input")
        refuse_unless(x.color in ("RGB", "BGR"), "has another colour", expected="RGB or BGR", got=x, hint=hint)
        refuse_unless(x.dim("C") in (3, None), "has another number of channels", expected="C = 3", got=x)
        return (replace(x, color=self.to),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Gather along the planes, which is the fast axis to do it on."""
        (x,) = inputs
        if x.spec.color == self.to:
            return x
        return op.Gather(x, op.int64([2, 1, 0]), axis=x.spec.axis("C"))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's reversal of the last axis."""
        (x,) = inputs
        layout = str(x.spec.layout)
        last = layout.replace("C", "") + "C"
        array = x.in_layout(last)
        return from_layout(array if x.spec.color == self.to else array[..., ::-1], last, layout)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both directions, both layouts, and nothing to do."""
        for color, to, layout, shape in (
            ("RGB", "BGR", "NHWC", (2, 5, 4, 3)),
            ("BGR", "RGB", "CHW", (3, 1, 1)),
            ("RGB", "RGB", "HWC", (2, 3, 3)),
        ):
            yield Case({"to": to}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=1),))
        yield Case({"to": "BGR"}, (Sample(TensorSpec("float32", (1, 3, 2, 5), "NCHW", "RGB"), seed=2),))
