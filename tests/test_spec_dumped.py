"""Canonical JSON, the digest, and what other releases have written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from documents import MANY, NEWER, STEPS, TEXTS, X, documents, load, refused
from hypothesis import given
from hypothesis import strategies as st

from onnxprep.errors import ContractError, SpecError
from onnxprep.spec.bind import bind_alone
from onnxprep.spec.document import Spec, canonical, digest_of
from onnxprep.spec.plan import plan


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
@given(documents(), TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2))
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
