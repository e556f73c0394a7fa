"""The battery: every awkward model keeps every field, runs as its parts, and comes back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import battery
import numpy as np
import pytest
import yaml
from awkward import MODELS
from awkward_more import EXTERNAL
from battery import NAMINGS, around, array_for, fitted, run, through
from click.testing import CliRunner
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from inventory import compare, inventory
from onnx import ModelProto

import onnxprep
from onnxprep.cli import main
from onnxprep.graph.attach import attach
from onnxprep.graph.metadata import read
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import signature
from onnxprep.graph.undo import strip
from onnxprep.runtime.newest import newest
from onnxprep.spec.plan import Plan

NOT_RUN = {
    "attributes_of_every_kind": "not a registered function/op",
    "branch_gives_an_outer_tensor_as_it_is": "outer scope value being returned directly",
    "initializers_that_onnxruntime_does_not_know": "does not have valid data type",
    "newer_than_onnxruntime_loads": "Unsupported model IR version",
}
"""What ONNX Runtime says of the model by itself; these are compared field by field only."""
OLDER = newest() < (13, 26)


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("case", MODELS)
def test_awkward_model_goes_through_whole(case: str, naming: str) -> None:
    data = MODELS[case]().SerializeToString()
    found = through(data, naming)
    assert found.outcome.lost == []
    assert found.outcome.fields > 15
    assert found.exact
    assert found.differing == []
    if found.not_run and OLDER and case not in NOT_RUN:
        pytest.skip(f"this ONNX Runtime does not run it: {found.not_run[-100:]}")
    assert OLDER or NOT_RUN.get(case, "") in found.not_run
    assert bool(found.compared) == (case not in NOT_RUN), found.not_run


@pytest.mark.parametrize("case", MODELS)
def test_attach_leaves_its_argument_alone_and_repeats_itself(case: str) -> None:
    model = MODELS[case]()
    untouched = model.SerializeToString()
    plan = fitted(around(model, "old"), model)
    assert attach(model, plan).SerializeToString() == attach(model, plan).SerializeToString()
    assert model.SerializeToString() == untouched


def test_there_are_enough_of_them() -> None:
    assert len(MODELS) >= 80
    assert set(NOT_RUN) < set(MODELS)


# the inventory -----------------------------------------------------------------------------------------------------


def _parts(message: Message) -> list[Message]:
    found = [message]
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                found += _parts(inner)
    return found


@pytest.mark.parametrize(
    "case", ["unknown_fields_at_every_level", "training_info", "device_configuration", "optional_input"]
)
def test_the_inventory_misses_any_field_that_goes(case: str) -> None:
    """Every field of every message cleared in turn, the unknown ones too."""
    whole = MODELS[case]()
    known = inventory(whole)
    for k, part in enumerate(_parts(whole)):
        for field, _ in part.ListFields():
            copy = MODELS[case]()
            _parts(copy)[k].ClearField(field.name)
            assert inventory(copy) != known, field.full_name
        copy = MODELS[case]()
        _parts(copy)[k].DiscardUnknownFields()
        if copy.SerializeToString() != whole.SerializeToString():
            assert len(inventory(copy)) < len(known)


def _without(model: ModelProto, *path: str) -> ModelProto:
    part: Message = model
    for name in path[:-1]:
        part = getattr(part, name)[0] if not isinstance(getattr(part, name), Message) else getattr(part, name)
    part.ClearField(path[-1])
    return model


LOSSES = {
    "the graph's text": ("graph", "doc_string"),
    "a node's text": ("graph", "node", "doc_string"),
    "the graph's metadata": ("graph", "metadata_props"),
    "an input's metadata": ("graph", "input", "metadata_props"),
    "an output's type": ("graph", "output", "type"),
    "the inner tensor's type": ("graph", "value_info", "type"),
    "a weight": ("graph", "initializer", "raw_data"),
    "the domain": ("domain",),
    "an opset": ("opset_import", "version"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_planted_loss_is_found(loss: str) -> None:
    whole = MODELS["texts_everywhere"]()
    assert compare(whole, MODELS["texts_everywhere"]()).lost == []
    lost = compare(whole, _without(MODELS["texts_everywhere"](), *LOSSES[loss])).lost
    assert any(LOSSES[loss][-1].split("_")[0] in path or "type" in path for path in lost), lost


def test_other_orders_and_names_are_losses_too() -> None:
    whole = MODELS["if_reads_the_input"]()
    swapped = MODELS["if_reads_the_input"]()
    nodes = list(swapped.graph.node)
    del swapped.graph.node[:]
    swapped.graph.node.extend([nodes[1], nodes[0], nodes[2]])
    assert compare(whole, swapped).lost
    renamed = MODELS["if_reads_the_input"]()
    renamed.graph.node[0].input[0] = "onnxprep/body.x"
    assert compare(whole, renamed).lost == ["graph.node[0].input[0]"]
    assert compare(whole, renamed, {"x": "onnxprep/body.x"}).lost == []
    raised = MODELS["if_reads_the_input"]()
    raised.opset_import[0].version += 1
    assert compare(whole, raised).lost == ["opset_import[''].version"]
    assert compare(whole, raised, restamped=True).raised == 1


# whole exports -----------------------------------------------------------------------------------------------------

HAND_OVER = {
    "float32": "float64",
    "float16": "float32",
    "uint8": "float32",
    "int8": "float32",
    "int32": "uint8",
    "int64": "uint8",
}


def spec_around(model: ModelProto) -> dict[str, object]:
    """A spec whose steps give every fed input its dtype, and the last output another one."""
    known, inputs, pre, feeds = signature(model), [], [], {}
    for k, (name, tensor) in enumerate(known.inputs.items()):
        if name.startswith(("kept_", "mask")):
            continue
        given = HAND_OVER.get(tensor.dtype)
        dims = None if tensor.shape is None else [d or f"a{k}_{i}" if not isinstance(d, str) else f"a{k}_{i}" for i, d in enumerate(tensor.shape)]  # fmt: skip
        inputs.append({"name": f"in_{k}", "dtype": given or tensor.dtype, **({} if dims is None else {"shape": dims})})
        feeds[name] = f"as_{k}" if given else f"in_{k}"
        if given:
            rounding = {"rounding": "half_even"} if tensor.dtype in ("uint8", "int8") else {}
            pre.append({"operation": "to_dtype", "name": f"as_{k}", "inputs": [f"in_{k}"], "parameters": {"dtype": tensor.dtype, **rounding}})  # fmt: skip
    outputs = {f"out_{k}": name for k, name in enumerate(known.outputs)}
    post = [
        {"operation": "to_dtype", "name": "wide", "inputs": [name], "parameters": {"dtype": "float64"}}
        for name, theirs in list(outputs.items())[-1:] if known.outputs[theirs].dtype in HAND_OVER
    ]  # fmt: skip
    return {
        "onnxprep": 1, "inputs": inputs, "preprocess": pre, "model": {"inputs": feeds, "outputs": outputs},
        "postprocess": post, "outputs": [*outputs, *(str(step["name"]) for step in post)],
    }  # fmt: skip


OLD = ("opset_7_with_old_operators", "opset_8_scan_with_a_batch_axis")  # to_dtype needs 11, and these cannot be raised


@pytest.mark.parametrize("case", [case for case in MODELS if case not in (*NOT_RUN, *OLD)])
def test_awkward_model_is_exported_and_stripped(case: str, tmp_path: Path) -> None:
    """The way users go, with a spec: contract, opset, validation on ONNX Runtime, seal; then back."""
    model = MODELS[case]()
    source, out = tmp_path / "model.onnx", tmp_path / "out.onnx"
    source.write_bytes(model.SerializeToString())
    if OLDER and through(source.read_bytes(), "fresh").not_run:
        pytest.skip("this ONNX Runtime does not run it")
    for name, content in EXTERNAL.items():
        (tmp_path / name).write_bytes(content)
    onnxprep.export(source, spec_around(model), out)
    written = parse(out.read_bytes())
    assert read(written).keys() >= {"onnxprep.spec", "onnxprep.undo", "onnxprep.seal"}
    assert compare(model, written, restamped=case == "old_ir_with_weights_as_inputs").lost == []
    assert strip(written).data == source.read_bytes()
    fed = {f"in_{k}": name for k, name in enumerate(signature(model).inputs) if not name.startswith(("kept_", "mask"))}
    if not battery.kept(model, attached_to(fed)):
        run_both(model, written, fed)


def attached_to(fed: dict[str, str]) -> Plan:
    return Plan((), {}, tuple(fed), {name: ours for ours, name in fed.items()}, {}, ())


def run_both(model: ModelProto, written: ModelProto, fed: dict[str, str]) -> None:
    known = signature(model).inputs
    theirs = {name: array_for(name, known[name]) for name in fed.values()}
    ours = {}
    for value, name in fed.items():
        given = HAND_OVER.get(known[name].dtype)
        ours[value] = theirs[name].astype(given) if given else theirs[name]
    body, got = run(model, dict(theirs), EXTERNAL), run(written, dict(ours), EXTERNAL)
    for k, name in enumerate(signature(model).outputs):
        assert battery.bits(got[f"out_{k}"]) == battery.bits(body[name]), name
    if "wide" in got:
        assert battery.bits(got["wide"]) == battery.bits(np.asarray(body[name]).astype(np.float64))


def test_the_battery_sees_wrong_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step whose numbers are off by one bit must show."""
    data = MODELS["symbolic_dims"]().SerializeToString()
    assert through(data, "fresh").differing == []
    monkeypatch.setattr(battery, "changed", lambda x: np.nextafter(x * np.float32(2) + np.float32(0.5), np.float32(9)))
    assert set(through(data, "fresh").differing) == {"out_y", "pre_x", "scaled"}


