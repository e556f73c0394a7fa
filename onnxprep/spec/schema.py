"""JSON Schema of the document, generated from the installed operations.

It says what a reader can check entry by entry; names, flow and files need the whole document.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxprep.spec.document import FORMAT
from onnxprep.spec.entry import STEP_FORMAT
from onnxprep.spec.step_schema import Families, Schema, needs_parameters, parameters
from onnxprep.step import catalogue
from onnxprep.tensor import COLORS, DTYPES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VALUE = {"$ref": "#/$defs/value"}
_STEPS = {"type": ["array", "null"], "items": {"$ref": "#/$defs/step"}}
_NAMES = {"type": ["array", "null"], "items": _VALUE}
_SHARED: Mapping[str, Schema] = {
    "value": {
        "description": "the name of a value: printable text without blanks at its ends",
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": r"^\S(.*\S)?$",
        "not": {"pattern": "^onnxprep/"},
    },
    "dim": {
        "description": "a length, a symbol such as H, or null where it is unknown",
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
            {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$"},
            {"type": "null"},
        ],
    },
}


def schema() -> Schema:
    """The JSON Schema (2020-12) of a spec, short and long forms."""
    definitions = dict(_SHARED) | {"input": _input()}
    for operation, families in catalogue().items():
        definitions |= parameters(operation, families)
    definitions["step"] = _step()
    known = sorted({family for families in catalogue().values() for family in families if family})
    return {
        "$schema": _DIALECT,
        "title": f"onnxprep spec, format {FORMAT}",
        "description": "A model's pre- and post-processing.",
        "type": "object",
        "required": ["onnxprep"],
        "additionalProperties": False,
        "properties": {
            "onnxprep": {"description": "the format of the document", "const": FORMAT},
            "name": {"description": "what people call it; outside the digest", "type": ["string", "null"]},
            "like": {"description": "the rule family that steps inherit", "enum": [*known, None]},
            "inputs": _described("the graph's new inputs", {"type": ["array", "null"], "items": _ref("input")}),
            "preprocess": _described("the steps before the model", _STEPS),
            "model": _model(),
            "postprocess": _described("the steps behind the model", _STEPS),
            "outputs": _described("the graph's outputs", {**_NAMES, "uniqueItems": True}),
            "provenance": _texts("what made it; outside the digest"),
        },
        "$defs": definitions,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _described(description: str, rest: Schema) -> Schema:
    return {"description": description, **rest}


def _texts(description: str, names: Schema | None = None) -> Schema:
    of_names = {"propertyNames": names} if names else {}
    return {
        "description": description,
        "type": ["object", "null"],
        "additionalProperties": {"type": "string"},
        **of_names,
    }


def _model() -> Schema:
    sides = {
        "inputs": _texts("model input -> the value that feeds it"),
        "outputs": _texts("value -> the model's output that it is", _VALUE),
    }
    return {
        "description": "how values and the model's tensors are joined",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": sides,
    }


def _input() -> Schema:
    span = {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    return {
        "type": "object",
        "required": ["name", "dtype", "shape"],
        "additionalProperties": False,
        "properties": {
            "name": _VALUE,
            "dtype": {"description": "NumPy spelling", "enum": list(DTYPES)},
            "shape": _described("one dim per axis", {"type": "array", "items": _ref("dim")}),
            "layout": {
                "description": "one letter per axis, such as NHWC",
                "type": ["string", "null"],
                "pattern": "^[A-Z]{1,8}$",
            },
            "color": {"description": "what the C axis holds", "enum": [*COLORS, None]},
            "range": _described("lowest and highest value", span),
        },
    }


def _step() -> Schema:
    """A bare operation, one key with its parameters, or the long form."""
    operations = list(catalogue())
    return {
        "if": {"type": "string"},
        "then": {"enum": [name for name in operations if not needs_parameters(catalogue()[name])]},
        "else": {
            "if": {"type": "object", "required": ["operation"]},
            "then": _long(operations),
            "else": {
                "type": "object",
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {name: _optional(name) for name in operations},
            },
        },
    }


def _long(operations: list[str]) -> Schema:
    known = [
        {
            "if": {"properties": {"operation": {"const": name}}},
            "then": {
                "properties": {"parameters": _optional(name), "where": _where(families)},
                "required": [
                    *(["parameters"] if needs_parameters(families) else []),
                    *(["where"] if _is_caller(families) else []),
                ],
            },
        }
        for name, families in catalogue().items()
    ]
    foreign = {
        "if": {"properties": {"operation": {"enum": operations}}},
        "else": {"properties": {"where": {"const": "caller"}}, "required": ["where"]},
    }
    by_caller = {
        "if": {"properties": {"where": {"const": "caller"}}, "required": ["where"]},
        "then": {"required": ["inputs"], "properties": {"inputs": {"type": "array"}}},
    }
    return {
        "additionalProperties": False,
        "properties": {
            "step": {"description": "the format of a step", "const": STEP_FORMAT},
            "operation": {"description": "what it does", "type": "string", "pattern": "^[a-z][a-z0-9_]{0,89}$"},
            "parameters": {"type": ["object", "null"]},
            "name": {
                "description": "unique; the operation if left out",
                "type": ["string", "null"],
                "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,99}$",
            },
            "inputs": _described("the values it takes", _NAMES),
            "outputs": _described("names for the values it makes, in the order of its ports", _NAMES),
            "where": {"description": "in the graph, or in the caller's program", "enum": ["graph", "caller"]},
        },
        "allOf": [*known, foreign, by_caller],
    }


def _where(families: Families) -> Schema:
    return {"enum": sorted({"caller" if cls.caller else "graph" for cls in families.values()})}


def _is_caller(families: Families) -> bool:
    return all(cls.caller for cls in families.values())


def _optional(operation: str) -> Schema:
    return (
        _ref(operation) if needs_parameters(catalogue()[operation]) else {"anyOf": [_ref(operation), {"type": "null"}]}
    )
