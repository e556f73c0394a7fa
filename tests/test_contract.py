"""The contract: every misfit is found before a session, with the step, both types and a repair."""

from __future__ import annotations

import pytest
from awkward import graph, info, model, node
from onnx import ModelProto, TensorProto, helper
from plans import Add, Nothing, Scale, planned

from onnxprep.errors import ContractError
from onnxprep.graph.contract import bind, unify
from onnxprep.graph.signature import signature
from onnxprep.spec.plan import Plan, Signature
from onnxprep.steps.image.normalize.float32 import Normalize
from onnxprep.tensor import Dim, TensorSpec

GRAY = Normalize(mean=(0.5,), std=(0.5,), like="torchvision-v1")


def image(*shape: Dim, layout: str = "NCHW", dtype: str = "float32") -> TensorSpec:
    return TensorSpec(dtype, shape, layout, "RGB")


def plan_for(**fed: TensorSpec) -> Plan:
    """One step per model input: the name of the keyword is the model's input."""
    steps = [(f"ready_{name}", Nothing(), (f"in_{name}",)) for name in fed]
    inputs = {f"in_{name}": spec for name, spec in fed.items()}
    made = planned(inputs, steps)
    return Plan(made.steps, made.values, made.inputs, {name: f"ready_{name}" for name in fed}, {}, ())


def takes(**inputs: TensorSpec) -> Signature:
    return Signature(inputs, {})


def floats(*shape: Dim) -> TensorSpec:
    return TensorSpec("float32", shape)


def test_our_symbol_is_bound_by_their_number() -> None:
    contract = unify(plan_for(data=image("N", 3, 224, 224)), takes(data=floats(1, 3, 224, 224)))
    assert contract.bindings == {"N": 1}
    assert contract.lines == (
        "model input data: float32[1, 3, 224, 224] <- ready_data float32[N, 3, 224, 224]  fits (N := 1)",
    )
    assert contract.warnings == ()


def test_their_symbol_is_bound_by_our_number() -> None:
    contract = unify(plan_for(data=image(8, 3, 4, 4)), takes(data=floats("batch", 3, None, "S")), strict=True)
    assert (contract.bindings, contract.theirs) == ({}, {"S": 4, "batch": 8})
    assert contract.lines[0].endswith("fits (batch := 8, S := 4)")


def test_what_the_model_leaves_open_fits() -> None:
    contract = unify(plan_for(data=image("N", 3, "H", "W")), takes(data=TensorSpec("float32", None)), strict=True)
    assert contract.warnings == ()
    assert (
        unify(plan_for(data=image("N", 3, "H", "W")), takes(data=floats(None, None, None, None)), strict=True).bindings
        == {}
    )


def test_inputs_that_nothing_feeds_and_outputs_are_listed() -> None:
    made = model(graph([node("Add", ["x", "m"], ["y"])], [info("x"), info("m")], [info("y")]))
    plan = planned({"image": floats("N", 3)}, [], made, {"x": "image"}, {"scores": "y"}, (), ["scores"])
    assert unify(plan, signature(made)).lines == (
        "model input x: float32[N, 3] <- image float32[N, 3]  fits",
        "model input m: float32[N, 3]  stays a graph input",
        "model output y: float32[N, 3] -> scores",
    )


