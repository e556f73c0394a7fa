"""The samples of segmentation_mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxprep.step import Case, Sample, Step, catalogue, random_sides
from onnxprep.tensor import TensorSpec

_ONLY = {"ultralytics": ("letterbox",), "transformers-torchvision": ("resize",)}
"""What a family undoes, where that is not everything."""


def cases() -> Iterator[Case]:
    """Both kernels of torch; up, down, one pixel; every kind of step to undo."""
    yield _case((2, 5, 9, 7), {}, 1)
    yield _case((2, 11, 11, 7), {"size": [40, 61]}, 2)
    yield _case((1, 4, 23, 31), {"size": [90, 70]}, 3)
    yield _case((1, 3, 13, 10), {"size": 100}, 4)
    yield _case((1, 5, 1, 1), {"size": [80, 60]}, 5)
    yield _case((1, 1, 20, 20), {"size": [71, 80], "threshold": 0.3}, 6)
    yield _case((1, 1, 5, 4), {"threshold": 0.0}, 9)
    yield _case((1, 30, 40, 6), {"size": [5, 9], "dtype": "int64"}, 7, "NHWC")
    yield _case((1, 300, 3, 2), {"size": 6}, 8)
    letterbox, resize = step("letterbox", "ultralytics", resize_like="opencv-5", size=64), _resize([48, 40])
    crop, pad = (
        step("crop", "", top=3, left=4, height=30, width=20),
        step("pad", "torchvision-v1", padding=(3, 5, 7, 9)),
    )
    for seed, undone in enumerate([(letterbox,), (resize,), (pad,), (crop, resize), (resize, pad, crop)]):
        yield framed((1, 4, 16, 12), undone, 10 + seed)
    yield framed((1, 4, 64, 64), (letterbox,), 16)


def framed(
    shape: tuple[int, ...], undone: tuple[Step, ...], seed: int, span: tuple[int, int] = (40, 99), **parameters: Any
) -> Case:
    """Maps in the output of some steps."""
    maps = Sample(TensorSpec("float32", shape, "NCHW"), seed)
    told = (
        Sample(TensorSpec("int64", (2,), None, None, span), seed),
        Sample(TensorSpec("float64", (2,)), seed),
        Sample(TensorSpec("int64", (2,)), seed),
    )
    operations = {one.operation for one in undone}
    likes = ["torch", "opencv-5", "opencv-4", "pillow-13"]
    likes += [like for like, only in _ONLY.items() if operations == set(only)]
    frame = "-".join(one.operation for one in undone) + f"-{seed}"
    return Case({"frame": frame, **parameters}, (maps, *told * len(undone)), tuple(likes), undone)


def with_fill(cases: Iterator[Case]) -> Iterator[Case]:
    """The same, crops undone by one class or another."""
    for case in cases:
        fill = {"fill": len(case.undoes)} if case.undoes else {}
        yield Case({**case.parameters, **fill}, case.inputs, case.like, case.undoes)


def interpolated(cases: Iterator[Case]) -> Iterator[Case]:
    """The same, by both filters."""
    for case in cases:
        for interpolation in ("bilinear", "nearest"):
            yield Case({**case.parameters, "interpolation": interpolation}, case.inputs, case.like, case.undoes)


def _case(shape: tuple[int, ...], parameters: dict[str, Any], seed: int, layout: str = "NCHW") -> Case:
    return Case(parameters, (Sample(TensorSpec("float32", shape, layout), seed),))


def step(operation: str, like: str, **parameters: Any) -> Step:
    """A step as a document makes it."""
    return catalogue()[operation][like].model_validate({"like": like, **parameters})


def _resize(size: Any) -> Step:
    size = tuple(size) if isinstance(size, list) else size
    return step("resize", "pillow-13", size=size, interpolation="bilinear")


def random_way(rng: np.random.Generator, largest: int, operations: tuple[str, ...]) -> tuple[Step, ...]:
    """One to three steps that fit any picture, the last one first."""
    found: list[Step] = []
    for _ in range(int(rng.integers(1, 4))):
        sides = [max(2, side) for side in random_sides(rng, largest)]
        match str(rng.choice(operations)):
            case "letterbox":
                flags = {"scaleup": bool(rng.random() < 0.8), "center": bool(rng.random() < 0.8)}
                square = int(rng.integers(largest // 2, largest)) + 2  # no side becomes 0
                found.append(step("letterbox", "ultralytics", resize_like="opencv-5", size=square, **flags))
            case "resize":
                found.append(_resize(sides))
            case "center_crop":
                found.append(step("center_crop", "torchvision-v1", size=tuple(sides)))
            case "pad":
                padding = tuple(int(n) for n in rng.integers(0, 9, 4))
                found.append(step("pad", "torchvision-v1", padding=padding))
    return tuple(found)


def draw(like: str, rng: np.random.Generator, largest: int) -> Case:
    """Any maps to any size; half of them back through any steps."""
    classes = 1 if rng.random() < 0.2 else int(rng.integers(2, 20))
    parameters: dict[str, Any] = {"threshold": float(rng.uniform(-0.5, 0.5))} if classes == 1 else {}
    height, width = random_sides(rng, largest // 2)
    shape, seed = (int(rng.integers(1, 3)), classes, height, width), int(rng.integers(2**31))
    if rng.random() < 0.5:
        return _case(shape, {**parameters, "size": random_sides(rng, largest)}, seed)
    way = random_way(rng, largest, _ONLY.get(like, ("letterbox", "resize", "center_crop", "pad")))
    way = way[:1] if like == "ultralytics" else way
    case = framed(shape, way, seed, (2, largest), **parameters)
    return Case(case.parameters, case.inputs, (), case.undoes)
