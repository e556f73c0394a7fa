"""exif_transpose: a photo the right way up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image._mirror import backwards, columns, rows, turned
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

_UPSIDE_DOWN = (3, 4, 6, 7)
"""Orientations whose last row comes first; where rows and columns change places as well, that comes after."""
_MIRRORED, _BEHIND = (2, 3), (7, 8)
"""Orientations whose last column comes first; and whose last row does once rows and columns have changed places."""


class ExifTranspose(Step):
    """The image as the camera was held: orientation 1 changes nothing, 2 mirrors, 3 turns by 180 degrees, 4 flips.

    5 swaps rows and columns, 6 turns by 90 degrees clockwise, 7 swaps along the other diagonal, 8 turns by 90 degrees
    counter-clockwise; any other number changes nothing, as in Pillow. Decoders drop the orientation (tag 0x0112 of EXIF),
    so it is an input of its own: 1 where the file has none.

    Input: x: image, uint8 or float32, a single one or a batch of 1; orientation: int64, a scalar or [1].
    Output: the same; H and W change places for orientations 5 to 8 and are not known before.
    Rounds: never.
    Source: Pillow 13.0, ImageOps.py exif_transpose.
    Raises: ContractError where x is no image or a batch of several, or the orientation is not one int64. Where N is not
        known, running the graph fails in a Reshape of this step.
    """

    operation: ClassVar[str] = "exif_transpose"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {"": Claim("Pillow", ">=12.2,<14", "ImageOps.exif_transpose")}
    inputs: ClassVar[tuple[str, ...]] = ("x", "orientation")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are known where they are equal."""
        x, orientation = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        several = "N" in str(x.layout) and isinstance(x.dim("N"), int) and x.dim("N") != 1
        refuse_unless(not several, "works on one image", expected="N = 1", got=x)
        one = orientation.shape == () or (orientation.rank == 1 and _may_be_1(orientation.shape))
        refuse_unless(
            orientation.dtype == "int64" and one, "has another orientation", expected="int64[1]", got=orientation
        )
        side = x.dim("H") if x.dim("H") == x.dim("W") else None
        turned = x.with_dims(H=side, W=side)
        return (turned.with_dims(N=1) if "N" in str(x.layout) else turned,)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """If decides on what is slow; whole rows are gathered in any case."""
        x, orientation = inputs
        if "N" in str(x.spec.layout) and x.spec.dim("N") != 1:
            x = Value(op.Reshape(x, op.int64([1, 0, 0, 0])).name, x.spec.with_dims(N=1))
        number = op.Reshape(orientation, op.int64([1]))
        known = op.And(op.Greater(number, op.int64([0])), op.Less(number, op.int64([9])))
        number = op.Where(known, number, op.int64([1]))

        def among(numbers: tuple[int, ...]) -> Value:
            return op.Gather(op.constant([n in numbers for n in range(9)], "bool"), number, axis=0)

        a = Arithmetic(op)
        height, width = a.size(x, "H"), a.size(x, "W")

        def order(numbers: tuple[int, ...], length: Number) -> Value:
            return op.Where(among(numbers), a.value(backwards(a, length)), a.value(a.count_to(length)))

        upright = rows(op, x, order(_UPSIDE_DOWN, height))
        mirrored = among(_MIRRORED)
        across = order(_BEHIND, width)
        return op.branch(
            op.Greater(number, op.int64([4])),
            lambda: turned(op, upright, across),
            lambda: op.branch(mirrored, lambda: columns(op, upright, backwards(a, width)), lambda: upright),
        )

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own function, plane by plane, on an image that has the EXIF tag."""
        from PIL import Image, ImageOps

        x, orientation = inputs

        def one(plane: Array) -> Array:
            tagged = Image.fromarray(np.ascontiguousarray(plane))
            tagged.getexif()[0x0112] = int(orientation.array.item())
            return np.asarray(ImageOps.exif_transpose(tagged))

        return each_image(x, "CHW", lambda image: np.stack([one(plane) for plane in image]))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every orientation and two that are none; all layouts without N."""
        images = (
            TensorSpec("uint8", (5, 8, 3), "HWC", "RGB", (0.0, 255.0)),
            TensorSpec("float32", (1, 7, 3), "CHW", "GRAY", (0.0, 1.0)),
        )
        for number in range(10):
            tag = TensorSpec("int64", (1,), "O", None, (float(number), float(number)))
            yield Case({}, (Sample(images[number % 2], seed=number), Sample(tag)))
        tag = TensorSpec("int64", (), "", None, (6.0, 6.0))
        yield Case({}, (Sample(TensorSpec("uint8", (4, 6, 6), "CHW", "RGBA", (0.0, 255.0)), seed=9), Sample(tag)))
        yield Case({}, (Sample(images[0].with_dims(H=1, W=1), seed=9), Sample(tag)))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any orientation; some images with an axis N."""
        case = super().draw(like, rng, largest)
        x, tag = case.inputs
        number = float(rng.integers(1, 9))
        spec = x.spec.in_layout(f"N{x.spec.layout}") if rng.random() < 0.5 else x.spec
        return replace(
            case, inputs=(replace(x, spec=spec), replace(tag, spec=replace(tag.spec, range=(number, number))))
        )


def _may_be_1(shape: tuple[Dim, ...] | None) -> bool:
    return shape is not None and (not isinstance(shape[0], int) or shape[0] == 1)
