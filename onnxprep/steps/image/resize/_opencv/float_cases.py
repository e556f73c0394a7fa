"""On which images cubic, Lanczos and float32 of cv2.resize are compared with the library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnxprep.step import Case, Sample
from onnxprep.tensor import TensorSpec

FLOAT_MODES = ("nearest", "nearest_exact", "bilinear", "bilinear_exact", "bicubic", "area", "lanczos4")
_COLORS = {1: "GRAY", 3: "RGB", 4: "RGBA"}


def _sample(dtype: str, layout: str, sides: tuple[int, int], channels: int, images: int, seed: int) -> Sample:
    lengths = {"N": images, "C": channels, "H": sides[0], "W": sides[1]}
    shape = tuple(lengths[letter] for letter in layout)
    return Sample(TensorSpec(dtype, shape, layout, _COLORS.get(channels), (0.0, 255.0)), seed)


def _path(mode: str) -> dict[str, str]:
    return {"path": "native"} if mode in ("bicubic", "bilinear", "bilinear_exact") else {}


def float_cases() -> Iterator[Case]:
    """Every mode up and down, halves (which are blocks), whole and broken ratios, ends of rows that fill no vector."""
    forms: tuple[tuple[str, tuple[int, int], int, int, Any], ...] = (
        ("NHWC", (23, 31), 3, 2, {"size": [11, 17]}),
        ("CHW", (9, 5), 1, 1, {"size": [20, 13]}),
        ("HWC", (14, 10), 4, 1, {"size": [7, 5]}),
        ("NCHW", (15, 21), 1, 1, {"scale": [0.5, 0.5]}),
    )
    for i, mode in enumerate(("bicubic", "lanczos4")):
        for j, (layout, sides, channels, images, how) in enumerate(forms):
            sample = _sample("uint8", layout, sides, channels, images, 10 * i + j)
            yield Case({**how, "interpolation": mode, **_path(mode)}, (sample,))
    yield Case(
        {"size": [11, 17], "interpolation": "bicubic", "path": "ipp"}, (_sample("uint8", "HWC", (23, 31), 3, 1, 1),)
    )
    for i, mode in enumerate(FLOAT_MODES):
        some = (i % 4,) if mode.startswith("nearest") or mode == "bilinear_exact" else (i % 2, 2, 3)
        for j in some:
            layout, sides, channels, images, how = forms[j]
            sample = _sample("float32", layout, sides, channels, images, 100 + 10 * i + j)
            yield Case({**how, "interpolation": mode, **_path(mode)}, (sample,))
    for mode in ("bilinear", "bicubic"):
        sample = _sample("float32", "NHWC", (12, 19), 3, 1, 5)
        yield Case({"size": [20, 9], "interpolation": mode, "path": "ipp"}, (sample,))
    for size, sides in (([3, 2], (9, 4)), ([5, 2], (50, 71)), ([9, 7], (1, 1))):
        yield Case({"size": size, "interpolation": "area"}, (_sample("float32", "HWC", sides, 3, 1, 7),))
    cut = _sample("float32", "HWC", (11, 14), 4, 1, 8)  # blocks that reach over the lower edge
    yield Case({"scale": [0.25, 0.5], "interpolation": "area"}, (cut,))
