"""Size rules of PaddleOCR's detection and recognition."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import parameter
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._sizes.rule import Pair, Side, SizeRule, double

_MULTIPLE = 32


class _Det(SizeRule):
    """Both sides ``int(side * k)``, again with ``k = max_size / long`` where that is too long; then to a multiple."""

    max_size: Side | None = parameter("the longer side is at most this before both are rounded, px", None)

    def _scale(self, a: Arithmetic, sides: Number) -> Number:
        """k, float64 [1]."""
        raise NotImplementedError

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        resized = a.integer(a.Mul(a.double(sides), self._scale(a, sides)))
        if self.max_size is not None:
            longest, most = a.most(resized), lengths(self.max_size)
            shrunk = a.integer(a.Mul(a.double(resized), a.ratio(most, longest)))
            resized = a.Where(a.Greater(longest, most), shrunk, resized)
        multiples = a.integer(a.Round(a.Div(a.double(resized), double(_MULTIPLE))))
        return a.Max(a.Mul(multiples, lengths(_MULTIPLE)), lengths(_MULTIPLE))

    def at_least(self) -> int:
        return _MULTIPLE


class ShorterPpocrDet(_Det):
    """``max(round(int(side * k) / 32) * 32, 32)``, half to even; k = shorter_edge / short where that is above 1, else 1.

    Where the longer side would exceed ``max_size``, both are first scaled to it, ``int(side * max_size / long)``.

    Source: transformers 5.23, models/pp_ocrv5_server_det/image_processing_pp_ocrv5_server_det.py get_image_size,
        limit_type min.
    """

    main: ClassVar[str] = "shorter_edge"
    shorter_edge: Side = parameter("the shorter side is enlarged to this, px")
    rule: Literal["ppocr_det"]

    def _scale(self, a: Arithmetic, sides: Number) -> Number:
        short, wanted = a.least(sides), lengths(self.shorter_edge)
        return a.Where(a.Less(short, wanted), a.ratio(wanted, short), np.array([1.0]))


class LongestPpocrDet(_Det):
    """``max(round(int(side * k) / 32) * 32, 32)``, half to even; k = longest_edge / long, at most 1 unless ``enlarge``.

    Where the longer side would exceed ``max_size``, both are first scaled to it, ``int(side * max_size / long)``.

    Source: transformers 5.23, models/pp_ocrv5_server_det/image_processing_pp_ocrv5_server_det.py get_image_size,
        limit_type max, and resize_long, which enlarges.
    """

    main: ClassVar[str] = "longest_edge"
    longest_edge: Side = parameter("length of the longer side, px")
    rule: Literal["ppocr_det"]
    enlarge: bool = parameter("whether smaller images grow to it", default=False)

    def _scale(self, a: Arithmetic, sides: Number) -> Number:
        long, wanted = a.most(sides), lengths(self.longest_edge)
        scale = a.ratio(wanted, long)
        return scale if self.enlarge else a.Where(a.Greater(long, wanted), scale, np.array([1.0]))


class FitPpocrRec(SizeRule):
    """Height ``height``; width ``ceil(height * W / H)``, but at most ``max_width``.

    In float64: ``w = int(height * max(W / H, width / height))``, then ``max_width`` where it is less than w, else
    ``ceil(height * (W / H))`` where that is not more than w.

    Source: transformers 5.23, models/pp_ocrv5_server_rec/image_processing_pp_ocrv5_server_rec.py get_target_size.
    """

    main: ClassVar[str] = "fit"
    fit: Pair = parameter("[height, width], px")
    rule: Literal["ppocr_rec"]
    max_width: Side = parameter("the width is at most this, px")

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        height, most = double(self.fit[0]), lengths(self.max_width)
        ratio = a.ratio(a.pick(sides, 1), a.pick(sides, 0))
        widest = a.integer(a.Mul(height, a.Max(ratio, np.array([self.fit[1] / self.fit[0]]))))
        exact = a.integer(a.Ceil(a.Mul(height, ratio)))
        width = a.Where(a.Less(widest, exact), widest, exact)
        return a.join(lengths(self.fit[0]), a.Where(a.Greater(widest, most), most, width))
