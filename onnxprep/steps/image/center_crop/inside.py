"""center_crop by slicing: the crop lies inside the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, Window, parameter, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.planar import Side, at_least, cut, each_image, known_size, refuse_smaller, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class CenterCropInside(Step):
    """``y = x[top : top + h, left : left + w]`` with ``top = (H - h) // 2`` and ``left = (W - w) // 2``.

    Input: image, uint8 or float32, at least as large as the crop.
    Output: the same dtype, layout and colour; H, W = size.
    Rounds: never.
    Source: NumPy's basic slicing. An image that is too small is an error and is not padded.
    Raises: ContractError where the tensor is no image, or H or W is known to be too small. Where they are not known,
        running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "center_crop"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {"numpy": Claim("numpy", ">=1.26", "x[top : top + h, left : left + w]")}

    size: Side | tuple[Side, Side] = parameter("of the crop: the side of a square or [height, width], px")

    @property
    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def channels_alike(self, x: TensorSpec) -> bool:  # noqa: ARG002
        """It looks at places only."""
        return True

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Only H and W change."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        for letter, side in zip("HW", self._sides, strict=True):
            length = x.dim(letter)
            inside = not isinstance(length, int) or length >= side
            hint = "the families of torchvision, timm and transformers pad"
            refuse_unless(
                inside, "is larger than the image", expected=f"{letter} of at least {side} px", got=x, hint=hint
            )
        return (x.with_dims(H=self._sides[0], W=self._sides[1]),)

    def _fits(self, least: tuple[int, int]) -> bool:
        return all(length >= side for length, side in zip(least, self._sides, strict=True))

    def _start(self, op: Ops, size: Value) -> Value:
        return op.Div(op.Sub(size, op.int64(self._sides)), op.int64(2))

    def window(self, op: Ops, size: Value, at_least: tuple[int, int]) -> Window | None:
        """The middle, where it is certain to lie inside."""
        if not self._fits(at_least):
            return None
        known = op.known(size)
        start = self._start(op, size) if known is None else op.int64((known - self._sides) // 2)
        return Window(start, op.int64(self._sides), self._sides)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Slice; behind it a Reshape that fails on a smaller image where none is excluded."""
        (x,) = inputs
        size, sides = known_size(x.spec), np.array(self._sides)
        if size is not None:
            first = (np.array(size) - sides) // 2
            return x if size == self._sides else cut(op, x, op.int64(first), op.int64(first + sides))
        start = self._start(op, op.size(x, "HW"))
        kept = cut(op, x, start, op.Add(start, op.int64(sides)))
        return kept if self._fits(at_least(x.spec)) else refuse_smaller(op, kept, self._sides)

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:
        """What is cut off before the middle."""
        a = Arithmetic(op)
        start = a.Div(a.Sub(size, lengths(*self._sides)), lengths(2))
        return op.float64([1.0, 1.0]), a.value(a.Sub(lengths(0, 0), start)), op.int64(self._sides)

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's slicing."""
        (x,) = inputs
        return each_image(x, "HWC", self._middle)

    def _middle(self, image: Array) -> Array:
        height, width = self._sides
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        if min(top, left) < 0:
            raise ValueError("the image is smaller than the crop")  # NumPy would give less
        return image[top : top + height, left : left + width]

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Differences of 0 to 3 px; one pixel."""
        for i, (size, height, width) in enumerate([(4, 5, 7), ([6, 5], 6, 8), (5, 5, 5), (1, 1, 1)]):
            image = TensorSpec("uint8", (2, height, width, 3), "NHWC", "RGB", (0.0, 255.0))
            yield Case({"size": size}, (Sample(image, seed=i),))
        yield Case({"size": 2}, (Sample(TensorSpec("float32", (1, 4, 5), "CHW", "GRAY", (0.0, 1.0)), seed=7),))
