"""strip: the model as it was before the steps came, and the record that makes it possible."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from google.protobuf.message import DecodeError
from onnx import ModelProto, OperatorSetIdProto, ValueInfoProto

from onnxprep.errors import ContractError
from onnxprep.graph import metadata, names
from onnxprep.graph.attach import BODY
from onnxprep.graph.lost import refuse_renamed, renamed
from onnxprep.graph.parse import refuse_unreadable
from onnxprep.graph.signature import initialized_names
from onnxprep.graph.stack import unstack

_DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, StopIteration)


@dataclass(frozen=True)
class Stripped:
    """The model without the steps.

    Attributes:
        model: it.
        data: it, serialised.
        state: ``exact``: ``data`` is the original file, byte for byte (its sha256 has been compared). ``equal``: the
            original model, which its file wrote in another way. ``changed``: another tool has changed the body since,
            or it was rewritten for a higher opset, so that the original is gone.
        reason: why it is not exact; empty where it is.
        untouched: whether the body is the one that the steps were attached to.
        keys: metadata keys besides our own that were added with the steps.
        file_sha256: of the original file.
        stacked: whether the original has steps of its own.
    """

    model: ModelProto
    data: bytes
    state: Literal["exact", "equal", "changed"]
    reason: str = ""
    untouched: bool = True
    keys: tuple[str, ...] = ()
    file_sha256: str = ""
    stacked: bool = False

    @property
    def exact(self) -> bool:
        """Whether this is the original file, byte for byte."""
        return self.state == "exact"

    @property
    def layers(self) -> str:
        """What a sentence about it ends with where it is not the bare model yet."""
        return ", which has steps of its own" if self.stacked else ""


def record(
    original: ModelProto,
    file_sha256: str,
    *,
    keys: Collection[str] = (),
    rewritten: bool = False,
    stacked: bool = False,
) -> str:
    """What ``onnxprep.undo`` holds, as canonical JSON.

    Args:
        original: the model that ``attach`` gets.
        file_sha256: of the user's file.
        keys: metadata keys besides ``onnxprep.*`` that will be added.
        rewritten: whether ``original`` is no longer what the file holds (``--upgrade-opset``).
        stacked: whether ``original`` has steps of its own.
    """
    graph = original.graph
    initialized = initialized_names(original)
    known = {info.name for info in graph.value_info}
    body = _body_sha256(original, stacked=stacked)
    entry = {
        "exact": not rewritten and body == file_sha256,
        "rewritten": rewritten,
        "sha256": file_sha256,
        "body": body,
        # an old model lists its weights as inputs, by the hundred: they never leave the graph
        "inputs": [[at, _text(info)] for at, info in enumerate(graph.input) if info.name not in initialized],
        "outputs": [_text(info) for info in graph.output],
        "opset_imports": [_text(imported) for imported in original.opset_import],
        "value_info": sorted({info.name for info in (*graph.input, *graph.output)} - known - initialized),
        "metadata": sorted(keys),
    }
    if stacked:
        entry["stacked"] = True
    return json.dumps(entry, sort_keys=True, separators=(",", ":"))


def _body_sha256(original: ModelProto, *, stacked: bool) -> str:
    """Of the model as protobuf writes it, its own steps called as its file calls them."""
    body = original
    if stacked:
        body = ModelProto()
        body.CopyFrom(original)
        unstack(body)
    return hashlib.sha256(body.SerializeToString()).hexdigest()


def strip(model: ModelProto) -> Stripped:
    """Removes everything that onnxprep added.

    Raises:
        ContractError: there is nothing of ours in the model, or its record is damaged or does not fit the graph.
    """
    refuse_unreadable(model)
    entry = _read_record(model)
    refuse_renamed(model)
    copy = ModelProto()
    copy.CopyFrom(model)
    try:
        _restore(copy, entry)
        keys = tuple(str(key) for key in entry["metadata"])
    except (*_DAMAGE, binascii.Error, DecodeError, ContractError) as error:
        raise _unreadable() from error
    _refuse_dangling(copy)
    stacked = entry.get("stacked") is True
    if stacked:
        unstack(copy)
    data = copy.SerializeToString()
    digest, original = hashlib.sha256(data).hexdigest(), str(entry.get("sha256"))
    if digest == original:
        return Stripped(copy, data, "exact", "", untouched=True, keys=keys, file_sha256=original, stacked=stacked)
    untouched = digest == entry.get("body")
    state: Literal["equal", "changed"] = "equal" if untouched and not entry.get("rewritten") else "changed"
    return Stripped(copy, data, state, _reason(entry, untouched=untouched), untouched, keys, original, stacked)


def _reason(entry: dict[str, Any], *, untouched: bool) -> str:
    if not untouched:
        return "the body has been changed since the steps were attached"
    if entry.get("rewritten"):
        return "its body was rewritten for a higher opset when the steps were attached"
    return "the original file was written in another way than protobuf writes this model; the model is equal"


def _text(message: ValueInfoProto | OperatorSetIdProto) -> str:
    return base64.b64encode(message.SerializeToString()).decode("ascii")


# reading it --------------------------------------------------------------------------------------------------------


def _read_record(model: ModelProto) -> dict[str, Any]:
    text = metadata.read(model).get(metadata.UNDO)
    if text is None:
        if not names.any_of_ours(model) and renamed(model) is None:
            raise ContractError("has no onnxprep steps", at="model", expected="a model that onnxprep exported")
        if metadata.PART in metadata.read(model):
            hint = "the model itself is beside it, byte for byte: model.onnx"
            raise ContractError("holds steps alone, and no model", at="model", expected="a model with steps", hint=hint)
        raise ContractError(
            "has onnxprep steps, but not the record of what it was before", at="model",
            expected=f"the metadata key {metadata.UNDO}", hint="a tool that drops metadata was run on it; use the original file",
        )  # fmt: skip
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if not isinstance(entry, dict):
        raise _unreadable()
    return entry


def _unreadable() -> ContractError:
    return ContractError(
        "is damaged: it cannot be read",
        at=metadata.UNDO,
        expected="the record that export wrote",
        hint="use the original file",
    )


def _restore(model: ModelProto, entry: dict[str, Any]) -> None:
    graph = model.graph
    for k in reversed(range(len(graph.node))):
        if names.is_ours(graph.node[k]):
            del graph.node[k]
    initialized = initialized_names(model)
    weights = [info for info in graph.input if info.name in initialized]
    names.rename(model, {name: name.removeprefix(BODY) for name in names.tensor_names(model) if name.startswith(BODY)})
    inputs = _in_place([_copy(info) for info in weights], entry["inputs"])
    outputs = [_info(text) for text in entry["outputs"]]
    imports = [_import(text) for text in entry["opset_imports"]]
    imports += _imported_since(model, {imported.domain for imported in imports})
    del graph.input[:], graph.output[:], model.opset_import[:]
    graph.input.extend(inputs)
    graph.output.extend(outputs)
    model.opset_import.extend(imports)
    _remove_infos(model, set(entry["value_info"]))
    _remove_weights(model)
    metadata.remove(model, entry["metadata"])


def _in_place(weights: list[ValueInfoProto], recorded: Sequence[tuple[int, str]]) -> list[ValueInfoProto]:
    """What was recorded at its places, the weights in order at those between."""
    places = {at: _info(text) for at, text in recorded}
    if len(places) != len(recorded) or not places.keys() <= set(range(len(recorded) + len(weights))):
        raise ValueError("inputs without a place of their own")
    others = iter(weights)
    return [places[at] if at in places else next(others) for at in range(len(recorded) + len(weights))]


def _remove_infos(model: ModelProto, added: set[str]) -> None:
    """The entries that attach added, and what later tools wrote about tensors of ours."""
    infos = model.graph.value_info
    for k in reversed(range(len(infos))):
        if infos[k].name in added or infos[k].name.startswith(names.PREFIX):
            del infos[k]


def _remove_weights(model: ModelProto) -> None:
    """Constants of ours that an optimiser made initializers, where nothing reads them any more."""
    graph, read = model.graph, names.read_names(model)
    for k in reversed(range(len(graph.initializer))):
        if _is_left_over(graph.initializer[k].name, read):
            del graph.initializer[k]
    for k in reversed(range(len(graph.sparse_initializer))):
        if _is_left_over(graph.sparse_initializer[k].values.name, read):
            del graph.sparse_initializer[k]


def _is_left_over(name: str, read: Collection[str]) -> bool:
    return name.startswith(names.PREFIX) and name not in read


def _imported_since(model: ModelProto, known: set[str]) -> list[OperatorSetIdProto]:
    """Imports of domains that another tool has brought into the body, as quantisers do."""
    used = {node.domain for graph in names.graphs(model) for node in graph.node} - known
    found = []
    for imported in model.opset_import:
        if imported.domain in used:
            copy = OperatorSetIdProto()
            copy.CopyFrom(imported)
            found.append(copy)
    return found


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _copy(info: ValueInfoProto) -> ValueInfoProto:
    copy = ValueInfoProto()
    copy.CopyFrom(info)
    return copy


def _info(text: str) -> ValueInfoProto:
    found: ValueInfoProto = ValueInfoProto.FromString(_bytes(text))
    refuse_unreadable(found)
    return found


def _import(text: str) -> OperatorSetIdProto:
    found: OperatorSetIdProto = OperatorSetIdProto.FromString(_bytes(text))
    refuse_unreadable(found)
    return found


def _refuse_dangling(model: ModelProto) -> None:
    """After a faithful restore every tensor that is read is also made; else another tool has joined steps and body."""
    graph = model.graph
    made = initialized_names(model) | {info.name for info in graph.input} | {""}
    made |= {name for node in graph.node for name in node.output}
    read = [name for node in graph.node for name in node.input] + [info.name for info in graph.output]
    missing = next((name for name in read if name not in made), None)
    missing = missing or next((name for name in sorted(names.read_names(model)) if name.startswith(names.PREFIX)), None)
    if missing is None:
        return
    problem = f"{missing} would be read but never made"
    if missing in made:
        problem = f"the body reads {missing}, which belongs to them"
    raise ContractError(
        f"the steps cannot be taken out: {problem}", at="model",
        expected="the body that export found", hint="another tool has changed nodes where steps and body meet; use the original file",
    )  # fmt: skip
