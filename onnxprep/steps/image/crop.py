"""crop: keep a rectangle at a fixed place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, Window, parameter, refuse_unless
from onnxprep.steps.image.planar import at_least, cut, each_image, refuse_smaller, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class Crop(Step):
    """``y = x[top : top + height, left : left + width]``, for every image and channel.

    Input: image, uint8 or float32; the rectangle lies inside it.
    Output: the same dtype, layout and colour; H = height, W = width.
    Rounds: never.
    Source: NumPy's basic slicing. Unlike it, a rectangle that leaves the image is an error and not a smaller image.
    Raises: ContractError where the tensor is no image, or H or W is known to be too small. Where they are not known,
        running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "crop"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "x[top : top + height, left : left + width]")}

    top: int = parameter("first row that is kept, px", ge=0, lt=2**31)
    left: int = parameter("first column that is kept, px", ge=0, lt=2**31)
    height: int = parameter("rows that are kept, px", gt=0, lt=2**31)
    width: int = parameter("columns that are kept, px", gt=0, lt=2**31)

    @property
    def _end(self) -> tuple[int, int]:
        return self.top + self.height, self.left + self.width

    def channels_alike(self, x: TensorSpec) -> bool:  # noqa: ARG002
        """It looks at places only."""
        return True

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Only H and W change."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        for letter, end in zip("HW", self._end, strict=True):
            length = x.dim(letter)
            inside = not isinstance(length, int) or length >= end
            refuse_unless(inside, "does not lie inside the image", expected=f"{letter} of at least {end} px", got=x)
        return (x.with_dims(H=self.height, W=self.width),)

    def _lies_inside(self, least: tuple[int, int]) -> bool:
        return all(length >= end for length, end in zip(least, self._end, strict=True))

    def window(self, op: Ops, size: Value, at_least: tuple[int, int]) -> Window | None:  # noqa: ARG002
        """The rectangle, where it is certain to lie inside."""
        if not self._lies_inside(at_least):
            return None
        sizes = (self.height, self.width)
        return Window(op.int64([self.top, self.left]), op.int64(sizes), sizes)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Slice; behind it a Reshape that fails on a smaller image where none is excluded."""
        (x,) = inputs
        kept = cut(op, x, op.int64([self.top, self.left]), op.int64(self._end))
        return kept if self._lies_inside(at_least(x.spec)) else refuse_smaller(op, kept, (self.height, self.width))

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:  # noqa: ARG002
        """What is cut off before the rectangle."""
        return op.float64([1.0, 1.0]), op.int64([-self.top, -self.left]), op.int64([self.height, self.width])

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's slicing."""
        (x,) = inputs
        bottom, right = self._end
        if not self._lies_inside(at_least(x.spec)):
            raise ValueError("the rectangle does not lie inside the image")  # NumPy would give less
        return each_image(x, "HWC", lambda image: image[self.top : bottom, self.left : right])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Inside, at the edges, one pixel, the whole image."""
        image = Sample(TensorSpec("uint8", (2, 9, 7, 3), "NHWC", "RGB", (0.0, 255.0)), seed=1)
        yield Case({"top": 2, "left": 1, "height": 4, "width": 5}, (image,))
        yield Case({"top": 8, "left": 6, "height": 1, "width": 1}, (image,))
        yield Case({"top": 0, "left": 0, "height": 9, "width": 7}, (image,))
        single = Sample(TensorSpec("float32", (1, 6, 6), "CHW", "GRAY"), seed=2)
        yield Case({"top": 1, "left": 0, "height": 5, "width": 6}, (single,))
