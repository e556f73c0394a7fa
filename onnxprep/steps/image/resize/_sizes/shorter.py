"""Size rules that start from the shorter edge."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import ValidationInfo, field_validator

from onnxprep.step import parameter, wrong
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._sizes.rule import Side, SizeRule, double, down, up


class ShorterTorchvision(SizeRule):
    """``long = int(shorter_edge * long / short)``; above ``max_size``: ``short = int(max_size * short / long)``.

    Source: torchvision 0.28, transforms/functional.py _compute_resized_output_size.
    """

    main: ClassVar[str] = "shorter_edge"
    shorter_edge: Side = parameter("length of the shorter side, px")
    rule: Literal["torchvision"]
    max_size: Side | None = parameter("the longer side is at most this, px; greater than shorter_edge", None)

    @field_validator("max_size")
    @classmethod
    def _longer_is_longer(cls, max_size: int | None, info: ValidationInfo) -> int | None:
        least = info.data.get("shorter_edge", 0)
        if max_size is not None and max_size <= least:
            raise wrong(f"is {max_size}", expected=f"more than shorter_edge, {least}")
        return max_size

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        resized = a.integer(a.ratio(a.Mul(sides, lengths(self.shorter_edge)), a.least(sides)))
        if self.max_size is None:
            return resized
        longest, most = a.most(resized), lengths(self.max_size)
        return a.Where(a.Greater(longest, most), a.integer(a.ratio(a.Mul(resized, most), longest)), resized)

    def at_least(self) -> int:
        return self.shorter_edge if self.max_size is None else 0


class ShorterCeil(SizeRule):
    """As torchvision's without ``max_size``, then both sides up to a multiple.

    Source: transformers 5.23, models/textnet/image_processing_pil_textnet.py resize.
    """

    main: ClassVar[str] = "shorter_edge"
    shorter_edge: Side = parameter("length of the shorter side before it is rounded up, px")
    rule: Literal["shorter_ceil"]
    multiple: Side = parameter("both sides become multiples of this, px")

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        exact = a.integer(a.ratio(a.Mul(sides, lengths(self.shorter_edge)), a.least(sides)))
        return up(a, exact, self.multiple)

    def at_least(self) -> int:
        return self.shorter_edge


class ShorterHalfEven(SizeRule):
    """``round(side * k)``, half to even, k = shorter_edge / short.

    Source: albumentations 2.0.8, augmentations/geometric/resize.py SmallestMaxSize.
    """

    main: ClassVar[str] = "shorter_edge"
    shorter_edge: Side = parameter("length of the shorter side, px")
    rule: Literal["half_even"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        scale = a.ratio(lengths(self.shorter_edge), a.least(sides))
        return a.integer(a.Round(a.Mul(a.double(sides), scale)))

    def at_least(self) -> int:
        return self.shorter_edge


class ShorterRoundCeil(ShorterHalfEven):
    """As ``half_even``, then both sides up to a multiple.

    Source: transformers 5.23, models/pp_lcnet/image_processing_pp_lcnet.py get_image_size.
    """

    rule: Literal["shorter_round_ceil"]  # type: ignore[assignment]
    multiple: Side = parameter("both sides become multiples of this, px", 1)

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return up(a, super().resized(a, sides), self.multiple)


class _Detr(SizeRule):
    """What the relatives of DETR share: a shorter edge that gives way, unrounded, where the longer would be too long."""

    main: ClassVar[str] = "shorter_edge"
    shorter_edge: Side = parameter("length of the shorter side, px")
    max_size: Side | None = parameter("the longer side is about this at most, px", None)

    def _short_and_both(self, a: Arithmetic, sides: Number) -> tuple[Number, Number]:
        """The new shorter side, [1], and both sides, [2]."""
        least, short = a.double(a.least(sides)), double(self.shorter_edge)
        factor: Number = short
        if self.max_size is not None:
            longest, most = a.double(a.most(sides)), double(self.max_size)
            too_long = a.Greater(a.Mul(a.Div(longest, least), short), most)
            raw = a.Div(a.Mul(most, least), longest)
            factor, short = a.Where(too_long, raw, short), a.Where(too_long, a.Round(raw), short)
        long = a.Div(a.Mul(a.double(sides), factor), least)
        both = a.integer(a.Where(a.Equal(a.double(sides), least), short, long))
        return a.integer(short), both

    def _detr(self, a: Arithmetic, sides: Number) -> Number:
        short, both = self._short_and_both(a, sides)
        return a.Where(a.Equal(a.least(sides), short), sides, both)

    def at_least(self) -> int:
        return self.shorter_edge if self.max_size is None else 0


class ShorterDetr(_Detr):
    """Shorter side ``round(r)``, other ``int(r * long / short)``, r = shorter_edge or ``max_size * short / long``.

    The latter where the longer side would be too long. An image whose shorter side is right already stays as it is.

    Source: transformers 5.23, image_transforms.py get_size_with_aspect_ratio.
    """

    rule: Literal["detr"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return self._detr(a, sides)


class ShorterDetrCeil(_Detr):
    """As ``detr``, then both sides up to a multiple.

    Source: transformers 5.23, models/maskformer/image_processing_pil_maskformer.py resize.
    """

    rule: Literal["detr_ceil"]
    multiple: Side = parameter("both sides become multiples of this, px")

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return up(a, self._detr(a, sides), self.multiple)


class ShorterYolos(_Detr):
    """As ``detr``, but only a landscape or square image can stay as it is; then both sides down to a multiple of 16.

    Source: transformers 5.23, models/yolos/image_processing_pil_yolos.py get_size_with_aspect_ratio_yolos.
    """

    rule: Literal["yolos"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        short, both = self._short_and_both(a, sides)
        height = a.pick(sides, 0)
        stays = a.And(a.Equal(a.least(sides), short), a.Equal(a.least(sides), height))
        return down(a, a.Where(stays, sides, both), 16)

    def at_least(self) -> int:
        return super().at_least() // 16 * 16


class ShorterVilt(SizeRule):
    """Scaled in float64 to ``shorter_edge``, again to ``max_size`` if longer, ``int(x + 0.5)``, down to a multiple.

    Source: transformers 5.23, models/vilt/image_processing_pil_vilt.py get_resize_output_image_size; it is called with
        ``max_size = int(1333 / 800 * shorter_edge)``.
    """

    main: ClassVar[str] = "shorter_edge"
    shorter_edge: Side = parameter("length of the shorter side, px")
    rule: Literal["vilt"]
    max_size: Side = parameter("the longer side is at most this, px")
    multiple: Side = parameter("both sides become multiples of this, px")

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        short, most = double(self.shorter_edge), double(self.max_size)
        grown = a.Mul(a.Div(short, a.double(a.least(sides))), a.double(sides))
        landscape = a.Less(a.pick(sides, 0), a.pick(sides, 1))
        both = a.Where(a.join(landscape, a.Not(landscape)), short, grown)
        longest = a.Max(a.pick(both, 0), a.pick(both, 1))
        both = a.Where(a.Greater(longest, most), a.Mul(a.Div(most, longest), both), both)
        return down(a, a.integer(a.Add(both, np.array([0.5]))), self.multiple)
