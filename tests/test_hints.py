"""Hints name only what can be done, and errors of the body's opset the step that asked for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from awkward import graph, model, node
from onnx import TensorProto, helper
from plans import Newer, planned

from onnxprep.errors import ContractError
from onnxprep.graph.contract import unify
from onnxprep.graph.fit import Fitted
from onnxprep.graph.hint import hint_for
from onnxprep.runtime.raise_opset import raised
from onnxprep.runtime.validate import check_nodes
from onnxprep.spec.lint import lint
from onnxprep.spec.plan import Plan, Signature
from onnxprep.step import catalogue
from onnxprep.tensor import NARROW, TensorSpec

EVERY = (*NARROW, "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "string")  # fmt: skip


def plan_for(tensor: TensorSpec) -> Plan:
    return planned({"data": tensor}, [], None, {"x": "data"})


@pytest.mark.parametrize("theirs", EVERY)
@pytest.mark.parametrize("ours", EVERY)
def test_a_cast_that_is_named_exists(ours: str, theirs: str) -> None:
    """The hint's own words, as steps: from our dtype to the model's."""
    if ours == theirs:
        return
    tensor = TensorSpec(ours, ("N", 3))
    hint = hint_for(plan_for(tensor), None, tensor, TensorSpec(theirs, ("N", 3)), None)
    casts = [part for part in hint.split("`") if part.startswith("to_dtype")]
    for cast in casts:
        fields = dict(pair.split(": ") for pair in cast.removeprefix("to_dtype: {").removesuffix("}").split(", "))
        step = catalogue()["to_dtype"][""](**fields)
        (tensor,) = step.infer(tensor)
    assert not casts or tensor.dtype == theirs
    known = {"bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64", *NARROW}
    assert bool(casts) == ({ours, theirs} <= known and theirs != "bool")


@pytest.mark.parametrize("axis", [2, 3])
def test_no_step_is_asked_to_make_a_picture_without_pixels(axis: int) -> None:
    ours = TensorSpec("float32", ("N", 3, 8, 8), "NCHW", "RGB", (0.0, 1.0))
    hint = hint_for(plan_for(ours), None, ours, TensorSpec("float32", ("N", 3, 0, 0)), axis)
    assert hint == "the model wants 0 x 0 pixels: is its input declared rightly?"


def test_every_operation_that_a_hint_names_is_installed() -> None:
    ours = {c: TensorSpec("float32", ("N", c, 8, 8), "NCHW", k) for c, k in ((1, "GRAY"), (3, "RGB"), (4, "RGBA"))}
    for channels, tensor in ours.items():
        for other in {1, 3, 4} - {channels}:
            hint = hint_for(plan_for(tensor), None, tensor, TensorSpec("float32", ("N", other, 8, 8)), 1)
            for word in hint.split("`")[1::2]:
                assert word in catalogue(), hint


def test_an_unknown_length_is_no_number() -> None:
    ours = TensorSpec("float32", ("N", 3, 8, 9), "NCHW", "RGB", (0.0, 1.0))
    signature = Signature({"x": TensorSpec("float32", ("N", 3, None, 8))}, {})
    with pytest.raises(ContractError) as error:
        unify(plan_for(ours), signature)
    assert "wants any x 8 (height x width)" in error.value.hint


def scaled(*steps: str, color: str = "RGB") -> Plan:
    """A picture through some steps, for the model input x."""
    given = TensorSpec("uint8", ("N", 8, 8, 3), "NHWC", color, (0.0, 255.0))
    parameters = {"normalize": {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}}
    made, before = [], "image"
    for name in steps:
        made.append(
            (name, catalogue()[name]["torchvision-v1"](like="torchvision-v1", **parameters.get(name, {})), (before,))
        )
        before = name
    return planned({"image": given}, made, None, {"x": before})


@pytest.mark.parametrize(
    ("steps", "dtype", "hint"),
    [
        (("rescale", "normalize"), "uint8", "leave out `rescale` and `normalize`: the model takes the pixels"),
        (("rescale",), "int32", "leave out `rescale`: the model takes the pixels"),
        (("rescale", "normalize"), "int8", "leave out `rescale` and `normalize`: the model takes the pixels, as int8 usually less 128: `to_dtype: {dtype: float32}`, `normalize` with mean 128 and std 1, `to_dtype: {dtype: int8, rounding: half_even}`"),
    ],
)  # fmt: skip
def test_a_model_of_integers_is_not_given_a_cast_of_what_was_scaled(
    steps: tuple[str, ...], dtype: str, hint: str
) -> None:
    with pytest.raises(ContractError) as error:
        unify(scaled(*steps), Signature({"x": TensorSpec(dtype, ("N", 8, 8, 3))}, {}))
    assert error.value.hint == hint


def test_pixels_for_int8_are_not_clipped() -> None:
    """The hint's own steps: no byte is lost, and nothing is doubted."""
    ours = TensorSpec("uint8", ("N", 8, 8, 3), "NHWC", "RGB", (0.0, 255.0))
    theirs = TensorSpec("int8", ("N", 8, 8, 3))
    hint = hint_for(plan_for(ours), None, ours, theirs, None)
    assert hint.startswith(
        "the model takes int8, usually the pixels less 128: `to_dtype: {dtype: float32}`, `normalize`"
    )
    to_dtype, normalize = catalogue()["to_dtype"][""], catalogue()["normalize"]["numpy"]
    steps = [
        ("wide", to_dtype(dtype="float32"), ("image",)),
        ("less", normalize(like="numpy", mean=(128.0,) * 3, std=(1.0,) * 3), ("wide",)),
        ("int8", to_dtype(dtype="int8", rounding="half_even"), ("less",)),
    ]
    plan = planned({"image": ours}, steps, None, {"x": "int8"})
    assert plan.values["int8"].range == (-128.0, 127.0)
    assert lint(plan) == ()
    unify(plan, Signature({"x": theirs}, {}))


