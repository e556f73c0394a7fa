"""Spec and model joined: what feeds the model, what it gives, which values come out, and what cannot be told."""

from __future__ import annotations

import pytest

from onnxprep.errors import ContractError, OnnxprepError, SpecError
from onnxprep.spec.bind import Signature, bind, bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import Plan, plan
from onnxprep.tensor import TensorSpec

IMAGE = "inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, 8, 8, 3]}]\n"
PRE = IMAGE + "preprocess: [{rescale: {like: numpy}}, {to_layout: {layout: NCHW}}]\n"
TWO = "inputs: [{name: a, dtype: float32, layout: NC, shape: [N, 4]}, {name: b, dtype: float32, layout: NC, shape: [N, 4]}]\n"
IN = TensorSpec("float32", ("N", 3, 8, 8))
OUT = TensorSpec("float32", ("N", 10))


def model(inputs: str = "pixels", outputs: str = "logits") -> Signature:
    return Signature(dict.fromkeys(inputs.split(), IN), dict.fromkeys(outputs.split(), OUT))


def bound(body: str, signature: Signature | None = None) -> Spec:
    spec = bind(Spec.load("onnxprep: 1\n" + body), signature or model())
    assert Spec.load(spec.dump()) == spec
    assert bind(spec, signature or model()) == spec  # what is bound stays as it is
    return spec


def refused(body: str, signature: Signature | None = None) -> OnnxprepError:
    spec = Spec.load("onnxprep: 1\n" + body)
    with pytest.raises(OnnxprepError) as caught:
        bind(spec, signature or model())
    return caught.value


# into the model -------------------------------------------------------------------------------------------------------


def test_the_last_value_feeds_the_only_input() -> None:
    spec = bound(PRE)
    assert spec.model_inputs == {"pixels": "to_layout"}
    assert spec.model_outputs == {"logits": "logits"}
    assert spec.outputs == ("logits",)


def test_without_steps_the_first_input_feeds_it() -> None:
    assert bound(IMAGE).model_inputs == {"pixels": "image"}


def test_nothing_before_the_model_feeds_nothing() -> None:
    spec = bound("postprocess: [softmax]\n")
    assert spec.model_inputs == {}
    assert plan(spec, model("ids mask")).kept == ("ids", "mask")


def test_a_value_called_like_an_input_of_the_model_feeds_it() -> None:
    body = TWO + "preprocess: [{operation: softmax, name: mask, inputs: [a]}, {operation: softmax, inputs: [b]}]\n"
    assert bound(body, model("mask ids")).model_inputs == {"mask": "mask", "ids": "softmax"}


def test_the_models_old_input_name_may_be_the_name_of_the_new_input() -> None:
    assert bound(PRE.replace("image", "pixels")).model_inputs == {"pixels": "to_layout"}


def test_an_input_that_no_step_takes_feeds_the_input_of_its_name() -> None:
    body = PRE.replace("}]\npre", "}, {name: size, dtype: int64, shape: [2]}]\npre")
    spec = bound(body, model("pixels size"))
    assert spec.model_inputs == {"size": "size", "pixels": "to_layout"}


def test_what_is_written_goes_first() -> None:
    body = PRE + "model: {inputs: {second: to_layout}}\n"
    spec = bound(body, model("to_layout second"))
    assert spec.model_inputs == {"second": "to_layout", "to_layout": "to_layout"}
    assert bound(body, model("first second")).model_inputs == {"second": "to_layout"}


def test_one_value_may_feed_several_inputs() -> None:
    spec = bound(PRE + "model: {inputs: {left: to_layout, right: to_layout}}\n", model("left right"))
    assert spec.model_inputs == {"left": "to_layout", "right": "to_layout"}


def test_the_last_value_feeds_the_model_even_if_it_comes_out_too() -> None:
    spec = bound(PRE + "outputs: [to_layout, logits]\n")
    assert spec.model_inputs == {"pixels": "to_layout"}
    assert bound(PRE + "outputs: [to_layout]\n", model("left right")).model_inputs == {}


