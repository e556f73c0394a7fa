"""Two steps in a row give what the one and then the other gives: ONNX Runtime optimises across their border."""

from __future__ import annotations

from typing import Any

import conformance
import numpy as np
import pytest
from steps import build, session

from onnxprep.errors import ContractError
from onnxprep.step import Step, catalogue
from onnxprep.tensor import Array, Tensor, TensorSpec

SUBJECTS = [s for s in conformance.subjects(catalogue()) if len(s.specs()) == 1 and s.specs()[0].is_image]
FIRST = [s for s in SUBJECTS if s.number == 0 or s.step_class.operation in ("rescale", "convert_color")]


def alone(step: Step, x: Tensor) -> Tensor:
    """One step, its lengths known."""
    (y,) = session(build([step], [x.spec]), optimised=False).run(None, {"x0": x.array})[:1]
    (told, *_) = step.infer(x.spec)
    return Tensor(y, TensorSpec(told.dtype, y.shape, told.layout, told.color, told.range))


def same(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


@pytest.mark.parametrize("seed", range(160))
def test_a_pair_is_one_after_the_other(seed: int):
    rng = np.random.default_rng(seed)
    for _ in range(60):
        first, second = FIRST[rng.integers(len(FIRST))], SUBJECTS[rng.integers(len(SUBJECTS))].step()
        sample = first.case.inputs[0]
        x = Tensor(sample.array(), sample.spec)
        try:
            (between, *_) = first.step().infer(*conformance.symbolic([sample.spec]))
            second.infer(between)
            want = alone(second, alone(first.step(), x))
        except ContractError:
            continue
        running = session(build([first.step(), second], conformance.symbolic([sample.spec])))
        got = running.run(None, {"x0": x.array})[0]
        assert same(got, want.array), f"{first}, then {second!r}"
        return
    pytest.skip("no pair fits")


IMAGE = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "BGR", "shape": ["N", "H", "W", 3]}


def resize(like: str, interpolation: str, **more: Any) -> Step:
    return conformance.make(
        catalogue()["resize"][like], like, {"size": [31, 7], "interpolation": interpolation, **more}
    )


@pytest.mark.parametrize("like", ["keras", "torchvision-v2", "transformers-torchvision", "opencv-5"])
@pytest.mark.parametrize("interpolation", ["bicubic", "area"])
def test_rescale_before_a_loop_loads(like: str, interpolation: str):
    """ONNX Runtime aborts the process where DequantizeLinear feeds a Loop or an If."""
    rescale = conformance.make(catalogue()["rescale"][like], like, {})
    spec = TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB", (0.0, 255.0))
    session(build([rescale, resize("keras", interpolation)], [spec]))


@pytest.mark.parametrize("interpolation", ["bicubic", "lanczos4", "area", "bilinear"])
def test_channels_change_places_only_where_nobody_notices(interpolation: str):
    """Ends of rows are computed differently from their vectors; which channel stands there depends on the order."""
    path = {"path": "native"} if interpolation in ("bicubic", "bilinear") else {}
    steps = [
        conformance.make(catalogue()["convert_color"][""], "", {"to": "RGB"}),
        resize("opencv-5", interpolation, **path),
    ]
    for dtype in ("uint8", "float32"):
        spec = TensorSpec(dtype, (1, 97, 131, 3), "NHWC", "BGR", (0.0, 255.0))
        x = Tensor(np.random.default_rng(1).uniform(0, 255, (1, 97, 131, 3)).astype(dtype), spec)
        (got,) = session(build(steps, [spec])).run(None, {"x0": x.array})
        assert same(got, alone(steps[1], alone(steps[0], x)).array)


@pytest.mark.parametrize("like", ["pillow-13", "pillow-12", "opencv-5"])
@pytest.mark.parametrize("size", [[5, 1], [1, 5], [1, 1], [224, 1]])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_nearest_to_one_pixel(like: str, size: list[int], layout: str):
    name = "nearest" if like.startswith("pillow") else "nearest_exact"
    step = conformance.make(catalogue()["resize"][like], like, {"size": size, "interpolation": name})
    shape = tuple({"N": 1, "C": 3, "H": 9, "W": 7}[letter] for letter in layout)
    symbols = tuple(3 if letter == "C" else letter for letter in layout)
    x = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    known, unknown = (
        session(build([step], [TensorSpec("uint8", s, layout, "RGB", (0.0, 255.0))])).run(None, {"x0": x})[0]
        for s in (shape, symbols)
    )
    np.testing.assert_array_equal(known, unknown)
