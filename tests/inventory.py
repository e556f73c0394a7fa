"""Every field that is set in a model, and what became of each in another: generic over protobuf's descriptors.

A field is one scalar, one text, one list of numbers, one presence of a message, or one field that this ONNX does not
know. Nothing here knows what a field means, but for two things: the nodes and keys of onnxprep are looked past, and an
input or output may have become an entry of value_info.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from onnx import ModelProto, ValueInfoProto

Fields = dict[str, str]
"""Path -> the value as text; long values as sha256."""


_KEYS = {
    "ValueInfoProto": "name", "TensorProto": "name", "AttributeProto": "name", "FunctionProto": "name", "TensorAnnotation": "tensor_name",
    "StringStringEntryProto": "key", "OperatorSetIdProto": "domain",
}  # fmt: skip
"""Messages whose order says nothing: a tool that sorts them loses nothing. Nodes go by their place."""


def inventory(message: Message, back: Mapping[str, str] | None = None) -> Fields:
    """Every field of the message and of everything inside it; ``back``: names that are to be read as others."""
    return dict(_fields(message, "", back or {}))


def _places(values: Sequence[Message], back: Mapping[str, str]) -> Iterator[tuple[str, Message]]:
    seen: Counter[str] = Counter()
    for i, inner in enumerate(values):
        key = _KEYS.get(inner.DESCRIPTOR.name)
        name = str(i) if key is None else _told(back.get(getattr(inner, key), getattr(inner, key)))
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} again {seen[name]}", inner


def _fields(message: Message, place: str, back: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for descriptor, value in message.ListFields():
        path = f"{place}.{descriptor.name}".removeprefix(".")
        if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            for key, inner in _places(value, back) if descriptor.is_repeated else [("", value)]:
                at = f"{path}[{key}]" if descriptor.is_repeated else path
                yield at, "is set"
                yield from _fields(inner, at, back)
        elif descriptor.is_repeated and descriptor.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            yield from ((f"{path}[{i}]", _told(item)) for i, item in enumerate(value))
        else:
            yield path, _told(list(value) if descriptor.is_repeated else value)
    for i, unknown in enumerate(UnknownFieldSet(message)):
        data = unknown.data if unknown.wire_type != 3 else _group(unknown.data)
        yield f"{place}.unknown[{i}]".removeprefix("."), _told((unknown.field_number, unknown.wire_type, data))


def _group(fields: object) -> list[tuple[int, int, object]]:
    return [(inner.field_number, inner.wire_type, inner.data) for inner in fields]  # type: ignore[attr-defined]


def _told(value: object) -> str:
    if isinstance(value, bytes) and len(value) > 100:
        return hashlib.sha256(value).hexdigest()
    text = repr(value)
    return text if len(text) < 100 else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What became of the fields of a model.

    Attributes:
        fields: how many it has.
        renamed: of these, texts that are another tensor's name now, as was declared.
        recorded: of these, those that are in the record for strip only.
        raised: opset numbers that are higher now, as was declared.
        lost: paths of all that are gone or changed otherwise.
    """

    fields: int
    renamed: int = 0
    recorded: int = 0
    raised: int = 0
    lost: list[str] = field(default_factory=list)


def compare(
    before: ModelProto, after: ModelProto, moved: Mapping[str, str] | None = None, *, restamped: bool = False
) -> Outcome:
    """What became of every field of ``before`` in ``after``.

    Args:
        before: the user's model.
        after: what a tool made of it, by putting nodes called ``onnxprep/...`` before and behind its own.
        moved: names that tensors of the model may have given up, with the new ones.
        restamped: whether the number of an opset may be higher.
    """
    names = {_told(old): _told(new) for old, new in (moved or {}).items()}
    record = _record(after)
    back = {new: old for old, new in (moved or {}).items()}
    rest_before, rest_after = inventory(_without_frame(before)), inventory(_without_frame(after), back)
    renamed = [p for p, v in rest_before.items() if rest_after.get(p) != v and rest_after.get(p, "") == names.get(v)]
    differing = {p for p, v in rest_before.items() if rest_after.get(p) != v} - set(renamed)
    numbers = {p for p in differing if restamped and p.startswith("opset_import[") and p.endswith(".version")}
    numbers = {p for p in numbers if int(rest_after.get(p, 0)) > int(rest_before[p])}
    lost, recorded, total = sorted(differing - numbers), 0, len(rest_before)
    known = [*after.graph.input, *after.graph.output, *after.graph.value_info]
    for kind, infos in (("input", before.graph.input), ("output", before.graph.output)):
        for i, info in enumerate(infos):
            fields = inventory(info)
            total += len(fields) + 1  # and that there is such an entry
            missing, new_name = _missing(fields, info, known, names)
            renamed += [f"graph.{kind}[{i}].name"] if new_name else []
            if missing and info.SerializeToString() in record:
                recorded += len(missing)
            else:
                lost += [f"graph.{kind}[{i}].{path}" for path in missing]
    return Outcome(total, len(renamed), recorded, len(numbers), lost)


def _missing(
    fields: Fields, info: ValueInfoProto, known: Sequence[ValueInfoProto], names: Mapping[str, str]
) -> tuple[list[str], bool]:
    """What the best entry about that tensor does not say, and whether it goes by a new name."""
    name = _told(info.name)
    best, new_name = [*fields, "entry"], False
    for other in known:
        called = _told(other.name)
        if called in (name, names.get(name)):
            theirs = inventory(other)
            missing = [path for path, value in fields.items() if path != "name" and theirs.get(path) != value]
            if len(missing) < len(best):
                best, new_name = missing, called != name
    return best, new_name


def _without_frame(model: ModelProto) -> ModelProto:
    """The model without graph inputs and outputs, and without what is onnxprep's own."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.input[:], copy.graph.output[:]
    for part, mark, called in (
        (copy.graph.node, "onnxprep/", "name"),
        (copy.metadata_props, "onnxprep.", "key"),
    ):
        for i in reversed(range(len(part))):
            if getattr(part[i], called).startswith(mark):
                del part[i]
    return copy


def _record(model: ModelProto) -> set[bytes]:
    """The inputs and outputs that strip puts back."""
    for entry in model.metadata_props:
        if entry.key == "onnxprep.undo":
            found = json.loads(entry.value)
            return {base64.b64decode(text) for text in (*(text for _, text in found["inputs"]), *found["outputs"])}
    return set()
