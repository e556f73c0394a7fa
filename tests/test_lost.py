"""What verify, inspect, strip and run say of an exported file whose spec, record, names or nodes another tool has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, StringStringEntryProto, helper, numpy_helper
from other_tools import prefixed
from survival import call, exported, subjects

from onnxprep.graph import metadata

WIDE = next(replace(subject, pictures=subject.pictures[:1]) for subject in subjects() if subject.name == "wide")
Change = Callable[[ModelProto], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with a golden, which is changed."""
    place = tmp_path_factory.mktemp("lost")
    (place / "wide").mkdir()
    exported(WIDE, place / "wide")
    return place


def _written(folder: Path, spec: str) -> Path:
    (folder / "spec.yaml").write_text(spec)
    return folder / "spec.yaml"


# what was lost -----------------------------------------------------------------------------------------------------


def without_metadata(model: ModelProto) -> None:
    del model.metadata_props[:]


def without(key: str) -> Change:
    return lambda model: model.metadata_props.remove(_entry(model, key))


def _entry(model: ModelProto, key: str) -> StringStringEntryProto:
    return next(entry for entry in model.metadata_props if entry.key == key)


def other_byte(key: str) -> Change:
    def change(model: ModelProto) -> None:
        entry, old = _entry(model, key), "[32,32]" if key == metadata.SPEC else _entry(model, key).value[-1]
        at = entry.value.rindex(old)
        entry.value = f"{entry.value[:at]}{old.replace('2', '4') if len(old) > 1 else '10'[old == '1']}{entry.value[at + len(old) :]}"

    return change


def put_before(model: ModelProto) -> None:
    model.CopyFrom(prefixed(model))


def put_before_and_without(model: ModelProto) -> None:
    put_before(model)
    without_metadata(model)


def nameless(model: ModelProto) -> None:
    without_metadata(model)
    for node in model.graph.node:
        node.name = ""


