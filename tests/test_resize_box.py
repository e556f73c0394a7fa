"""resize, the parameter ``box``: exact against the installed Pillow, and no box beyond the image."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime
import PIL
import pytest
from PIL import Image
from steps import build, run, session

from onnxprep.errors import ContractError, SpecError
from onnxprep.numerics.taps import bands, digits, float_pair, outputs_per_block, tap_table
from onnxprep.spec.messages import validated
from onnxprep.step import Step, catalogue
from onnxprep.tensor import Array, TensorSpec

FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
INSTALLED = f"pillow-{PIL.__version__.split('.')[0]}"
FAILS = (onnxruntime.capi.onnxruntime_pybind11_state.Fail, onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException)
RNG = np.random.default_rng(20261121)

Box = tuple[float, float, float, float]


def resize(size: Any, interpolation: str, box: Any, like: str = INSTALLED) -> Step:
    return validated(catalogue()["resize"][like], {"size": size, "interpolation": interpolation, "box": box}, like)


def noise(*shape: int) -> Array:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def image(*shape: Any, color: str | None = None) -> TensorSpec:
    return TensorSpec("uint8", shape, "NHWC", color, (0.0, 255.0))


def pillow(x: Array, size: tuple[int, int], interpolation: str, box: Box) -> Array:
    return np.asarray(Image.fromarray(x).resize(size[::-1], Image.Resampling[interpolation.upper()], box))


def random_box(height: int, width: int) -> Box:
    """Anywhere; edges at those of the image and whole pixels are frequent."""
    edges = []
    for length in (width, height):
        first, last = np.sort(RNG.uniform(0, length, 2))
        last = max(last, first + length / 1000)
        match RNG.integers(5):
            case 0:
                first, last = np.floor(first), np.ceil(last)
            case 1:
                first = 0.0
            case 2:
                last = length
            case 3:
                first, last = 0.0, length
        edges.append((float(first), float(min(last, length))))
    (left, right), (upper, lower) = edges
    return left, upper, right, lower


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("color", ["RGB", "RGBA"])
def test_any_box_to_any_size(interpolation: str, color: str):
    for trip in range(5):
        sides, size = (tuple(int(n) for n in RNG.integers(1, 70, 2)) for _ in range(2))
        size = sides if trip == 0 else (sides[0], size[1]) if trip == 1 else size
        x, box = noise(1, *sides, len(color)), random_box(*sides)
        want = pillow(x[0], size, interpolation, box)
        for spec in (image("N", "H", "W", len(color), color=color), image(*x.shape, color=color)):
            (got,) = run(build([resize(list(size), interpolation, box)], [spec]), x)
            np.testing.assert_array_equal(got[0], want, f"{sides} -> {size}, {box}")


@pytest.mark.parametrize("like", ["pillow-12", "pillow-13"])
def test_order_of_the_passes_goes_by_the_whole_image(like: str):
    """One axis after the other, each with its own part of the box: both orders can be forced."""
    told = {True: 0, False: 0}
    for _ in range(24):
        tall = RNG.random() < 0.5
        width = int(RNG.integers(1, 4 if tall else 40))
        height = int(RNG.integers(90, 111)) * width if tall else int(RNG.integers(2, 120))
        size = int(RNG.integers(1, height + 9)), int(RNG.integers(1, 2 * width + 4))
        x, box = noise(1, height, width, 3), random_box(height, width)
        rows, columns = (0.0, box[1], float(width), box[3]), (box[0], 0.0, box[2], float(height))
        orders = {
            True: pillow(
                pillow(x[0], (size[0], width), "bicubic", rows),
                size,
                "bicubic",
                (box[0], 0.0, box[2], float(size[0])),
            ),
            False: pillow(
                pillow(x[0], (height, size[1]), "bicubic", columns),
                size,
                "bicubic",
                (0.0, box[1], float(size[1]), box[3]),
            ),
        }
        by_lengths = height > 100 * width if like == "pillow-12" else height - size[0] > 2 * (width - size[1])
        first = size[0] < height and by_lengths
        told[first] += not np.array_equal(orders[True], orders[False])
        for spec in (image(1, "H", "W", 3), image(*x.shape)):
            (got,) = run(build([resize(list(size), "bicubic", box, like)], [spec]), x)
            np.testing.assert_array_equal(got[0], orders[first], f"{x.shape} -> {size}, {box}")
    assert min(told.values()) > 2, told


@pytest.mark.parametrize("interpolation", ["hamming", "bicubic", "nearest"])
def test_rgba_is_copied_only_as_a_whole(interpolation: str):
    """Where size and box are the image's, alpha is left out of it: colours under a small alpha survive."""
    x = noise(1, 9, 7, 4)
    for box in ((0.0, 0.0, 7.0, 9.0), (0.0, 0.0, 7.0, 8.999999999), (0.0, 0.0, 6.5, 9.0), (0.0, 1e-9, 7.0, 9.0)):
        want = pillow(x[0], (9, 7), interpolation, box)
        for spec in (image(1, "H", "W", 4, color="RGBA"), image(*x.shape, color="RGBA")):
            (got,) = run(build([resize([9, 7], interpolation, box)], [spec]), x)
            np.testing.assert_array_equal(got[0], want, str(box))


