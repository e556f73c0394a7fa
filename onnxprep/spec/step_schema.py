"""JSON Schema of the operations' parameters, from their pydantic models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from onnxprep.step import Step

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""What pydantic writes of a bound that stands behind a validator -> what JSON Schema calls it."""

Schema = dict[str, Any]
Families = Mapping[str, type[Step]]


def needs_parameters(families: Families) -> bool:
    """Whether every form of the operation has something that must be written."""
    return all(
        any(info.is_required() for info in cls.parameters().values()) or _must_say_like(cls)
        for cls in families.values()
    )


def _must_say_like(cls: type[Step]) -> bool:
    return not cls.inherits and "" not in cls.claims


def parameters(operation: str, families: Families) -> dict[str, Schema]:
    """The operation's parameters, one branch per class, and pydantic's own definitions under our names."""
    definitions: dict[str, Schema] = {}
    branches = []
    for cls in dict.fromkeys(families.values()):
        prefix = f"{operation}.{cls.__name__}"
        made = cls.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
        definitions |= {f"{prefix}.{name}": _tidy(found) for name, found in made.pop("$defs", {}).items()}
        branches.append(_branch(cls, _tidy(made)))
    definitions[operation] = branches[0] if len(branches) == 1 else {"anyOf": branches}
    return definitions


def _branch(cls: type[Step], made: Schema) -> Schema:
    named = sorted(family for family in cls.claims if family)
    written = {key: found for key, found in made["properties"].items() if key != "like"}
    required = [*made.get("required", []), *(["like"] if _must_say_like(cls) else [])]
    if named:
        or_none = [] if _must_say_like(cls) else [None]
        written["like"] = {"description": "whose arithmetic it follows", "enum": [*named, *or_none]}
    branch = {**made, "properties": written, "required": required, "additionalProperties": False}
    if cls.from_file:
        what = f"instead of {cls.from_file}: a text file beside the spec, one entry per line"
        written["file"] = {"description": what, "type": "string"}
        needed = cls.parameters()[cls.from_file].is_required()
        branch["required"] = [key for key in required if key != cls.from_file]
        either = [{"required": [key]} for key in (cls.from_file, "file")]
        branch |= {"oneOf": either} if needed else {"not": {"required": [cls.from_file, "file"]}}
    return branch


def _tidy(value: Any) -> Any:
    """Without what pydantic and we note in a schema beside what it says."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if not (key == "title" and isinstance(item, str))}
    kept = {key: item for key, item in kept.items() if not (key == "added" and item is True)}
    if isinstance(kept.get("description"), str):
        kept["description"] = re.sub(r"\s+", " ", kept["description"].partition("\n\n")[0])
    named = {_BOUNDS.get(key, key) if isinstance(item, int | float) else key: item for key, item in kept.items()}
    return {key: _tidy(item) for key, item in named.items()}
