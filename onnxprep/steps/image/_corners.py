"""The crops of several places of an image: what five_crop and ten_crop share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import Side, at_least, cut, known_size, refuse_smaller, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec, from_layout


class CornerCrops(Step):
    """The corners and the middle, along the batch axis."""

    crops: ClassVar[int]
    """How many crops of every image there are."""

    size: Side | tuple[Side, Side] = parameter("of the crops: the side of a square or [height, width], px")

    @property
    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are the size, N is as many times as long; a single image gets an axis N."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        for letter, side in zip("HW", self._sides, strict=True):
            length = x.dim(letter)
            inside = not isinstance(length, int) or length >= side
            refuse_unless(inside, "is larger than the image", expected=f"{letter} of at least {side} px", got=x)
        batch = x if "N" in str(x.layout) else x.in_layout(f"N{x.layout}")
        images = batch.dim("N")
        count = images * self.crops if isinstance(images, int) else None
        return (batch.with_dims(N=count, H=self._sides[0], W=self._sides[1]),)

    def _five(self, op: Ops, x: Value, place: Callable[[Number, Number], Number]) -> Value:
        """Top left, top right, bottom left, bottom right and the middle, along a new axis before C.

        ``place`` gets where a crop would begin and where the last one begins, and says where it does.
        """
        a, sides = Arithmetic(op), lengths(*self._sides)
        room = a.Sub(a.size(x, "HW"), sides)
        middle = a.integer(a.Round(a.Mul(a.double(room), np.array(0.5))))  # half to even, as Python's round
        corners = [a.Mul(room, lengths(down, across)) for down in (0, 1) for across in (0, 1)]
        starts = [place(start, room) for start in (*corners, middle)]
        crops = [cut(op, x, a.value(start), a.value(a.Add(start, sides))) for start in starts]
        if any(known < side for known, side in zip(at_least(x.spec), self._sides, strict=True)):
            crops[0] = refuse_smaller(op, crops[0], self._sides)
        axis = x.spec.axis("C")
        return op.Concat(*(op.Unsqueeze(crop, axes=[axis]) for crop in crops), axis=axis)

    def _along_batch(self, op: Ops, x: Value, crops: Value) -> Value:
        """The crops of the first image, then those of the second."""
        if "N" not in str(x.spec.layout):
            return crops
        a = Arithmetic(op)
        count = a.Mul(a.size(x, "N"), lengths(self.crops))
        return op.Reshape(crops, a.value(a.join(count, a.size(x, "C"), lengths(*self._sides))))

    def _stacked(self, x: Tensor, function: Callable[..., Sequence[Any]], *arguments: Any) -> Array:
        """Every image's crops by torchvision, image by image."""
        import torch

        layout = str(x.spec.layout)
        images = x.in_layout("NCHW") if "N" in layout else x.in_layout("CHW")[np.newaxis]
        made = [np.stack(function(torch.from_numpy(image), list(self._sides), *arguments)) for image in images]
        return from_layout(np.concatenate(made), "NCHW", layout if "N" in layout else f"N{layout}")

    @classmethod
    def _cases(cls, others: Sequence[dict[str, Any]]) -> Iterator[Case]:
        """Even and odd differences, the whole image, one pixel."""
        for given in others:
            for i, (size, layout, shape) in enumerate(_SHAPES):
                dtype, high = ("uint8", 255.0) if i % 2 == 0 else ("float32", 1.0)
                color = "RGB" if shape[layout.index("C")] == 3 else "GRAY"
                image = TensorSpec(dtype, shape, layout, color, (0.0, high))
                yield Case({"size": size, **given}, (Sample(image, seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Crops of any size that fits."""
        case = super().draw(like, rng, largest)
        sides = known_size(case.inputs[0].spec) or (1, 1)
        return replace(case, parameters={**case.parameters, "size": [int(rng.integers(1, side + 1)) for side in sides]})


_SHAPES: tuple[tuple[Any, str, tuple[int, ...]], ...] = (
    (4, "NHWC", (2, 7, 9, 3)), ([3, 5], "NCHW", (1, 3, 6, 8)), ([5, 2], "HWC", (8, 5, 3)), (2, "CHW", (1, 3, 5)),
    ([6, 5], "NHWC", (1, 6, 5, 3)), (1, "NCHW", (3, 1, 1, 1)), (3, "HWC", (3, 6, 1)),
)  # fmt: skip
