"""Verify: whatever was changed in a file since export is an error with exit 5, or said where it may be meant."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner, Result
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ContractError, ParityError, UsageError
from onnxprep.graph import metadata, names, seal, undo
from onnxprep.runtime import nodes, stored
from onnxprep.runtime.inspection import inspect, nodes_as_code
from onnxprep.runtime.session import Session

SPEC = """
onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, 8, 8, 3]}]
preprocess:
  - rescale: {like: numpy}
  - normalize: {mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4], like: numpy}
  - to_layout: {layout: NCHW}
postprocess:
  - softmax
  - top_k: {k: 3}
outputs: [top_k.values, top_k.indices, logits]
"""
PICTURE = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
Change = Callable[[ModelProto], object]


def classifier(x: list[object] | None = None, logits: list[object] | None = None, opset: int = 18) -> ModelProto:
    weights = np.random.default_rng(0).standard_normal((192, 10)).astype(np.float32)
    body = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["logits"])]
    graph = helper.make_graph(
        body, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, logits)],
        [numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def made(folder: Path, *, golden: bool, spec: str = SPEC, model: ModelProto | None = None) -> Path:
    source, out = folder / "model.onnx", folder / ("golden.onnx" if golden else "plain.onnx")
    source.write_bytes((model or classifier(["N", 3, 8, 8], ["N", 10])).SerializeToString())
    onnxprep.export(source, spec, out, goldens=[{"image": PICTURE}] if golden else [], force=True)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verify")
    for golden in (True, False):
        made(place, golden=golden)
    return place


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def changed(folder: Path, name: str, change: Change, to: Path, *, sealed: bool = False) -> Path:
    model = onnx.load(folder / f"{name}.onnx", load_external_data=False)
    change(model)
    if sealed:
        seal_again(model)
    to.write_bytes(model.SerializeToString())
    return to


def entry(model: ModelProto, key: str) -> onnx.StringStringEntryProto:
    return next(e for e in model.metadata_props if e.key == key)


def seal_again(model: ModelProto) -> None:
    """As somebody would who changes a text on purpose."""
    entry(model, seal.SEAL).value = seal.seal(metadata.read(model))


def body(model: ModelProto, operator: str) -> NodeProto:
    return next(n for n in model.graph.node if n.op_type == operator and not names.is_ours(n))


def reorder(model: ModelProto) -> None:
    outputs = [copy.deepcopy(o) for o in model.graph.output]
    del model.graph.output[:]
    model.graph.output.extend(reversed(outputs))


def opset(number: int) -> Change:
    return lambda model: setattr(model.opset_import[0], "version", number)


def past_our_nodes(model: ModelProto) -> None:
    last = [n for n in model.graph.node if n.name.startswith("onnxprep/pre")][-1]
    body(model, "Flatten").input[0] = last.input[0]


def past_all_our_nodes(model: ModelProto) -> None:
    body(model, "Flatten").input[0] = "image"


def not_loading(model: ModelProto) -> None:
    body(model, "Flatten").op_type = "NoSuchOperator"


def shadowed(model: ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(PICTURE, "image"))


def no_image_key(model: ModelProto) -> None:
    model.metadata_props.remove(entry(model, "Image.NominalPixelRange"))


CHANGES: dict[str, tuple[Change, str]] = {
    "an output is gone": (lambda m: m.graph.output.pop(2) and None, "logits"),
    "all outputs are gone": (lambda m: m.graph.ClearField("output"), "top_k.values"),
    "all inputs are gone": (lambda m: m.graph.ClearField("input"), "image"),
    "an output is renamed": (lambda m: setattr(m.graph.output[0], "name", "zz"), "top_k.values"),
    "outputs in another order": (reorder, "another order"),
    "the input is renamed": (lambda m: setattr(m.graph.input[0], "name", "img"), "image"),
    "the input has another dtype": (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 1), "image"),
    "the input has no type": (lambda m: m.graph.input[0].ClearField("type"), "image"),
    "an output has another type": (lambda m: setattr(m.graph.output[1].type.tensor_type, "elem_type", 1), "top_k.indices"),
    "a lower opset": (opset(13), "model.opset_import"),
    "a higher opset": (opset(19), "model.opset_import"),
    "one more import": (lambda m: m.opset_import.append(helper.make_opsetid("a.b", 1)), "model.opset_import"),
    "an image key says otherwise": (lambda m: setattr(entry(m, "Image.BitmapPixelFormat"), "value", "Bgr8"), "Image.BitmapPixelFormat"),
    "an image key is gone": (no_image_key, "Image.NominalPixelRange"),
    "an initializer called like our input": (shadowed, "image"),
    "the body reads an inner tensor of ours": (past_our_nodes, "joined"),
    "the body reads the picture": (past_all_our_nodes, "joined"),
    "an operator that nobody has": (not_loading, "NoSuchOperator"),
    "a node of ours is gone": (lambda m: m.graph.node.remove(metadata.onnxprep_nodes(m)[0]), "onnxprep/pre.0.rescale"),
}  # fmt: skip


@pytest.mark.parametrize("file", ["golden", "plain"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_exit_5_and_says_what(folder: Path, tmp_path: Path, name: str, file: str) -> None:
    change, word = CHANGES[name]
    result = call("verify", changed(folder, file, change, tmp_path / "changed.onnx"))
    assert result.exit_code == 5, (result.output, result.exception)
    assert word in result.stderr


@pytest.mark.parametrize("file", ["golden", "plain"])
def test_a_sound_file_verifies_also_when_it_was_written_again(folder: Path, tmp_path: Path, file: str) -> None:
    result = call("verify", changed(folder, file, lambda _: None, tmp_path / "same.onnx"))
    assert result.exit_code == 0, result.output
    assert "body" not in result.stdout
    assert "wiring" not in result.stdout


def negated(model: ModelProto, *, behind: bool) -> None:
    """A node more between steps and body."""
    at, neg = 0, helper.make_node("Neg", ["x"], ["neg"])
    if behind:
        body(model, "MatMul").output[0] = "neg"
        neg = helper.make_node("Neg", ["neg"], ["logits"])
        at = list(model.graph.node).index(body(model, "MatMul")) + 1
    else:
        at = list(model.graph.node).index(body(model, "Flatten"))
        body(model, "Flatten").input[0] = "neg"
    model.graph.node.insert(at, neg)


BODY: dict[str, Change] = {
    "a node behind our own": lambda m: negated(m, behind=False),
    "a node before our own": lambda m: negated(m, behind=True),
    "other weights": lambda m: setattr(m.graph.initializer[0], "raw_data", bytes(192 * 10 * 4)),
    "another operator": lambda m: setattr(body(m, "Flatten"), "op_type", "Identity"),
}


@pytest.mark.parametrize("name", list(BODY)[:3])
def test_a_changed_body_is_said_and_fails_by_its_golden(folder: Path, tmp_path: Path, name: str) -> None:
    plain = call("verify", changed(folder, "plain", BODY[name], tmp_path / "plain.onnx"))
    assert plain.exit_code == 0, plain.output
    (line,) = [line for line in plain.stdout.splitlines() if line.startswith("body ")]
    assert line.startswith("body    changed since export (sha256 ")
    assert call("verify", changed(folder, "golden", BODY[name], tmp_path / "golden.onnx")).exit_code == 5


def test_a_changed_body_that_does_not_load_is_exit_5(folder: Path, tmp_path: Path) -> None:
    result = call("verify", changed(folder, "plain", BODY["another operator"], tmp_path / "changed.onnx"))
    assert result.exit_code == 5
    assert "ONNX Runtime does not load it" in result.stderr


def test_a_spec_input_called_like_the_models_is_no_way_around_our_nodes(tmp_path: Path) -> None:
    """The body may then read the picture without a dangling name: stripping gives the very original."""
    spec = SPEC.replace("name: image, dtype: uint8", "name: x, dtype: float32").replace(
        "rescale: {like: numpy}", "softmax"
    )
    spec = spec.replace("like: numpy}\n  - to_layout", "like: numpy}\n  - to_layout").replace("layout: NHWC, color: RGB, shape: [N, 8, 8, 3]", "layout: NCHW, color: RGB, shape: [N, 3, 8, 8]")  # fmt: skip
    source = tmp_path / "model.onnx"
    source.write_bytes(classifier(["N", 3, 8, 8], ["N", 10]).SerializeToString())
    onnxprep.export(source, spec, tmp_path / "plain.onnx")
    assert call("verify", tmp_path / "plain.onnx").exit_code == 0

    def around(model: ModelProto) -> None:
        body(model, "Flatten").input[0] = "x"

    result = call("verify", changed(tmp_path, "plain", around, tmp_path / "changed.onnx"))
    assert result.exit_code == 5
    assert "not joined to the steps as export did it" in result.stderr


def test_an_unknown_provider_is_refused_before_anything_is_read(folder: Path) -> None:
    for file in ("plain", "golden"):
        assert call("verify", folder / f"{file}.onnx", "--provider", "nosuch").exit_code == 2


def test_a_file_of_another_version_is_held_to_its_own_digest(folder: Path, tmp_path: Path) -> None:
    """Its nodes are not what we would write, and its digest agrees with them."""

    def other(model: ModelProto) -> None:
        node = metadata.onnxprep_nodes(model)[0]
        node.doc_string = "written by a later version"
        entry(model, metadata.WRITER).value = "onnxprep 99"
        entry(model, metadata.NODES).value = metadata.nodes_digest(model)

    assert call("verify", changed(folder, "golden", other, tmp_path / "other.onnx", sealed=True)).exit_code == 0

    def worse(model: ModelProto) -> None:
        other(model)
        reorder(model)

    assert call("verify", changed(folder, "golden", worse, tmp_path / "worse.onnx", sealed=True)).exit_code == 5


def test_steps_that_are_not_installed_are_held_to_digest_and_golden(folder: Path, tmp_path: Path) -> None:
    def foreign(model: ModelProto) -> None:
        text = json.loads(entry(model, metadata.SPEC).value)
        text["postprocess"][0]["operation"] = "softest_max"
        entry(model, metadata.SPEC).value = json.dumps(text, sort_keys=True, separators=(",", ":"))
        spec = stored.stored_spec(metadata.read(model), "")
        entry(model, metadata.DIGEST).value = spec.digest

    path = changed(folder, "golden", foreign, tmp_path / "foreign.onnx", sealed=True)
    result = call("verify", path)
    assert result.exit_code == 0, result.output
    assert "wiring  not checked: softest_max is not installed" in result.stdout


def test_an_original_that_protobuf_writes_otherwise_is_told_from_a_changed_body(tmp_path: Path) -> None:
    model = classifier(["N", 3, 8, 8], ["N", 10])
    graph = ModelProto(graph=model.graph).SerializeToString()
    model.ClearField("graph")
    source, out = tmp_path / "model.onnx", tmp_path / "out.onnx"
    source.write_bytes(graph + model.SerializeToString())  # the graph before the IR version
    onnxprep.export(source, SPEC, out)
    assert "body" not in call("verify", out).stdout
    assert undo.strip(onnx.load(out)).state == "equal"
    assert inspect(out)["strip"].startswith("gives an equal model")
    weights = changed(tmp_path, "out", BODY["other weights"], tmp_path / "changed.onnx")
    assert "body    changed since export" in call("verify", weights).stdout
    assert undo.strip(onnx.load(weights)).state == "changed"
    assert inspect(weights)["strip"].startswith("gives another model")


# stored texts ------------------------------------------------------------------------------------------------------

FOREIGN = "onnxprep: 1\nname: LEAKED\nprovenance: {token: hunter2}\n"


@pytest.mark.parametrize(
    "text", ["FILE", "/etc/hostname", "", "\n", FOREIGN, ".", "1", "null", "{", '"x"', "[" * 100_000]
)
def test_a_stored_spec_is_json_or_nothing(folder: Path, tmp_path: Path, text: str) -> None:
    """Never a path: the text comes with the model."""
    (tmp_path / "secret.yaml").write_text(FOREIGN)
    text = text.replace("FILE", str(tmp_path / "secret.yaml"))
    path = changed(
        folder, "golden", lambda m: setattr(entry(m, metadata.SPEC), "value", text), tmp_path / "m.onnx", sealed=True
    )
    np.save(tmp_path / "picture.npy", PICTURE)
    for code, arguments in (
        (4, ["inspect", path]), (4, ["run", path, tmp_path / "picture.npy"]), (5, ["verify", path]),
    ):  # fmt: skip
        result = call(*arguments)
        assert result.exit_code == code, (arguments, result.output, result.exception)
        assert metadata.SPEC in result.stderr
        assert "LEAKED" not in result.output
        assert "hunter2" not in result.output


@pytest.mark.parametrize("key", [seal.SEAL, metadata.GOLDEN, metadata.UNDO, metadata.SPEC, metadata.NODES])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "NaN", '{"samples":NaN}', '{"a":1,"a":2}', "9" * 5000]
)
@pytest.mark.parametrize("sealed", [False, True])
def test_texts_that_break_parsers_are_exit_5(folder: Path, tmp_path: Path, key: str, text: str, sealed: bool) -> None:
    path = changed(
        folder, "golden", lambda m: setattr(entry(m, key), "value", text), tmp_path / "m.onnx",
        sealed=sealed and key != seal.SEAL,
    )  # fmt: skip
    result = call("verify", path)
    assert result.exit_code == 5, (result.output, result.exception)
    assert call("inspect", path).exit_code == (4 if key == metadata.SPEC else 0)
    assert call("strip", path, "-o", tmp_path / "back.onnx").exit_code == (4 if key == metadata.UNDO else 0)


def test_a_name_of_ours_that_is_not_utf8_is_exit_5(folder: Path, tmp_path: Path) -> None:
    data = (folder / "golden.onnx").read_bytes()
    name = metadata.onnxprep_nodes(onnx.load(folder / "golden.onnx"))[1].name.encode()
    at, found = -1, 0
    while (at := data.find(name, at + 1)) >= 0:
        (tmp_path / "m.onnx").write_bytes(data[: at + 3] + bytes([data[at + 3] ^ 0x80]) + data[at + 4 :])
        result = call("verify", tmp_path / "m.onnx")
        assert result.exit_code == 5, (result.output, result.exception)
        found += 1
    assert found > 1


def test_any_flipped_byte_is_found_or_harmless(folder: Path, tmp_path: Path) -> None:
    """Anywhere in the file: no traceback, and no exit code but these."""
    data, rng = (folder / "plain.onnx").read_bytes(), random.Random(7)
    codes = {0: 0, 4: 0, 5: 0}
    for _ in range(300):
        at = rng.randrange(len(data))
        (tmp_path / "m.onnx").write_bytes(data[:at] + bytes([data[at] ^ rng.choice([1, 0x80, 0xFF])]) + data[at + 1 :])
        result = call("verify", tmp_path / "m.onnx")
        assert result.exit_code in codes, (at, result.output, result.exception)
        codes[result.exit_code] += 1
    assert codes[5] > 100


def test_a_constant_of_ours_in_another_file_is_never_opened(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    def outside(model: ModelProto) -> None:
        tensor = next(n for n in metadata.onnxprep_nodes(model) if n.op_type == "Constant").attribute[0].t
        size = len(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="secret.bin")
        tensor.external_data.add(key="length", value=str(size))

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "secret.bin").write_bytes(bytes(4096))
    path = changed(folder, "golden", outside, tmp_path / "m.onnx")
    result = call("verify", path)
    assert result.exit_code == 5
    assert "keeps its constant in another file" in result.stderr
    with pytest.raises(ParityError, match="another file"):
        nodes_as_code(path)
    assert nodes.own_writer().startswith("onnxprep ")


def test_nodes_that_cannot_be_printed_are_said(folder: Path, tmp_path: Path) -> None:
    def untyped(model: ModelProto) -> None:
        next(n for n in metadata.onnxprep_nodes(model) if n.op_type == "Constant").attribute[0].t.data_type = 0

    result = call("inspect", changed(folder, "plain", untyped, tmp_path / "m.onnx"), "--source")
    assert result.exit_code == 4
    assert "onnxscript cannot print our nodes" in result.stderr


# sessions ----------------------------------------------------------------------------------------------------------


def failing(folder: Path) -> Path:
    """A model that loads and then fails at a node with control codes in its name."""
    model = classifier(["N", 3, 8, 8], ["M", 10])
    model.graph.node[0].CopyFrom(helper.make_node("Reshape", ["x", "shape"], ["f"], name="bad\x1b[31m\x07"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([7, 192]), "shape"))
    return made(folder, golden=False, model=model)


def test_onnxruntime_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    np.save(tmp_path / "picture.npy", PICTURE)
    code = "import sys; from onnxprep.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "run", str(failing(tmp_path)), str(tmp_path / "picture.npy")]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 4
    assert b"\x1b" not in result.stderr + result.stdout
    assert b"\x07" not in result.stderr + result.stdout
    assert b"bad\\x1b[31m\\x07" in result.stderr
    assert result.stderr.startswith(b"error: ")


def test_a_path_that_is_not_utf8_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "m\udcff.onnx"
    path.write_bytes(classifier(["N", 3, 8, 8]).SerializeToString())
    with pytest.raises(UsageError, match="not UTF-8"):
        Session(path)


def test_load_errors_never_name_the_draft(tmp_path: Path) -> None:
    model = classifier(["N", 3, 8, 8], ["N", 10])
    model.graph.node.append(helper.make_node("NoSuchOperator", ["x"], ["z"], domain="no.such.domain"))
    model.opset_import.append(helper.make_opsetid("no.such.domain", 1))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ContractError) as error:
        onnxprep.export(tmp_path / "model.onnx", SPEC, tmp_path / "out.onnx")
    assert ".part" not in str(error.value)
    assert str(tmp_path / "out.onnx") in str(error.value)


# validation --------------------------------------------------------------------------------------------------------

UNSHAPED: dict[str, tuple[list[object] | None, list[object] | None]] = {
    "no shape of the input": (None, ["N", 10]),
    "no shape of the output": (["N", 3, 8, 8], None),
    "no shapes": (None, None),
    "negative lengths": (["N", 3, -1, -1], [-1, 10]),
}


@pytest.mark.parametrize("name", UNSHAPED)
def test_models_that_say_little_of_their_shapes_are_valid(tmp_path: Path, name: str) -> None:
    x, logits = UNSHAPED[name]
    plain = made(tmp_path, golden=True, model=classifier(x, logits))
    assert call("verify", plain).exit_code == 0
    assert onnxprep.strip(plain, tmp_path / "back.onnx").exact
    assert (tmp_path / "back.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_a_step_behind_the_model_may_take_a_value_before_it(tmp_path: Path) -> None:
    """The model says nothing of that tensor."""
    step = "  - {operation: threshold, inputs: [rescale], parameters: {value: 0.5}}\n"
    spec = SPEC.replace("outputs: [", step + "outputs: [threshold, ")
    assert call("verify", made(tmp_path, golden=True, spec=spec)).exit_code == 0


# other tools -------------------------------------------------------------------------------------------------------


def optimised(path: Path, to: Path, level: ort.GraphOptimizationLevel) -> Path:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(to)
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return to


def test_strip_after_an_optimiser_leaves_nothing_of_ours(folder: Path, tmp_path: Path) -> None:
    """It made our constants initializers and left the body alone."""
    path = optimised(folder / "golden.onnx", tmp_path / "fast.onnx", ort.GraphOptimizationLevel.ORT_ENABLE_BASIC)
    assert call("verify", path).exit_code == 5
    assert any(tensor.name.startswith(names.PREFIX) for tensor in onnx.load(path).graph.initializer)
    assert call("strip", path, "-o", tmp_path / "back.onnx").exit_code == 0
    assert (tmp_path / "back.onnx").read_bytes() == (folder / "model.onnx").read_bytes()
    again = call("export", tmp_path / "back.onnx", "--spec", _spec_file(tmp_path), "-o", tmp_path / "again.onnx")
    assert again.exit_code == 0, again.output


def test_strip_of_a_changed_body_never_says_equal(folder: Path, tmp_path: Path) -> None:
    path = changed(folder, "plain", BODY["other weights"], tmp_path / "changed.onnx")
    result = call("strip", path, "-o", tmp_path / "back.onnx")
    assert result.exit_code == 0
    assert "equal" not in result.output
    assert "not the original: the body has been changed since the steps were attached" in result.stderr
    found = json.loads(call("strip", path, "-o", tmp_path / "back.onnx", "--force", "--json").stdout)
    assert (found["exact"], found["state"]) == (False, "changed")


def _spec_file(folder: Path) -> Path:
    (folder / "spec.yaml").write_text(SPEC)
    return folder / "spec.yaml"


def test_operators_that_a_later_tool_brought_keep_their_import(folder: Path, tmp_path: Path) -> None:
    def fused(model: ModelProto) -> None:
        node = body(model, "MatMul")
        node.op_type, node.domain = "FusedMatMul", "com.microsoft"
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))

    path = changed(folder, "plain", fused, tmp_path / "fused.onnx")
    assert "body    changed since export" in call("verify", path).stdout
    assert onnxprep.strip(path, tmp_path / "back.onnx").state == "changed"
    Session(tmp_path / "back.onnx")


def test_a_constant_of_ours_that_the_body_reads_is_refused(folder: Path, tmp_path: Path) -> None:
    def folded(model: ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((192, 10), np.float32), "onnxprep/folded"))
        body(model, "MatMul").input[1] = "onnxprep/folded"

    path = changed(folder, "plain", folded, tmp_path / "folded.onnx")
    result = call("strip", path, "-o", tmp_path / "back.onnx")
    assert result.exit_code == 4
    assert "the body reads onnxprep/folded, which belongs to them" in result.stderr
    assert call("verify", path).exit_code == 5


def test_what_is_left_of_our_steps_without_its_record_is_said_alike(folder: Path, tmp_path: Path) -> None:
    model = classifier(["N", 3, 8, 8], ["N", 10])
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3), "onnxprep/pre.0.rescale/Constant_1"))
    (tmp_path / "left.onnx").write_bytes(model.SerializeToString())
    export = call("export", tmp_path / "left.onnx", "--spec", _spec_file(tmp_path), "-o", tmp_path / "out.onnx")
    strip = call("strip", tmp_path / "left.onnx", "-o", tmp_path / "out.onnx")
    assert (export.exit_code, strip.exit_code) == (4, 4)
    assert "has onnxprep steps, but not the record" in export.stderr
    assert "has onnxprep steps, but not the record" in strip.stderr
