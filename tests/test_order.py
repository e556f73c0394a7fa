"""Channels change places behind what shrinks the image: the same values, whatever the document's order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxprep
from onnxprep.graph.order import permuted_late
from onnxprep.spec.bind import bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import Plan, plan

RESIZE = {"resize": {"size": 20, "interpolation": "bilinear", "like": "pillow-13"}}
CROP = {"center_crop": {"size": 16, "like": "numpy"}}
BGR, RGB = {"convert_color": {"to": "BGR"}}, {"convert_color": {"to": "RGB"}}


def document(*steps: Any, outputs: list[str] | None = None) -> dict[str, Any]:
    image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "RGB", "shape": ["N", "H", "W", 3]}
    named = {} if outputs is None else {"outputs": outputs}
    return {"onnxprep": 1, "inputs": [image], "preprocess": list(steps), **named}


def planned(*steps: Any, **given: Any) -> Plan:
    return plan(bind_alone(Spec.load(document(*steps, **given))))


def order(found: Plan) -> list[str]:
    return [step.name for step in permuted_late(found.side("pre"), found.published("pre"))]


def test_it_moves_behind_resize_and_crop():
    assert order(planned(BGR, RESIZE, CROP, {"invert": {"like": "pillow-13"}})) == [
        "resize",
        "center_crop",
        "convert_color",
        "invert",
    ]
    assert order(planned(BGR, RGB, RESIZE)) == ["resize", "convert_color", "convert_color_2"]


@pytest.mark.parametrize(
    ("steps", "outputs", "expected"),
    [
        ((BGR, RESIZE), ["convert_color", "resize"], ["convert_color", "resize"]),
        ((BGR, {"to_grayscale": {"like": "opencv-5"}}), None, ["convert_color", "to_grayscale"]),
        ((BGR, {"rescale": {"like": "numpy"}}), None, ["convert_color", "rescale"]),
        (
            (BGR, {"center_crop": {"size": 30, "fill": [1.0, 2.0, 3.0], "like": "timm"}}), None,
            ["convert_color", "center_crop"],
        ),
    ],
)  # fmt: skip
def test_it_stays_where_somebody_would_notice(steps: tuple[Any, ...], outputs: list[str] | None, expected: list[str]):
    assert order(planned(*steps, outputs=outputs)) == expected


@pytest.mark.parametrize("steps", [(BGR, RESIZE, CROP), (BGR, CROP), (BGR, RGB, RESIZE), (BGR, RESIZE, RGB, CROP)])
def test_the_values_are_the_same(steps: tuple[Any, ...]):
    import onnxruntime

    image = np.random.default_rng(1).integers(0, 256, (2, 31, 47, 3)).astype(np.uint8)
    last = planned(*steps).outputs[0]
    every = [step.outputs[0] for step in planned(*steps).side("pre")]
    moved, kept = (
        onnxruntime.InferenceSession(onnxprep.build(document(*steps, outputs=outputs)).SerializeToString())
        for outputs in ([last], every)
    )
    np.testing.assert_array_equal(moved.run([last], {"image": image})[0], kept.run([last], {"image": image})[0])


def test_a_golden_holds_the_values_of_the_document(tmp_path: Path):
    model = Path(__file__).parents[1] / "fixtures" / "demo" / "classifier.onnx"
    image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "BGR", "shape": ["N", "H", "W", 3]}
    resize = {"resize": {"size": 48, "interpolation": "bilinear", "like": "pillow-13"}}
    normalize = {"normalize": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "like": "numpy"}}
    crop, rescale = {"center_crop": {"size": 40, "like": "numpy"}}, {"rescale": {"like": "numpy"}}
    steps = [RGB, resize, crop, rescale, normalize, {"to_layout": {"layout": "NCHW"}}]
    pixels = np.random.default_rng(3).integers(0, 256, (1, 60, 70, 3)).astype(np.uint8)
    out = tmp_path / "out.onnx"
    onnxprep.export(model, {"onnxprep": 1, "inputs": [image], "preprocess": steps}, out, goldens=[{"image": pixels}])
    onnxprep.verify(out)
