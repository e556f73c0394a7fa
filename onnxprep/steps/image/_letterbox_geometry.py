"""Where letterbox puts an image: the arithmetic of Ultralytics, in int64 and float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.steps.image._borders import Border
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths


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
        resized = size if self.scale_fill else a.integer(a.Round(a.Mul(doubles, gain)))
        missing = a.Sub(size, resized)
        if self.auto:
            missing = a.Mod(missing, lengths(self.stride))
        before = a.Div(missing, lengths(2)) if self.center else lengths(0, 0)
        return Placement(gain, resized, Border(before, a.Sub(missing, before)))
