"""On which images the resize steps are compared with their libraries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from onnxprep.step import Case, Sample
from onnxprep.tensor import TensorSpec

_FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_SIZES: tuple[tuple[tuple[int, ...], list[int]], ...] = (
    ((1, 23, 31, 3), [11, 17]), ((2, 9, 5, 3), [20, 13]), ((1, 70, 11, 3), [16, 10]), ((3, 6, 7, 3), [6, 7]),
    ((1, 1, 1, 3), [3, 5]), ((1, 33, 40, 3), [1, 1]), ((1, 12, 19, 3), [12, 6]), ((0, 8, 8, 3), [5, 4]),
    ((1, 210, 2, 3), [40, 3]), ((1, 64, 64, 3), [16, 16]),
)  # fmt: skip
_RULES: tuple[Any, ...] = (
    24,
    {"shorter_edge": 24, "max_size": 30, "rule": "torchvision"},
    {"shorter_edge": 20, "multiple": 8, "rule": "shorter_ceil"},
    {"shorter_edge": 24, "max_size": 30, "rule": "detr"},
    {"shorter_edge": 33, "rule": "detr"},
    {"shorter_edge": 24, "max_size": 30, "multiple": 8, "rule": "detr_ceil"},
    {"shorter_edge": 24, "max_size": 40, "rule": "yolos"},
    {"shorter_edge": 24, "max_size": 39, "multiple": 8, "rule": "vilt"},
    {"longest_edge": 29, "rule": "torchvision"},
    {"longest_edge": 29, "rule": "half_up"},
    {"longest_edge": 29, "min_size": 14, "rule": "half_even"},
    {"longest_edge": 29, "min_size": 14, "rule": "floor"},
    {"fit": [20, 31]},
    {"fit": [20, 31], "rule": "thumbnail"},
    {"fit": [20, 31], "rule": "timm"},
    {"fit": [32, 32], "multiple": 8, "rule": "patches"},
    {"fit": [20, 31], "keep_aspect_ratio": True, "multiple": 4, "rule": "dpt"},
    {"multiple": 16, "rule": "floor_multiple"},
    {"multiple": 8, "min_pixels": 300, "max_pixels": 900, "rule": "smart"},
    {"shorter_edge": 23, "rule": "half_even"},
    {"shorter_edge": 23, "multiple": 8, "rule": "shorter_round_ceil"},
    {"shorter_edge": 47, "max_size": 70, "rule": "ppocr_det"},
    {"longest_edge": 47, "rule": "ppocr_det"},
    {"longest_edge": 80, "max_size": 70, "enlarge": True, "rule": "ppocr_det"},
    {"fit": [20, 26], "max_width": 40, "rule": "ppocr_rec"},
    {"fit": [20, 31], "max_width": 25, "rule": "ppocr_rec"},
)
_LAYOUTS: tuple[tuple[str, str | None, tuple[int, ...]], ...] = (
    ("NCHW", "RGB", (2, 3, 21, 17)), ("HWC", "BGR", (21, 17, 3)), ("CHW", "GRAY", (1, 50, 17)),
    ("NHWC", None, (2, 40, 13, 2)), ("CHW", None, (4, 5, 6)),
)  # fmt: skip


_BOXES: tuple[tuple[str, str | None, tuple[int, ...], Any, str, list[float]], ...] = (
    ("NHWC", "RGB", (2, 23, 17, 3), [7, 5], "lanczos", [1.3, 2.7, 15.9, 20.25]),
    ("NHWC", "RGB", (1, 23, 17, 3), [9, 20], "bicubic", [0.4, 0, 17, 21.5]),
    ("CHW", "RGB", (3, 11, 9), [20, 13], "hamming", [2.1, 3, 4.6, 9.9]),
    ("HWC", "GRAY", (30, 12, 1), [4, 9], "bilinear", [3, 5, 12, 30]),
    ("NCHW", "RGB", (2, 3, 12, 19), [6, 5], "box", [0.5, 0.5, 18.5, 11.5]),
    ("NHWC", "RGB", (2, 15, 19, 3), [8, 23], "nearest", [2.3, 1.9, 18.7, 9.3]),
    ("NHWC", "RGB", (1, 40, 6, 3), [12, 4], "bicubic", [1.5, 2.5, 5.1, 33.3]),
    ("NHWC", "RGB", (1, 210, 2, 3), [20, 3], "bilinear", [0.3, 7.7, 1.9, 180.1]),
    ("HWC", "RGB", (9, 8, 3), [4, 5], "lanczos", [2, 3, 7, 7]),
    ("HWC", "RGB", (9, 8, 3), [9, 8], "bilinear", [0.25, 0, 8, 8.5]),
    ("HWC", "RGB", (1, 1, 3), [3, 2], "bicubic", [0.2, 0.1, 0.9, 0.6]),
    ("HWC", None, (14, 13, 2), {"shorter_edge": 9, "rule": "detr"}, "box", [4.2, 0, 13, 6.5]),
    ("NHWC", "RGBA", (1, 15, 11, 4), [6, 14], "lanczos", [1.1, 2.2, 9.9, 14]),
    ("HWC", "RGBA", (9, 7, 4), [9, 7], "bicubic", [0, 0, 7, 9]),
    ("HWC", "RGBA", (9, 8, 4), [4, 5], "hamming", [2, 3, 7, 7]),
    ("HWC", "RGBA", (9, 7, 4), [8, 9], "nearest", [0.7, 1.2, 6.1, 8]),
)  # fmt: skip


def cases() -> Iterator[Case]:
    """Every filter, every kind of size, every size rule, every layout, boxes."""
    for i, (shape, size) in enumerate(_SIZES):
        for interpolation in _FILTERS if i < 2 else ("nearest", "bilinear", "lanczos"):
            yield _case(TensorSpec("uint8", shape, "NHWC", "RGB", (0.0, 255.0)), size, interpolation, i)
    for i, rule in enumerate(_RULES):
        for sides in ((37, 50), (61, 24)):
            spec = TensorSpec("uint8", (1, *sides, 3), "NHWC", "RGB", (0.0, 255.0))
            yield _case(spec, rule, "bilinear", i, "pillow-13")  # the rules know no Pillow: one family will do
    for layout, color, shape in _LAYOUTS:
        yield _case(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), [9, 14], "bicubic", 7)

    for i, (shape, size) in enumerate(_SIZES[:4]):
        spec = TensorSpec("uint8", (*shape[:3], 4), "NHWC", "RGBA", (0.0, 255.0))
        yield _case(spec, size, ("bicubic", "box", "lanczos", "nearest")[i], i)
    yield _case(TensorSpec("uint8", (9, 7, 4), "HWC", "RGBA", (0.0, 255.0)), [9, 7], "bilinear", 5)
    for i, (layout, color, shape, side, interpolation, box) in enumerate(_BOXES):
        like = () if isinstance(side, list) else ("pillow-13",)
        case = _case(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), side, interpolation, i, *like)
        yield replace(case, parameters={**case.parameters, "box": box})


def with_box(case: Case, rng: np.random.Generator) -> Case:
    """The case with a box of random corners, whole ones or not, one edge in five at that of the image."""
    box: list[float] = []
    (sample,) = case.inputs
    whole = rng.random() < 0.3
    for letter in "WH":
        length = float(sample.spec.dim(letter) or 0)
        first, last = np.sort(rng.uniform(0, length, 2))
        first, last = (np.floor(first), np.ceil(last)) if whole else (first, max(last, first + length / 1000))
        box += [0.0 if rng.random() < 0.2 else first, length if rng.random() < 0.2 else min(last, length)]
    return replace(case, parameters={**case.parameters, "box": [float(box[i]) for i in (0, 2, 1, 3)]})


_TORCH: tuple[tuple[str, str | None, tuple[int, ...], Any], ...] = (
    ("NHWC", "RGB", (2, 23, 31, 3), [11, 17]), ("NCHW", "RGB", (2, 3, 21, 17), [20, 31]), ("HWC", "RGBA", (70, 11, 4), [16, 10]),
    ("CHW", "GRAY", (1, 50, 17), [9, 14]), ("NHWC", None, (3, 33, 40, 2), [6, 90]), ("HWC", "BGR", (6, 7, 3), [6, 7]),
    ("NHWC", "RGB", (1, 1, 1, 3), [3, 5]), ("NCHW", "GRAY", (1, 1, 33, 40), [1, 1]), ("CHW", "RGB", (3, 210, 2), [40, 3]),
    ("NHWC", "RGB", (1, 64, 64, 3), [16, 16]), ("HWC", "GRAY", (12, 19, 1), [12, 6]), ("NHWC", "RGB", (1, 37, 50, 3), 24),
)  # fmt: skip


def torch_cases(filters: tuple[str, ...]) -> Iterator[Case]:
    """Every filter twice or more, every kind of size, every layout; twice as many as ``_TORCH`` has."""
    for i in range(2 * len(_TORCH)):
        layout, color, shape, size = _TORCH[i % len(_TORCH)]
        spec = TensorSpec("uint8", shape, layout, color, (0.0, 255.0))
        # 2 and 3 filters further on every turn, so that sizes and filters meet in other pairs
        yield _case(spec, size, filters[(i + i // len(_TORCH) * 2) % len(filters)], i)


def _case(spec: TensorSpec, size: Any, interpolation: str, seed: int, *like: str) -> Case:
    return Case({"size": size, "interpolation": interpolation}, (Sample(spec, seed),), like)