LOST = "has lost its spec: 173 of its nodes are named onnxprep/..., and the metadata holds nothing of onnxprep"
OTHERS = "has lost its spec: 7 other keys of onnxprep are in the metadata, but not onnxprep.spec"
RENAMED = "the steps cannot be told from the body: their names begin with p/onnxprep/"
RECORD = "has onnxprep steps, but not the record of what it was before"
LOSSES: dict[str, tuple[Change, tuple[int, str], tuple[int, str], tuple[int, str]]] = {
    "all metadata": (without_metadata, (4, LOST), (5, LOST), (4, RECORD)),
    "all metadata and the names of all nodes": (
        nameless, (4, "has lost its spec: its tensors are named onnxprep/..."), (5, "has lost its spec"), (4, RECORD),
    ),
    "all metadata, all names with a prefix": (
        put_before_and_without, (4, "173 of its nodes are named p/onnxprep/..."), (5, "p/onnxprep/..."), (4, RECORD),
    ),
    "the spec": (without(metadata.SPEC), (4, OTHERS), (5, "onnxprep.spec: is gone from the model"), (0, "original file")),
    "the record": (without(metadata.UNDO), (0, f"is not possible: {RECORD}"), (5, "onnxprep.undo: is gone"), (4, RECORD)),
    "a byte of the spec": (other_byte(metadata.SPEC), (0, "altered since export"), (5, "onnxprep.spec: was changed at `"), (0, "original file")),
    "a byte of the digest": (other_byte(metadata.DIGEST), (0, "altered since export"), (5, "onnxprep.digest: was changed"), (0, "original file")),
    "a byte of the nodes' digest": (other_byte(metadata.NODES), (0, "173 of them ours, changed"), (5, "onnxprep.nodes: was changed"), (0, "original file")),
    "names with a prefix": (put_before, (0, "ours renamed to p/onnxprep/... since export"), (5, RENAMED), (4, RENAMED)),
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_or_altered_spec_is_named(folder: Path, tmp_path: Path, loss: str) -> None:
    change, inspected, verified, stripped = LOSSES[loss]
    model, path = onnx.load(folder / "wide" / "served.onnx"), tmp_path / "changed.onnx"
    change(model)
    path.write_bytes(model.SerializeToString())
    for wanted, arguments in (
        (inspected, ["inspect", path]), (verified, ["verify", path]), (stripped, ["strip", path, "-o", tmp_path / "back.onnx"]),
    ):  # fmt: skip
        result = call(*arguments)
        assert (result.exit_code, wanted[1] in result.output) == (wanted[0], True), result.output
        assert result.exit_code == 0 or "  hint: " in result.output
    again = call("export", path, "--spec", _written(tmp_path, WIDE.spec), "-o", tmp_path / "again.onnx")
    assert again.exit_code == stripped[0], "what can be stripped can be exported again"
    assert change is put_before_and_without or stripped[1] in again.stderr or again.exit_code == 0


def test_a_damaged_name_in_a_file_without_a_spec_is_said(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "wide" / "served.onnx")
    without_metadata(model)
    data = model.SerializeToString().replace(b"onnxprep/pre.0", b"onnxprep/pre\xff0", 1)
    (tmp_path / "damaged.onnx").write_bytes(data)
    for code, command in ((5, "verify"), (4, "inspect")):
        result = call(command, tmp_path / "damaged.onnx")
        assert (result.exit_code, "is not UTF-8" in result.stderr) == (code, True), result.output


def test_running_a_file_that_has_lost_its_spec_says_so(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "wide" / "served.onnx")
    without_metadata(model)
    (tmp_path / "lost.onnx").write_bytes(model.SerializeToString())
    np.save(tmp_path / "picture.npy", WIDE.pictures[0])
    result = call("run", tmp_path / "lost.onnx", tmp_path / "picture.npy")
    assert (result.exit_code, LOST in result.stderr) == (4, True)
    (tmp_path / "plain.onnx").write_bytes(WIDE.model)
    result = call("run", tmp_path / "plain.onnx", tmp_path / "picture.npy")
    assert (result.exit_code, "holds no spec" in result.stderr) == (4, True)


# nodes of ours that a tool has changed -----------------------------------------------------------------------------


def verified(folder: Path, tmp_path: Path, change: Change) -> tuple[int, str]:
    model, path = onnx.load(folder / "wide" / "served.onnx"), tmp_path / "changed.onnx"
    change(model)
    path.write_bytes(model.SerializeToString())
    result = call("verify", path)
    return result.exit_code, result.output


def constants_first(model: ModelProto) -> None:
    """As quantisers sort."""
    nodes = sorted((node for node in model.graph.node), key=lambda node: node.op_type != "Constant")
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def noted(model: ModelProto) -> None:
    for node in metadata.onnxprep_nodes(model):
        node.doc_string = "seen by a tool"
        node.attribute.sort(key=lambda attribute: attribute.name, reverse=True)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                attribute.g.doc_string = "seen by a tool"


def folded(model: ModelProto) -> None:
    """Every constant of ours an initializer, as optimisers leave them."""
    for node in metadata.onnxprep_nodes(model):
        if node.op_type == "Constant":
            (attribute,) = node.attribute
            attribute.t.name = node.output[0]
            model.graph.initializer.append(attribute.t)
            model.graph.node.remove(node)


def other_mean(model: ModelProto) -> None:
    node = next(n for n in metadata.onnxprep_nodes(model) if "normalize" in n.name and n.op_type == "Constant")
    array = numpy_helper.to_array(node.attribute[0].t) + np.float32(0.5)
    node.attribute[0].t.CopyFrom(numpy_helper.from_array(array.astype(np.float32)))


def stray(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Identity", ["logits"], ["stray"], "onnxprep/post.9.stray/Identity_0"))


def twice(model: ModelProto) -> None:
    last = metadata.onnxprep_nodes(model)[-1]
    model.graph.node.append(helper.make_node("Identity", ["logits"], ["stray"], last.name))


def without_golden(change: Change) -> Change:
    def both(model: ModelProto) -> None:
        change(model)
        without(metadata.GOLDEN)(model)
        seal = _entry(model, "onnxprep.seal")
        found = json.loads(seal.value)
        del found[metadata.GOLDEN]
        seal.value = json.dumps(found, sort_keys=True, separators=(",", ":"))

    return both


def test_order_and_notes_change_nothing(folder: Path, tmp_path: Path) -> None:
    code, said = verified(folder, tmp_path, constants_first)
    assert (code, "nodes   173 as exported, in another order" in said) == (0, True), said
    code, said = verified(folder, tmp_path, noted)
    assert (code, "nodes   173 as exported, written in another way" in said) == (0, True), said


HOLD = "the goldens hold on CPUExecutionProvider, and so do all 5 steps, bit for bit"
CHANGED: dict[str, tuple[Change, str, str]] = {
    "constants folded": (folded, "is gone; of our 173 nodes ", HOLD),
    "another mean": (other_mean, "1 changed, 0 are new", "the goldens do not hold: samples[0].values.top_k"),
    "a node more": (stray, "onnxprep/post.9.stray/Identity_0: was not made by export", HOLD),
    "a node twice": (twice, "0 are gone and 1 changed, 1 are new", "the goldens cannot be run"),
    "no golden": (without_golden(stray), "was not made by export", "no golden is recorded to tell"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_changed_nodes_are_told_with_what_still_holds(folder: Path, tmp_path: Path, case: str) -> None:
    change, problem, holds = CHANGED[case]
    code, said = verified(folder, tmp_path, change)
    assert code == 5
    assert problem in said, said
    assert holds in said, said
    assert "run other tools before export, not after it" in said


def test_a_step_whose_bits_changed_is_named_where_the_outputs_hide_it(tmp_path: Path) -> None:
    """Weights of zero let nothing through, so that only the tensors between the steps tell."""
    spec = WIDE.spec.replace("outputs: [top_k.values, top_k.indices]", "outputs: [top_k.values]")
    model = ModelProto.FromString(WIDE.model)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w2")
    weights.CopyFrom(numpy_helper.from_array(np.zeros((32, 16, 3, 3), np.float32), "w2"))
    (tmp_path / "wide").mkdir()
    subject = replace(WIDE, model=model.SerializeToString(), spec=spec)
    exported(subject, tmp_path / "wide")
    code, said = verified(tmp_path, tmp_path, other_mean)
    assert code == 5
    assert "the goldens do not hold: samples[0].steps.normalize: gives other bits than were recorded" in said


def test_a_quantised_body_is_told_from_changed_steps(folder: Path, tmp_path: Path) -> None:
    code, said = verified(folder, tmp_path, lambda model: _negate(model, "w4"))
    assert code == 5
    assert "samples[0].values.top_k" in said
    assert "the steps are as exported, the body is not (a quantiser?)" in said


def _negate(model: ModelProto, weight: str) -> None:
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == weight)
    tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), weight))


def test_strip_says_where_the_rest_does_not_load(folder: Path, tmp_path: Path) -> None:
    """As after a conversion to float16, which changes what the body takes."""

    def halved(model: ModelProto) -> None:
        (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == "w1")
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), "w1"))

    model = onnx.load(folder / "wide" / "served.onnx")
    halved(model)
    (tmp_path / "changed.onnx").write_bytes(model.SerializeToString())
    result = call("strip", tmp_path / "changed.onnx", "-o", tmp_path / "back.onnx")
    assert result.exit_code == 0
    assert "the body has been changed since the steps were attached; ONNX Runtime does not load it: " in result.stderr
    assert "back.onnx" in result.stderr
    assert ".part" not in result.stderr
