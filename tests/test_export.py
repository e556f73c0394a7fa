"""Export against models that nobody here made: the result is preprocessing and original run apart, bit for bit."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from demo import MODEL, PICTURE, SPEC, exported, pixels
from onnx import TensorProto, helper, numpy_helper

import onnxprep
from onnxprep.tensor import Array

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))
IMAGENET = """onnxprep: 1
like: torchvision-v1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: 256, interpolation: bilinear, like: pillow-13}
  - center_crop: {size: 224}
  - rescale
  - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  - to_layout: {layout: NCHW}
"""


def session(source: bytes | str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def picture(seed: int, height: int = 301, width: int = 417) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (1, height, width, 3), dtype=np.uint8)


def apart(model: Path, spec: str, image: Array) -> list[Array]:
    """The model's own outputs, fed with what preprocessing alone makes."""
    (tensor,) = session(onnxprep.build(spec).SerializeToString()).run(None, {"image": image})
    original = session(str(model))
    return list(original.run(None, {original.get_inputs()[0].name: tensor}))


def assert_same_bits(got: Array, expected: Array) -> None:
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    assert got.tobytes() == expected.tobytes()


def check(model: Path, spec: str, out: Path, image: Array) -> None:
    onnxprep.export(model, spec, out, goldens=[{"image": image}])
    together = onnxprep.Pipeline(out)(image=image)
    for got, expected in zip(together.values(), apart(model, spec, image), strict=True):
        assert_same_bits(got, expected)
    onnxprep.verify(out)
    back = out.with_suffix(".back.onnx")
    assert onnxprep.strip(out, back).exact
    assert hashlib.sha256(back.read_bytes()).digest() == hashlib.sha256(model.read_bytes()).digest()


def test_all_nine_light_models_are_there() -> None:
    assert len(LIGHT) == 9


@pytest.mark.parametrize("model", LIGHT, ids=lambda path: path.stem)
def test_light_models(model: Path, tmp_path: Path) -> None:
    check(model, IMAGENET, tmp_path / "out.onnx", picture(1))


def test_opset_9_is_restamped_and_said(tmp_path: Path) -> None:
    report = onnxprep.export(LIGHT[0], IMAGENET, tmp_path / "out.onnx")
    assert "opset 9 -> 11 (restamped, proven equal)" in report.contract


@pytest.mark.filterwarnings("ignore")  # torch's exporters warn about themselves
@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "torchscript"])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "vit"])
def test_torch_exports(name: str, dynamo: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: the export itself is what is tested")
    from torchvision import models

    torch.manual_seed(0)
    if name == "vit":
        network = models.VisionTransformer(224, 32, 2, 2, 64, 128, num_classes=10)
    else:
        network = getattr(models, name)(weights=None)
    model = tmp_path / "model.onnx"
    arguments: dict[str, object] = (
        {"dynamo": True, "external_data": False} if dynamo else {"dynamo": False, "opset_version": 17}
    )
    torch.onnx.export(network.eval(), (torch.zeros(1, 3, 224, 224),), str(model), **arguments)
    check(model, IMAGENET, tmp_path / "out.onnx", picture(2))


def test_the_demo_end_to_end(tmp_path: Path) -> None:
    out = exported(tmp_path / "demo.onnx")
    made = onnxprep.Pipeline(out)(image=pixels()[None])
    assert made["labels"].tolist()[0][0] == "3 blue"
    assert list(made) == ["labels", "top_k.values"]


def test_same_inputs_same_bytes(tmp_path: Path) -> None:
    files = [exported(tmp_path / name).read_bytes() for name in ("a.onnx", "b.onnx")]
    assert files[0] == files[1]


def test_no_run_loads_no_session(tmp_path: Path) -> None:
    report = onnxprep.export(MODEL, SPEC, tmp_path / "out.onnx", run=False)
    assert report.goldens == []
    onnxprep.verify(tmp_path / "out.onnx")


def big_golden(out: Path) -> Array:
    image = np.random.default_rng(5).integers(0, 256, (1, 900, 1200, 3), dtype=np.uint8)
    onnxprep.export(MODEL, SPEC, out, goldens=[{"image": image}])
    return image


def test_a_large_golden_lies_beside_the_model(tmp_path: Path) -> None:
    image = big_golden(tmp_path / "out.onnx")
    tensor = onnx.TensorProto.FromString((tmp_path / "test_data_set_0" / "input_0.pb").read_bytes())
    assert np.array_equal(numpy_helper.to_array(tensor), image)
    onnxprep.verify(tmp_path / "out.onnx")


def test_a_changed_file_beside_the_model_is_named(tmp_path: Path) -> None:
    big_golden(tmp_path / "out.onnx")
    path = tmp_path / "test_data_set_0" / "input_0.pb"
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(onnxprep.ParityError) as error:
        onnxprep.verify(tmp_path / "out.onnx")
    assert error.value.at == "samples[0].inputs.image"


def external(folder: Path) -> Path:
    weights = np.random.default_rng(0).standard_normal((5, 6, 3)).astype(np.float32)
    x = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 5, 6, 3])
    y = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5, 6, 3])
    node = helper.make_node("Mul", ["pixels", "w"], ["scores"])
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    return folder / "model.onnx"


