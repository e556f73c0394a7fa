"""The document: loading, dumping, names and flow, families, files, caller steps, digest, presets, schema, growth."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxprep.errors import ContractError, OnnxprepError, SpecError, UsageError
from onnxprep.spec import presets
from onnxprep.spec.bind import bind_alone
from onnxprep.spec.document import Spec, canonical, digest_of
from onnxprep.spec.plan import plan
from onnxprep.spec.schema import schema
from onnxprep.step import catalogue

X = "inputs: [{name: x, dtype: float32, layout: NC, shape: [N, 10]}]\n"
IMAGE = "inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]\n"


def load(body: str, **options: Any) -> Spec:
    return Spec.load("onnxprep: 1\n" + body, **options)


def refused(body: str, **options: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(body, **options)
    return caught.value


def values(spec: Spec) -> list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]]:
    return [(entry.name, entry.inputs, entry.outputs) for entry in (*spec.preprocess, *spec.postprocess)]


# operations for these tests alone, installed as a distribution installs them ---------------------------------------

STEPS = '''
from typing import ClassVar
from onnxprep.step import Claim, Step, parameter

class Pair(Step):
    """Takes what top_k makes."""
    operation: ClassVar[str] = "pair"
    claims: ClassVar = {"": Claim("none", "", "")}
    inputs: ClassVar[tuple[str, ...]] = ("values", "indices")
    outputs: ClassVar[tuple[str, ...]] = ("values", "rest")

class Sharpen(Step):
    """Has had one parameter from the beginning."""
    operation: ClassVar[str] = "sharpen"
    claims: ClassVar = {"": Claim("none", "", "")}
    amount: float = parameter("how much", 1.0)
'''
NEWER = '    radius: int = parameter("how far", 1, added=True)\n'


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a distribution with steps on the path: the same way a user's own steps come in."""
    folder = tmp_path / "site"
    info = folder / "more_steps-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-steps\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    count = 0

    def put(source: str) -> None:
        nonlocal count
        count += 1
        name = f"more_steps_{count}"
        (folder / f"{name}.py").write_text(source)
        (info / "entry_points.txt").write_text(f"[onnxprep.steps]\nmore = {name}\n")
        catalogue.cache_clear()

    yield put
    catalogue.cache_clear()
    for module in [name for name in sys.modules if name.startswith("more_steps_")]:
        del sys.modules[module]


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
        ("like: torchvision\n", "did you mean `torchvision-v1` or `torchvision-v2`?"),
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


# files ------------------------------------------------------------------------------------------------------------

LABELS = "onnxprep: 1\npostprocess:\n  - argmax\n  - labels: {file: %s}\n"


def with_file(folder: Path, name: str, content: bytes) -> Spec:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (folder / "spec.yaml").write_text(LABELS % name)
    return Spec.load(folder / "spec.yaml")


def names_of(spec: Spec) -> list[str]:
    return list(spec.postprocess[1].parameters["names"])


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        ("\ufeffBär\n青\n".encode(), ["Bär", "青"]),
        (b" a \n\tb\n", [" a ", "\tb"]),
        ("a\u2028b\nc\x0bd\n".encode(), ["a\u2028b", "c\x0bd"]),
        (b"no\nnull\n1\n", ["no", "null", "1"]),
    ],
)
def test_a_file_is_one_entry_per_line(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    assert names_of(with_file(tmp_path, "names/labels.txt", content)) == lines


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\n\nb\n", "line 2 is empty"),
        (b"a\n \t\n", "line 2 is empty"),
        (b"", "line 1 is empty"),
        (b"a\n\n", "line 2 is empty"),
        (b"a\xff\n", '"labels.txt": is not UTF-8 text'),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_file(tmp_path, "labels.txt", content)
    assert (caught.value.at, caught.value.problem) == ("postprocess[1].parameters.file", problem)


@pytest.mark.parametrize(
    "name",
    ["../labels.txt", "/etc/hostname", "sub/../../labels.txt", "link.txt", "out/labels.txt", "circle", '"a\\0b"'],
)
def test_a_file_outside_the_folder_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "specs"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "labels.txt").write_text("secret\n")
    (folder / "link.txt").symlink_to(tmp_path / "labels.txt")
    (folder / "out").symlink_to(tmp_path)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "spec.yaml").write_text(LABELS % name)
    with pytest.raises(SpecError) as caught:
        Spec.load(folder / "spec.yaml")
    assert caught.value.at == "postprocess[1].parameters.file"
    assert "leads out" in caught.value.problem or name == "circle"
    assert "secret" not in str(caught.value)


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "names.txt").write_text("a\n")
    (tmp_path / "labels.txt").symlink_to("data/names.txt")
    (tmp_path / "spec.yaml").write_text(LABELS % "labels.txt")
    assert names_of(Spec.load(tmp_path / "spec.yaml")) == ["a"]


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for name in ("labels.txt", ".", '""'):
        (tmp_path / "spec.yaml").write_text(LABELS % name)
        with pytest.raises(SpecError) as caught:
            Spec.load(tmp_path / "spec.yaml")
        assert caught.value.at == "postprocess[1].parameters.file"
        assert "directory" in caught.value.problem
    error = refused("postprocess: [argmax, {labels: {file: labels.txt}}]\n")
    assert "has no folder" in error.problem
    error = refused("postprocess: [argmax, {labels: {file: labels.txt, names: [a]}}]\n")
    assert (error.at, error.problem) == ("postprocess[1].parameters.file", "stands beside `names`")


