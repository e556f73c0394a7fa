"""resize: exact against the installed Pillow, whatever is known of the image and whatever is kept of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
import PIL
import pytest
from PIL import Image
from steps import build, run, session

from onnxprep.errors import ContractError, SpecError
from onnxprep.numerics.taps import bands, float_pair, outputs_per_block, tap_table
from onnxprep.spec.messages import validated
from onnxprep.step import Step, catalogue
from onnxprep.steps.image.resize._library import resized_sides
from onnxprep.steps.image.resize.pillow import Resize
from onnxprep.tensor import Array, Tensor, TensorSpec

FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
INSTALLED = f"pillow-{PIL.__version__.split('.')[0]}"
RNG = np.random.default_rng(20261120)


def make(operation: str, like: str, **parameters: Any) -> Step:
    return validated(catalogue()[operation][like], parameters, like)


def resize(size: Any, interpolation: str = "bilinear", like: str = INSTALLED) -> Resize:
    step = make("resize", like, size=size, interpolation=interpolation)
    assert isinstance(step, Resize)
    return step


def noise(*shape: int) -> Array:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def image(*shape: Any, layout: str = "NHWC") -> TensorSpec:
    return TensorSpec("uint8", shape, layout, None, (0.0, 255.0))


def pillow(x: Array, size: tuple[int, int], interpolation: str) -> Array:
    return np.asarray(Image.fromarray(x).resize(size[::-1], Image.Resampling[interpolation.upper()]))


def one_axis_each(x: Array, size: tuple[int, int], interpolation: str, *, vertical_first: bool) -> Array:
    """Pillow skips a pass that changes nothing, so its order can be forced."""
    between = (size[0], x.shape[1]) if vertical_first else (x.shape[0], size[1])
    return pillow(pillow(x, between, interpolation), size, interpolation)


def operators(graph: onnx.GraphProto) -> set[str]:
    found = set()
    for node in graph.node:
        found.add(node.op_type)
        for attribute in node.attribute:
            found |= operators(attribute.g) if attribute.HasField("g") else set()
    return found


# the arithmetic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", FILTERS)
def test_any_size_to_any_size(interpolation: str):
    """One graph per output size for all images, and a graph for the last image alone."""
    for _ in range(8):
        size = int(RNG.integers(1, 60)), int(RNG.integers(1, 60))
        step = resize(list(size), interpolation)
        dynamic = session(build([step], [image("N", "H", "W", 3)]))
        for _ in range(6):
            x = noise(1, int(RNG.integers(1, 90)), int(RNG.integers(1, 90)), 3)
            want = pillow(x[0], size, interpolation)
            (got,) = dynamic.run(None, {"x0": x})
            np.testing.assert_array_equal(got[0], want, f"{x.shape} -> {size}")
        (known,) = run(build([step], [image(*x.shape)]), x)
        np.testing.assert_array_equal(known[0], want, f"{x.shape} -> {size}, known")


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize(
    ("sides", "size"), [((300, 2), (7, 3)), ((2, 300), (3, 7)), ((9, 2000), (9, 4)), ((1500, 1), (2, 1))]
)
def test_extreme_reductions(sides: tuple[int, int], size: tuple[int, int], interpolation: str):
    x = noise(1, *sides, 3)
    want = pillow(x[0], size, interpolation)
    for spec in (image(1, "H", "W", 3), image(*x.shape)):
        (got,) = run(build([resize(list(size), interpolation)], [spec]), x)
        np.testing.assert_array_equal(got[0], want)


@pytest.mark.parametrize("levels", [(0, 255), (254, 256), (127, 129)])
def test_contrasts(levels: tuple[int, int]):
    """Overshoot is clipped at both ends; flat areas stay flat."""
    x = np.where(RNG.random((1, 61, 47, 3)) < 0.5, levels[0], levels[1] - 1).astype(np.uint8)
    for interpolation in ("bicubic", "lanczos"):
        for size in ((23, 90), (100, 20), (122, 94)):
            (got,) = run(build([resize(list(size), interpolation)], [image(1, "H", "W", 3)]), x)
            np.testing.assert_array_equal(got[0], pillow(x[0], size, interpolation))


@pytest.mark.parametrize("interpolation", FILTERS[1:])
def test_float_weights_are_exact_as_tf32(interpolation: str):
    """Some GPUs cut the factors of a float32 product to 11 significant bits: these have no more."""
    for length, new in [(1, 1), (2, 1), (2, 9), (3, 5), (224, 512), (640, 341), (31, 17), (5, 640)]:
        taps = tap_table(length, new, interpolation)
        for part in float_pair(bands(taps, outputs_per_block(length // new)).weights):
            assert not (part.view(np.uint32) & 0x1FFF).any(), (length, new)
        assert taps.most <= 32


# order of the passes, families ------------------------------------------------------------------------------------


@pytest.mark.parametrize("like", ["pillow-12", "pillow-13"])
def test_order_of_the_passes(like: str):
    """Neither the one nor the other order always: the family's own, on sizes that tell them apart."""
    told = {True: 0, False: 0}
    for _ in range(40):
        tall = RNG.random() < 0.5
        width = int(RNG.integers(1, 4 if tall else 40))
        height = int(RNG.integers(90, 111)) * width if tall else int(RNG.integers(1, 120))
        size = int(RNG.integers(1, height + 9)), int(RNG.integers(1, 2 * width + 4))
        x = noise(1, height, width, 3)
        shrinks = size[0] < height
        first = shrinks and (height > 100 * width if like == "pillow-12" else height - size[0] > 2 * (width - size[1]))
        want = one_axis_each(x[0], size, "bicubic", vertical_first=first)
        other = one_axis_each(x[0], size, "bicubic", vertical_first=not first)
        told[first] += not np.array_equal(want, other)
        for spec in (image(1, "H", "W", 3), image(*x.shape)):
            (got,) = run(build([resize(list(size), "bicubic", like)], [spec]), x)
            np.testing.assert_array_equal(got[0], want, f"{x.shape} -> {size}")
    assert min(told.values()) > 2, told


