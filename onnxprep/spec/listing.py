"""The catalogue as data and text: what ``onnxprep steps`` prints and the docs are generated from."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import Any

from onnxprep.errors import UsageError
from onnxprep.spec.messages import did_you_mean
from onnxprep.step import Step, catalogue


@dataclass(frozen=True)
class Listed:
    """One operation, as data and as text."""

    data: dict[str, Any]
    text: str


def described() -> list[dict[str, Any]]:
    """Every operation with its ports, parameters and claims, by name."""
    return [_operation(name) for name in catalogue()]


def operation(name: str) -> Listed:
    """One operation in full.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in catalogue():
        raise UsageError("is not an installed operation", at=name, hint=did_you_mean(name, catalogue()))
    data = _operation(name)
    lines = [f"{name}({', '.join(data['inputs'])}) -> {', '.join(data['outputs'])}", ""]
    for form in data["forms"]:
        like = ", ".join(family or "follows no library" for family in form["like"])
        lines += [f"like: {like}", form["documentation"], "", "parameters:"]
        lines += [f"  {p['name']}: {p['type']}{_default(p)}. {p['description']}" for p in form["parameters"]] or [
            "  none"
        ]
        lines.append("")
    rules = {written(rule): rule["description"].splitlines()[0] for form in data["forms"] for rule in form["rules"]}
    lines += ["rules:", *(f"  {rule}\n    {meaning}" for rule, meaning in rules.items()), ""] if rules else []
    lines += ["claims:"]
    lines += [
        f"  {c['like'] or '-'}: {c['library']} {c['versions']} {c['function']}: {c['tolerance']}{_note(c)}"
        for c in data["claims"]
    ]
    return Listed(data, "\n".join(lines))


def written(rule: dict[str, Any]) -> str:
    """A rule as it is written in a spec: ``{rule: fit, fit: list of integer}``."""
    return "{" + ", ".join(f"{key}: {kind}" for key, kind in rule["keys"].items()) + "}"


def _default(item: dict[str, Any]) -> str:
    return " (required)" if item["required"] else f" = {json.dumps(item['default'])}"


def _note(claim: dict[str, Any]) -> str:
    return f". {claim['note']}" if claim["note"] else ""


def _operation(name: str) -> dict[str, Any]:
    families = catalogue()[name]
    classes = list(dict.fromkeys(families.values()))
    first = classes[0]
    return {
        "operation": name,
        "inputs": list(first.inputs),
        "outputs": list(first.outputs),
        "where": "caller" if first.caller else "graph",
        "forms": [_form(cls, [family for family in families if families[family] is cls]) for cls in classes],
        "claims": [
            {
                "like": family,
                "library": (claim := cls.claims[family]).library,
                "versions": claim.versions,
                "function": claim.function,
                "tolerance": claim.tolerance,
                "note": claim.note,
            }
            for family, cls in families.items()
        ],
    }


def _form(cls: type[Step], families: list[str]) -> dict[str, Any]:
    schema = cls.model_json_schema()
    properties = schema.get("properties", {})
    return {
        "like": families,
        "inherits": cls.inherits,
        "min_opset": cls.min_opset,
        "documentation": inspect.cleandoc(cls.__doc__ or ""),
        "parameters": [
            {
                "name": name,
                "type": _type(properties.get(name, {})),
                "required": info.is_required(),
                "default": None if info.is_required() else properties.get(name, {}).get("default"),
                "description": info.description or "",
            }
            for name, info in cls.parameters().items()
        ],
        "rules": [_rule(definition) for definition in schema.get("$defs", {}).values()],
    }


def _rule(definition: dict[str, Any]) -> dict[str, Any]:
    """A mapping that a parameter may be, such as a size rule: its keys with their types, and what it computes."""
    required = definition.get("required", [])
    keys = {
        key: _type(schema) + ("" if key in required else f" = {json.dumps(schema.get('default'))}")
        for key, schema in definition.get("properties", {}).items()
    }
    return {"keys": keys, "description": definition.get("description", "")}


def _type(schema: dict[str, Any]) -> str:
    """A short word for a JSON Schema: what goes into the catalogue's column."""
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    branches = schema.get("anyOf", schema.get("oneOf"))
    if branches is not None:
        return " | ".join(dict.fromkeys(_type(branch) for branch in branches))
    if "$ref" in schema:
        return "a rule"
    if schema.get("type") == "array":
        items = schema.get("items") or {"anyOf": schema.get("prefixItems", [])}
        return f"list of {_type(items)}"
    return str(schema.get("type", "any"))
