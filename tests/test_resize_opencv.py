"""resize like cv2.resize: what the small images of the conformance suite do not reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from steps import build, run

from onnxprep.errors import SpecError
from onnxprep.spec.messages import validated
from onnxprep.step import Step, catalogue
from onnxprep.steps.image.resize._opencv import lines
from onnxprep.tensor import Array, Tensor, TensorSpec

RNG = np.random.default_rng(20261120)
MODES = ("nearest", "nearest_exact", "bilinear", "bilinear_exact", "area")


def installed() -> str:
    return f"opencv-{pytest.importorskip('cv2').__version__[0]}"


def resize(like: str = "opencv-5", **parameters: Any) -> Step:
    return validated(catalogue()["resize"][like], parameters, like)


def compare(x: Array, **parameters: Any) -> None:
    """Lengths known, and not known."""
    step, channels = resize(installed(), **parameters), x.shape[-1]
    spec = TensorSpec("uint8", x.shape, "NHWC", None, (0.0, 255.0))
    want = step.oracle(Tensor(x, spec))
    for known in (spec, TensorSpec("uint8", ("N", "H", "W", channels), "NHWC", None, (0.0, 255.0))):
        np.testing.assert_array_equal(run(build([step], [known]), x)[0], want)


def noise(*shape: int) -> Array:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("size", [[33, 19], [70, 64], [25, 20], [90, 31]])
def test_many_trips_of_the_loop(interpolation: str, size: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "_VALUES", 700)
    compare(noise(2, 70, 64, 3), size=size, interpolation=interpolation)


@pytest.mark.parametrize(
    ("sides", "size"),
    [((200, 200), [1, 1]), ((8, 600), [1, 2]), ((9, 600), [1, 2]), ((512, 512), [1, 1]), ((480, 12), [10, 1])],
)
def test_large_blocks(sides: tuple[int, int], size: list[int]):
    """Products that have to be exact: several hundred terms, sums beyond 11 and beyond 24 bits."""
    compare(noise(1, *sides, 3), size=size, interpolation="area")
    compare(np.full((1, *sides, 4), 255, np.uint8), size=size, interpolation="area")


@pytest.mark.parametrize("sides", [(1, 1), (4096, 1), (3, 700), (1000, 8)])
@pytest.mark.parametrize("interpolation", MODES)
def test_extreme_sides(interpolation: str, sides: tuple[int, int]):
    compare(noise(1, *sides, 1), size=[5, 40], interpolation=interpolation)


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("scale", [[1 / 49, 1 / 49], [0.5, 0.5], [1.004, 0.996], [0.2, 3.0]])
def test_factors(interpolation: str, scale: list[float]):
    """1 / (1 / 49) is not 49; blocks that the edge cuts; factors that change no length."""
    compare(noise(1, 99, 51, 3), scale=scale, interpolation=interpolation)


def test_the_order_of_the_two_images_of_a_batch():
    x = np.stack([np.full((9, 7, 3), 10, np.uint8), np.full((9, 7, 3), 200, np.uint8)])
    x[..., 1] += 5
    compare(x, size=[30, 5], interpolation="bilinear")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "scale: is missing, and so is `size`"),
        ({"size": [1, 2], "scale": [1.0, 2.0]}, "scale: is given beside `size`"),
        ({"scale": [0.0, 1.0]}, r"scale\[0\]: is 0.0"),
        ({"size": [0, 1]}, r"size\[0\]: is 0"),
    ],
)
def test_wrong_parameters(parameters: dict[str, Any], problem: str):
    with pytest.raises(SpecError, match=problem):
        resize(**parameters, interpolation="area")


@pytest.mark.parametrize("like", ["opencv-5", "opencv-4"])
@pytest.mark.parametrize("interpolation", MODES)
def test_a_batch_of_none(like: str, interpolation: str):
    """Halved, unchanged, shrunk and enlarged: every branch gives no image for no image."""
    step = resize(like, size=[64, 64], interpolation=interpolation)
    model = build([step], [TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB", (0.0, 255.0))])
    for sides in ((128, 128), (64, 64), (200, 100), (30, 40)):
        (made,) = run(model, np.zeros((0, *sides, 3), np.uint8))
        assert made.shape == (0, 64, 64, 3)