FLOATS = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, 5, 6, 3]}]
preprocess:
  - rescale: {like: torchvision-v1}
"""


def test_external_data_is_referred_to_where_it_lies(tmp_path: Path) -> None:
    model = external(tmp_path)
    before = (tmp_path / "weights.bin").stat()
    check(model, FLOATS, tmp_path / "out.onnx", picture(3, 5, 6))
    after = (tmp_path / "weights.bin").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert (tmp_path / "out.onnx").stat().st_size < 30_000


def test_external_data_is_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    check(external(tmp_path / "a"), FLOATS, tmp_path / "b" / "out.onnx", picture(3, 5, 6))
    assert (tmp_path / "b" / "weights.bin").read_bytes() == (tmp_path / "a" / "weights.bin").read_bytes()


def test_the_new_input_may_keep_the_models_own_name(tmp_path: Path) -> None:
    spec = (
        SPEC.read_text().replace("name: image", "name: pixel_values").replace("file: labels.txt", f"names: {names()}")
    )
    onnxprep.export(MODEL, spec, tmp_path / "out.onnx", goldens=[{"pixel_values": pixels()[None]}])
    made = onnxprep.Pipeline(tmp_path / "out.onnx")(pixel_values=pixels()[None])
    assert made["labels"].tolist()[0][0] == "3 blue"
    onnxprep.verify(tmp_path / "out.onnx")
    assert onnxprep.strip(tmp_path / "out.onnx", tmp_path / "back.onnx").exact


def names() -> list[str]:
    return (SPEC.parent / "labels.txt").read_text().split("\n")[:-1]


def test_the_usual_triple(tmp_path: Path) -> None:
    """Predictions, confidence and probabilities, as classifiers are wrapped everywhere."""
    head, _, _ = SPEC.read_text().partition("postprocess:")
    spec = f"""{head}postprocess:
  - {{operation: softmax, outputs: [probabilities]}}
  - {{operation: argmax, outputs: [predictions, confidence]}}
outputs: [predictions, confidence, probabilities]
"""
    onnxprep.export(MODEL, spec, tmp_path / "out.onnx")
    made = onnxprep.Pipeline(tmp_path / "out.onnx")(image=pixels()[None])
    assert list(made) == ["predictions", "confidence", "probabilities"]
    assert made["predictions"][0] == made["probabilities"][0].argmax()
    assert made["confidence"][0] == made["probabilities"][0].max()


def test_a_declared_decoder_is_run_and_the_rest_of_the_world_is_told(tmp_path: Path) -> None:
    decoder = "  - {operation: decode_image, where: caller, inputs: [file], outputs: [image], parameters: {like: pillow-13}}\n"
    spec = IMAGENET.replace("preprocess:\n", "preprocess:\n" + decoder)
    out = tmp_path / "out.onnx"
    onnxprep.export(LIGHT[0], spec, out)
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert metadata["onnxprep.caller"] == "decode_image"
    pipeline = onnxprep.Pipeline(out)
    decoded, given = pipeline(file=PICTURE.read_bytes()), pipeline(image=pixels()[None])
    for name, array in decoded.items():
        assert_same_bits(array, given[name])