def test_the_spec_holds_contents_and_no_paths(tmp_path: Path) -> None:
    one = with_file(tmp_path, "a.txt", b"cat\ndog\n")
    other = with_file(tmp_path, "b/c.txt", b"cat\r\ndog")
    assert one.dump() == other.dump()
    assert ".txt" not in one.dump()


def long_list(count: int = 9000) -> list[str]:
    return [f"class {i}" for i in range(count)]


def test_a_long_list_is_kept_beside_the_spec(tmp_path: Path) -> None:
    spec = with_file(tmp_path, "labels.txt", "\n".join(long_list()).encode())
    text, files = spec.stored()
    ((digest, content),) = files.items()
    assert content == "\n".join(long_list()) + "\n"
    assert digest == hashlib.sha256(content.encode()).hexdigest()
    assert json.loads(text)["postprocess"][1]["parameters"] == {"default": None, "file": f"sha256:{digest}"}
    assert len(text) < 1000
    assert len(spec.dump()) > 100_000
    assert Spec.load(text, files=files) == spec == Spec.load(spec.dump())
    assert Spec.load(text, files=files).stored() == (text, files)


def test_the_limit_is_64_kb_of_text() -> None:
    def stored(names: list[str]) -> dict[str, str]:
        return Spec.load({"onnxprep": 1, "postprocess": ["argmax", {"labels": {"names": names}}]}).stored()[1]

    assert stored(["é" * 32767 + "a"]) == {}
    assert len(stored(["é" * 32768])) == 1


@pytest.mark.parametrize("odd", ["", "  ", "a\nb", "a\r"])
def test_a_long_list_that_no_file_could_say_stays_in_the_spec(odd: str) -> None:
    spec = Spec.load({"onnxprep": 1, "postprocess": ["argmax", {"labels": {"names": [*long_list(), odd]}}]})
    text, files = spec.stored()
    assert files == {}
    assert Spec.load(text) == spec


def test_a_stored_list_that_is_missing_or_changed_is_refused(tmp_path: Path) -> None:
    text, files = with_file(tmp_path, "labels.txt", "\n".join(long_list()).encode()).stored()
    ((digest, content),) = files.items()
    for known_only in (True, False):
        for found, problem in (({}, "is missing"), ({digest: content + "more\n"}, "does not match its digest")):
            with pytest.raises(SpecError) as caught:
                Spec.load(text, files=found, known_only=known_only)
            assert caught.value.at == "postprocess[1].parameters.file"
            assert caught.value.problem == f"the content sha256:{digest[:16]}... {problem}"


# canonical JSON and digest ----------------------------------------------------------------------------------------

_CHARACTERS = st.characters(exclude_categories=["Cs"])
_TEXTS = st.text(_CHARACTERS, max_size=8)
_FLOATS = st.floats(min_value=1e-30, max_value=1e30) | st.integers(1, 10**6)
_NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6).map("v ".__add__)
_STEPS = st.one_of(
    st.just(("softmax", {})),
    st.fixed_dictionaries({"axis": st.integers(-4, 3), "precision": st.sampled_from(["float32", "float64"])}).map(lambda p: ("softmax", p)),
    st.integers(1, 10**6).map(lambda k: ("top_k", {"k": k})),
    st.just(("argmax", {})),
    _FLOATS.map(lambda value: ("threshold", {"value": value})),
    st.lists(_FLOATS, min_size=1, max_size=4).map(lambda v: ("normalize", {"mean": v, "std": v[::-1], "like": "numpy"})),
    st.lists(_TEXTS, min_size=1, max_size=5).map(lambda names: ("labels", {"names": names})),
    st.sampled_from(["NCHW", "NHWC"]).map(lambda layout: ("to_layout", {"layout": layout})),
    st.tuples(*[st.integers(1, 99)] * 2).map(lambda size: ("center_crop", {"size": list(size), "like": "timm"})),
)  # fmt: skip