def test_a_feed_that_cannot_be_told_is_refused() -> None:
    error = refused(PRE, model("left right"))
    assert (type(error), error.at) == (ContractError, "model.inputs")
    assert (
        error.problem == 'the model has several inputs that nothing feeds, so it cannot be told where "to_layout" goes'
    )
    assert "inputs: {left: to_layout}" in error.hint
    assert error.got == "left float32[N, 3, 8, 8], right float32[N, 3, 8, 8]"


def test_a_model_without_inputs_takes_nothing() -> None:
    error = refused(PRE, Signature({}, {"logits": OUT}))
    assert (type(error), error.at, error.problem) == (
        ContractError,
        "model.inputs",
        'the model has no input, so "to_layout" leads nowhere',
    )


def test_feeds_that_do_not_exist_are_refused() -> None:
    error = refused(PRE + "model: {inputs: {pixel: to_layout}}\n")
    assert (type(error), error.at) == (ContractError, "model.inputs.pixel")
    assert error.problem == 'the model has no input "pixel"'
    assert error.expected == "one of `pixels`"
    assert error.hint == "did you mean `pixels`?"
    error = refused(PRE + "model: {inputs: {pixels: to_layot}}\n")
    assert (type(error), error.at) == (SpecError, "model.inputs.pixels")
    assert error.problem == '"to_layot" is not a value before the model'
    assert error.hint == "did you mean `to_layout`?"
    error = refused(PRE + "model: {inputs: {pixels: logits}}\n")
    assert error.problem == '"logits" is not a value before the model'


def test_a_value_that_nobody_uses_is_refused() -> None:
    error = refused(
        IMAGE
        + "preprocess: [{rescale: {like: numpy}}, {operation: to_layout, inputs: [image], parameters: {layout: NCHW}}]\n"
    )
    assert (type(error), error.at, error.problem) == (SpecError, "preprocess[0]", 'nobody uses the value "rescale"')
    assert error.expected == "a step that takes it, a model input, or its name in `outputs`"
    error = refused(TWO + "preprocess: [softmax]\n")
    assert (error.at, error.problem) == ("inputs[1]", 'nobody uses the value "b"')
    body = (
        IMAGE
        + "preprocess: [{operation: rescale, name: scaled, parameters: {like: numpy}}, {operation: to_layout, inputs: [image], parameters: {layout: NCHW}}]\n"
    )
    spec = Spec.load("onnxprep: 1\n" + body + "postprocess: [{operation: softmax, inputs: [scale]}]\n")
    with pytest.raises(SpecError) as caught:
        bind(spec, model(outputs="scale"))
    assert caught.value.hint == "did you mean `scale`?"


# out of the model -----------------------------------------------------------------------------------------------------


def test_the_first_step_takes_the_only_output() -> None:
    spec = bound("postprocess: [softmax, argmax]\n")
    assert [entry.inputs for entry in spec.postprocess] == [("logits",), ("softmax",)]
    assert spec.outputs == ("argmax.indices", "argmax.values")


def test_default_outputs_are_what_nobody_takes() -> None:
    body = "postprocess: [{operation: top_k, parameters: {k: 2}, inputs: [boxes]}, {operation: labels, parameters: {names: [a]}, inputs: [top_k.indices]}]\n"
    spec = bound(body, model(outputs="logits boxes masks"))
    assert spec.outputs == ("logits", "masks", "top_k.values", "labels")


def test_outputs_may_name_any_value() -> None:
    spec = bound(PRE + "postprocess: [softmax]\noutputs: [softmax, rescale, logits, to_layout]\n")
    assert spec.outputs == ("softmax", "rescale", "logits", "to_layout")


def test_outputs_of_the_model_are_renamed() -> None:
    spec = bound("model: {outputs: {raw: logits}}\npostprocess: [softmax]\n")
    assert spec.model_outputs == {"raw": "logits"}
    assert spec.postprocess[0].inputs == ("raw",)
    assert bound("model: {outputs: {raw: logits}}\n").outputs == ("raw",)


