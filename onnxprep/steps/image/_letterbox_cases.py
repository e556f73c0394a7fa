"""On which images letterbox is compared with its library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxprep.step import Case, Sample, random_sides
from onnxprep.tensor import TensorSpec


def cases(families: tuple[str, ...]) -> Iterator[Case]:
    """Up, down, not at all, by a half; every parameter; odd borders, one pixel, every layout."""
    rgb = TensorSpec("uint8", (2, 23, 31, 3), "NHWC", "RGB", (0.0, 255.0))
    sides: dict[tuple[int, int], dict[str, Any]] = {
        (23, 31): {"size": 20}, (9, 5): {"size": [20, 17]}, (48, 64): {"size": 32}, (24, 32): {"size": [32, 32]},
        (40, 6): {"size": [20, 30], "auto": True, "stride": 8}, (17, 33): {"size": 32, "auto": True, "stride": 16},
        (14, 19): {"size": [30, 24], "scaleup": False}, (15, 11): {"size": [12, 25], "scale_fill": True},
        (21, 13): {"size": 16, "center": False, "fill": 0}, (1, 1): {"size": [4, 3]},
    }  # fmt: skip
    for like in families:
        chosen = list(sides.items())[: 4 if like == "opencv-4" else None]  # its resize is proven by itself
        for i, ((height, width), given) in enumerate(chosen):
            sample = Sample(rgb.with_dims(H=height, W=width), i)
            yield Case({**given, "resize_like": like}, (sample,))
        for layout, color, shape in (("NCHW", "BGR", (1, 3, 21, 17)), ("CHW", "GRAY", (1, 10, 17))):
            spec = TensorSpec("uint8", shape, layout, color, (0.0, 255.0))
            yield Case({"size": 24, "interpolation": "nearest", "resize_like": like}, (Sample(spec, 11),))


def draw(families: tuple[str, ...], rng: np.random.Generator, largest: int) -> Case:
    """Random parameters; one image in five is not resized."""
    height, width = random_sides(rng, largest)
    size = [int(n) for n in rng.integers(1, largest + 1, 2)]
    size = [height, max(size[1], width)] if rng.random() < 0.2 else size
    auto, interpolation = rng.random() < 0.3, "bilinear" if rng.random() < 0.8 else "nearest"
    flags = {"auto": bool(auto), "scale_fill": bool(not auto and rng.random() < 0.2)}
    others = {
        "scaleup": bool(rng.random() < 0.7),
        "center": bool(rng.random() < 0.7),
        "stride": 2 ** int(rng.integers(6)),
    }
    made = {"size": size, "interpolation": interpolation, **flags, **others, "fill": int(rng.integers(256))}
    spec = TensorSpec("uint8", (height, width, 3), "HWC", "RGB", (0.0, 255.0))
    family = str(rng.choice(families))
    return Case({**made, "resize_like": family}, (Sample(spec, int(rng.integers(2**31))),))