@st.composite
def sides(draw: st.DrawFn, start: list[str], prefix: str) -> list[Any]:
    """Steps in any of the three forms, some named, some renaming what they make, some taking what they name."""
    steps: list[Any] = []
    known = list(start)
    for i in range(draw(st.integers(0, 4))):
        operation, parameters = draw(_STEPS)
        form = draw(st.sampled_from(["short", "long"]))
        if form == "short":
            steps.append({operation: parameters} if parameters or draw(st.booleans()) else operation)
            continue
        entry: dict[str, Any] = {"operation": operation, "parameters": parameters}
        if draw(st.booleans()):
            entry["name"] = f"{prefix}-{i}"
        if known and draw(st.booleans()):
            entry["inputs"] = [draw(st.sampled_from(known))]
        if draw(st.booleans()):
            ports = 2 if operation in ("top_k", "argmax") else 1
            entry["outputs"] = [f"{prefix} {i} {draw(_NAMES)} {port}" for port in range(ports)]
            known += entry["outputs"]
        steps.append(entry)
    return steps


def _ranges(dtype: str) -> Any:
    highest = st.integers(2, 255) if dtype == "uint8" else st.just(10**31)
    lowest = st.floats(0, 2) if dtype == "uint8" else _FLOATS
    return st.none() | st.tuples(lowest, highest).map(list)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    dims = st.integers(1, 2**31 - 1) | st.sampled_from(["N", "H", "_w1"]) | st.none()
    dtypes = st.sampled_from(["uint8", "float32", "string"])
    inputs = [
        {"name": name, "dtype": (dtype := draw(dtypes)), "shape": draw(st.lists(dims, max_size=4)), "range": draw(_ranges(dtype))}
        for name in names
    ]  # fmt: skip
    document: dict[str, Any] = {"onnxprep": 1, "inputs": inputs}
    document["preprocess"] = draw(sides(names, "pre"))
    document["postprocess"] = draw(sides([*names, "logits"], "post"))
    if draw(st.booleans()):
        document["outputs"] = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    document["model"] = {"inputs": draw(st.dictionaries(_TEXTS, _NAMES, max_size=2))}
    return document | {"name": draw(_TEXTS), "provenance": draw(st.dictionaries(_TEXTS, _TEXTS, max_size=2))}


MANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@MANY
@given(documents())
def test_what_is_dumped_loads_as_the_same_spec(document: dict[str, Any]) -> None:
    spec = Spec.load(document)
    text = spec.dump()
    assert Spec.load(text) == spec
    assert Spec.load(text).dump() == text
    stored, files = spec.stored()
    assert (Spec.load(stored, files=files), Spec.load(stored, files=files).digest) == (spec, spec.digest)


def sorted_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return list(value) == sorted(value) and all(map(sorted_keys, value.values()))
    return not isinstance(value, list) or all(map(sorted_keys, value))


@MANY
@given(documents())
def test_canonical_json_is_one_text(document: dict[str, Any]) -> None:
    text = Spec.load(document).dump()
    assert text.isascii()
    assert text.isprintable()
    assert sorted_keys(json.loads(text))
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert not re.search(r"\s", outside)
    for side in ("preprocess", "postprocess"):
        for entry in json.loads(text, parse_float=lambda digits: ("float", digits))[side]:
            for key in ("mean", "std", "value"):
                found = entry["parameters"].get(key, [])
                for number in found if key != "value" else [found] if found else []:
                    assert number[0] == "float"
                    assert {".", "e"} & set(number[1])


def test_floats_are_written_the_shortest_way() -> None:
    written = {
        0.1: "0.1",
        1.0: "1.0",
        1e-5: "1e-05",
        1e16: "1e+16",
        123456789012345.6: "123456789012345.6",
        2.5e-7: "2.5e-07",
    }
    for number, text in written.items():
        spec = load(f"postprocess: [{{threshold: {{value: {number!r}}}}}]\n")
        assert f'"value":{text}}}' in spec.dump()


