"""Which function computes which mode of cv2.resize."""

from __future__ import annotations

from collections.abc import Callable

from onnxprep.step import Ops, Value
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.steps.image.resize._opencv.area import resample_area
from onnxprep.steps.image.resize._opencv.bilinear import resample_bilinear
from onnxprep.steps.image.resize._opencv.bilinear_exact import resample_bilinear_exact
from onnxprep.steps.image.resize._opencv.cubic import (
    resample_cubic,
    resample_cubic_float,
    resample_lanczos,
    resample_lanczos_float,
)
from onnxprep.steps.image.resize._opencv.floats import resample_area_float, resample_linear_float
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.ipp import resample_cubic_ipp, resample_linear_ipp
from onnxprep.steps.image.resize._opencv.nearest import (
    resample_nearest,
    resample_nearest_exact_4,
    resample_nearest_exact_5,
)

Resample = Callable[[Ops, Value, OpencvGeometry, Sizes], Value]
"""``x`` lies as it comes; the result is planar."""

_BOTH: dict[tuple[str, str], Resample] = {
    ("uint8", "nearest"): resample_nearest,
    ("uint8", "bilinear"): resample_bilinear,
    ("uint8", "bilinear_exact"): resample_bilinear_exact,
    ("uint8", "bicubic"): resample_cubic,
    ("uint8", "area"): resample_area,
    ("uint8", "lanczos4"): resample_lanczos,
    ("float32", "nearest"): resample_nearest,
    ("float32", "bilinear"): resample_linear_float,
    ("float32", "bilinear_exact"): resample_linear_float,
    ("float32", "bicubic"): resample_cubic_float,
    ("float32", "area"): resample_area_float,
    ("float32", "lanczos4"): resample_lanczos_float,
}
TABLE: dict[str, dict[tuple[str, str], Resample]] = {
    "opencv-4": {
        **_BOTH,
        ("uint8", "nearest_exact"): resample_nearest_exact_4,
        ("float32", "nearest_exact"): resample_nearest_exact_4,
    },
    "opencv-5": {
        **_BOTH,
        ("uint8", "nearest_exact"): resample_nearest_exact_5,
        ("float32", "nearest_exact"): resample_nearest_exact_5,
    },
}
"""Family -> (dtype, interpolation) -> how."""

IPP: dict[tuple[str, str], Resample] = {
    ("uint8", "bicubic"): resample_cubic_ipp,
    ("float32", "bicubic"): resample_cubic_ipp,
    ("float32", "bilinear"): resample_linear_ipp,
    ("float32", "bilinear_exact"): resample_linear_ipp,
}
"""(dtype, interpolation) -> what Intel's IPP computes instead, closely."""

BOUNDS = {"bicubic": 1.0, "bilinear": 4e-5, "bilinear_exact": 4e-5}
"""How far IPP is away at most, in images of 0..255; ``bicubic`` of float32 less, 2e-4."""