def test_with_several_outputs_the_first_step_has_to_say() -> None:
    error = refused("postprocess: [softmax]\n", model(outputs="logits boxes"))
    assert (type(error), error.at) == (ContractError, "postprocess[0].inputs")
    assert error.problem == "the model has 2 outputs, so the first step must say which it takes"
    assert error.expected == "one of logits, boxes"
    assert error.hint == "`{operation: softmax, inputs: [logits]}`"
    error = refused("postprocess: [softmax]\n", Signature({"pixels": IN}, {}))
    assert error.problem == "the model has 0 outputs, so the first step must say which it takes"


def test_names_that_are_no_values_are_refused() -> None:
    error = refused("model: {outputs: {raw: logit}}\n")
    assert (type(error), error.at, error.problem) == (
        ContractError,
        "model.outputs.raw",
        'the model has no output "logit"',
    )
    assert error.hint == "did you mean `logits`?"
    error = refused("postprocess: [{operation: softmax, inputs: [logit]}]\n")
    assert (type(error), error.at, error.problem) == (
        SpecError,
        "postprocess[0].inputs[0]",
        '"logit" is not a value here',
    )
    assert error.hint == "did you mean `logits`?"
    error = refused("model: {outputs: {raw: logits}}\npostprocess: [{operation: softmax, inputs: [logits]}]\n")
    assert error.problem == '"logits" is not a value here'
    error = refused(
        "postprocess: [{operation: softmax, inputs: [later]}, {operation: softmax, name: later, inputs: [logits]}]\n"
    )
    assert (error.at, error.problem) == ("postprocess[0].inputs[0]", '"later" is not a value here')
    error = refused("postprocess: [softmax]\noutputs: [sofmax]\n")
    assert (type(error), error.at, error.problem) == (SpecError, "outputs[0]", '"sofmax" is not a value')
    assert error.hint == "did you mean `softmax`?"
    assert error.expected == "one of `logits`, `softmax`"


@pytest.mark.parametrize(
    "body",
    [
        "postprocess: [{operation: softmax, name: logits}]\n",
        PRE.replace("image", "logits"),
        IMAGE + "preprocess: [{operation: rescale, name: logits, parameters: {like: numpy}}]\n",
    ],
)
def test_an_output_of_the_model_needs_a_name_of_its_own(body: str) -> None:
    error = refused(body)
    assert (type(error), error.at) == (ContractError, "model.outputs")
    assert error.problem == 'the model\'s output "logits" and a value of the spec have one name'
    assert error.hint == '`model: {outputs: {raw: "logits"}}` calls it `raw`'
    assert "logits" in (bound(body + "model: {outputs: {raw: logits}}\n").model_outputs.values())


@pytest.mark.parametrize("name", ["", " logits", "a\nb", "onnxprep/x", "x" * 201])
def test_an_output_whose_name_no_value_can_have_has_to_be_renamed(name: str) -> None:
    signature = Signature({"pixels": IN}, {name: OUT})
    spec = Spec.load({"onnxprep": 1, "postprocess": ["softmax"]})
    with pytest.raises(ContractError, match="has a name that no value can have"):
        bind(spec, signature)
    renamed = bind(
        Spec.load({"onnxprep": 1, "postprocess": ["softmax"], "model": {"outputs": {"raw": name}}}), signature
    )
    assert Spec.load(renamed.dump()) == renamed
    assert renamed.postprocess[0].inputs == ("raw",)


# caller steps ---------------------------------------------------------------------------------------------------------


def test_caller_steps_behind_the_model_take_outputs_of_the_graph() -> None:
    steps = "postprocess: [softmax, {operation: draw, where: caller, inputs: [%s], outputs: [plot]}, {operation: send, where: caller, inputs: [plot]}]\n"
    assert bound(steps % "softmax").outputs == ("softmax",)
    error = refused(steps % "logits")
    assert (type(error), error.at) == (SpecError, "postprocess[1].inputs[0]")
    assert error.problem == '"logits" is not an output of the graph'
    assert error.expected == "one of `softmax`"
    assert bound(steps % "logits" + "outputs: [softmax, logits]\n").outputs == ("softmax", "logits")
    error = refused(steps % "sofmax")
    assert error.hint == "did you mean `softmax`?"


