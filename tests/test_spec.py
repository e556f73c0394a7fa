"""The document: reading, names and flow, families, caller steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import IMAGE, STEPS, X, load, refused, values

from onnxprep.errors import SpecError
from onnxprep.spec.document import Spec

# the document -----------------------------------------------------------------------------------------------------


def test_a_document_may_be_nearly_empty() -> None:
    assert load("") == Spec({})
    nulls = "".join(f"{key}:\n" for key in ("name", "like", "inputs", "preprocess", "model", "postprocess", "outputs"))
    assert load(nulls + "provenance:\n") == Spec({})


@pytest.mark.parametrize(
    ("body", "at", "problem"),
    [
        ("nme: a\n", "nme", "is not a key of this format"),
        ("name: [a]\n", "name", 'is ["a"]'),
        ("name: 5\n", "name", "is 5"),
        ("inputs: {}\n", "inputs", "is {}"),
        ("inputs: [5]\n", "inputs[0]", "is 5"),
        ("inputs: [{name: x, dtype: float32}]\n", "inputs[0].shape", "is missing"),
        ("inputs: [{name: x, shape: [1], dtype: float}]\n", "inputs[0].dtype", 'is "float"'),
        ("inputs: [{name: x, shape: [1], dtype: int8, size: 1}]\n", "inputs[0].size", "is not a key of this format"),
        ("inputs: [{name: x, shape: [0], dtype: int8}]\n", "inputs[0].shape[0]", "is 0"),
        ("inputs: [{name: x, shape: [1, true], dtype: int8}]\n", "inputs[0].shape[1]", "is true"),
        ("inputs: [{name: x, shape: [2147483648], dtype: int8}]\n", "inputs[0].shape[0]", "is 2147483648"),
        ("inputs: [{name: x, shape: ['3'], dtype: int8}]\n", "inputs[0].shape[0]", 'is "3"'),
        ("inputs: [{name: x, shape: 3, dtype: int8}]\n", "inputs[0].shape", "is 3"),
        ("inputs: [{name: x, shape: [1, 2], dtype: int8, layout: N}]\n", "inputs[0].shape", "has 2 axes"),
        ("inputs: [{name: x, shape: [1, 2], dtype: int8, layout: NN}]\n", "inputs[0].layout", 'is "NN"'),
        ("inputs: [{name: x, shape: [1, 2], dtype: int8, layout: nc}]\n", "inputs[0].layout", 'is "nc"'),
        ("inputs: [{name: x, shape: [1], dtype: int8, color: RGB}]\n", "inputs[0].color", "is given for a tensor without an axis C"),
        ("inputs: [{name: x, shape: [4], layout: C, dtype: int8, color: RGB}]\n", "inputs[0].shape", "has C = 4"),
        ("inputs: [{name: x, shape: [3], layout: C, dtype: int8, color: rgb}]\n", "inputs[0].color", 'is "rgb"'),
        ("inputs: [{name: x, shape: [1], dtype: int8, range: [1, 0]}]\n", "inputs[0].range", "is [1, 0]"),
        ("inputs: [{name: x, shape: [1], dtype: int8, range: [0, 1, 2]}]\n", "inputs[0].range", "is [0, 1, 2]"),
        ("inputs: [{name: x, shape: [1], dtype: int8, range: [false, 1]}]\n", "inputs[0].range", "is [false, 1]"),
        ("inputs: [{name: x, shape: [1], dtype: int8, range: [0, 1%s]}]\n" % ("0" * 400), "the spec, line 2, column 56", None),
        ("inputs: [{name: '', shape: [1], dtype: int8}]\n", "inputs[0].name", 'is ""'),
        ("inputs: [{name: ' x', shape: [1], dtype: int8}]\n", "inputs[0].name", 'is " x"'),
        ('inputs: [{name: "a\\tb", shape: [1], dtype: int8}]\n', "inputs[0].name", 'is "a\\tb"'),
        ("inputs: [{name: onnxprep/x, shape: [1], dtype: int8}]\n", "inputs[0].name", 'is "onnxprep/x"'),
        (X.replace("[{", "[{name: x, dtype: int8, shape: [1]}, {"), "inputs[1].name", '"x" is the name of an earlier input'),
        ("model: false\n", "model", "is false"),
        ("model: []\n", "model", "is []"),
        ("model: {input: {}}\n", "model.input", "is not a key of this format"),
        ("model: {inputs: [x]}\n", "model.inputs", 'is ["x"]'),
        ("model: {inputs: {a: 1}}\n", "model.inputs.a", "is 1"),
        ("model: {outputs: {' a': b}}\n", "model.outputs. a", 'is " a"'),
        ("preprocess: {rescale: {}}\n", "preprocess", 'is {"rescale": {}}'),
        ("postprocess: [5]\n", "postprocess[0]", "is 5"),
        ("postprocess: [{}]\n", "postprocess[0]", "is {}"),
        ("postprocess: [{softmax: 5}]\n", "postprocess[0].parameters", "is 5"),
        ("postprocess: [{operation: softmax, step: 2}]\n", "postprocess[0].step", "is 2"),
        ("postprocess: [{operation: softmax, step: true}]\n", "postprocess[0].step", "is true"),
        ("postprocess: [{operation: softmax, where: here}]\n", "postprocess[0].where", 'is "here"'),
        ("postprocess: [{operation: softmax, where: null}]\n", "postprocess[0].where", "is null"),
        ("postprocess: [{operation: softmax, like: numpy}]\n", "postprocess[0].like", "is not a key of this format"),
        ("postprocess: [{operation: softmax, name: a b}]\n", "postprocess[0].name", 'is "a b"'),
        ("postprocess: [{operation: softmax, name: 2}]\n", "postprocess[0].name", "is 2"),
        ("postprocess: [{operation: softmax, outputs: []}]\n", "postprocess[0].outputs", "names 0 values"),
        ("postprocess: [{operation: Softmax}]\n", "postprocess[0].operation", 'is "Softmax"'),
        ("postprocess: [{operation: 3}]\n", "postprocess[0].operation", "is 3"),
        ("outputs: []\n", "outputs", "is empty"),
        ("outputs: [a, a]\n", "outputs", "names a value twice"),
        ("outputs: a\n", "outputs", 'is "a"'),
        ("provenance: {torch: 2.13}\n", "provenance.torch", "is 2.13"),
        ("around: {}\n", "around", "is reserved for a later format"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(body: str, at: str, problem: str | None) -> None:
    error = refused(body)
    assert error.at == at
    assert error.exit_code == 3
    assert problem is None or error.problem == problem
    if not error.problem.startswith(('"', "is reserved")):
        assert error.expected or "missing" in error.problem


@pytest.mark.parametrize("format_number", ["2", "0", "-1", "1.0", "true", "'1'", "null", "[1]"])
def test_only_format_1_is_read(format_number: str) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.load(f"onnxprep: {format_number}\n")
    assert caught.value.at == "onnxprep"
    assert ("newer" in caught.value.hint) == (format_number == "2")


def test_a_document_without_the_key_onnxprep_is_none() -> None:
    for text in ("name: a\n", "[]\n", "5\n", "a\nb\n", "null\n"):
        with pytest.raises(SpecError) as caught:
            Spec.load(text)
        assert caught.value.at == "the spec"
        assert "onnxprep: 1" in caught.value.expected + caught.value.hint


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("preproces: []\n", "did you mean `preprocess`?"),
        ("postprocess: [sofmax]\n", "did you mean `softmax`?"),
        ("postprocess: [SoftMax]\n", "did you mean `softmax`?"),
        ("postprocess: [{top_k: {n: 5}}]\n", ""),
        ("postprocess: [{softmax: {axes: 1}}]\n", "did you mean `axis`?"),
        ("postprocess: [{softmax: {precision: float46}}]\n", "did you mean `float64`?"),
        ("like: torchvision-v\n", "did you mean `torchvision-v1` or `torchvision-v2`?"),
        (IMAGE + "preprocess: [{rescale: {like: numppy}}]\n", "did you mean `numpy`?"),
        (IMAGE + "preprocess: [{operation: to_dtype, inputs: [imge], parameters: {dtype: float32}}]\n", "did you mean `image`?"),
        (IMAGE.replace("RGB", "RGBB"), "did you mean `RGB`?"),
    ],
)  # fmt: skip
def test_a_near_word_is_suggested(body: str, hint: str) -> None:
    assert refused(body).hint == hint


# where a spec comes from ------------------------------------------------------------------------------------------


def test_a_mapping_is_read_as_its_json(tmp_path: Path) -> None:
    document = {"onnxprep": 1, "postprocess": ["softmax", {"top_k": {"k": 3}}], "outputs": ("softmax",)}
    spec = Spec.load(document)
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(document))
    assert spec == Spec.load(json.dumps(document)) == Spec.load(path) == Spec.load(str(path))
    assert document["outputs"] == ("softmax",)


@pytest.mark.parametrize(
    "document",
    [
        {"onnxprep": 1, "name": object()},
        {"onnxprep": 1, "name": {1, 2}},
        {"onnxprep": 1, "provenance": {"loss": float("nan")}},
        {"onnxprep": 1, "name": "\ud800"},
        {"onnxprep": 1, ("a", "b"): 1},
    ],
)
def test_a_mapping_that_is_no_plain_data_is_refused(document: dict[Any, Any]) -> None:
    with pytest.raises(SpecError):
        Spec.load(document)
    circle: dict[str, Any] = {"onnxprep": 1}
    circle["inputs"] = circle
    with pytest.raises(SpecError, match="the spec: is not plain data"):
        Spec.load(circle)


# names and flow ---------------------------------------------------------------------------------------------------


def test_default_names_are_numbered_over_both_sides() -> None:
    spec = load(
        X + "preprocess: [softmax, softmax]\npostprocess: [softmax, argmax, {operation: softmax, inputs: [logits]}]\n"
    )
    assert values(spec) == [
        ("softmax", ("x",), ("softmax",)),
        ("softmax_2", ("softmax",), ("softmax_2",)),
        ("softmax_3", None, ("softmax_3",)),
        ("argmax", ("softmax_3",), ("argmax.indices", "argmax.values")),
        ("softmax_4", ("logits",), ("softmax_4",)),
    ]  # fmt: skip


def test_a_default_name_keeps_clear_of_every_other_name() -> None:
    body = X.replace("name: x", "name: softmax_3") + "model: {outputs: {softmax: logits}}\npostprocess:\n"
    spec = load(body + "  - softmax\n  - softmax\n  - {operation: argmax, name: softmax_2}\n")
    assert [entry.name for entry in spec.postprocess] == ["softmax_4", "softmax_5", "softmax_2"]


def test_outputs_of_a_step_are_renamed_in_port_order() -> None:
    spec = load("postprocess:\n  - {operation: top_k, parameters: {k: 2}, outputs: [best, which]}\n  - softmax\n")
    assert values(spec)[0] == ("top_k", None, ("best", "which"))
    assert values(spec)[1] == ("softmax", ("best",), ("softmax",))


@pytest.mark.parametrize(
    ("body", "at", "problem"),
    [
        ("  - {operation: softmax, outputs: [x]}\n", "preprocess[0].outputs[0]", '"x" is the name of inputs[0].name too'),
        ("  - {operation: softmax, name: a}\n  - {operation: softmax, outputs: [a]}\n", "preprocess[1].outputs[0]", '"a" is the name of preprocess[0].outputs[0] too'),
        ("  - {operation: softmax, outputs: [a, a]}\n", "preprocess[0].outputs", "names 2 values"),
        ("  - {operation: top_k, parameters: {k: 2}, outputs: [a, a]}\n", "preprocess[0].outputs[1]", '"a" is the name of preprocess[0].outputs[0] too'),
        ("  - {operation: softmax, inputs: [x, x]}\n", "preprocess[0].inputs", "names 2 values"),
        ("  - {operation: softmax, inputs: []}\n", "preprocess[0].inputs", "names 0 values"),
        ("  - {operation: softmax, inputs: [later]}\n  - {operation: softmax, name: later}\n", "preprocess[0].inputs[0]", '"later" is not a value here'),
        ("  - {operation: softmax, name: a}\npostprocess:\n  - {operation: softmax, name: a, outputs: [b]}\n", "postprocess[0].name", '"a" is the name of an earlier step'),
        ("  - {operation: softmax, outputs: [softmax.offset]}\n", "preprocess[0].outputs[0]", '"softmax.offset" is reserved for the frame of that step'),
        ("  - softmax\nmodel: {outputs: {softmax.in_size: a}}\n", "model.outputs.softmax.in_size", '"softmax.in_size" is reserved for the frame of that step'),
        ("  - softmax\nmodel: {outputs: {x: a}}\n", "model.outputs.x", '"x" is the name of inputs[0].name too'),
    ],
)  # fmt: skip
def test_names_and_flow_that_do_not_work_are_refused(body: str, at: str, problem: str) -> None:
    error = refused(X + "preprocess:\n" + body)
    assert (error.at, error.problem) == (at, problem)


def test_several_ports_take_the_latest_values_of_their_names(install: Callable[[str], None]) -> None:
    install(STEPS)
    spec = load(
        X
        + "preprocess:\n  - top_k: {k: 5}\n  - {operation: top_k, parameters: {k: 2}, outputs: [v, i]}\n  - pair\n  - pair\n"
    )
    assert values(spec)[2] == ("pair", ("v", "i"), ("pair.values", "pair.rest"))
    assert values(spec)[3] == ("pair_2", ("pair.values", "i"), ("pair_2.values", "pair_2.rest"))
    error = refused(X + "preprocess: [softmax, pair]\n")
    assert (error.at, error.problem) == ("preprocess[1].inputs", "no earlier step has a port `values`")
    assert error.expected == "values, indices"


# like -------------------------------------------------------------------------------------------------------------


def likes(spec: Spec) -> list[str | None]:
    return [entry.parameters.get("like") for entry in spec.preprocess]


def test_a_family_is_inherited_only_where_the_operation_has_and_allows_it() -> None:
    steps = "preprocess:\n  - resize: {size: 8, interpolation: bilinear, like: pillow-13}\n  - rescale\n  - to_layout: {layout: NCHW}\n"
    assert likes(load("like: torchvision-v1\n" + IMAGE + steps)) == ["pillow-13", "torchvision-v1", None]
    assert likes(load("like: timm\n" + IMAGE + steps.replace("- rescale", "- rescale: {like: numpy}"))) == [
        "pillow-13",
        "numpy",
        None,
    ]
    error = refused("like: pillow-13\n" + IMAGE + steps)
    assert (error.at, error.problem) == ("preprocess[1].parameters.like", "is missing")
    assert "`torchvision-v1`" in error.expected
    error = refused("like: pillow-13\n" + IMAGE + steps.replace(", like: pillow-13", ""))
    assert (error.at, error.problem) == ("preprocess[0].parameters.like", "is missing")
    assert "never takes it from the spec" in error.hint


def test_an_operation_that_follows_no_library_takes_no_family() -> None:
    error = refused("postprocess: [{softmax: {like: numpy}}]\n")
    assert (error.at, error.problem) == ("postprocess[0].parameters.like", 'is "numpy"')


# caller steps -----------------------------------------------------------------------------------------------------


def test_a_caller_chain_ends_in_an_input() -> None:
    spec = load(
        IMAGE.replace("}]", "}, {name: mask, dtype: bool, shape: [N]}]") + "preprocess:\n"
        "  - {operation: unpack, where: caller, inputs: [archive], outputs: [file, notes]}\n"
        "  - {operation: decode_image, where: caller, inputs: [file], outputs: [image], parameters: {like: pillow-13}}\n"
        "  - {operation: find, where: caller, inputs: [notes, image], outputs: [mask]}\n"
        "  - rescale: {like: numpy}\n"
        "postprocess:\n  - softmax\n  - {operation: report, where: caller, inputs: [softmax]}\n  - argmax\n"
    )  # fmt: skip
    assert [entry.name for entry in spec.callers] == ["unpack", "decode_image", "find", "report"]
    assert spec.callers[0].step is None
    assert spec.callers[1].parameters == {"color": "RGB", "exif_transpose": False, "like": "pillow-13"}
    assert values(spec)[3] == ("rescale", ("image",), ("rescale",))
    assert values(spec)[5:] == [
        ("report", ("softmax",), ("report",)),
        ("argmax", ("softmax",), ("argmax.indices", "argmax.values")),
    ]
    assert Spec.load(spec.dump()) == spec


@pytest.mark.parametrize(
    ("steps", "at", "problem"),
    [
        ("{operation: f, where: caller, outputs: [image]}", "preprocess[0].inputs", "is missing"),
        ("{operation: f, where: caller, inputs: [a]}", "preprocess[0].outputs", "is missing"),
        ("{operation: f, where: caller, inputs: [a], outputs: []}", "preprocess[0].outputs", "is missing"),
        ("{operation: f, where: caller, inputs: [a], outputs: [imag]}", "preprocess[0].outputs[0]", '"imag" is used by nothing'),
        ("{operation: f, where: caller, inputs: [a], outputs: [a]}", "preprocess[0].outputs[0]", '"a" is used by nothing'),
        ("{operation: f, where: caller, inputs: [b], outputs: [image]}, {operation: g, where: caller, inputs: [a], outputs: [b]}", "preprocess[1].outputs[0]", '"b" is used by nothing'),
        ("{operation: f, where: caller, inputs: [a], outputs: [image]}, {operation: g, where: caller, inputs: [a], outputs: [image]}", "preprocess[1].outputs[0]", '"image" is made twice'),
        ("{operation: f, where: caller, inputs: [a], outputs: [b]}, {operation: to_dtype, inputs: [b], parameters: {dtype: float32}}", "preprocess[1].inputs[0]", '"b" is not a value here'),
        ("{operation: decode_image, parameters: {like: pillow-13}}", "preprocess[0].where", "`decode_image` does not run there"),
        ("{operation: rescale, where: caller, inputs: [a], outputs: [image], parameters: {like: numpy}}", "preprocess[0].where", "`rescale` does not run there"),
    ],
)  # fmt: skip
def test_a_caller_step_that_does_not_work_is_refused(steps: str, at: str, problem: str) -> None:
    error = refused(IMAGE + f"preprocess: [{steps}]\n")
    assert (error.at, error.problem) == (at, problem)


def test_no_step_of_the_graph_takes_what_the_caller_makes_afterwards() -> None:
    error = refused(
        "postprocess: [softmax, {operation: f, where: caller, inputs: [softmax]}, {operation: argmax, inputs: [f]}]\n"
    )
    assert error.at == "postprocess[2].inputs[0]"
    assert error.problem == '"f" is made by the caller, after the graph has run'