@pytest.mark.parametrize("interpolation", FILTERS[1:])
def test_float_weights_of_boxes_are_exact_as_tf32(interpolation: str):
    """As without a box: 11 significant bits, and the digits fit their bytes."""
    for _ in range(200):
        length, new = int(RNG.integers(1, 40)), int(RNG.integers(1, 60))
        _, begin, _, end = random_box(length, 1)
        if (end - begin) / new >= 2:
            continue
        taps = tap_table(length, new, interpolation, begin=begin, extent=end - begin)
        weights = bands(taps, outputs_per_block(int(end - begin) // new)).weights
        high, low = float_pair(weights)
        for part in (high, low):
            assert not (part.view(np.uint32) & 0x1FFF).any(), (length, new, begin, end)
        parts = digits(weights).astype(np.int64).reshape(len(weights), 3, -1, weights.shape[-1]) - 80
        np.testing.assert_array_equal(parts[:, 0] + parts[:, 1] * 2**7 + parts[:, 2] * 2**15, weights)
        assert taps.most <= 32


def test_size_goes_by_the_whole_image():
    """A rule for the shorter edge looks at the image, not at the box."""
    step = resize({"shorter_edge": 10, "rule": "detr"}, "bilinear", [2.5, 0, 18.0, 9.5])
    x = noise(1, 20, 30, 3)
    want = pillow(x[0], (10, 15), "bilinear", (2.5, 0, 18.0, 9.5))
    for spec in (image(1, "H", "W", 3), image(*x.shape)):
        (got,) = run(build([step], [spec]), x)
        np.testing.assert_array_equal(got[0], want)


# what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "at", "problem"),
    [
        ([0, 0, 5], "box", "is [0, 0, 5]"), ([0, 0, 5, 5, 5], "box", "is [0, 0, 5, 5, 5]"), (5, "box", "is 5"),
        ([-0.5, 0, 5, 5], "box[0]", "is -0.5"), ([0, 0, "a", 5], "box[2]", 'is "a"'),
        ([3, 0, 3, 5], "box[2]", "is 3: the box is empty"), ([0, 4, 3, 2.5], "box[3]", "is 2.5: the box is empty"),
        ([1000, 0, 1000.000001, 5], "box[2]", "is 1000: the box is empty"), ([0, 0, 2.0**31, 5], "box[2]", "is 2147483648.0"),
    ],
)  # fmt: skip
def test_wrong_boxes(box: Any, at: str, problem: str):
    with pytest.raises(SpecError) as caught:
        resize([3, 3], "box", box)
    assert (caught.value.at, caught.value.problem) == (at, problem)
    assert caught.value.expected


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(9, 20, "H of at least 10 px"), (10, 6, "W of at least 8 px")]
)
def test_known_sides_smaller_than_the_box(height: int, width: int, expected: str):
    for spec in (image(1, height, width, 3), image(1, height, "W", 3), image(1, "H", width, 3)):
        step = resize([3, 3], "box", [0, 2, 7.5, 9.25])
        if not isinstance(spec.dim(expected[0]), int):
            step.infer(spec)
            continue
        with pytest.raises(ContractError) as caught:
            step.infer(spec)
        assert (caught.value.problem, caught.value.expected) == ("is smaller than the box", expected)


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("color", ["RGB", "RGBA"])
def test_a_smaller_image_fails_the_run(interpolation: str, color: str):
    """Whether all of it is computed or what a crop keeps."""
    step = resize([4, 6], interpolation, [0, 2, 7.5, 9.25])
    crop = validated(catalogue()["center_crop"]["torchvision-v1"], {"size": [2, 3]}, "torchvision-v1")
    for steps in ([step], [step, crop]):
        running = session(build(steps, [image("N", "H", "W", len(color), color=color)]))
        running.run(None, {"x0": noise(1, 10, 8, len(color))})
        for sides in ((9, 8), (10, 7), (2, 3), (4, 6)):
            with pytest.raises(FAILS, match="Reshape"):
                running.run(None, {"x0": noise(1, *sides, len(color))})


def test_without_a_box_nothing_is_written():
    """Specs and files older than the parameter stay as they are."""
    step = validated(catalogue()["resize"][INSTALLED], {"size": [3, 4], "interpolation": "box"}, INSTALLED)
    assert "box" not in step.to_dict()
    assert resize([3, 4], "box", [0, 1, 2.5, 3]).to_dict()["box"] == json.loads("[0.0, 1.0, 2.5, 3.0]")
