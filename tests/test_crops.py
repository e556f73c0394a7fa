"""Ten crops before a model, their mean behind it: one answer per image, as test-time augmentation has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxprep
from onnxprep.errors import ContractError

WEIGHTS = np.random.default_rng(1).standard_normal((3 * 8 * 8, 5)).astype(np.float32)


def classifier(path: Path, batch: int | str = "N") -> Path:
    """[N, 3, 8, 8] -> five logits."""
    x = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, 8, 8])
    y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 5])
    nodes = [helper.make_node("Flatten", ["pixels"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])]
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(WEIGHTS, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def spec(operation: str, frame: str = "", **mean: object) -> dict[str, object]:
    image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "RGB", "shape": ["N", "H", "W", 3]}
    return {
        "onnxprep": 1, "like": "torchvision-v1", "inputs": [image],
        "preprocess": [{operation: {"size": 8}}, "rescale", {"to_layout": {"layout": "NCHW"}}],
        "postprocess": [{"mean_over_crops": {"frame": frame or operation, **mean}}],
    }  # fmt: skip


def by_hand(images: np.ndarray, crops: int) -> np.ndarray:
    """torchvision's order, written out: the four corners, the centre, then all of it mirrored."""
    answers = []
    for image in images:
        height, width = image.shape[:2]
        top, left = round((height - 8) / 2), round((width - 8) / 2)
        mirrored = [image, image[:, ::-1]][: crops // 5]
        parts = [
            each[y : y + 8, x : x + 8]
            for each in mirrored
            for y, x in ((0, 0), (0, width - 8), (height - 8, 0), (height - 8, width - 8), (top, left))
        ]
        batch = np.stack(parts).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        answers.append((batch.reshape(crops, -1) @ WEIGHTS).mean(axis=0))
    return np.stack(answers)


@pytest.mark.parametrize(("operation", "crops"), [("five_crop", 5), ("ten_crop", 10)])
def test_one_answer_per_image(operation: str, crops: int, tmp_path: Path):
    out = tmp_path / "out.onnx"
    onnxprep.export(classifier(tmp_path / "model.onnx"), spec(operation), out)
    images = np.random.default_rng(2).integers(0, 256, (3, 13, 11, 3)).astype(np.uint8)
    made = onnxprep.Pipeline(out)(image=images)
    np.testing.assert_allclose(made["mean_over_crops"], by_hand(images, crops), rtol=1e-5, atol=1e-6)
    assert onnxprep.Spec.load(onnxprep.Pipeline(out).spec.dump()) == onnxprep.Pipeline(out).spec


def test_a_model_of_one_image_is_refused(tmp_path: Path):
    document = {**spec("ten_crop"), "postprocess": []}
    document["inputs"][0]["shape"][0] = 1  # type: ignore[index]
    model = classifier(tmp_path / "model.onnx", 1)
    with pytest.raises(ContractError) as caught:
        onnxprep.export(model, document, tmp_path / "out.onnx")
    assert "axis 0" in caught.value.problem


@pytest.mark.parametrize(
    ("frame", "mean", "problem"),
    [
        ("rescale", {}, "does not average the crops of its frame"),
        ("", {"crops": 10}, "does not average the crops of its frame"),
        ("tencrop", {}, '"tencrop" is no step before the model'),
    ],
)
def test_frames_that_are_none(frame: str, mean: dict[str, object], problem: str, tmp_path: Path):
    with pytest.raises(ContractError) as caught:
        onnxprep.export(classifier(tmp_path / "model.onnx"), spec("five_crop", frame, **mean), tmp_path / "out.onnx")
    assert caught.value.problem == problem
    assert caught.value.at == "postprocess[0].parameters.frame"
