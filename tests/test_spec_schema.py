"""Presets, and the JSON Schema beside the reader."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from documents import MANY, documents
from hypothesis import given

from onnxprep.errors import OnnxprepError, SpecError, UsageError
from onnxprep.spec import presets
from onnxprep.spec.bind import Signature, bind, bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import plan
from onnxprep.spec.schema import schema
from onnxprep.step import catalogue
from onnxprep.tensor import TensorSpec

# presets ----------------------------------------------------------------------------------------------------------

NAMES = (
    "classifier-only", "clip", "detr", "keras-tf", "minimal", "opencv-numpy", "timm-imagenet", "torchvision-imagenet",
    "torchvision-v2", "vit", "vit-default", "yolov8", "yolov8-detect",
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
    sides = {"minimal": None, "detr": None, "yolov8": 640, "yolov8-detect": 640, "opencv-numpy": 256}
    side = sides.get(preset.stem, 224)
    assert (made.dim("H") if side else None, made.dim("W") if side else None) == (side, side)


@pytest.mark.parametrize(("name", "tensor", "outputs", "made"), [
    ("yolov8-detect", "images", {"output0": (1, 84, 8400)}, ["float32[1, 300, 4]", "string[1, 300]", "int64[1] 0..300"]),
    ("detr", "pixel_values", {"logits": (1, 100, 92), "pred_boxes": (1, 100, 4)}, ["float32[1, 100, 4]", "int64[1, 100] -1..90"]),
])  # fmt: skip
def test_the_answers_of_a_preset_fit(
    tmp_path: Path, name: str, tensor: str, outputs: dict[str, tuple[int, ...]], made: list[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(presets.text(name))
    (tmp_path / "labels.txt").write_text("\n".join(f"thing {k}" for k in range(80)))
    known = Signature(
        {tensor: TensorSpec("float32", (1, 3, "H", "W"))},
        {output: TensorSpec("float32", shape) for output, shape in outputs.items()},
    )
    planned = plan(bind(Spec.load(tmp_path / "spec.yaml"), known), known)
    assert set(made) <= {str(planned.values[output]) for output in planned.outputs}


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


def keywords(schema: Any) -> Iterator[str]:
    """Every key that a validator reads as a keyword: not the names of properties and definitions, nor values."""
    if isinstance(schema, list):
        for item in schema:
            yield from keywords(item)
    elif isinstance(schema, dict):
        yield from schema
        for key, inner in schema.items():
            named = key in ("properties", "$defs")
            yield from keywords(list(inner.values()) if named else [] if key in ("default", "const", "enum") else inner)


def test_every_keyword_is_one_of_json_schema() -> None:
    dialect = json.loads(json.dumps(jsonschema.Draft202012Validator.META_SCHEMA))
    known = set(dialect["properties"]) | set(jsonschema.Draft202012Validator.VALIDATORS)
    known |= {"$schema", "$defs", "title", "description", "default", "then", "else"}
    assert set(keywords(schema())) <= known


BEYOND = [
    {"adjust_brightness": {"brightness_factor": -1, "like": "pillow-13"}},
    {"rescale": {"max_value": 0, "like": "albumentations"}},
    {"top_k": {"k": 0}},
]


@pytest.mark.parametrize("step", BEYOND, ids=[next(iter(step)) for step in BEYOND])
def test_what_is_out_of_bounds_is_refused(validator: jsonschema.Draft202012Validator, step: dict[str, Any]) -> None:
    document = {"onnxprep": 1, "preprocess": [step]}
    assert not validator.is_valid(document)
    with pytest.raises(SpecError) as refused:
        Spec.load(document)
    assert refused.value.at.startswith("preprocess[0].parameters.")
    ((operation, parameters),) = step.items()
    within = {key: 2 if isinstance(value, int) else value for key, value in parameters.items()}
    validator.validate({"onnxprep": 1, "preprocess": [{operation: within}]})


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
