"""export --split: three models that give together what the one file gives."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from small import FED, SPEC, small

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ContractError, OnnxprepError, ParityError, UsageError
from onnxprep.runtime import parts, split
from onnxprep.runtime.inspection import inspect
from onnxprep.runtime.session import Session
from onnxprep.runtime.split import export_split
from onnxprep.runtime.verify import verify
from onnxprep.tensor import Array

DETECTOR = """onnxprep: 1
like: torchvision-v1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - letterbox: {size: 32, like: ultralytics, resize_like: opencv-5}
  - rescale
  - to_layout: {layout: NCHW}
postprocess:
  - {operation: scale_boxes, inputs: [found], parameters: {frame: letterbox, like: ultralytics}}
outputs: [scale_boxes, found, letterbox.in_size]
"""


def detector(folder: Path, inputs: str = "x", output: str = "found") -> Path:
    """x [N, 3, 32, 32] -> boxes [N, 5, 4], which depend on every pixel."""
    weights = np.random.default_rng(0).uniform(0, 0.02, (3 * 32 * 32, 20)).astype(np.float32)
    nodes = [
        helper.make_node("Flatten", [inputs], ["flat"]),
        helper.make_node("MatMul", ["flat", "W"], ["product"]),
        helper.make_node("Reshape", ["product", "shape"], [output]),
    ]
    graph = helper.make_graph(
        nodes, "detector",
        [helper.make_tensor_value_info(inputs, TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", 5, 4])],
        [numpy_helper.from_array(weights, "W"), numpy_helper.from_array(np.array([-1, 5, 4]), "shape")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def chained(folder: Path, given: dict[str, Array]) -> dict[str, Array]:
    """The three in turn; every value goes on under its name."""
    known = dict(given)
    for name in ("preprocess.onnx", "model.onnx", "postprocess.onnx"):
        if (folder / name).exists():
            session = Session(folder / name)
            known |= session.run({key: known[key] for key in session.inputs})
    return known


def pictures(n: int, height: int, width: int) -> dict[str, Array]:
    return {"image": np.random.default_rng(height).integers(0, 256, (n, height, width, 3), dtype=np.uint8)}


@pytest.mark.parametrize(("inputs", "output"), [("x", "found"), ("image", "boxes")])
def test_the_three_give_what_the_one_gives(tmp_path: Path, inputs: str, output: str) -> None:
    """Also where the model's input is called like the picture, and its output otherwise than the value."""
    text = DETECTOR if output == "found" else DETECTOR + f"model: {{outputs: {{found: {output}}}}}\n"
    model = detector(tmp_path, inputs, output)
    onnxprep.export(model, text, tmp_path / "one.onnx")
    report = export_split(model, text, tmp_path / "three")
    assert (tmp_path / "three" / "model.onnx").read_bytes() == model.read_bytes()
    whole = Session(tmp_path / "one.onnx")
    for n, height, width in ((1, 48, 31), (4, 20, 77), (2, 32, 32), (0, 9, 9)):
        wanted = whole.run(pictures(n, height, width))
        if inputs == "image":  # the name is the picture's: what feeds the model has its value's
            assert "to_layout goes into the model's image" in report.contract
            first = Session(tmp_path / "three" / "preprocess.onnx").run(pictures(n, height, width))
            raw = Session(model).run({"image": first["to_layout"]})
            got = Session(tmp_path / "three" / "postprocess.onnx").run(
                {"boxes": raw["boxes"], "letterbox.in_size": first["letterbox.in_size"],
                 "letterbox.gain": first["letterbox.gain"], "letterbox.offset": first["letterbox.offset"]}
            )  # fmt: skip
            got |= {"found": raw["boxes"], "letterbox.in_size": first["letterbox.in_size"]}
        else:
            got = chained(tmp_path / "three", pictures(n, height, width))
        for name, array in wanted.items():
            assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape), name
            assert got[name].tobytes() == array.tobytes(), name
        assert wanted["letterbox.in_size"].tolist() == [height, width]


def test_values_pass_between_the_parts_under_their_names(tmp_path: Path) -> None:
    export_split(detector(tmp_path), DETECTOR, tmp_path / "three")
    first, last = (Session(tmp_path / "three" / f"{side}process.onnx") for side in ("pre", "post"))
    assert set(first.outputs) == {"x", "letterbox.in_size", "letterbox.gain", "letterbox.offset"}
    assert set(last.inputs) == {"found", "letterbox.in_size", "letterbox.gain", "letterbox.offset"}
    assert set(last.outputs) == {"scale_boxes"}
    assert onnx.load(tmp_path / "three" / "postprocess.onnx").graph.input[0].name == "found"


def test_an_output_that_is_the_picture_is_told(tmp_path: Path) -> None:
    text = DETECTOR.replace("outputs: [scale_boxes,", "outputs: [image, scale_boxes,")
    assert "output image is the input image" in export_split(detector(tmp_path), text, tmp_path / "three").contract


