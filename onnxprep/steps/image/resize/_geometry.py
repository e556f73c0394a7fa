"""What a resize is to do: from which lengths to which, and which part of the result is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from onnxprep.steps.image.arithmetic import Arithmetic, Number

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