def test_caller_steps_before_the_model_feed_nothing() -> None:
    body = PRE.replace("[{rescale", "[{operation: load, where: caller, inputs: [file], outputs: [image]}, {rescale")
    spec = bound(body, model("file"))
    assert spec.model_inputs == {"file": "to_layout"}


# without a model ------------------------------------------------------------------------------------------------------


def alone(body: str) -> Spec:
    return bind_alone(Spec.load("onnxprep: 1\n" + body))


def test_alone_the_last_values_come_out() -> None:
    spec = alone(PRE + "postprocess: [softmax]\noutputs: [softmax]\nmodel: {inputs: {pixels: to_layout}}\n")
    assert (spec.outputs, spec.postprocess, spec.model_inputs) == (("to_layout",), (), {})
    assert alone(TWO + "preprocess: [softmax, {operation: softmax, inputs: [b]}]\n").outputs == ("softmax", "softmax_2")


def test_alone_what_feeds_the_model_comes_out_with_what_is_named() -> None:
    assert alone(PRE + "outputs: [rescale, logits]\n").outputs == ("rescale", "to_layout")
    assert alone(PRE + "outputs: [to_layout, rescale]\n").outputs == ("to_layout", "rescale")
    assert alone(PRE + "model: {inputs: {small: rescale, large: to_layout}}\n").outputs == ("rescale", "to_layout")
    assert alone(TWO + "preprocess: [softmax]\nmodel: {inputs: {second: b}}\n").outputs == ("b", "softmax")


def test_alone_nothing_is_lost() -> None:
    # an input that no step takes may feed a model by its name: only a model can tell
    assert alone(TWO + "preprocess: [softmax]\n").outputs == ("softmax",)
    for body in ("postprocess: [softmax]\n", ""):
        with pytest.raises(SpecError, match="preprocess: has no step"):
            alone(body)


# the plan -------------------------------------------------------------------------------------------------------------


def planned(body: str, signature: Signature | None = None) -> Plan:
    return plan(bound(body, signature), signature or model())


def test_the_plan_knows_every_tensor() -> None:
    found = planned(PRE + "postprocess: [softmax, argmax]\n")
    assert str(found.values["image"]) == "uint8[N, 8, 8, 3] NHWC RGB 0..255"
    assert str(found.values["to_layout"]) == "float32[N, 3, 8, 8] NCHW RGB 0..1"
    assert found.values["logits"] == OUT
    assert str(found.values["argmax.indices"]) == "int64[N] 0..9"
    assert [step.path for step in found.steps] == ["preprocess[0]", "preprocess[1]", "postprocess[0]", "postprocess[1]"]
    assert [step.prefix for step in found.side("post")] == ["onnxprep/post.0.softmax", "onnxprep/post.1.argmax"]


def test_a_step_that_does_not_work_on_what_it_gets_is_a_contract_error() -> None:
    body = IMAGE + "preprocess: [{normalize: {mean: [0.0, 0.0, 0.0], std: [1.0, 1.0, 1.0], like: numpy}}]\n"
    with pytest.raises(ContractError) as caught:
        planned(body)
    assert (caught.value.at, caught.value.exit_code) == ("preprocess[0]", 4)
    assert caught.value.problem.startswith("`normalize` ")
    assert caught.value.got == "uint8[N, 8, 8, 3] NHWC RGB 0..255"


def test_caller_steps_are_not_in_the_plan() -> None:
    body = PRE.replace("[{rescale", "[{operation: load, where: caller, inputs: [file], outputs: [image]}, {rescale")
    assert [(step.index, step.name) for step in planned(body).steps] == [(1, "rescale"), (2, "to_layout")]