def test_a_side_without_steps_has_no_file(tmp_path: Path) -> None:
    text = "onnxprep: 1\ninputs: []\npostprocess: [softmax, {top_k: {k: 3}}]\n"
    report = export_split(small(tmp_path), text, tmp_path / "two")
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["model.onnx", "postprocess.onnx"]
    assert report.files["postprocess.onnx"] == "logits -> top_k.values, top_k.indices"


def test_weights_come_along(tmp_path: Path) -> None:
    report = export_split(small(tmp_path, outside=True), SPEC, tmp_path / "three")
    assert (tmp_path / "three" / "weights.bin").read_bytes() == (tmp_path / "weights.bin").read_bytes()
    assert "copied to" in report.weights[0]


def test_parts_say_what_they_are_and_can_be_verified(tmp_path: Path) -> None:
    export_split(detector(tmp_path), DETECTOR, tmp_path / "three")
    part = tmp_path / "three" / "preprocess.onnx"
    stored = {entry.key: entry.value for entry in onnx.load(part).metadata_props}
    assert stored["onnxprep.part"] == "preprocess"
    assert stored["onnxprep.model_sha256"] == hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest()
    assert "preprocess alone" in verify(part).lines[-1]
    shown = CliRunner().invoke(main, ["inspect", str(part), "--json"])
    assert json.loads(shown.stdout)["part"] == "preprocess alone, without the model"
    damaged = onnx.load(part)
    del damaged.graph.node[-1]
    onnx.save(damaged, part)
    with pytest.raises(ParityError, match="does not match our nodes"):
        verify(part)


def test_caller_steps_are_told_by_the_part_that_needs_them(tmp_path: Path) -> None:
    text = DETECTOR + "provenance: {}\n"
    text = text.replace(
        "outputs: [scale", "  - {operation: draw, where: caller, inputs: [scale_boxes]}\noutputs: [scale"
    )
    export_split(detector(tmp_path), text, tmp_path / "three")
    keys = [
        {entry.key for entry in onnx.load(tmp_path / "three" / f"{side}process.onnx").metadata_props}
        for side in ("pre", "post")
    ]
    assert ["onnxprep.caller" in found for found in keys] == [False, True]
    told = ["caller" in inspect(tmp_path / "three" / f"{side}process.onnx") for side in ("pre", "post")]
    assert told == [False, True]


def test_a_part_runs_with_the_callers_of_its_own_side(tmp_path: Path) -> None:
    decoder = "  - {operation: decode_image, where: caller, inputs: [file], outputs: [image], parameters: {like: pillow-13}}\n"
    text = DETECTOR.replace("preprocess:\n", f"preprocess:\n{decoder}")
    drawing = "  - {operation: draw, where: caller, inputs: [scale_boxes], outputs: [drawn]}\n"
    export_split(detector(tmp_path), text.replace("outputs: [scale", f"{drawing}outputs: [scale"), tmp_path / "three")
    given = pictures(1, 48, 31)
    picture = io.BytesIO()
    Image.fromarray(given["image"][0]).save(picture, "PNG")
    first = onnxprep.Pipeline(tmp_path / "three" / "preprocess.onnx")
    last = onnxprep.Pipeline(tmp_path / "three" / "postprocess.onnx", callers={"draw": len})
    assert first.inputs == ("image", "file")
    assert "drawn" not in first.outputs
    made = first(file=picture.getvalue())
    made["found"] = Session(tmp_path / "three" / "model.onnx").run({"x": made["x"]})["found"]
    assert last.inputs == ("found", "letterbox.in_size", "letterbox.gain", "letterbox.offset")
    answer = last(**{name: made[name] for name in last.inputs})
    assert answer["drawn"] == 1
    assert answer["scale_boxes"].tobytes() == chained(tmp_path / "three", given)["scale_boxes"].tobytes()


def test_a_part_is_no_model(tmp_path: Path) -> None:
    export_split(detector(tmp_path), DETECTOR, tmp_path / "three")
    part = tmp_path / "three" / "preprocess.onnx"
    with pytest.raises(ContractError, match="holds steps alone, and no model"):
        onnxprep.strip(part, tmp_path / "back.onnx")
    with pytest.raises(ContractError, match="holds steps alone, and no model"):
        onnxprep.export(part, DETECTOR, tmp_path / "again.onnx")
    assert not (tmp_path / "back.onnx").exists()


def refused(model: Path, folder: Path, text: str = DETECTOR) -> OnnxprepError:
    with pytest.raises(OnnxprepError) as caught:
        export_split(model, text, folder)
    return caught.value


def test_nothing_is_left_of_what_is_refused(tmp_path: Path) -> None:
    model, folder = detector(tmp_path), tmp_path / "three"
    assert (
        "flip" in refused(model, folder, DETECTOR.replace("  - rescale\n", "  - rescale\n  - flip: {}\n")).at + "flip"
    )
    assert not folder.exists()
    folder.mkdir()
    (folder / "postprocess.onnx").write_bytes(b"mine")
    error = refused(model, folder)
    assert (type(error), error.problem, error.at) == (UsageError, "exists", str(folder / "postprocess.onnx"))
    assert [path.name for path in folder.iterdir()] == ["postprocess.onnx"]
    assert (folder / "postprocess.onnx").read_bytes() == b"mine"
    assert refused(model, tmp_path / "no" / "such").at == str(tmp_path / "no" / "such")
    assert refused(model, tmp_path).problem.startswith("is the input too")


