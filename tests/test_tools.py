"""Other tools, before and after export: nothing is lost without being said, and first tool then export loses nothing."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, StringStringEntryProto, TensorAnnotation, numpy_helper
from other_tools import TOOLS, Tool, half_by_ort, quiet
from survival import Subject, after, attached, before, call, exported, subjects

import onnxprep

ROOT = Path(__file__).parents[1]
FOUND = json.loads((ROOT / "fixtures" / "tools" / "found.json").read_text("utf-8"))
DEMO, WIDE = (replace(subject, pictures=subject.pictures[:1]) for subject in subjects())
Change = Callable[[ModelProto], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of each subject, which the tools are run on."""
    place = tmp_path_factory.mktemp("tools")
    for subject in (DEMO, WIDE):
        (place / subject.name).mkdir()
        exported(subject, place / subject.name)
    return place


def installed(tool: Tool) -> Tool:
    if tool.missing:
        pytest.importorskip(tool.missing, reason=f"{tool.package} is not installed (extra `tools`)")
    return tool


def row(side: str, tool: Tool, subject: Subject) -> dict[str, object]:
    return FOUND[side][subject.name][TOOLS.index(tool)]


def name(tool: Tool) -> str:
    return f"{tool.package}: {tool.name}"


def named(part: str) -> Tool:
    return next(tool for tool in TOOLS if part in name(tool))


# after -------------------------------------------------------------------------------------------------------------

PLACE = re.compile(r"onnxprep/|model: |model\.opset_import: |samples\[0\]|image: |labels: ")


@pytest.mark.parametrize("tool", TOOLS, ids=name)
def test_after_a_tool_the_spec_is_found_and_what_changed_is_named(folder: Path, tool: Tool) -> None:
    found, made = after(installed(tool), DEMO, folder / "demo")
    known = row("after", tool, DEMO)
    if found.package == known["package"]:
        parts = ("failed", "verify", "goldens", "keys", "original")
        told = json.loads(json.dumps(found.to_dict()))
        assert [bool(told["failed"]), told["verify"][0], told["goldens"][:18]] == [
            bool(known["failed"]), known["verify"][0], known["goldens"][:18],
        ]  # fmt: skip
        assert [told[part] for part in parts[3:]] == [known[part] for part in parts[3:]]
    if found.failed:
        assert known["failed"], "it works with the version of the page"
        return
    code, said = found.verify
    assert not found.keys
    if made.suffix == ".ort":
        assert (code, found.run) == (4, "")
        assert "ONNX Runtime's own format" in said
        return
    assert not found.inspect
    if code == 0:
        assert (found.fed, found.outputs) == (0, "the same bits")
    else:
        assert code == 5
        assert PLACE.match(said)
        assert found.goldens or said.startswith("samples[0]") or "another file" in said
    if found.goldens.startswith("the goldens hold"):
        assert (found.fed, found.outputs) == (0, "the same bits")
    if found.run:
        assert found.goldens.startswith("the goldens cannot be run") or "another file" in said


def test_the_page_tells_of_every_tool() -> None:
    for side in ("after", "before"):
        for rows in FOUND[side].values():
            assert [(each["package"].split(" ")[0], each["tool"]) for each in rows] == [
                (tool.package, tool.name) for tool in TOOLS
            ]


def test_what_the_page_promises_of_the_order() -> None:
    """Tool first, export last: the same bits and the tool's own file back, wherever the tool's model runs at all."""
    rows = [each for rows in FOUND["before"].values() for each in rows]
    taken = [each for each in rows if not each["failed"] and not each["export"]]
    assert len(taken) > 50
    assert all(each["differing"] == 0 and each["values"] >= 150 for each in taken)
    assert all(each["verify"][0] == 0 and each["original"] for each in taken)
    said = {each["verify"][1] for each in taken}
    assert all(not text or text.startswith("weights made.onnx.data, ") for text in said), "nothing changed"
    refused = {(each["tool"], each["export"]) for each in rows if each["export"]}
    assert {tool for tool, _ in refused} == {"convert_onnx_models_to_ort", "save, external data, constants too"}


# before ------------------------------------------------------------------------------------------------------------

FIRST = ("EXTENDED", "quantize_static", "NBits", "onnx: version_converter", "onnxsim", "onnxslim", "converter-common")


@pytest.mark.parametrize("part", FIRST)
def test_tool_first_then_export_loses_nothing(tmp_path: Path, part: str) -> None:
    found = before(installed(named(part)), WIDE, tmp_path)
    assert (found.failed, found.export) == ("", "")
    assert (found.differing, found.values) == (0, 100)
    assert found.verify == (0, "")
    assert found.original


def half(subject: Subject, folder: Path) -> Path:
    """The subject's model with float16 all through, inputs and outputs too."""
    with quiet():
        half_by_ort(block=False, keep_io=False)(subject.write(folder), folder / "half.onnx", ())
    return folder / "half.onnx"