def test_oracle_refuses_another_pillow():
    other = "pillow-12" if INSTALLED != "pillow-12" else "pillow-13"
    spec = image(4, 4, 3, layout="HWC")
    with pytest.raises(ImportError, match=f"{other} was asked for"):
        resize([2, 2], "box", other).oracle(Tensor(noise(4, 4, 3), spec))


# what is known, and how it lies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [11, 13, 17, 21, 26])
@pytest.mark.parametrize("interpolation", ["nearest", "hamming", "lanczos"])
def test_opsets(opset: int, interpolation: str):
    x = noise(2, 50, 31, 3)
    want = np.stack([pillow(one, (24, 40), interpolation) for one in x])
    for spec in (image("N", "H", "W", 3), image(*x.shape)):
        (got,) = run(build([resize([24, 40], interpolation)], [spec], opset), x)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("vertical_first", [False, True])
@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_batches_and_channels(layout: str, channels: int, batch: int, *, vertical_first: bool):
    sides, size = ((60, 11), (13, 9)) if vertical_first else ((25, 60), (30, 17))
    x = noise(batch, *sides, channels)
    want = np.zeros((batch, *size, channels), np.uint8)
    for n, c in np.ndindex(batch, channels):
        want[n, ..., c] = pillow(np.ascontiguousarray(x[n, ..., c]), size, "bicubic")
    order = [0, 3, 1, 2] if layout == "NCHW" else [0, 1, 2, 3]
    x, want = np.ascontiguousarray(x.transpose(order)), want.transpose(order)
    free = {"N": "N", "H": "H", "W": None}
    for known in ("", "N", "HW", "NHW"):
        dims = [
            d if letter in known or letter == "C" else free[letter] for letter, d in zip(layout, x.shape, strict=True)
        ]
        (got,) = run(build([resize(list(size), "bicubic")], [image(*dims, layout=layout)]), x)
        np.testing.assert_array_equal(got, want, f"known: {known}")


