"""What fits together and is a mistake all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from onnxprep.cli import main
from onnxprep.errors import ContractError
from onnxprep.graph.fit import fit
from onnxprep.spec import presets
from onnxprep.spec.bind import bind, bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.lint import lint
from onnxprep.spec.plan import Signature, plan
from onnxprep.tensor import TensorSpec

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
REVERSED = {"mean": [0.406, 0.456, 0.485], "std": [0.225, 0.224, 0.229]}
BYTES = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
AGAIN = {"rescale": {"like": "transformers-torchvision"}}
TT = {"like": "transformers-torchvision"}
RESIZE = {"resize": {"size": [8, 8], "interpolation": "bilinear", "like": "pillow-13"}}


def doubts(*steps: object, **image: object) -> tuple[str, ...]:
    given = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "RGB", "shape": ["N", "H", "W", 3], **image}
    given = {key: value for key, value in given.items() if value is not None}
    text = {"onnxprep": 1, "like": "torchvision-v1", "inputs": [given], "preprocess": list(steps)}
    return lint(plan(bind_alone(Spec.load(text))))


def test_what_is_right_is_not_doubted():
    assert doubts(RESIZE, "rescale", {"normalize": IMAGENET}, {"to_layout": {"layout": "NCHW"}}) == ()
    assert doubts({"to_dtype": {"dtype": "float32"}}, {"normalize": BYTES}) == ()
    assert doubts({"rescale_normalize": {"mode": "caffe", "like": "keras"}}) == ()
    late = {"resize": {"size": [8, 8], "interpolation": "bilinear", "exact": False, "like": "torch"}}
    assert doubts("rescale", {"normalize": IMAGENET}, late) == ()
    assert doubts({"to_dtype": {"dtype": "float32"}}, {"to_dtype": {"dtype": "uint8", "rounding": "trunc"}}) == ()
    assert doubts({"to_dtype": {"dtype": "int32"}}) == ()
    assert doubts({"convert_color": {"to": "BGR"}}, "rescale", {"normalize": REVERSED}) == ()


MISTAKES = {
    "0..1 on 0..255": (
        ({"to_dtype": {"dtype": "float32"}}, {"normalize": IMAGENET}), {},
        "preprocess[1]: `normalize` makes -2.118..1136 of 0..255: mean and std look like those of 0..1; put `rescale` before it",
    ),
    "0..255 on 0..1": (
        ("rescale", {"normalize": BYTES}), {},
        "preprocess[1]: `normalize` makes -2.118..-1.787 of 0..1: mean and std look like those of 0..255; divide both by 255",
    ),
    "0..255 in a fused step": (
        ({"rescale_normalize": {**BYTES, "like": "numpy"}},), {},
        "preprocess[0]: `rescale_normalize` makes -2.118..-1.787 of 0..255: mean and std look like those of 0..255",
    ),
    "mean of 0..255 alone": (
        ("rescale", {"normalize": {"mean": BYTES["mean"], "std": [1.0, 1.0, 1.0]}}), {}, "preprocess[1]: `normalize` makes -123.7",
    ),
    "two steps that transformers fuses": (
        ({"rescale": TT}, {"normalize": {**IMAGENET, **TT}}), {},
        "preprocess[1]: `normalize` follows `rescale` like transformers-torchvision: that library fuses the two",
    ),
    "normalised twice": (
        ("rescale", {"normalize": IMAGENET}, {"normalize": IMAGENET}), {},
        "preprocess[2]: `normalize` follows preprocess[1] `normalize`: normalised twice",
    ),
    "scaled twice": (("rescale", AGAIN), {}, "preprocess[1]: `rescale` of an image that is 0..1 already"),
    "BGR mean on RGB": (
        ("rescale", {"normalize": REVERSED}), {},
        "preprocess[1]: mean [0.406, 0.456, 0.485] is in the order B, G, R, its input is RGB",
    ),
    "RGB mean on BGR": (
        ("rescale", {"normalize": IMAGENET}), {"color": "BGR"},
        "preprocess[1]: mean [0.485, 0.456, 0.406] is in the order R, G, B, its input is BGR",
    ),
    "normalised, then cast": (
        ("rescale", {"normalize": IMAGENET}, {"to_dtype": {"dtype": "uint8", "rounding": "half_even"}}), {},
        "preprocess[2]: `to_dtype` casts values of -2.118..2.64 to integers: a model of uint8 takes the pixels",
    ),
    "bytes into int8": (
        ({"to_dtype": {"dtype": "int8"}},), {}, "preprocess[0]: `to_dtype` clips 0..255 to 0..127: bring them into that range",
    ),
    "softmax twice": (("rescale", {"to_layout": {"layout": "NCHW"}}, "softmax", "softmax"), {}, "preprocess[3]: `softmax` of what is 0..1 already: twice?"),
    "no colour": (("rescale",), {"color": None}, "inputs[0]: no color is declared"),
    "no range": ((AGAIN,), {"dtype": "float32"}, "inputs[0]: no range is declared"),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in presets.names() if name != "classifier-only"])
def test_no_preset_is_doubted(name: str, tmp_path: Path):
    (tmp_path / "labels.txt").write_text("\n".join(map(str, range(1000))))
    (tmp_path / "spec.yaml").write_text(presets.text(name))
    assert lint(plan(bind_alone(Spec.load(tmp_path / "spec.yaml")))) == ()


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str):
    steps, image, text = MISTAKES[name]
    assert any(line.startswith(text) for line in doubts(*steps, **image)), doubts(*steps, **image)


def test_the_command_warns_and_refuses_when_strict(tmp_path: Path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "onnxprep: 1\nlike: torchvision-v1\n"
        "inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]\n"
        "preprocess:\n  - rescale\n  - rescale: {like: transformers-torchvision}\n"
    )
    loose = CliRunner().invoke(main, ["check", str(spec)])
    assert loose.exit_code == 0
    assert "warning: preprocess[1]: `rescale` of an image that is 0..1 already: scaled twice" in loose.stderr
    strict = CliRunner().invoke(main, ["check", "--strict", str(spec)])
    assert strict.exit_code == 4
    assert strict.stderr.startswith("error: preprocess[1]: `rescale` of an image")
    assert "drop --strict if it is meant" in strict.stderr


@pytest.mark.parametrize(
    ("ends_in", "told"),
    [
        (["Softmax"], "`softmax` of the model's output y, which a Softmax of the model makes: twice? leave it out"),
        (["Sigmoid", "Identity"], "which a Sigmoid of the model makes: twice?"),
        (["LogSoftmax"], ""),  # softmax(log(p)) is p
        (["Softmax", "Neg"], ""),
    ],
)
def test_a_softmax_behind_one_of_the_model_is_doubted(ends_in: list[str], told: str):
    names = ["x", *map(str, range(len(ends_in) - 1)), "y"]
    nodes = [helper.make_node(op, [a], [b]) for op, a, b in zip(ends_in, names, names[1:], strict=False)]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 5]) for name in "xy")
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)])
    spec = Spec.load("onnxprep: 1\npostprocess: [softmax]\n")
    assert told in "".join(fit(spec, model).contract.warnings)
    assert bool(fit(spec, model).contract.warnings) == bool(told)
    if told:
        with pytest.raises(ContractError, match="twice"):
            fit(spec, model, strict=True)


def test_a_graph_that_goes_in_a_circle_is_looked_at_once():
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in (("a", "b"), ("b", "a"), ("a", "y"))]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])
    model = helper.make_model(helper.make_graph(nodes, "g", [], [y]), opset_imports=[helper.make_opsetid("", 17)])
    assert fit(Spec.load("onnxprep: 1\npostprocess: [softmax]\n"), model).contract.warnings == ()


DETR = {"logits": TensorSpec("float32", ("N", 20, 92)), "pred_boxes": TensorSpec("float32", ("N", 20, 4))}
YOLO = {"output0": TensorSpec("float32", ("N", 84, 8400))}


@pytest.mark.parametrize(
    ("outputs", "like", "coordinates", "told"),
    [
        (DETR, "transformers-detr", "normalized", ""),
        (DETR, "transformers-detr", "pixels", "like transformers-detr are in 0..1: `coordinates: normalized`"),
        (YOLO, "yolov8", "pixels", ""),
        (YOLO, "yolov8", "normalized", "like yolov8 are in px: `coordinates: pixels`"),
    ],
)
def test_boxes_of_another_unit_are_doubted(outputs: dict[str, TensorSpec], like: str, coordinates: str, told: str):
    chosen = {"yolov8": {"nms": {"like": "ultralytics", "score_threshold": 0.25, "iou_threshold": 0.7}}}
    filtered = {"filter_detections": {"score_threshold": 0.5, "max_detections": 9}}
    spec = Spec.load({
        "onnxprep": 1,
        "inputs": [{"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "RGB", "shape": ["N", "H", "W", 3]}],
        "preprocess": [RESIZE, {"rescale": {"like": "numpy"}}, {"to_layout": {"layout": "NCHW"}}],
        "postprocess": [
            {"operation": "decode_boxes", "inputs": list(outputs), "parameters": {"like": like}},
            chosen.get(like, filtered),
            {"scale_boxes": {"frame": "resize", "coordinates": coordinates}},
        ],
    })  # fmt: skip
    signature = Signature({"x": TensorSpec("float32", ("N", 3, 8, 8))}, outputs)
    found = lint(plan(bind(spec, signature), signature))
    assert found == ((f"postprocess[2]: boxes of `decode_boxes` {told}",) if told else ())
