"""Inspection: what is inside a model, without running it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnx import ModelProto, helper

from onnxprep.errors import ContractError, SpecError
from onnxprep.graph import metadata, undo
from onnxprep.graph.external import locations
from onnxprep.graph.lost import refuse_lost, renamed
from onnxprep.graph.opset import default_opset
from onnxprep.graph.signature import signature
from onnxprep.runtime.files import read_model
from onnxprep.runtime.nodes import refuse_outside
from onnxprep.runtime.session import full_name
from onnxprep.runtime.stored import of_part, stored_spec
from onnxprep.runtime.where import where_steps_run
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.spec.reading import read_json
from onnxprep.tensor import TensorSpec

_FEW = 100


def inspect(path: Path, providers: Sequence[str] = ()) -> dict[str, Any]:
    """Names, steps, inputs, outputs and proof of an augmented model; JSON values.

    Args:
        path: the model.
        providers: whose placement of the steps to tell, installed here or not.

    Raises:
        UsageError: the file cannot be read, or onnxruntime has no provider of that name.
        ContractError: it is not a model, or holds no spec.
    """
    asked = tuple(dict.fromkeys(map(full_name, providers)))
    model, data = read_model(path, once=True)
    refuse_lost(model, str(path))
    stored = metadata.read(model)
    spec = stored_spec(stored, str(path))
    described = signature(model)
    found: dict[str, Any] = {
        "file": f"{path}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}",
        "spec": f"{spec.name or 'unnamed'}, digest {_digest(spec, stored)}, format 1, {stored.get(metadata.WRITER, '')}",
        "model": f"opset {default_opset(model)}, IR {model.ir_version}, {len(model.graph.node)} nodes, "
        f"{_ours(model, stored)}",
        "part": f"{stored[metadata.PART]} alone, without the model" if metadata.PART in stored else "",
        "inputs": [f"{name}: {_declared(spec, name, tensor)}" for name, tensor in described.inputs.items()],
        "preprocess": [_entry(entry) for entry in spec.preprocess],
        "postprocess": [_entry(entry) for entry in spec.postprocess],
        "outputs": [f"{name}: {tensor}" for name, tensor in described.outputs.items()],
        "caller": [f"{entry.name} must be run by the caller" for entry in of_part(spec, stored).callers],
        "golden": _goldens(stored),
        "weights": [
            f"{tensors} tensors in {name}" for name, tensors in Counter(e.path for e in locations(model)).items()
        ],
        "provenance": [f"{key}: {value}" for key, value in spec.provenance.items()],
        "strip": _strip(model),
        "providers": [f"{provider}  {line}" for provider in asked for line in where_steps_run(model, spec, provider)],
    }
    return {key: value for key, value in found.items() if value}


def _digest(spec: Spec, stored: Mapping[str, str]) -> str:
    """The digest of the text that is there, which should be the recorded one."""
    recorded = stored.get(metadata.DIGEST, "none")
    changed = "" if spec.digest == recorded else f" (altered since export: {recorded[:16]} was recorded)"
    return f"{spec.digest[:16]}{changed}"


def _ours(model: ModelProto, stored: Mapping[str, str]) -> str:
    """How many nodes are ours, and whether they are those that export wrote."""
    prefix = renamed(model)
    if prefix is not None:
        return f"ours renamed to {prefix}onnxprep/... since export"
    changed = "" if metadata.nodes_digest(model) == stored.get(metadata.NODES) else ", changed since export"
    return f"{len(metadata.onnxprep_nodes(model))} of them ours{changed}"


def _strip(model: ModelProto) -> str:
    """What ``strip`` would give: tried, since other tools may have been at the file."""
    if metadata.PART in metadata.read(model):
        return ""
    try:
        stripped = undo.strip(model)
    except ContractError as error:
        return f"is not possible: {'' if error.at == 'model' else f'{error.at} '}{error.problem}"
    if stripped.exact:
        return f"gives the original file, byte for byte{stripped.layers}"
    return f"gives {'an equal model' if stripped.state == 'equal' else 'another model'}: {stripped.reason}{stripped.layers}"


def _declared(spec: Spec, name: str, found: TensorSpec) -> TensorSpec:
    """The spec's description with the lengths that the file fixes."""
    return replace(spec.inputs[name], shape=found.shape) if name in spec.inputs else found


def nodes_as_code(path: Path) -> str:
    """Our nodes as onnxscript source: for reading, one function per side.

    Raises:
        ContractError: the model holds none, or onnxscript cannot print them.
        ParityError: a constant of ours is kept in another file.
    """
    import onnxscript  # noqa: PLC0415  # half a second to import

    model, _ = read_model(path)
    refuse_outside(metadata.onnxprep_nodes(model))
    texts = []
    for side in ("pre", "post"):
        nodes = [node for node in metadata.onnxprep_nodes(model) if node.name.startswith(f"onnxprep/{side}.")]
        if nodes:
            made = [name for node in nodes for name in node.output]
            read = {name for node in nodes for name in node.input}
            inputs = dict.fromkeys(name for node in nodes for name in node.input if name and name not in made)
            outputs = [name for name in made if name not in read]
            graph = helper.make_graph(nodes, f"onnxprep_{side}", _untyped(inputs), _untyped(outputs))
            alone: ModelProto = helper.make_model(
                graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
            )
            for node in alone.graph.node:  # names become comments, which end where the line does
                node.name = "".join(c if c.isprintable() else "?" for c in node.name)
                node.ClearField("doc_string")
            try:
                texts.append(str(onnxscript.proto2python(alone)))
            except Exception as error:  # on damaged nodes it raises AssertionError, IndexError and more
                got = str(error)[:120] or type(error).__name__
                raise ContractError(
                    "onnxscript cannot print our nodes", at=f"{path}: {side}process", got=got
                ) from error
    if not texts:
        raise ContractError("holds no nodes of ours", at=str(path))
    return "\n".join(texts)


def _untyped(names: Any) -> list[Any]:
    return [helper.make_value_info(name, helper.make_tensor_type_proto(1, None)) for name in names]


def _entry(entry: Entry) -> str:
    parameters = ", ".join(f"{key}: {_short(value)}" for key, value in entry.parameters.items())
    takes, makes = ", ".join(entry.inputs or ()), ", ".join(entry.outputs or ())
    return f"{entry.operation} {{{parameters}}}  {takes} -> {makes}" + ("  (caller)" if entry.where == "caller" else "")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _json(text: str) -> dict[str, Any]:
    try:
        found = read_json(text)
    except SpecError:
        return {}
    return found if isinstance(found, dict) else {}


def _goldens(stored: dict[str, str]) -> list[str]:
    samples = _json(stored.get(metadata.GOLDEN, "")).get("samples", [])
    lines = []
    samples = samples if isinstance(samples, list) else []
    for i, sample in enumerate(samples[:_FEW]):
        try:
            inputs = ", ".join(f"{name}{item['shape']}" for name, item in sample["inputs"].items())
            values = ", ".join(f"{name} (by {item['made_by']})" for name, item in sample["values"].items())
        except (KeyError, TypeError, AttributeError):
            inputs, values = "?", "damaged"
        lines.append(f"samples[{i}] {inputs} -> {values}")
    return lines + ([f"... and {len(samples) - _FEW} more"] if len(samples) > _FEW else [])