def test_file_for_one_size_holds_its_weights():
    """No choice and no table is left to the graph."""
    crop = make("center_crop", "torchvision-v1", size=224)
    for steps in ([resize([256, 341], "lanczos")], [resize(256, "bilinear"), crop]):
        found = operators(build(steps, [image(1, 480, 640, 3)]).graph)
        assert not found & {"If", "CumSum", "Range", "GatherElements", "Sin", "Shape", "Pad"}, found


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos"])
@pytest.mark.parametrize(
    ("operation", "like", "parameters"),
    [
        ("center_crop", "torchvision-v1", {"size": 24}), ("center_crop", "torchvision-v1", {"size": [17, 40]}),
        ("center_crop", "transformers-pil", {"size": [50, 21]}), ("crop", "", {"top": 3, "left": 1, "height": 20, "width": 9}),
    ],
)  # fmt: skip
def test_only_what_a_crop_keeps(operation: str, like: str, parameters: Any, interpolation: str):
    """The same pixels as resizing everything, whether the crop fits or has to be padded."""
    step, crop = resize(32, interpolation), make(operation, like, **parameters)
    for sides in ((50, 40), (33, 90), (140, 45), (32, 32), (20, 21), (24, 15)):
        x = noise(2, *sides, 3)
        whole = step.infer(image(*x.shape))[0]
        (resized_whole,) = run(build([step], [image(*x.shape)]), x)
        (want,) = run(build([crop], [whole]), resized_whole)
        for spec in (image("N", "H", "W", 3), image(*x.shape)):
            (got,) = run(build([step, crop], [spec]), x)
            np.testing.assert_array_equal(got, want, f"{sides} {spec}")


# sizes ------------------------------------------------------------------------------------------------------------

RULES: list[Any] = [
    256, {"shorter_edge": 224, "max_size": 300, "rule": "torchvision"}, {"shorter_edge": 640, "multiple": 32, "rule": "shorter_ceil"},
    {"shorter_edge": 800, "max_size": 1333, "rule": "detr"}, {"shorter_edge": 37, "rule": "detr"},
    {"shorter_edge": 800, "max_size": 1333, "multiple": 32, "rule": "detr_ceil"},
    {"shorter_edge": 800, "max_size": 1333, "rule": "yolos"}, {"shorter_edge": 64, "rule": "yolos"},
    {"shorter_edge": 384, "max_size": 639, "multiple": 32, "rule": "vilt"},
    {"longest_edge": 1024, "rule": "torchvision"}, {"longest_edge": 1024, "rule": "half_up"},
    {"longest_edge": 384, "min_size": 14, "rule": "half_even"}, {"longest_edge": 980, "min_size": 336, "rule": "floor"},
    {"fit": [640, 480]}, {"fit": [640, 480], "rule": "thumbnail"}, {"fit": [512, 512], "multiple": 16, "rule": "patches"},
    {"fit": [384, 384], "keep_aspect_ratio": True, "multiple": 32, "rule": "dpt"}, {"fit": [384, 512], "rule": "dpt"},
    {"multiple": 32, "rule": "floor_multiple"},
    {"multiple": 28, "min_pixels": 40000, "max_pixels": 200000, "rule": "smart"},
]  # fmt: skip


def sides_to_try() -> list[tuple[int, int]]:
    fixed = [
        (480, 640),
        (640, 480),
        (37, 37),
        (64, 500),
        (500, 64),
        (800, 1333),
        (1333, 800),
        (333, 1000),
        (1000, 333),
        (801, 1334),
    ]
    return fixed + [(int(h), int(w)) for h, w in RNG.integers(34, 1600, (150, 2))]


