"""On which images resize like cv2 is compared with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxprep.step import Case, Sample, random_sides
from onnxprep.tensor import TensorSpec

_COLORS = {1: "GRAY", 3: "RGB", 4: "RGBA"}
_SIZES: tuple[tuple[tuple[int, ...], str, list[int], str], ...] = (
    ((2, 23, 31, 3), "NHWC", [11, 17], "bilinear"), ((9, 5, 4), "HWC", [20, 13], "bilinear"),
    ((1, 3, 70, 11), "NCHW", [16, 10], "bilinear"), ((1, 18, 22), "CHW", [9, 11], "bilinear"),
    ((2, 2, 4, 3), "NHWC", [1, 2], "bilinear"), ((3, 6, 7, 3), "NHWC", [6, 7], "bilinear"),
    ((9, 5, 3), "HWC", [20, 13], "bilinear_exact"), ((2, 1, 40, 13), "NCHW", [9, 14], "bilinear_exact"),
    ((1, 12, 8, 4), "NHWC", [6, 4], "bilinear_exact"),
    ((1, 23, 31, 3), "NHWC", [11, 17], "area"), ((2, 4, 20, 13), "NCHW", [9, 5], "area"),
    ((2, 12, 15, 3), "NHWC", [4, 3], "area"), ((1, 14, 6), "CHW", [7, 3], "area"), ((1, 5, 6, 3), "NHWC", [8, 5], "area"),
    ((300, 262, 3), "HWC", [1, 1], "area"), ((40, 3, 3), "HWC", [1, 2], "area"),
    ((2, 23, 31, 3), "NHWC", [11, 47], "nearest"), ((4, 9, 5), "CHW", [20, 2], "nearest"),
    ((2, 23, 31, 3), "NHWC", [11, 47], "nearest_exact"), ((1, 9, 5), "CHW", [20, 2], "nearest_exact"),
)  # fmt: skip
_SCALES: tuple[tuple[tuple[int, ...], list[float], str], ...] = (
    ((2, 23, 31, 3), [0.3, 1.7], "bilinear"), ((1, 7, 9, 3), [0.5, 0.5], "bilinear"),
    ((1, 20, 10, 3), [1.01, 1.02], "bilinear"), ((1, 7, 11, 4), [0.25, 1 / 3], "area"), ((1, 23, 31, 1), [0.3, 0.7], "area"),
)  # fmt: skip


def _case(dtype: str, shape: tuple[int, ...], layout: str, how: dict[str, Any], interpolation: str, seed: int) -> Case:
    color = _COLORS[shape[layout.index("C")]]
    spec = TensorSpec(dtype, shape, layout, color, (0.0, 255.0))
    return Case({**how, "interpolation": interpolation}, (Sample(spec, seed),))


def cases() -> Iterator[Case]:
    """Every filter and every way through it, every layout, one pixel, up, down, both and neither."""
    for i, (shape, layout, size, interpolation) in enumerate(_SIZES):
        yield _case("uint8", shape, layout, {"size": size}, interpolation, i)
    for i, (shape, scale, interpolation) in enumerate(_SCALES):
        yield _case("uint8", shape, "NHWC", {"scale": scale}, interpolation, i)
    rule = {"longest_edge": 29, "min_size": 14, "rule": "floor"}
    yield _case("uint8", (1, 37, 50, 3), "NHWC", {"size": rule}, "bilinear", 1)
    yield _case("float32", (1, 37, 50, 3), "NHWC", {"size": [16, 9]}, "nearest", 1)


def drawn(rng: np.random.Generator, largest: int, dtype: str, interpolation: str) -> Case:
    """Random sides, size or scale, layout and channels; identity and whole-numbered reductions often enough."""
    height, width = random_sides(rng, largest)
    kind, factors = rng.random(), [0.5, 0.25, 1 / 3, 2.0, 0.2, 1.001]
    how: dict[str, Any] = {}
    if kind < 0.45:
        how["size"] = list(random_sides(rng, largest))
    elif kind < 0.7:
        new, block = random_sides(rng, max(1, largest // 3)), rng.integers(1, 5, 2)
        block[1] = block[0] if rng.random() < 0.4 else block[1]
        (height, width), how["size"] = (int(n * k) for n, k in zip(new, block, strict=True)), list(new)
    elif kind < 0.85:
        how["scale"] = [round(float(f), int(rng.integers(1, 5))) or 0.5 for f in rng.uniform(0.1, 2.5, 2)]
    else:
        how["scale"] = [factors[i] for i in rng.integers(0, len(factors), 2)]
        how["scale"] = [how["scale"][0]] * 2 if rng.random() < 0.6 else how["scale"]
    layout = str(rng.choice(["NHWC", "NHWC", "HWC", "NCHW", "CHW"]))
    dims = {"N": int(rng.integers(1, 4)), "C": int(rng.choice([1, 3, 3, 4])), "H": height, "W": width}
    return _case(dtype, tuple(dims[letter] for letter in layout), layout, how, interpolation, int(rng.integers(2**31)))