@MANY
@given(documents(), _TEXTS, st.dictionaries(_TEXTS, _TEXTS, max_size=2))
def test_the_digest_leaves_out_name_and_provenance_only(
    document: dict[str, Any], name: str, provenance: dict[str, str]
) -> None:
    spec = Spec.load(document)
    assert Spec.load({**document, "name": name, "provenance": provenance}).digest == spec.digest
    stored = json.loads(spec.stored()[0])
    covered = {key: value for key, value in stored.items() if key not in ("name", "provenance")}
    assert spec.digest == digest_of(stored) == hashlib.sha256(canonical(covered).encode()).hexdigest()
    for key in covered:
        changed = {**stored, key: [stored[key]]}
        assert digest_of(changed) != spec.digest


def test_every_part_of_a_step_is_covered_by_the_digest() -> None:
    base = X + "preprocess: [{operation: softmax, name: a, parameters: {axis: 1}}]\n"
    others = [
        base.replace("axis: 1", "axis: -1"), base.replace("name: a", "name: b"), base.replace("softmax", "argmax"),
        base.replace("name: a,", "name: a, outputs: [b],"), base.replace("[N, 10]", "[N, 11]"), base + "outputs: [a]\n",
        base.replace("NC", "CN"), base + "model: {inputs: {a: a}}\n",
    ]  # fmt: skip
    digests = {load(body).digest for body in [base, *others]}
    assert len(digests) == len(others) + 1


# operations of other releases ---------------------------------------------------------------------------------------


def test_unknown_operations_survive_where_they_are_only_looked_at() -> None:
    body = (
        X
        + "preprocess:\n  - {operation: dream, parameters: {deep: [1, 2.0, {a: null}], like: oneiros}, outputs: [a, b]}\n  - {operation: softmax, inputs: [b]}\n"
    )
    error = refused(body)
    assert (error.at, error.hint) == ("preprocess[0].operation", "`onnxprep steps` lists them all")
    spec = load(body, known_only=False)
    assert spec.preprocess[0].step is None
    assert spec.preprocess[0].parameters == {"deep": [1, 2.0, {"a": None}], "like": "oneiros"}
    assert Spec.load(spec.dump(), known_only=False) == spec
    with pytest.raises(ContractError) as caught:
        plan(bind_alone(spec))
    assert caught.value.at == "preprocess[0]"
    assert caught.value.problem == 'the operation "dream" is not installed'


@pytest.mark.parametrize("parameters", ["{axis: 1, base: 2}", "{axis: last}", "{axis: 1, like: quantum-3}"])
def test_so_do_unknown_parameters_and_families(parameters: str) -> None:
    body = X + f"preprocess: [{{softmax: {parameters}}}]\n"
    assert refused(body).at.startswith("preprocess[0].parameters.")
    spec = load(body, known_only=False)
    assert spec.preprocess[0].step is None
    assert Spec.load(spec.dump(), known_only=False) == spec
    with pytest.raises(ContractError, match='"softmax" with these parameters is not installed'):
        plan(bind_alone(spec))


def test_a_parameter_added_later_is_not_written_at_its_default(install: Callable[[str], None]) -> None:
    body = X + "preprocess: [sharpen]\n"
    install(STEPS)
    old = load(body)
    install(STEPS + NEWER)
    new = load(body)
    assert new.dump() == old.dump()
    assert new.digest == old.digest
    assert new.preprocess[0].parameters == {"amount": 1.0}
    explicit = load(X + "preprocess: [{sharpen: {radius: 1}}]\n")
    assert explicit == new
    other = load(X + "preprocess: [{sharpen: {radius: 2}}]\n")
    assert other.preprocess[0].parameters == {"amount": 1.0, "radius": 2}
    assert Spec.load(other.dump()) == other
    install(STEPS)  # the older release
    with pytest.raises(SpecError, match="is not a parameter of `sharpen`"):
        Spec.load(other.dump())
    assert Spec.load(other.dump(), known_only=False).digest == other.digest


# presets ----------------------------------------------------------------------------------------------------------

NAMES = (
    "classifier-only", "clip", "keras-tf", "minimal", "opencv-numpy", "timm-imagenet", "torchvision-imagenet",
    "torchvision-v2", "vit", "vit-default", "yolov8",
)  # fmt: skip


def test_the_presets_are_these() -> None:
    assert presets.names() == NAMES