@pytest.mark.parametrize("kind", ["float16", "int8", "uint8", "int32", "int64", "double"])
def test_the_cast_that_check_proposes_is_the_one_that_fits(kind: str, tmp_path: Path) -> None:
    """Quantised and half models: what the contract says to add is added, and the numbers are NumPy's."""
    model = MODELS[f"input_of_{kind}"]()
    dtype = kind.replace("double", "float64")
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    spec: dict[str, Any] = {
        "onnxprep": 1, "inputs": [{"name": "rows", "dtype": "float32", "shape": ["N", 4]}], "preprocess": [],
        "model": {"outputs": {"as_fed": "same"}}, "outputs": ["as_fed"],
    }  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    command = ["check", str(tmp_path / "spec.json"), "--model", str(tmp_path / "model.onnx")]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 4
    assert f"the model takes {dtype}, not float32" in refused.output
    proposed = refused.output.split("`")[1].removeprefix("to_dtype: ")
    assert f"dtype: {dtype}" in proposed
    spec["preprocess"] = [{"to_dtype": yaml.safe_load(proposed)}]
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert CliRunner().invoke(main, command).exit_code == 0
    onnxprep.export(tmp_path / "model.onnx", tmp_path / "spec.json", tmp_path / "out.onnx")
    rows = np.random.default_rng(2).normal(0, 200, (3, 4)).astype(np.float32)
    got = run(parse((tmp_path / "out.onnx").read_bytes()), {"rows": rows}, {})["as_fed"]
    bounds = (np.iinfo(dtype).min, np.iinfo(dtype).max) if "int" in dtype else (-np.inf, np.inf)
    wanted = np.clip(np.round(rows) if "int" in dtype else rows, *bounds).astype(dtype)
    assert battery.bits(got) == battery.bits(wanted)