def test_a_model_that_takes_float16(tmp_path: Path) -> None:
    made = half(WIDE, tmp_path)
    refused = call("check", "--model", made, _written(tmp_path, WIDE.spec))
    assert refused.exit_code == 4
    assert "to_dtype" in refused.stderr
    spec = WIDE.spec.partition("postprocess:")[0] + "  - to_dtype: {dtype: float16}\noutputs: [to_dtype]\n"
    found = attached("float16", "", replace(WIDE, spec=spec, fed="to_dtype"), made, tmp_path)
    assert (found.export, found.differing, found.values, found.verify) == ("", 0, 100, (0, ""))
    assert found.original


def _written(folder: Path, spec: str) -> Path:
    (folder / "spec.yaml").write_text(spec)
    return folder / "spec.yaml"


def annotated() -> ModelProto:
    """Scales and zero points named by annotations alone, of the model's input and output among others."""
    model = ModelProto.FromString(WIDE.model)
    for tensor in ("pixels", "r1", "logits"):
        model.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), f"{tensor}_scale"))
        model.graph.initializer.append(numpy_helper.from_array(np.uint8(3), f"{tensor}_zero"))
        entries = {"SCALE_TENSOR": f"{tensor}_scale", "ZERO_POINT_TENSOR": f"{tensor}_zero"}
        parameters = [StringStringEntryProto(key=key, value=value) for key, value in entries.items()]
        annotation = TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=parameters)
        model.graph.quantization_annotation.append(annotation)
    return model


@pytest.mark.parametrize("image", ["image", "pixels"])
def test_annotations_of_a_quantised_model_stay_with_their_tensors(tmp_path: Path, image: str) -> None:
    model = annotated()
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    spec = WIDE.spec.replace("name: image", f"name: {image}")
    onnxprep.export(tmp_path / "model.onnx", spec, tmp_path / "out.onnx")
    out = onnx.load(tmp_path / "out.onnx")
    body = next(node for node in out.graph.node if node.name == "conv1")
    kept = {annotation.tensor_name: annotation for annotation in out.graph.quantization_annotation}
    assert len(kept) == 3
    for before_, after_ in (("pixels", body.input[0]), ("r1", "r1"), ("logits", "logits")):
        (wanted,) = (a for a in model.graph.quantization_annotation if a.tensor_name == before_)
        assert list(kept[after_].quant_parameter_tensor_names) == list(wanted.quant_parameter_tensor_names)
    assert onnxprep.strip(tmp_path / "out.onnx", tmp_path / "back.onnx").exact
    assert (tmp_path / "back.onnx").read_bytes() == model.SerializeToString()


@pytest.mark.parametrize("part", ["quantize_static, ours excluded", "EXTENDED"])
def test_a_file_that_a_tool_has_written_still_runs(folder: Path, tmp_path: Path, part: str) -> None:
    made = named(part)(folder / "wide" / "served.onnx", tmp_path / "made.onnx", [{"image": WIDE.pictures[0]}])
    outputs = onnxprep.Pipeline(made)(image=[WIDE.pictures[0], WIDE.pictures[0][:, 5:]])
    assert [array.shape for array in outputs["top_k.values"]] == [(1, 5), (1, 5)]


def test_lengths_that_a_tool_declares_wrongly_are_not_blamed_on_the_picture(folder: Path, tmp_path: Path) -> None:
    found, _ = after(named("symbolic_shape_infer"), DEMO, folder / "demo")
    if found.failed or not found.run:
        pytest.skip("this version of onnxruntime infers them well")
    assert "`resize` makes another shape than the file declares" in found.run


# the page ----------------------------------------------------------------------------------------------------------


def test_the_programs_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "tools.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    commands = re.findall(
        r"^```sh\n(.*?)^```$", (ROOT / "docs" / "tools.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert (len(programs), len(commands)) == (2, 1)
    monkeypatch.chdir(tmp_path)
    WIDE.write(tmp_path)
    _written(tmp_path, WIDE.spec)
    for program in programs:
        with quiet():
            exec(compile(program, "docs/tools.md", "exec"), {})  # noqa: S102
    assert "body" not in call("verify", "served.onnx").stdout
    assert onnxprep.strip("served.onnx", "back.onnx").exact
    assert (tmp_path / "back.onnx").read_bytes() == (tmp_path / "smaller.onnx").read_bytes()
    result = call("verify", "served.int8.onnx")
    assert "as exported" in result.stdout
    for line in commands[0].splitlines():
        done = call(*shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, done.output
    assert call("verify", "served.new.onnx").exit_code == 0
    assert onnxprep.strip("served.new.onnx", "back.onnx", force=True).exact
