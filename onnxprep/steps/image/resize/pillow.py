"""resize like Pillow: a filter as wide as the reduction, in 22-bit fixed point, one axis after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize import _library
from onnxprep.steps.image.resize._fixed_point.passes import resample
from onnxprep.steps.image.resize._fixed_point.tables import EmittedTables, KnownTables
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._nearest import nearest
from onnxprep.steps.image.resize._pillow.alpha import resample_rgba
from onnxprep.steps.image.resize._pillow.box import Box, in_box, refuse_unless_inside
from onnxprep.steps.image.resize._pillow.cases import cases, with_box
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.tensor import Array, Tensor, TensorSpec

_NOTE = (
    "x86-64 wheels; an output that reads more than 518 inputs of an axis (one of 22000 px to 256 by lanczos) is proven "
    "only where H and W are known, and tested elsewhere"
)


class Resize(Resizing):
    """``y = clip((2**21 + sum k * x) >> 22, 0, 255)`` along one axis, then along the other, uint8 in between.

    ``k = trunc(w * 2**22 + copysign(0.5, w))``; w is the filter stretched by max(length / new length, 1) around the
    centre of the output pixel, cut at the edges and divided by its sum, in float64. ``nearest`` takes
    ``x[floor(i)]``, i a running sum of length / new length that starts at half of it.
    With ``box`` its sides take the place of length, outputs start at its upper left corner, and pixels around it are
    read where the filter reaches them; its coordinates are rounded to float32, and so is their difference. ``size``
    and the order of the passes go by the whole image.
    RGBA: colours are multiplied by alpha before and divided by it afterwards, except for ``nearest`` and where the
    size does not change and the box is the whole image; other channels are resized each for itself.
    The vertical pass is first where ``h < H and H - h > 2 * (W - w)`` (Pillow 13), ``H > 100 * W and h < H``
    (Pillow 12.2 and 12.3), and second otherwise. Only what a following crop keeps is computed.

    Input: image, uint8, any number of channels; all images of a call have the same H and W.
    Output: uint8, the same layout and colour.
    Rounds: after each pass, half up.
    Source: Pillow 13.0.0, src/libImaging/Resample.c, Geometry.c ImagingScaleAffine; Pillow 12.3.0, Image.py resize.
    Raises: ContractError where the tensor is no uint8 image, a side would become 0, or H or W is known to be smaller
        than the box. Where they are not known, running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "Image.resize", note=_NOTE),
        "pillow-13": Claim("Pillow", ">=13,<14", "Image.resize", note=_NOTE),
    }
    interpolation: Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"] = parameter(
        "the filter, by Pillow's name"
    )
    box: Box | None = parameter(
        "[left, upper, right, lower]: the part that is resized, px; left out, all of it", None, added=True
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule, of an image in which the box lies."""
        made = super().infer(*inputs)
        if self.box is not None:
            refuse_unless_inside(inputs[0], self.box)
        return made

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        """Two passes over tap tables, which are constants where all lengths are known."""
        if self.box is not None:
            x, geometry = in_box(op, x, geometry, self.box)
        if self.interpolation == "nearest":
            return nearest(op, x, geometry)
        if x.spec.color == "RGBA":
            return resample_rgba(op, x, geometry, lambda planes: self._filtered(op, planes, geometry, sizes))
        return self._filtered(op, x, geometry, sizes)

    def _filtered(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        a = Arithmetic(op)
        known = all(a.known(n) is not None for n in vars(geometry).values())
        tables = KnownTables if known else EmittedTables
        return resample(op, x, tables(op, geometry, self.interpolation, sizes), self._vertical_first(a, geometry))

    def _vertical_first(self, a: Arithmetic, geometry: Geometry) -> Number:
        less = a.Sub(geometry.sides, geometry.resized)
        shrinks = a.Greater(a.pick(less, 0), lengths(0))
        if self.like == "pillow-12":
            height, width = a.pick(geometry.sides, 0), a.pick(geometry.sides, 1)
            tall = a.Greater(height, a.Mul(width, lengths(100)))
        else:
            tall = a.Greater(a.pick(less, 0), a.Mul(a.pick(less, 1), lengths(2)))
        return a.And(shrinks, tall)

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own resize, image by image; the size by the library the rule is named after."""
        (x,) = inputs
        return _library.resize(x, self.like, self.size, self.interpolation, self.box)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every filter and rule; odd sizes, one pixel, tall images, up, down and not at all; boxes."""
        return cases()

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """One time in three a part of the image, of random corners."""
        case = super().draw(like, rng, largest)
        return with_box(case, rng) if rng.random() < 1 / 3 else case