MISFITS = {
    "dtype": (image("N", 3, 4, 4, dtype="uint8"), floats(1, 3, 4, 4), "takes float32, not uint8", "`rescale`"),
    "half": (image("N", 3, 4, 4), TensorSpec("float16", (1, 3, 4, 4)), "takes float16", "`to_dtype: {dtype: float16}`"),
    "rank": (image(3, 4, 4, layout="CHW"), floats(1, 3, 4, 4), "wants 4 axes, not 3", "`to_layout: {layout: NCHW}`"),
    "rank interleaved": (image(8, 8, 3, layout="HWC"), floats(1, 8, 8, 3), "wants 4 axes", "`to_layout: {layout: NHWC}`"),
    "layout": (image("N", 240, 320, 3, layout="NHWC"), floats("b", 3, 240, 320), "axis 1: the model wants 3, not 240", "`to_layout: {layout: NCHW}`"),
    "other layout": (image("N", 3, 240, 320), floats("b", 240, 320, 3), "axis 1: the model wants 240, not 3", "`to_layout: {layout: NHWC}`"),
    "channels": (image("N", 1, 4, 4), floats(1, 3, 4, 4), "axis 1: the model wants 3, not 1", "`gray_to_rgb`"),
    "alpha": (image("N", 4, 9, 9), floats(1, 3, 9, 9), "axis 1: the model wants 3, not 4", "`drop_alpha`"),
    "size": (image("N", 3, 256, 256), floats(1, 3, 224, 224), "axis 2: the model wants 224, not 256", "224 x 224"),
    "batch": (image(8, 3, 4, 4), floats(1, 3, 4, 4), "axis 0: the model wants 1, not 8", "as N, or as 1"),
    "square": (image("N", 3, 224, 256), floats("N", 3, "S", "S"), "axis 3: the model's S would have to be 224 and 256", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_misfit_names_step_types_axis_and_repair(name: str) -> None:
    ours, theirs, problem, hint = MISFITS[name]
    with pytest.raises(ContractError) as caught:
        unify(plan_for(data=ours), takes(data=theirs))
    error = caught.value
    assert error.at == "preprocess[0] (ready_data)"
    assert problem in error.problem
    assert "model's input data" in error.problem
    assert hint in error.hint
    assert error.expected == f"data: {theirs}"
    assert error.got == f"ready_data: {ours}"


def test_size_hint_names_the_step_that_made_the_size() -> None:
    class Crop(Scale):
        def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
            return (inputs[0].with_dims(H=256, W=256),)

    steps = [("resize", Nothing(), ("in",)), ("center_crop", Crop(), ("resize",)), ("scale", Scale(), ("center_crop",))]
    made = planned({"in": image("N", 3, "H", "W")}, steps)
    plan = Plan(made.steps, made.values, made.inputs, {"data": "scale"}, {}, ())
    with pytest.raises(ContractError, match=r"preprocess\[2\] \(scale\)") as caught:
        unify(plan, takes(data=floats(1, 3, 224, 224)))
    assert caught.value.hint == "the model wants 224 x 224 (height x width): change preprocess[1] (center_crop)"


def test_a_symbol_cannot_be_two_numbers() -> None:
    plan = plan_for(a=image("N", 3, 4, 4), b=image("N", 3, 4, 4))
    with pytest.raises(ContractError, match="N would have to be 1 and 4 at once") as caught:
        unify(plan, takes(a=floats(1, 3, 4, 4), b=floats(4, 3, 4, 4)))
    assert caught.value.at == "preprocess[1] (ready_b)"


def test_a_number_travels_through_their_symbol() -> None:
    plan = plan_for(a=image("N", 3, 4, 4), b=image(2, 3, 4, 4), c=image("M", 3, 4, 4))
    contract = unify(plan, takes(a=floats("b", 3, 4, 4), b=floats("b", 3, 4, 4), c=floats("b", 3, 4, 4)))
    assert (contract.bindings, contract.theirs) == ({"M": 2, "N": 2}, {"b": 2})
    assert contract.warnings == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "warning"),
    [
        (image("N", 3, None, 4), floats(1, 3, 4, 4), "length of axis 2 is unknown"),
        (TensorSpec("float32", None), floats(1, 3, 4, 4), "rank is unknown"),
        (image("N", 3, "H", "W"), floats(1, 3, "S", "S"), "H and W must be equal"),
    ],
)
def test_what_cannot_be_proven_is_said_or_refused(ours: TensorSpec, theirs: TensorSpec, warning: str) -> None:
    plan, known = plan_for(data=ours), takes(data=theirs)
    (found,) = unify(plan, known).warnings
    assert warning in found
    assert found.endswith("cannot prove")
    with pytest.raises(ContractError, match=warning):
        unify(plan, known, strict=True)