def test_floats_that_hold_pixels_are_cast() -> None:
    for span, told in (((0.0, 255.0), "add `to_dtype: {dtype: uint8, rounding: half_even}`"), ((0.0, 1.0), "the model takes integers, and this is 0..1: declare the pixels instead")):  # fmt: skip
        ours = TensorSpec("float32", ("N", 3), None, None, span)
        assert hint_for(plan_for(ours), None, ours, TensorSpec("uint8", ("N", 3)), None) == told


def test_gray_is_made_by_a_step_that_there_is() -> None:
    plan = scaled("rescale")
    ours = plan.values["rescale"]
    hint = hint_for(plan, plan.steps[0], ours, TensorSpec("float32", ("N", 8, 8, 1)), 3)
    assert hint.startswith(
        "add `to_grayscale`, like the library of the training, where the image is still uint8 (before `rescale`)"
    )
    gray = catalogue()["to_grayscale"]["pillow-13"](like="pillow-13")
    (made,) = gray.infer(plan.values["image"])
    assert (made.color, made.dim("C")) == ("GRAY", 1)
    with pytest.raises(ContractError):  # behind `rescale` it would be too late, as the hint says
        gray.infer(ours)


# places ------------------------------------------------------------------------------------------------------------


def old(operator: str) -> tuple[object, Fitted]:
    """A model of opset 9 that ONNX Runtime does not load, and a step that needs 11."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3]) for n in "xy")
    made = model(graph([node(operator, ["x"], ["y"], domain="no.such")], [x], [y]), imports={"": 9, "no.such": 1})
    plan = planned({"image": TensorSpec("float32", ("N", 3))}, [("new", Newer(), ("image",))], made, {"x": "new"})
    return made, Fitted(None, plan, None)  # type: ignore[arg-type]  # only the plan is looked at


def test_a_failed_raise_of_the_opset_names_the_step(tmp_path: Path) -> None:
    made, fitted = old("Strange")
    with pytest.raises(ContractError) as error:
        raised(made, fitted, tmp_path, upgrade=False)
    assert error.value.at == "preprocess[0] (new), opset 9 -> 11"
    assert "does not load" in error.value.problem
    assert error.value.hint == "export it at opset 11 or higher"  # a rewritten body would not load, either


def test_an_upgrade_is_not_offered_where_it_cannot_work(tmp_path: Path) -> None:
    """The converter would lose the sampling positions of an old Upsample."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, "H", "W"]) for n in "xy")
    scales = helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    made = model(graph([node("Upsample", ["x", "s"], ["y"])], [x], [y], [scales]), imports={"": 9})
    plan = planned(
        {"image": TensorSpec("float32", (1, 3, "H", "W"))}, [("new", Newer(), ("image",))], made, {"x": "new"}
    )
    for upgrade in (False, True):
        with pytest.raises(ContractError) as error:
            raised(made, Fitted(None, plan, None), tmp_path, upgrade=upgrade)  # type: ignore[arg-type]
        assert error.value.hint.startswith("export " + ("the model again" if upgrade else "it at opset 11 or higher"))
        assert "or --upgrade-opset" not in error.value.hint
        assert upgrade or "--upgrade-opset cannot help: Upsample before opset 10" in error.value.hint


def test_nodes_that_do_not_fit_name_the_step() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    wrong = node("Softmax", ["x"], ["y"], axis=7, name="onnxprep/post.2.softmax/Softmax_0")
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    with pytest.raises(ContractError) as error:
        check_nodes(model(graph([wrong], [x], [y])))
    assert error.value.at == "postprocess[2] (softmax)"
