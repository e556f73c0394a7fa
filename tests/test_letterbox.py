"""Where letterbox puts an image, against Ultralytics' own lines; what a run refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper
from steps import build, run, session

from onnxprep.emit import Emitter, type_proto
from onnxprep.step import Value, catalogue
from onnxprep.steps.image._letterbox_geometry import LetterboxRule, Placement
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.tensor import TensorSpec

RGB = TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB", (0.0, 255.0))
RULES = [
    LetterboxRule(size, auto, scale_fill, scaleup, stride, center)
    for size, (auto, scale_fill), scaleup, stride, center in product(
        [(640, 640), (416, 321)], [(False, False), (True, False), (False, True)], [True, False], [32], [True, False]
    )
]


def ultralytics(rule: LetterboxRule, shape: tuple[int, int]) -> list[int]:
    """Resized H and W, top, left, bottom, right, as ultralytics 8.3 data/augment.py LetterBox writes it."""
    new_shape = rule.size
    r = min(new_shape[0] / shape[0], new_shape[1] / shape[1])
    if not rule.scaleup:
        r = min(r, 1.0)
    new_unpad = round(shape[1] * r), round(shape[0] * r)
    dw, dh = new_shape[1] - new_unpad[0], new_shape[0] - new_unpad[1]
    if rule.auto:
        dw, dh = np.mod(dw, rule.stride), np.mod(dh, rule.stride)
    elif rule.scale_fill:
        dw, dh = 0.0, 0.0
        new_unpad = (new_shape[1], new_shape[0])
    if rule.center:
        dw /= 2
        dh /= 2
    top, bottom = round(dh - 0.1) if rule.center else 0, round(dh + 0.1)
    left, right = round(dw - 0.1) if rule.center else 0, round(dw + 0.1)
    return [new_unpad[1], new_unpad[0], top, left, bottom, right]


def numbers(placement: Placement) -> list[int]:
    border = placement.border
    return np.concatenate([placement.resized, border.before, border.after]).tolist()


def shapes(count: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(1)
    return [(int(h), int(w)) for h, w in rng.integers(1, 5001, (count, 2))]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_geometry_is_that_of_ultralytics(rule: LetterboxRule):
    wrong = [
        shape for shape in shapes(300) if numbers(rule.place(Arithmetic(), lengths(*shape))) != ultralytics(rule, shape)
    ]
    assert not wrong


def geometry_graph(rule: LetterboxRule) -> ort.InferenceSession:
    """A model that gives the six numbers for a size."""
    op, sides = Emitter("geometry", 17), Value("sides", TensorSpec("int64", (2,)))
    placement = rule.place(Arithmetic(op), sides)
    parts = [placement.resized, placement.border.before, placement.border.after]
    made = op.Concat(*(Arithmetic(op).value(part) for part in parts), axis=0)
    infos = [helper.make_value_info(v.name, type_proto(v.spec)) for v in (sides, made)]
    graph = helper.make_graph(op.nodes, "geometry", infos[:1], infos[1:])
    return session(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_geometry_in_the_graph_is_that_of_ultralytics(rule: LetterboxRule):
    graph = geometry_graph(rule)
    wrong = [
        shape
        for shape in shapes(300)
        if graph.run(None, {"sides": np.array(shape)})[0].tolist() != ultralytics(rule, shape)
    ]
    assert not wrong


def test_a_side_that_would_vanish_fails_the_run():
    step = catalogue()["letterbox"]["ultralytics"].model_validate_json(
        json.dumps({"like": "ultralytics", "resize_like": "pillow-13", "size": 64})
    )
    model = build([step], [RGB])
    (made,) = run(model, np.zeros((1, 1, 120, 3), np.uint8))
    assert made.shape == (1, 64, 64, 3)
    for sides in ((1, 200), (200, 1), (0, 4), (0, 0)):
        with pytest.raises(Exception, match="Reshape"):
            run(model, np.zeros((1, *sides, 3), np.uint8))


PROGRAM = """
import json, sys, onnxruntime as ort
from test_letterbox import RGB, build, catalogue
step = catalogue()["letterbox"]["ultralytics"].model_validate_json(json.dumps(json.loads(sys.argv[1])))
options = ort.SessionOptions()
for name, length in (("N", 1), ("H", 100), ("W", 90)):
    options.add_free_dimension_override_by_name(name, length)
ort.InferenceSession(build([step], [RGB]).SerializeToString(), options)
"""


@pytest.mark.parametrize("like", ["pillow-13", "opencv-5"])
def test_loads_where_the_session_is_told_the_lengths(like: str):
    """ONNX Runtime 1.31 crashes there on an If inside an If."""
    step = json.dumps({"like": "ultralytics", "resize_like": like, "size": 64})
    subprocess.run([sys.executable, "-c", PROGRAM, step], cwd=Path(__file__).parent, check=True)
