"""Strip: the original file, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from awkward import MODELS, graph, info, model, node, weights
from battery import LIGHT, ROWS, around, exported, fitted
from onnx import ModelProto, checker, numpy_helper
from plans import Flip, Newer, Nothing, Scale, planned, run
from test_attach import IMAGENET, relu

from onnxprep.errors import ContractError
from onnxprep.graph import metadata
from onnxprep.graph.attach import attach
from onnxprep.graph.names import PREFIX
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import signature
from onnxprep.graph.undo import record, strip
from onnxprep.spec.plan import Plan
from onnxprep.step import Step
from onnxprep.tensor import Array, TensorSpec


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
@pytest.mark.parametrize("image", ["image", ""])
def test_real_model_comes_back(path: Path, image: str) -> None:
    data = path.read_bytes()
    made = parse(data)
    (name,), (output,) = signature(made).inputs, signature(made).outputs
    image = image or name
    plan = planned(
        {image: TensorSpec("float32", ("N", 3, "H", "W"), "NCHW", "RGB", (0.0, 1.0))},
        [("normalize", IMAGENET, (image,)), ("newer", Newer(), ("normalize",))],
        made, {name: "newer"}, {"scores": output}, [(output, Scale(), ("scores",))], [output],
    )  # fmt: skip
    written = exported(made, data, attach(made, fitted(plan, made), 11))
    assert len(metadata.read(written)[metadata.UNDO]) < 1000, "weights listed as inputs are not repeated"
    stripped = strip(written)
    assert sha256(stripped.data) == sha256(data)
    assert stripped.exact


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stripped_after() -> ModelProto:
    made = relu()
    return exported(made, made.SerializeToString(), attach(made, around(made, "old")))


def test_the_users_own_metadata_keeps_order_and_duplicates() -> None:
    made = MODELS["texts_everywhere"]()
    made.metadata_props.add(key="Image.BitmapPixelFormat", value="theirs")
    data = made.SerializeToString()
    written = exported(made, data, attach(made, around(made, "fresh")))
    assert metadata.read(written).keys() == {metadata.SPEC, metadata.UNDO}
    assert strip(written).data == data


def test_record_is_canonical_and_repeatable() -> None:
    made = relu()
    text = record(made, sha256(made.SerializeToString()))
    assert text == record(relu(), sha256(relu().SerializeToString()))
    assert text.isascii()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_a_file_that_protobuf_writes_otherwise_comes_back_equal() -> None:
    made = relu()
    body = made.graph.SerializeToString()
    head = ModelProto(producer_name="later")
    # the graph before the IR version: legal, and no writer does it
    data = b"\x3a" + _varint(len(body)) + body + _without_graph(made).SerializeToString() + head.SerializeToString()
    odd = parse(data)
    assert odd.SerializeToString() != data
    stripped = strip(exported(odd, data, attach(odd, around(odd, "old"))))
    assert (stripped.exact, stripped.state, stripped.untouched) == (False, "equal", True)
    assert stripped.model == odd
    assert "equal" in stripped.reason


def _without_graph(made: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(made)
    copy.ClearField("graph")
    return copy


def _varint(number: int) -> bytes:
    return bytes([number & 127 | 128, *_varint(number >> 7)]) if number > 127 else bytes([number])


def test_says_when_the_body_was_changed_since() -> None:
    written = stripped_after()
    written.graph.initializer[0].raw_data = bytes(12)
    stripped = strip(written)
    assert (stripped.exact, stripped.state, stripped.untouched) == (False, "changed", False)
    assert "changed since" in stripped.reason


def test_says_when_the_body_was_rewritten() -> None:
    made = relu()
    joined = attach(made, around(made, "fresh"))
    metadata.write(joined, {metadata.UNDO: record(made, sha256(b"another file"), rewritten=True)})
    stripped = strip(joined)
    assert (stripped.exact, stripped.state, stripped.untouched) == (False, "changed", True)
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
    made = relu()
    written = stripped_after()
    written.graph.value_info.add(name="onnxprep/pre.0.pre_x/Mul_1")
    assert strip(written).data == made.SerializeToString()


def test_constants_that_became_initializers_go_too() -> None:
    written = stripped_after()
    written.graph.initializer.append(weights("onnxprep/pre.0.pre_x/Constant_0"))
    written.graph.initializer.append(weights("theirs"))
    assert [tensor.name for tensor in strip(written).model.graph.initializer] == ["w", "theirs"]


# any names ---------------------------------------------------------------------------------------------------------

NAMES = ("x", "z", "h", "w", "y", "y2", "t", "e", "s", "c", "a", "b")
"""Every tensor of the model below, inside its branches too, and two names that are free."""


def tangled() -> ModelProto:
    then = graph([node("Add", ["x", "w"], ["t"])], [], [info("t")])
    other = graph([node("Mul", ["h", "x"], ["e"])], [], [info("e")])
    nodes = [
        node("Sub", ["x", "z"], ["h"]), node("ReduceSum", ["h"], ["s"], keepdims=0), node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=then, else_branch=other), node("Relu", ["h"], ["y2"]),
    ]  # fmt: skip
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    outputs = [info("y"), info("y2"), info("x"), info("h")]
    return model(
        graph(nodes, [info("x"), info("z")], outputs, [weights("w"), zero], value_info=[info("h"), info("s", ())])
    )


def any_plan(rng: np.random.Generator, made: ModelProto) -> tuple[Plan, dict[str, Array]]:
    """A random plan whose names are drawn from the model's own, and every value it must give."""
    names = list(rng.permutation(NAMES))
    inputs = [str(names.pop()) for _ in range(rng.integers(1, 3))]
    arrays = {name: rng.standard_normal((2, 3)).astype(np.float32) for name in inputs}
    pre, post = [], []
    for _ in range(rng.integers(0, 3)):
        pre.append(any_step(rng, str(names.pop()), arrays))
    feeds = {name: str(rng.choice(list(arrays))) for name in rng.permutation(["x", "z"])}
    body = run(made, {name: arrays[value] for name, value in feeds.items()})
    gives = {}
    for name in rng.permutation(["y", "y2", "x", "h"])[: rng.integers(1, 5)]:
        value = str(name) if name not in arrays and rng.integers(2) else str(names.pop())
        if value not in arrays:
            gives[value], arrays[value] = str(name), body[name]
            names = [other for other in names if other != value]
    for _ in range(min(len(names), rng.integers(0, 3))):
        post.append(any_step(rng, str(names.pop()), arrays))
    outputs = [str(name) for name in rng.permutation(list(arrays))[: rng.integers(1, 5)]]
    return planned(dict.fromkeys(inputs, ROWS), pre, made, feeds, gives, post, outputs), arrays


def any_step(rng: np.random.Generator, name: str, arrays: dict[str, Array]) -> tuple[str, Step, tuple[str, ...]]:
    taken = str(rng.choice(list(arrays)))
    kind = rng.integers(3)
    step: Step = (Scale(), Nothing(), Flip())[kind]
    x = arrays[taken]
    arrays[name] = (x * np.float32(2) + np.float32(0.5), x, -x)[kind]
    return name, step, (taken,)


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_any_names_any_flow(first: int) -> None:
    """Random flows whose names are the model's own: the numbers are right, and the bytes come back."""
    made = tangled()
    data = made.SerializeToString()
    for seed in range(first, first + 50):
        rng = np.random.default_rng(seed)
        plan, arrays = any_plan(rng, made)
        joined = attach(made, plan)
        checker.check_model(joined, full_check=True)
        got = run(joined, {name: arrays[name] for name in plan.inputs})
        assert list(got) == list(plan.outputs), seed
        for name, array in got.items():
            assert array.tobytes() == arrays[name].tobytes(), (seed, name)
        stripped = strip(exported(made, data, joined))
        assert stripped.data == data, seed