def test_on_the_command_line(tmp_path: Path) -> None:
    model = detector(tmp_path)
    (tmp_path / "spec.yaml").write_text(DETECTOR)
    command = ["export", str(model), "--spec", str(tmp_path / "spec.yaml")]
    done = CliRunner().invoke(main, [*command, "--split", str(tmp_path / "three")])
    assert done.exit_code == 0, done.output
    assert "output found is the model's found" in done.stdout
    assert f"wrote {tmp_path / 'three' / 'model.onnx'}: the model, byte for byte" in done.stdout
    for wrong, told in (
        ([], "-o OUTPUT and --split DIR"),
        (["-o", "x.onnx", "--split", "y"], "-o OUTPUT and --split DIR"),
        (["--split", "y", "--golden", "z.png"], "--golden is for one file"),
    ):
        failed = CliRunner().invoke(main, [*command, *wrong])
        assert (failed.exit_code, told in failed.stderr) == (2, True), failed.output


def test_names_that_the_one_file_could_not_have(tmp_path: Path) -> None:
    """An input of the model that stays, and a picture or an answer that is called like it."""
    model = small(tmp_path, mask=True)
    taken = "postprocess: [{operation: softmax, outputs: [mask]}]\n"
    error = refused(model, tmp_path / "three", FED + taken)
    assert (error.at, error.problem) == ("mask", "is the name of a model input or output that stays as it is")
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("force", [False, True])
def test_weights_called_like_a_part(tmp_path: Path, force: bool) -> None:
    model = onnx.load(small(tmp_path))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="preprocess.onnx", size_threshold=0)
    with pytest.raises(UsageError, match=r"preprocess\.onnx: is the name of the model's external data too"):
        export_split(tmp_path / "model.onnx", SPEC, tmp_path / "three", force=force)
    assert not (tmp_path / "three").exists()


def test_the_part_of_another_spec_does_not_stay_in_the_chain(tmp_path: Path) -> None:
    model = small(tmp_path)
    export_split(model, SPEC, tmp_path / "three")
    with pytest.raises(UsageError, match=r"preprocess\.onnx: is there, and this spec has no such steps"):
        export_split(model, "onnxprep: 1\npostprocess: [softmax]\n", tmp_path / "three", force=True)
    assert sorted(path.name for path in (tmp_path / "three").iterdir()) == ["model.onnx", "preprocess.onnx"]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_interrupted_between_two_names(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given, names = parts.give_name, []

    def interrupted(*arguments: Any, **named: Any) -> None:
        names.append(arguments)
        if len(names) == at:
            raise KeyboardInterrupt
        given(*arguments, **named)

    monkeypatch.setattr(parts, "give_name", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_split(detector(tmp_path), DETECTOR, tmp_path / "three")
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("foreign", ["node", "initializer", "function"])
def test_what_was_put_into_a_part_is_noticed(foreign: str, tmp_path: Path) -> None:
    export_split(detector(tmp_path), DETECTOR, tmp_path / "three")
    path = tmp_path / "three" / "postprocess.onnx"
    changed = onnx.load(path)
    if foreign == "node":
        changed.graph.node.append(helper.make_node("Neg", ["scale_boxes"], ["worse"], "foreign"))
        changed.graph.output[0].name = "worse"
    elif foreign == "initializer":
        changed.graph.initializer.append(numpy_helper.from_array(np.zeros(2), "foreign"))
    else:
        changed.functions.append(helper.make_function("own", "foreign", ["x"], ["x"], [], []))
    onnx.save(changed, path)
    with pytest.raises(ParityError, match="foreign: was not made by export"):
        verify(path)


def test_a_model_that_changes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(tmp_path)
    other = model.read_bytes() + b"\0"
    monkeypatch.setattr(split, "read_bytes", lambda _: other)
    assert refused(model, tmp_path / "three", SPEC).problem == "changed while it was read"
    assert not (tmp_path / "three").exists()


def test_an_old_model_is_no_matter_for_parts(tmp_path: Path) -> None:
    """The one file would need another opset; three have each its own."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 8, 8]) for name in ("x", "y")]
    node = helper.make_node("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 1.0, 1.0])
    graph = helper.make_graph([node], "g", info[:1], info[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3), tmp_path / "model.onnx"
    )
    report = export_split(tmp_path / "model.onnx", SPEC, tmp_path / "three")
    assert not report.warnings
    assert chained(tmp_path / "three", pictures(2, 20, 30))["y"].shape == (2, 3, 8, 8)


def test_no_folder_has_such_a_name(tmp_path: Path) -> None:
    assert refused(detector(tmp_path), tmp_path / "a\0b").expected.startswith("a folder")
