"""Size rules that start from the longer edge, a box to fit into, or a multiple."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import parameter
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._sizes.rule import Area, Pair, Side, SizeRule, double, down, up


class _Longest(SizeRule):
    main: ClassVar[str] = "longest_edge"
    longest_edge: Side = parameter("length of the longer side, px")

    def _scaled(self, a: Arithmetic, sides: Number) -> Number:
        """Both sides times ``longest_edge / long``, unrounded."""
        return a.Mul(a.double(sides), a.ratio(lengths(self.longest_edge), a.most(sides)))


class LongestTorchvision(_Longest):
    """``short = int(longest_edge * short / long)``.

    Source: torchvision 0.28, transforms/functional.py _compute_resized_output_size with size None.
    """

    rule: Literal["torchvision"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return a.integer(a.ratio(a.Mul(sides, lengths(self.longest_edge)), a.most(sides)))


class LongestHalfUp(_Longest):
    """``int(side * k + 0.5)``, k = longest_edge / long.

    Source: transformers 5.23, models/sam/image_processing_pil_sam.py _get_preprocess_shape.
    """

    rule: Literal["half_up"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return a.integer(a.Add(self._scaled(a, sides), np.array([0.5])))


class LongestHalfEven(_Longest):
    """``max(round(side * k), min_size)``, k = longest_edge / long.

    Source: transformers 5.23, models/janus/image_processing_pil_janus.py resize.
    """

    rule: Literal["half_even"]
    min_size: Side = parameter("both sides are at least this, px", 1)

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return a.Max(a.integer(a.Round(self._scaled(a, sides))), lengths(self.min_size))


class LongestFloor(_Longest):
    """Longer side longest_edge, other ``max(int(side * k), min_size)``, k = longest_edge / long.

    Source: transformers 5.23, models/aria/image_processing_pil_aria.py _preprocess.
    """

    rule: Literal["floor"]
    min_size: Side = parameter("the shorter side is at least this, px", 1)

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        other = a.Max(a.integer(self._scaled(a, sides)), lengths(self.min_size))
        portrait = a.Greater(a.pick(sides, 0), a.pick(sides, 1))
        return a.Where(a.join(portrait, a.Not(portrait)), lengths(self.longest_edge), other)


class _Fit(SizeRule):
    main: ClassVar[str] = "fit"
    fit: Pair = parameter("[height, width], px")


class Fit(_Fit):
    """``int(side * k)``, k the smaller of height / H and width / W: smaller images grow.

    Source: transformers 5.23, image_utils.py get_image_size_for_max_height_width.
    """

    rule: Literal["fit"] = "fit"

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        scales = a.ratio(lengths(*self.fit), sides)
        return a.integer(a.Mul(a.double(sides), a.Min(a.pick(scales, 0), a.pick(scales, 1))))


class FitThumbnail(_Fit):
    """Both sides cut to ``fit``, then the shorter one ``int(short * new_long / long)``: smaller images stay.

    Source: transformers 5.23, models/donut/image_processing_pil_donut.py thumbnail.
    """

    rule: Literal["thumbnail"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        capped = a.Min(sides, lengths(*self.fit))
        other, new_other = (a.join(a.pick(n, 1), a.pick(n, 0)) for n in (sides, capped))
        return a.Where(a.Less(sides, other), a.integer(a.ratio(a.Mul(sides, new_other), other)), capped)


class FitTimm(_Fit):
    """``round(side / r)``, half to even, r the larger of H / height and W / width: smaller images grow.

    Source: timm 1.0, data/transforms.py ResizeKeepRatio.get_params (crop_mode border).
    """

    rule: Literal["timm"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        ratios = a.ratio(sides, lengths(*self.fit))
        ratio = a.Max(a.pick(ratios, 0), a.pick(ratios, 1))
        return a.integer(a.Round(a.Div(a.double(sides), ratio)))


class FitPatches(_Fit):
    """``floor(side / r)`` where r, the larger of H / height and W / width, is above 1; then up to a multiple.

    Source: transformers 5.23, models/pixtral/image_processing_pil_pixtral.py get_resize_output_image_size.
    """

    rule: Literal["patches"]
    multiple: Side = parameter("side of a patch; both sides become multiples of it, px")

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        ratios = a.ratio(sides, lengths(*self.fit))
        ratio = a.Max(a.pick(ratios, 0), a.pick(ratios, 1))
        shrunk = a.integer(a.Floor(a.Div(a.double(sides), ratio)))
        return up(a, a.Where(a.Greater(ratio, np.array([1.0])), shrunk, sides), self.multiple)


class FitDpt(_Fit):
    """``round(side * k / multiple) * multiple``, half to even; with ``keep_aspect_ratio`` both k are the one nearer 1.

    Source: transformers 5.23, models/dpt/image_processing_pil_dpt.py get_resize_output_image_size.
    """

    rule: Literal["dpt"]
    keep_aspect_ratio: bool = parameter("whether both sides are scaled alike", default=False)
    multiple: Side = parameter("both sides become multiples of this, px", 1)

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        scales = a.ratio(lengths(*self.fit), sides)
        if self.keep_aspect_ratio:
            away = a.Abs(a.Sub(np.array([1.0]), scales))
            by_width = a.Less(a.pick(away, 1), a.pick(away, 0))
            scales = a.Where(by_width, a.pick(scales, 1), a.pick(scales, 0))
        multiples = a.Round(a.Div(a.Mul(scales, a.double(sides)), double(self.multiple)))
        return a.Mul(a.integer(multiples), lengths(self.multiple))


class FloorMultiple(SizeRule):
    """``side // multiple * multiple``.

    Source: transformers 5.23, models/glpn/image_processing_pil_glpn.py resize.
    """

    main: ClassVar[str] = "multiple"
    multiple: Side = parameter("both sides become multiples of this, px")
    rule: Literal["floor_multiple"]

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        return down(a, sides, self.multiple)


class Smart(SizeRule):
    """``round(side / multiple) * multiple``, half to even; scaled to ``min_pixels`` or ``max_pixels`` beyond them.

    Too large: ``max(multiple, floor(side / k / multiple) * multiple)``, k = sqrt(H * W / max_pixels).
    Too small: ``ceil(side * k / multiple) * multiple``, k = sqrt(min_pixels / (H * W)).

    Source: transformers 5.23, models/emu3/image_processing_emu3.py smart_resize.
    """

    main: ClassVar[str] = "multiple"
    multiple: Side = parameter("both sides become multiples of this, px")
    rule: Literal["smart"]
    min_pixels: Area = parameter("smallest area, px")
    max_pixels: Area = parameter("largest area, px")

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        step, step64, doubles = lengths(self.multiple), double(self.multiple), a.double(sides)
        area = a.Mul(a.pick(sides, 0), a.pick(sides, 1))
        rounded = a.Mul(a.integer(a.Round(a.Div(doubles, step64))), step)
        new_area = a.Mul(a.pick(rounded, 0), a.pick(rounded, 1))
        shrink = a.Sqrt(a.ratio(area, lengths(self.max_pixels)))
        small = a.Max(a.Mul(a.integer(a.Floor(a.Div(a.Div(doubles, shrink), step64))), step), step)
        grow = a.Sqrt(a.ratio(lengths(self.min_pixels), area))
        large = a.Mul(a.integer(a.Ceil(a.Div(a.Mul(doubles, grow), step64))), step)
        kept = a.Where(a.Less(new_area, lengths(self.min_pixels)), large, rounded)
        return a.Where(a.Greater(new_area, lengths(self.max_pixels)), small, kept)
