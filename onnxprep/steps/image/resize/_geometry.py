"""What a resize is to do: from which lengths to which, and which part of the result is wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.tensor import Array

Sizes = tuple[int | None, int | None]
"""How many outputs are wanted of H and W, as far as that is known."""


@dataclass(frozen=True)
class Geometry:
    """What both axes (H, W) go through. Every number is int64 [2].

    Attributes:
        sides: lengths before.
        resized: lengths after.
        start, count: the outputs that are wanted of ``resized``.
    """

    sides: Number
    resized: Number
    start: Number
    count: Number

    def axis(self, a: Arithmetic, i: int) -> Geometry:
        """The same numbers of one axis, int64 [1]."""
        return Geometry(a.pick(self.sides, i), a.pick(self.resized, i), a.pick(self.start, i), a.pick(self.count, i))

    def begin(self) -> Array:
        """Where the part that is resized begins, float64; [1] for both axes where that is 0."""
        return np.zeros(1)

    def extent(self) -> Number:
        """How long the part that is resized is, int64 or float64."""
        return self.sides

    def whole_extent(self) -> Number:
        """The same cut to int64."""
        return self.sides

    def changes(self, a: Arithmetic) -> Number:
        """0 where the resized image is the image itself, int64 [1]."""
        return a.most(a.Abs(a.Sub(self.sides, self.resized)))


@dataclass(frozen=True)
class BoxGeometry(Geometry):
    """Where only a box of the image is resized.

    Attributes:
        box_begin, box_extent: where it begins and how long it is (H, W), float64 [2].
        whole: the sides of the image that it is all of, int64 [2]; 0 where there is no such image.
    """

    box_begin: Array
    box_extent: Array
    whole: Array

    def axis(self, a: Arithmetic, i: int) -> BoxGeometry:
        """The same numbers of one axis, [1]."""
        axis = super().axis(a, i)
        begin, extent, whole = (n[i : i + 1] for n in (self.box_begin, self.box_extent, self.whole))
        return BoxGeometry(axis.sides, axis.resized, axis.start, axis.count, begin, extent, whole)

    def begin(self) -> Array:
        """Where the box begins."""
        return self.box_begin

    def extent(self) -> Number:
        """How long the box is."""
        return self.box_extent

    def whole_extent(self) -> Number:
        """How many whole pixels the box is long."""
        return np.floor(self.box_extent).astype(np.int64)

    def changes(self, a: Arithmetic) -> Number:
        """0 where the box is all of the image, too."""
        if not self.whole.all():
            return lengths(1)
        return a.most(a.Abs(a.join(a.Sub(self.sides, self.resized), a.Sub(self.sides, self.whole))))