@pytest.fixture(params=NAMES)
def preset(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("".join(f"class {i}\n" for i in range(1000)))
    path = tmp_path / f"{request.param}.yaml"
    path.write_text(presets.text(request.param))
    return path


def test_a_preset_loads_and_dumps(preset: Path) -> None:
    spec = Spec.load(preset)
    assert spec.name == preset.stem
    assert Spec.load(spec.dump()) == spec
    text, files = spec.stored()
    assert Spec.load(text, files=files).digest == spec.digest
    assert preset.read_text().startswith("# ")


def test_the_tensors_of_a_preset_fit(preset: Path) -> None:
    spec = Spec.load(preset)
    if not spec.preprocess:
        with pytest.raises(SpecError, match="preprocess: has no step"):
            bind_alone(spec)
        return
    planned = plan(bind_alone(spec))
    (name,) = planned.outputs
    made = planned.values[name]
    assert (made.dtype, made.layout, made.dim("C")) == ("float32", "NHWC" if "keras" in preset.stem else "NCHW", 3)
    side = {"minimal": None, "yolov8": 640, "opencv-numpy": 256}.get(preset.stem, 224)
    assert (made.dim("H") if side else None, made.dim("W") if side else None) == (side, side)


def test_an_unknown_preset_is_a_usage_error() -> None:
    with pytest.raises(UsageError) as caught:
        presets.text("torchvison-imagenet")
    assert caught.value.hint == "did you mean `torchvision-imagenet`?"
    assert "clip" in caught.value.expected
    for name in ("../presets/clip", "", "clip.yaml", "/etc/hosts"):
        with pytest.raises(UsageError):
            presets.text(name)


# schema -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_one(validator: jsonschema.Draft202012Validator) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema() == schema()
    text = json.dumps(schema())
    assert "pydantic" not in text
    assert '"title": "' in text
    assert text.count('"title": "') == 1
    references = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', text))
    assert references <= set(schema()["$defs"])
    assert set(catalogue()) <= references


def test_the_schema_accepts_every_preset_and_its_canonical_form(
    validator: jsonschema.Draft202012Validator, preset: Path
) -> None:
    from onnxprep.spec.reading import read

    validator.validate(read(preset.read_text()))
    spec = Spec.load(preset)
    validator.validate(json.loads(spec.dump()))
    validator.validate(json.loads(spec.stored()[0]))


@MANY
@given(documents())
def test_the_schema_accepts_what_loads(validator: jsonschema.Draft202012Validator, document: dict[str, Any]) -> None:
    validator.validate(document)
    validator.validate(json.loads(Spec.load(document).dump()))


def test_every_parameter_is_documented_in_the_schema() -> None:
    definitions = schema()["$defs"]
    for operation, families in catalogue().items():
        branches = definitions[operation].get("anyOf", [definitions[operation]])
        assert len(branches) == len(set(families.values()))
        for branch in branches:
            for name, found in branch["properties"].items():
                assert found.get("description"), (operation, name)
        named = {family for branch in branches for family in branch["properties"].get("like", {}).get("enum", [])}
        assert named - {None} == {family for family in families if family}


@pytest.mark.parametrize(
    "step",
    [
        "soft_max", {"soft_max": {}}, {"softmax": {"axes": 1}}, {"softmax": {"axis": 1.5}}, {"softmax": {"axis": "1"}},
        {"softmax": {"like": "numpy"}}, {"rescale": {"like": "sklearn"}}, {"top_k": {}}, "top_k", {"top_k": None},
        {"softmax": {}, "argmax": {}}, {}, 5, None, {"operation": "softmax", "nme": "a"}, {"operation": "softmax", "step": 2},
        {"operation": "softmax", "name": "a b"}, {"operation": "softmax", "inputs": [" a"]}, {"operation": "top_k"},
        {"operation": "dream"}, {"operation": "softmax", "where": "caller", "inputs": ["a"]},
        {"operation": "decode_image", "parameters": {"like": "pillow-13"}},
        {"operation": "decode_image", "parameters": {"like": "pillow-13"}, "where": "caller"},
        {"labels": {}}, {"labels": {"names": []}}, {"labels": {"names": ["a"], "file": "a.txt"}}, {"labels": {"file": 5}},
        {"resize": {"size": 8, "interpolation": "bilinear"}}, {"resize": {"size": 8, "like": "pillow-13"}},
        {"resize": {"size": 8, "interpolation": "linear", "like": "pillow-13"}},
    ],
)  # fmt: skip
def test_schema_and_reader_refuse_the_same_steps(validator: jsonschema.Draft202012Validator, step: Any) -> None:
    image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "shape": [1, 8, 8, 3]}
    document = {"onnxprep": 1, "inputs": [image], "preprocess": [step]}
    with pytest.raises(OnnxprepError):
        Spec.load(document)
    assert not validator.is_valid(document)
