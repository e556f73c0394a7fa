"""The splice: nothing is lost, nothing else changes, and the numbers are those of the parts run one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from awkward import MODELS, graph, info, node
from battery import LIGHT, ROWS, around, fitted
from onnx import ModelProto, checker, helper
from plans import Add, Both, Flip, Newer, Nothing, Scale, planned, run

from onnxprep.errors import ContractError
from onnxprep.graph.attach import attach
from onnxprep.graph.metadata import nodes_digest, onnxprep_nodes
from onnxprep.graph.names import tensor_names
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import signature
from onnxprep.graph.standalone import standalone
from onnxprep.steps.image.normalize.float32 import Normalize
from onnxprep.tensor import Array, TensorSpec

IMAGENET = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), like="torchvision-v1")
FEED = np.random.default_rng(3).standard_normal((2, 3)).astype(np.float32)


def same_bits(got: dict[str, Array], wanted: dict[str, Array]) -> None:
    for name, array in wanted.items():
        assert got[name].dtype == array.dtype, name
        assert got[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
@pytest.mark.parametrize("old_name", [False, True])
def test_real_model_runs_as_its_parts(path: Path, old_name: bool) -> None:
    model = parse(path.read_bytes())
    (name,), (output,) = signature(model).inputs, signature(model).outputs
    image = name if old_name else "image"
    plan = planned(
        {image: TensorSpec("float32", ("N", 3, "H", "W"), "NCHW", "RGB", (0.0, 1.0))},
        [("normalize", IMAGENET, (image,))],
        model,
        {name: "normalize"},
        {"scores": output},
        [("scaled", Scale(), ("scores",))],
        ["scores", "scaled"],
    )
    joined = attach(model, fitted(plan, model), 11)
    picture = np.random.default_rng(1).uniform(0, 1, (1, 3, 224, 224)).astype(np.float32)
    (ours,) = [info for info in joined.graph.input if info.name == image]
    assert [d.dim_value for d in ours.type.tensor_type.shape.dim] == [1, 3, 224, 224]
    ready = (picture - np.array(IMAGENET.mean, np.float32).reshape(-1, 1, 1)) / np.array(
        IMAGENET.std, np.float32
    ).reshape(-1, 1, 1)
    wanted = run(path.read_bytes(), {name: ready})[output]
    got = run(joined, {image: picture})
    same_bits(got, {"scores": wanted, "scaled": wanted * np.float32(2) + np.float32(0.5)})
    assert [name if i.name == image else i.name for i in joined.graph.input] == [i.name for i in model.graph.input]


def relu() -> ModelProto:
    return MODELS["symbolic_dims"]()


def test_last_node_takes_over_the_models_input_name() -> None:
    joined = attach(relu(), around(relu(), "fresh"))
    last = onnxprep_nodes(joined)[3]
    assert (last.op_type, list(last.output)) == ("Add", ["x"])
    assert last.name == "onnxprep/pre.0.pre_x/Add_3"
    assert [node.op_type for node in joined.graph.node] == ["Constant", "Mul", "Constant", "Add", "Add", "Relu", "Constant", "Mul", "Constant", "Add", "Identity", "Identity"]  # fmt: skip
    assert [info.name for info in joined.graph.value_info] == ["h", "x", "y"]


def test_input_without_a_step_goes_through_an_identity() -> None:
    plan = planned(
        {"image": ROWS}, [("keep", Nothing(), ("image",))], relu(), {"x": "keep"}, {"y": "y"}, (), ["y", "keep"]
    )
    joined = attach(relu(), plan)
    assert [node.name for node in onnxprep_nodes(joined)] == ["onnxprep/pre.feed.0/Identity_0", "onnxprep/post.output.0/Identity_0"]  # fmt: skip
    same_bits(run(joined, {"image": FEED}), {**run(relu(), {"x": FEED}), "keep": FEED})


def test_value_named_like_the_input_needs_no_node() -> None:
    plan = planned({"x": ROWS}, [], relu(), {"x": "x"}, {"y": "y"}, [("more", Scale(), ("y",))], ["y", "more", "x"])
    joined = attach(relu(), plan)
    assert [node.name.split("/")[1] for node in onnxprep_nodes(joined)] == ["post.0.more"] * 4
    assert run(joined, {"x": FEED})["x"].tobytes() == FEED.tobytes()


def test_one_value_for_two_inputs_and_as_an_output() -> None:
    model = MODELS["several_inputs"]()
    plan = planned(
        {"image": ROWS},
        [("z", Flip(), ("image",))],
        model,
        {"x": "z", "z": "z"},
        {"y": "y", "y2": "y2"},
        (),
        ["y2", "z"],
    )
    joined = attach(model, plan)
    got = run(joined, {"image": FEED, "mask": FEED})
    same_bits(got, {"y2": FEED - FEED, "z": -FEED})
    assert [info.name for info in joined.graph.input] == ["mask", "image"]
    assert "y" in {info.name for info in joined.graph.value_info}


def test_values_before_the_model_reach_the_steps_behind_it() -> None:
    plan = planned(
        {"image": ROWS}, [("both", Both(), ("image",))], relu(), {"x": "both.more"}, {"y": "y"},
        [("sum", Add(), ("both.less", "y")), ("again", Add(), ("image", "sum"))], ["sum", "both.less", "again", "image"],
    )  # fmt: skip
    got = run(attach(relu(), plan), {"image": FEED})
    y = run(relu(), {"x": FEED + np.float32(1)})["y"]
    less = FEED - np.float32(1)
    same_bits(got, {"sum": less + y, "both.less": less, "again": FEED + (less + y), "image": FEED})


def test_outputs_that_the_spec_does_not_name_stop_being_outputs() -> None:
    plan = planned(
        {"image": ROWS}, [("s", Scale(), ("image",))], relu(), {"x": "s"}, {"y": "y"}, [("t", Scale(), ("y",))], ["t"]
    )
    joined = attach(relu(), plan)
    assert [info.name for info in joined.graph.output] == ["t"]
    assert "y" in {info.name for info in joined.graph.value_info}


def test_an_output_that_keeps_its_name_keeps_its_description() -> None:
    model = MODELS["texts_everywhere"]()
    plan = planned({"x": ROWS}, [], model, {"x": "x"}, {"y": "y"}, (), ["y"])
    joined = attach(model, plan)
    assert joined.graph.output[0] == model.graph.output[0]
    assert joined.graph.input[0] == model.graph.input[0]
    assert len(joined.graph.node) == len(model.graph.node)


def test_symbols_that_are_not_the_same_length_do_not_share_a_name() -> None:
    model = MODELS["colliding_symbols"]()
    plan = around(model, "fresh")
    joined = attach(model, plan)
    dims = [d.dim_param or d.dim_value for d in joined.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["onnxprep_N", 3], "their N is the second axis"
    scaled = joined.graph.output[-1]
    assert [d.dim_param for d in scaled.type.tensor_type.shape.dim] == ["batch", "N"], "what the model gives is theirs"
    paired = attach(relu(), around(relu(), "fresh")).graph.input[0]
    assert paired.type.tensor_type.shape.dim[0].dim_param == "N", "the same axis on both sides"


def test_symbols_inside_sequences_are_the_models_too() -> None:
    kind = helper.make_sequence_type_proto(helper.make_optional_type_proto(helper.make_tensor_type_proto(1, ["N", 3])))
    made = graph(
        [node("Relu", ["x"], ["y"])], [info("x", ("M", 3)), helper.make_value_info("parts", kind)], [info("y")]
    )
    model = relu()
    model.graph.CopyFrom(made)
    plan = planned({"image": ROWS}, [("s", Scale(), ("image",))], model, {"x": "s"}, {"y": "y"}, (), ["y"])
    joined = attach(model, fitted(plan, model))
    assert joined.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "onnxprep_N", "their N is another length"


def test_renaming_reaches_every_place() -> None:
    model = MODELS["quantization_annotation"]()
    model.training_info.extend(MODELS["training_info"]().training_info)
    model.graph.node[0].device_configurations.extend(
        MODELS["device_configuration"]().graph.node[0].device_configurations
    )
    plan = planned(
        {"x": ROWS},
        [("w", Scale(), ("x",))],
        model,
        {"x": "w"},
        {"model_y": "y"},
        [("y", Scale(), ("model_y",))],
        ["y", "w"],
    )
    joined = attach(model, plan)
    text = str(joined)
    for old in ("x", "w", "y"):
        assert f"onnxprep/body.{old}" in tensor_names(joined)
    body = [node for node in joined.graph.node if not node.name.startswith("onnxprep/")]
    assert list(body[0].input) == ["onnxprep/body.x", "onnxprep/body.w"]
    assert body[0].device_configurations[0].sharding_spec[0].tensor_name == "onnxprep/body.x"
    assert joined.graph.quantization_annotation[0].tensor_name == "onnxprep/body.x"
    assert joined.training_info[0].update_binding[0].key == "onnxprep/body.w"
    assert list(joined.training_info[0].algorithm.node[0].input) == ["onnxprep/body.w", "onnxprep/body.y"]
    assert text.count("onnxprep/body.y") >= 3


def test_refuses_a_model_that_has_steps() -> None:
    plan = around(relu(), "fresh")
    with pytest.raises(ContractError, match="already has onnxprep steps"):
        attach(attach(relu(), plan), plan)


@pytest.mark.parametrize(
    ("name", "where"), [("mask", "inputs"), ("mask", "outputs"), ("pair", "outputs"), ("parts", "inputs")]
)
def test_refuses_a_name_that_stays(name: str, where: str) -> None:
    model = MODELS["several_inputs" if name == "mask" else "sequences"]()
    feeds = {"x": name if where == "inputs" else "image", **({"z": "image2"} if name == "mask" else {})}
    inputs = {(name if where == "inputs" else "image"): ROWS, "image2": ROWS}
    post = [] if where == "inputs" else [(name, Scale(), ("y",))]
    plan = planned(inputs, [], model, feeds, {"y": "y"}, post, ["y"] if where == "inputs" else [name])
    with pytest.raises(ContractError, match="stays as it is"):
        attach(model, plan)


def test_refuses_what_the_model_does_not_have() -> None:
    plan = planned({"image": ROWS}, [], relu(), {"pixels": "image"}, {"y": "y"}, (), ["y"])
    with pytest.raises(ContractError, match="is no input of the model"):
        attach(relu(), plan)


def test_step_above_the_models_opset_is_named() -> None:
    model = MODELS["old_ir_with_weights_as_inputs"]()
    plan = planned({"image": ROWS}, [("newer", Newer(), ("image",))], model, {"x": "newer"}, {"y": "y"}, (), ["y"])
    with pytest.raises(ContractError) as caught:
        attach(model, plan)
    assert caught.value.at == "preprocess[0]"
    assert (caught.value.expected, caught.value.got) == ("opset 11 or higher", "opset 9")
    assert attach(model, plan, 11).opset_import[0].version == 11


def test_our_nodes_pass_the_checker_and_have_a_digest() -> None:
    joined = attach(relu(), around(relu(), "old"))
    checker.check_model(joined, full_check=True)
    digest = nodes_digest(joined)
    onnxprep_nodes(joined)[0].doc_string = "changed"
    assert nodes_digest(joined) != digest
    assert len(digest) == 64


@pytest.mark.parametrize("data", [b"", b"PNG", b"\x08\x08", b"\xff" * 40])
def test_refuses_what_is_no_model(data: bytes) -> None:
    with pytest.raises(ContractError, match="is not an ONNX model"):
        parse(data)


def test_refuses_damaged_text_anywhere() -> None:
    data = MODELS["texts_everywhere"]().SerializeToString()
    for text in (b"the input", b"first", b"DATA_BATCH", b"org.example", b"batch" if b"batch" in data else b"body"):
        with pytest.raises(ContractError, match="not UTF-8"):
            parse(data.replace(text, b"\xff" + text[1:]))


def test_preprocessing_alone() -> None:
    plan = planned(
        {"image": TensorSpec("float32", ("N", 3, "H", "W"), "NCHW")},
        [("normalize", IMAGENET, ("image",)), ("both", Both(), ("normalize",))],
        outputs=["both.more", "normalize"],
    )
    model = standalone(plan)
    checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    assert standalone(plan).SerializeToString() == model.SerializeToString()
    picture = np.random.default_rng(1).uniform(0, 1, (2, 3, 4, 5)).astype(np.float32)
    got = run(model, {"image": picture})
    assert got["both.more"].tobytes() == (got["normalize"] + np.float32(1)).tobytes()
    with pytest.raises(ContractError, match="without the model"):
        standalone(planned({"image": ROWS}, [], relu(), {"x": "image"}, {"y": "y"}, (), ["y"]))
