"""Strip: the original file, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from awkward import MODELS
from onnx import ModelProto
from plans import Newer, Scale, planned
from test_attach import IMAGENET, LIGHT, NAMINGS, around, fitted, relu

from onnxprep.errors import ContractError
from onnxprep.graph import metadata
from onnxprep.graph.attach import attach
from onnxprep.graph.names import PREFIX
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import signature
from onnxprep.graph.undo import record, strip
from onnxprep.tensor import TensorSpec


def exported(model: ModelProto, data: bytes, joined: ModelProto, **more: str) -> ModelProto:
    """What export writes, read again."""
    stored = {metadata.SPEC: "{}", metadata.UNDO: record(model, data, keys=tuple(more)), **more}
    metadata.write(joined, stored)
    return parse(joined.SerializeToString())


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("case", MODELS)
def test_awkward_model_comes_back(case: str, naming: str) -> None:
    model = MODELS[case]()
    data = model.SerializeToString()
    joined = attach(model, fitted(around(model, naming), model))
    stripped = strip(exported(model, data, joined, **{"Image.BitmapPixelFormat": "Rgb8"}))
    assert stripped.data == data
    assert stripped.exact
    assert not stripped.reason


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
@pytest.mark.parametrize("image", ["image", ""])
def test_real_model_comes_back(path: Path, image: str) -> None:
    data = path.read_bytes()
    model = parse(data)
    (name,), (output,) = signature(model).inputs, signature(model).outputs
    image = image or name
    plan = planned(
        {image: TensorSpec("float32", ("N", 3, "H", "W"), "NCHW", "RGB", (0.0, 1.0))},
        [("normalize", IMAGENET, (image,)), ("newer", Newer(), ("normalize",))],
        model, {name: "newer"}, {"scores": output}, [(output, Scale(), ("scores",))], [output],
    )  # fmt: skip
    written = exported(model, data, attach(model, fitted(plan, model), 11))
    assert len(metadata.read(written)[metadata.UNDO]) < 1000, "weights listed as inputs are not repeated"
    stripped = strip(written)
    assert hashlib.sha256(stripped.data).hexdigest() == hashlib.sha256(data).hexdigest()
    assert stripped.exact


def stripped_after(change: object = None) -> ModelProto:
    model = relu()
    return exported(model, model.SerializeToString(), attach(model, around(model, "old")))


def test_the_users_own_metadata_keeps_order_and_duplicates() -> None:
    model = MODELS["texts_everywhere"]()
    model.metadata_props.add(key="Image.BitmapPixelFormat", value="theirs")
    data = model.SerializeToString()
    written = exported(model, data, attach(model, around(model, "fresh")))
    assert metadata.read(written).keys() == {metadata.SPEC, metadata.UNDO}
    assert strip(written).data == data


def test_record_is_canonical_and_repeatable() -> None:
    model = relu()
    text = record(model, model.SerializeToString())
    assert text == record(relu(), relu().SerializeToString())
    assert text.isascii()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_a_file_that_protobuf_writes_otherwise_comes_back_equal() -> None:
    model = relu()
    body = model.graph.SerializeToString()
    head = ModelProto(producer_name="later")
    # the graph before the IR version: legal, and no writer does it
    data = b"\x3a" + _varint(len(body)) + body + _without_graph(model).SerializeToString() + head.SerializeToString()
    odd = parse(data)
    assert odd.SerializeToString() != data
    stripped = strip(exported(odd, data, attach(odd, around(odd, "old"))))
    assert not stripped.exact
    assert stripped.model == odd
    assert "equal" in stripped.reason


def _without_graph(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    copy.ClearField("graph")
    return copy


def _varint(number: int) -> bytes:
    return bytes([number & 127 | 128, *_varint(number >> 7)]) if number > 127 else bytes([number])


def test_says_when_the_body_was_changed_since() -> None:
    written = stripped_after()
    written.graph.initializer[0].raw_data = bytes(12)
    stripped = strip(written)
    assert not stripped.exact
    assert "changed since" in stripped.reason


def test_says_when_the_body_was_rewritten() -> None:
    model = relu()
    joined = attach(model, around(model, "fresh"))
    metadata.write(joined, {metadata.UNDO: record(model, b"another file", rewritten=True)})
    stripped = strip(joined)
    assert not stripped.exact
    assert "rewritten" in stripped.reason


def test_refuses_a_model_without_steps() -> None:
    with pytest.raises(ContractError, match="has no onnxprep steps"):
        strip(relu())


def test_refuses_steps_without_their_record() -> None:
    written = stripped_after()
    metadata.remove(written)
    with pytest.raises(ContractError, match="not the record"):
        strip(written)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", "1", '{"inputs":1}', "[" * 5000],
)
def test_refuses_a_damaged_record(text: str) -> None:
    written = stripped_after()
    metadata.write(written, {metadata.UNDO: text})
    with pytest.raises(ContractError, match="damaged"):
        strip(written)


def test_any_flipped_byte_of_the_record_is_an_error_or_a_harmless_one() -> None:
    """Every byte in turn: never a traceback, never a wrong model that is called exact."""
    written = stripped_after()
    original = relu().SerializeToString()
    text = metadata.read(written)[metadata.UNDO]
    refused = 0
    for k in range(len(text)):
        metadata.write(written, {metadata.UNDO: text[:k] + chr(ord(text[k]) ^ 1) + text[k + 1 :]})
        try:
            stripped = strip(written)
        except ContractError:
            refused += 1
        else:
            assert not stripped.exact or stripped.data == original
    assert refused > len(text) / 4


def test_any_flipped_byte_of_the_file_is_an_error_or_found() -> None:
    data = stripped_after().SerializeToString()
    original = relu().SerializeToString()
    outcomes = {"refused": 0, "stripped": 0}
    for k in range(len(data)):
        for bit in (0x01, 0x80):
            flipped = data[:k] + bytes([data[k] ^ bit]) + data[k + 1 :]
            try:
                stripped = strip(parse(flipped))
            except ContractError:
                outcomes["refused"] += 1
            else:
                assert not stripped.exact or stripped.data == original
                outcomes["stripped"] += 1
    assert min(outcomes.values()) > 100


def test_refuses_a_body_that_another_tool_joined_with_our_nodes() -> None:
    written = stripped_after()
    inside = next(node for node in written.graph.node if node.name.startswith(PREFIX) and node.op_type == "Mul")
    body = next(node for node in written.graph.node if not node.name.startswith(PREFIX))
    body.input[0] = inside.output[0]
    with pytest.raises(ContractError, match="would be read but never made"):
        strip(written)


def test_what_later_tools_wrote_about_our_tensors_goes_too() -> None:
    model = relu()
    written = stripped_after()
    written.graph.value_info.add(name="onnxprep/pre.0.pre_x/Mul_1")
    assert strip(written).data == model.SerializeToString()
