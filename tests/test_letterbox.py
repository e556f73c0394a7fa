"""Where letterbox puts an image, against Ultralytics' own lines and Ultralytics itself; what a run refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper
from packaging.version import Version
from steps import build, run, session

from onnxprep.emit import Emitter, type_proto
from onnxprep.step import Step, Value, catalogue
from onnxprep.steps.image._letterbox_geometry import LetterboxRule, Placement
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.tensor import Tensor, TensorSpec

RGB = TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB", (0.0, 255.0))
RULES = [
    LetterboxRule(size, auto, scale_fill, scaleup, stride, center)
    for size, (auto, scale_fill), scaleup, stride, center in product(
        [(640, 640), (416, 321)], [(False, False), (True, False), (False, True)], [True, False], [32], [True, False]
    )
]


def ultralytics(rule: LetterboxRule, shape: tuple[int, int]) -> list[int]:
    """Resized H and W, top, left, bottom, right, as ultralytics 8.4.190 data/augment.py LetterBox writes it."""
    new_shape = rule.size
    r = min(new_shape[0] / shape[0], new_shape[1] / shape[1])
    if not rule.scaleup:
        r = min(r, 1.0)
    new_unpad = max(round(shape[1] * r), 1), max(round(shape[0] * r), 1)
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


def thin(resize_like: str) -> Step:
    given = {"like": "ultralytics", "resize_like": resize_like, "size": 64}
    return catalogue()["letterbox"]["ultralytics"].model_validate_json(json.dumps(given))


@pytest.mark.parametrize("sides", [(1, 120), (1, 200), (900, 3), (1, 1)])
def test_of_a_thin_picture_one_pixel_stays(sides: tuple[int, int]):
    step = thin("pillow-13")
    picture = np.random.default_rng(0).integers(0, 256, (1, *sides, 3), dtype=np.uint8)
    (made,) = run(build([step], [RGB]), picture)
    wanted = step.oracle(Tensor(picture, replace(RGB, shape=picture.shape)))
    assert made.tobytes() == np.asarray(wanted).tobytes()


def test_a_picture_without_pixels_fails_the_run():
    model = build([thin("pillow-13")], [RGB])
    for sides in ((0, 4), (4, 0), (0, 0)):
        with pytest.raises(Exception, match="Reshape"):
            run(model, np.zeros((1, *sides, 3), np.uint8))


def test_ultralytics_itself_puts_it_there():
    """Its LetterBox, which calls OpenCV, on the same pictures."""
    augment = pytest.importorskip("ultralytics.data.augment")
    cv2 = pytest.importorskip("cv2")
    if Version(version("ultralytics")) < Version("8.4.124"):
        pytest.skip("an older release")
    like = f"opencv-{cv2.__version__.split('.')[0]}"
    model, rng = build([thin(like)], [RGB]), np.random.default_rng(4)
    sizes = [(1, 200), (200, 1), (64, 64), *np.exp(rng.uniform(0, 6, (60, 2))).astype(int).tolist()]
    for height, width in sizes:
        picture = rng.integers(0, 256, (max(height, 1), max(width, 1), 3), dtype=np.uint8)
        (made,) = run(model, picture[None])
        assert made[0].tobytes() == augment.LetterBox((64, 64))(image=picture).tobytes(), (height, width)


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
