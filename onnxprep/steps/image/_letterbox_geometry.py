"""Where letterbox puts an image: the arithmetic of Ultralytics, in int64 and float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.steps.image._borders import Border
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths

LATER, BETWEEN, EARLIER = "ultralytics", "ultralytics-8.4.25", "ultralytics-8.3"
"""How boxes go back: by the gain of each rounded side (from 8.4.124 on), by one gain (from 8.4.25), and by one gain
with the border counted from lengths that were not rounded (from 8.0.200)."""


@dataclass(frozen=True)
class Placement:
    """What becomes of an image.

    Attributes:
        gain: by what lengths are multiplied before they are rounded, float64 [1] or [2] (H, W).
        resized: H and W of the image inside the border, int64 [2].
        border: what is put around it; ``before`` is the offset of its first pixel.
    """

    gain: Number
    resized: Number
    border: Border


@dataclass(frozen=True)
class LetterboxRule:
    """The parameters that decide where the image goes; ``size`` is (H, W)."""

    size: tuple[int, int]
    auto: bool
    scale_fill: bool
    scaleup: bool
    stride: int
    center: bool

    def place(self, a: Arithmetic, sides: Number) -> Placement:
        """The placement of an image of ``sides``, int64 [2].

        ``round(d / 2 - 0.1)`` and ``round(d / 2 + 0.1)`` of a whole ``d`` are ``d // 2`` and ``d - d // 2``.
        """
        size, doubles = lengths(*self.size), a.double(sides)
        ratios = a.Div(a.double(size), doubles)
        gain = ratios if self.scale_fill else a.least(ratios)
        if not (self.scaleup or self.scale_fill):
            gain = a.Min(gain, np.array([1.0]))
        resized = size if self.scale_fill else a.Max(a.integer(a.Round(a.Mul(doubles, gain))), lengths(1))
        missing = a.Sub(size, resized)
        if self.auto:
            missing = a.Mod(missing, lengths(self.stride))
        before = a.Div(missing, lengths(2)) if self.center else lengths(0, 0)
        return Placement(gain, resized, Border(before, a.Sub(missing, before)))

    def back(self, a: Arithmetic, sides: Number, like: str) -> tuple[Number, Number]:
        """Gain, float64 [2], and offset, int64 [2], by which a release of Ultralytics undoes the placement.

        They count them anew from the sizes before and after; what they have no rule for (not in the middle, not scaled
        up, stretched) goes back as it came.
        """
        doubles, two = a.double(sides), np.ones(2)
        if not (self.center and self.scaleup) or self.scale_fill:
            placed = self.place(a, sides)
            return a.Mul(placed.gain, two), placed.border.before
        after = self._after(a, sides)
        gain = a.least(a.Div(a.double(after), doubles))
        exact = a.Mul(doubles, gain)
        rounded = a.Round(exact)
        if like == EARLIER:
            return a.Mul(gain, two), _half(a, a.Sub(a.double(after), exact))
        if like == BETWEEN:
            return a.Mul(gain, two), _half(a, a.Sub(a.double(after), rounded))
        rounded = a.Max(rounded, two)
        return a.Div(rounded, doubles), _half(a, a.Sub(a.double(after), rounded))

    def _after(self, a: Arithmetic, sides: Number) -> Number:
        if not self.auto:
            return lengths(*self.size)
        placed = self.place(a, sides)
        return placed.border.sides(a, placed.resized)


def _half(a: Arithmetic, missing: Number) -> Number:
    """``round(missing / 2 - 0.1)``."""
    return a.integer(a.Round(a.Sub(a.Div(missing, np.array([2.0])), np.array([0.1]))))