@pytest.mark.parametrize("size", RULES, ids=json.dumps)
def test_rule_is_the_library_s(size: Any):
    """The same sides from the library, from ``infer``, and from a graph that resizes one row of pixels to learn them."""
    pytest.importorskip("transformers")
    pytest.importorskip("torchvision")
    step = resize(size, "nearest")
    for height, width in sides_to_try():
        want = resized_sides(step.size, height, width)
        if 0 in want:
            with pytest.raises(ContractError, match="would get a side of 0"):
                step.infer(image(1, height, width, 1))
            continue
        spec = step.infer(image(1, height, width, 1))[0]
        assert (spec.dim("H"), spec.dim("W")) == want, (height, width)
    for height, width in [
        (40, 90),
        (90, 40),
        (64, 64),
        (37, 100),
        (100, 64),
        *((int(h), int(w)) for h, w in RNG.integers(34, 200, (9, 2))),
    ]:
        (got,) = run(build([step], [image(1, "H", "W", 1)]), np.zeros((1, height, width, 1), np.uint8))
        assert got.shape[1:3] == resized_sides(step.size, height, width), (height, width)


@pytest.mark.parametrize("size", [*RULES, [3, 4]], ids=json.dumps)
def test_size_is_written_in_long_form(size: Any):
    step = resize(size)
    written = json.loads(step.model_dump_json())
    assert resize(written["size"]) == step
    assert isinstance(written["size"], list) or "rule" in written["size"]


def test_short_form_of_a_size():
    assert json.loads(resize(256).model_dump_json())["size"] == {
        "shorter_edge": 256,
        "rule": "torchvision",
        "max_size": None,
    }


@pytest.mark.parametrize(
    ("size", "at", "problem"),
    [
        (0, "size", "is 0"), (-3, "size", "is -3"), (1.5, "size", "is no size"), (True, "size", "is no size"),
        ("256", "size", "is no size"), ([], "size", "has 0 values"), ([1, 2, 3], "size", "has 3 values"),
        ([0, 5], "size[0]", "is 0"), ({}, "size", "says no length"), ({"rule": "detr"}, "size", "says no length"),
        ({"shorter_edge": 5}, "size.rule", "is missing"),
        ({"shorter_edge": 5, "rule": []}, "size.rule", "is no rule for this size"), ({"shorter_edge": 5, "rule": "half_up"}, "size.rule", "is no rule for this size"),
        ({"shorter_edge": 5, "rule": "detr", "multiple": 2}, "size.multiple", "is not a key of this rule"),
        ({"shorter_edge": 5, "rule": "detr_ceil"}, "size.multiple", "is missing"),
        ({"shorter_edge": "a", "rule": "detr"}, "size.shorter_edge", 'is "a"'),
        ({"shorter_edge": 9, "max_size": 9, "rule": "torchvision"}, "size.max_size", "is 9"),
        ({"fit": [5]}, "size.fit", "has 1 values"), ({"fit": [5, 0]}, "size.fit[1]", "is 0"),
    ],
)  # fmt: skip
def test_wrong_sizes(size: Any, at: str, problem: str):
    with pytest.raises(SpecError) as caught:
        resize(size)
    assert (caught.value.at, caught.value.problem) == (at, problem)
    assert caught.value.expected


@pytest.mark.parametrize(
    ("spec", "size", "hint"),
    [
        (TensorSpec("uint8", (4, 4), "HW"), 3, ""), (TensorSpec("uint8", (0, 4, 3), "HWC"), [3, 3], ""),
        (TensorSpec("uint8", (1, 400, 3), "HWC"), {"longest_edge": 100, "rule": "torchvision"}, ""),
    ],
)  # fmt: skip
def test_wrong_inputs(spec: TensorSpec, size: Any, hint: str):
    with pytest.raises(ContractError) as caught:
        resize(size).infer(spec)
    assert hint in caught.value.hint
    assert caught.value.expected


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos"])
def test_a_side_that_becomes_0_fails_the_run(interpolation: str):
    """Pillow refuses such a size, too."""
    step = resize({"multiple": 32, "rule": "floor_multiple"}, interpolation)
    running = session(build([step], [image(1, "H", "W", 3)]))
    for sides in ((20, 50), (20, 20), (3000, 20)):
        with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.Fail):
            running.run(None, {"x0": noise(1, *sides, 3)})
