"""The samples of instance_masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxprep.step import Case, Sample, catalogue
from onnxprep.steps.segment._instances import STRIDE
from onnxprep.tensor import TensorSpec


def cases() -> Iterator[Case]:
    """Every resolution, all rows or those that are found, none at all."""
    for seed, resolution in enumerate(("protos", "input", "picture", "picture")):
        for rows in ("all", "found"):
            yield _case(resolution, (2, 5, 16, 16) if resolution == "picture" else (2, 4, 9, 12), 6, seed, rows=rows)
    yield _case("protos", (1, 3, 5, 4), 4, 9, (-1, -1))
    yield _case("input", (1, 3, 5, 4), 4, 9, (-1, -1))


def draw(rng: np.random.Generator, largest: int) -> Case:
    """Any sides, up to 12 detections."""
    resolution = str(rng.choice(["protos", "input", "picture"]))
    height, width = (int(side) for side in rng.integers(2, max(3, largest // 4), 2))
    height, width = (max(height, width), max(height, width)) if resolution == "picture" else (height, width)
    shape = (int(rng.integers(1, 3)), int(rng.integers(1, 33)), height, width)
    rows = str(rng.choice(["all", "found"]))
    return _case(resolution, shape, int(rng.integers(1, 12)), int(rng.integers(2**31)), rows=rows)


def _case(
    resolution: str, shape: tuple[int, ...], many: int, seed: int, span: tuple[int, int] = (-1, 6), rows: str = "all"
) -> Case:
    n, depth, height, width = shape
    far = 80.0 if resolution == "picture" else float(STRIDE * width + 9)
    specs = [
        TensorSpec("float32", shape),
        TensorSpec("float32", (n, depth, 7)),
        TensorSpec("int64", (n, many), None, None, span),
        TensorSpec("float32", (n, many, 4), None, None, (-9.0, far)),
    ]
    samples = [Sample(spec, seed + k) for k, spec in enumerate(specs)]
    parameters: dict[str, Any] = {"resolution": resolution, "rows": rows}
    if resolution != "picture":
        return Case(parameters, tuple(samples))
    size = max(STRIDE * height, STRIDE * width)
    given = {"like": "ultralytics", "resize_like": "opencv-5", "size": size}
    letterbox = catalogue()["letterbox"]["ultralytics"].model_validate(given)
    told = [TensorSpec("int64", (2,), None, None, (20.0, 70.0)), TensorSpec("float64", (2,)), TensorSpec("int64", (2,))]
    samples += [Sample(spec, seed) for spec in told]
    return Case({**parameters, "frame": f"letterbox {seed}"}, tuple(samples), (), (letterbox,))