def test_feeding_an_input_that_the_model_has_not() -> None:
    with pytest.raises(ContractError, match="is no input of the model"):
        unify(plan_for(data=image("N", 3, 4, 4)), takes(pixels=floats(1, 3, 4, 4)))


def test_bound_symbols_reach_every_tensor_of_our_side_only() -> None:
    made = model(graph([node("MatMul", ["x", "x"], ["y"])], [info("x", (3, "M"))], [info("y", ("N", "M"))]))
    plan = planned(
        {"image": floats("N", "M")}, [("scale", Scale(), ("image",))], made, {"x": "scale"}, {"scores": "y"},
        [("again", Scale(), ("scores",)), ("sum", Add(), ("scores", "scale"))], ["sum", "again"],
    )  # fmt: skip
    contract = unify(plan, signature(made))
    assert (contract.bindings, contract.theirs) == ({"N": 3}, {})
    bound = bind(plan, contract.bindings, contract.theirs)
    shapes = {name: spec.shape for name, spec in bound.values.items()}
    assert shapes == {
        "image": (3, "M"), "scale": (3, "M"), "scores": ("N", "M"), "again": ("N", "M"), "sum": (3, "M"),
    }  # fmt: skip
    assert bound.steps[0].given == (floats(3, "M"),)
    assert bound.steps[2].gives == (floats(3, "M"),)
    assert plan.values["image"].shape == ("N", "M"), "the plan itself stays"


def test_binding_that_a_step_refuses_names_the_step() -> None:
    plan = planned({"image": image("N", "C", 4, 4)}, [("normalize", GRAY, ("image",))])
    with pytest.raises(ContractError) as caught:
        bind(plan, {"C": 3})
    assert caught.value.at == "preprocess[0]"


def odd_inputs() -> ModelProto:
    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))
    optional = helper.make_optional_type_proto(sequence)
    made = graph(
        [node("Identity", ["a"], ["y"])],
        [
            info("a", (-1, 3)), info("b", None, TensorProto.BFLOAT16), info("c", (), TensorProto.STRING),
            helper.make_value_info("s", sequence), helper.make_value_info("o", optional), info("w", (2,)),
            info("e", (None, "h", 0), TensorProto.FLOAT8E4M3FN), info("sparse", (3,)),
        ],
        [info("y", None), helper.make_value_info("z", sequence)],
        [helper.make_tensor("w", TensorProto.FLOAT, [2], [1, 2])],
    )  # fmt: skip
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [1], [1])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    made.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))
    return model(made)


def test_signature_of_everything_a_model_may_take() -> None:
    found = signature(odd_inputs())
    assert found.inputs == {
        "a": floats(None, 3), "b": TensorSpec("bfloat16", None), "c": TensorSpec("string", ()),
        "e": TensorSpec("float8_e4m3fn", (None, "h", 0)),
    }  # fmt: skip
    assert found.outputs == {"y": TensorSpec("float32", None)}


def test_signature_refuses_an_unknown_element_type() -> None:
    made = odd_inputs()
    made.graph.input[0].type.tensor_type.elem_type = 99
    with pytest.raises(ContractError, match="element type"):
        signature(made)


def test_signature_refuses_an_input_without_a_name() -> None:
    made = odd_inputs()
    made.graph.input[0].name = ""
    with pytest.raises(ContractError, match="without a name"):
        signature(made)


def test_undeclared_element_type_fits_anything() -> None:
    made = odd_inputs()
    made.graph.input[0].type.tensor_type.ClearField("elem_type")
    assert signature(made).inputs["a"].dtype == "undefined"
    unify(plan_for(a=floats("N", 3)), signature(made), strict=True)
