"""What a provider that is not installed here would leave to the CPU: a committed table of its kernels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto
from onnx.defs import OpSchema, SchemaError, get_schema
from onnx.shape_inference import infer_shapes

from onnxprep.emit import dtype_of
from onnxprep.graph.cut import cut_declared
from onnxprep.graph.opset import default_opset
from onnxprep.runtime.placement import step_of
from onnxprep.runtime.session import short_name

Types = Mapping[str, str]
"""Tensor -> dtype."""


@dataclass(frozen=True)
class Table:
    """A provider's kernels of ai.onnx.

    Attributes:
        provider: its full name.
        source: the document that they were read from.
        commit: which version of it.
        operators: operator -> kernels: ``from`` and ``to`` which opset, ``types``: type name -> dtypes.
    """

    provider: str
    source: str
    commit: str
    operators: Mapping[str, list[Mapping[str, Any]]]


@cache
def table(provider: str) -> Table | None:
    """The committed table of a provider, where there is one."""
    path = files("onnxprep.runtime") / "kernel_tables" / f"{short_name(provider).lower()}.json"
    return Table(**json.loads(path.read_text("utf-8"))) if path.is_file() else None


def lines(model: ModelProto, kernels: Table) -> list[str]:
    """For every step, in order: which of its nodes the provider has no kernel for."""
    counts, lacking = _lacking(model, kernels)
    found = [
        f"not run, but read in {kernels.source}, commit {kernels.commit[:12]}; nodes inside branches and loops count, constants do not"
    ]
    for step, count in counts.items():
        missing = lacking.get(step)
        if not missing:
            found.append(f"{step}: a kernel for every node")
            continue
        what = ", ".join(f"{node} ({n})" if n > 1 else node for node, n in sorted(missing.items()))
        found.append(f"{step}: no kernel for {missing.total()} of {count} nodes, which run on the CPU: {what}")
    return found


def _lacking(model: ModelProto, kernels: Table) -> tuple[Counter[str], dict[str, Counter[str]]]:
    counts: Counter[str] = Counter()
    lacking: dict[str, Counter[str]] = {}
    crossing: dict[str, ValueInfoProto] = {}
    for side in ("pre", "post"):
        alone = infer_shapes(cut_declared(model, side, crossing))
        crossing = {info.name: info for info in (*alone.graph.value_info, *alone.graph.output)}
        for node, types in _nodes(alone.graph, {}):
            if node.op_type == "Constant":
                continue  # an initializer by then
            counts[step_of(node.name)] += 1
            problem = _problem(node, types, default_opset(model) or 0, kernels)
            if problem:
                lacking.setdefault(step_of(node.name), Counter())[problem] += 1
    return counts, lacking


def _nodes(graph: GraphProto, outside: Types) -> Iterator[tuple[NodeProto, Types]]:
    """Every node, those of branches and loops too, with the types of what it may read."""
    types = dict(outside)
    for info in (*graph.input, *graph.output, *graph.value_info):
        types[info.name] = dtype_of(info.type.tensor_type.elem_type)
    for node in graph.node:
        yield node, types
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g, types)


def _problem(node: NodeProto, types: Types, opset: int, kernels: Table) -> str:
    """The operator and its dtypes where no kernel fits; ``""`` where one does."""
    try:
        schema = get_schema(node.op_type, opset, node.domain)
    except SchemaError:
        return f"{node.op_type}, which this ONNX does not know"
    if node.domain not in ("", "ai.onnx") or node.op_type not in kernels.operators:
        return f"{node.op_type}, which is not in the table"
    bound = dict(_bound(node, schema, types))
    if any(_fits(kernel, schema.since_version, bound) for kernel in kernels.operators[node.op_type]):
        return ""
    return " ".join([node.op_type, *dict.fromkeys(bound.values())])


def _bound(node: NodeProto, schema: OpSchema, types: Types) -> Iterator[tuple[str, str]]:
    """(type name of the operator's definition, dtype); what inference left open is left out."""
    for names, formal in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for i, name in enumerate(names):
            if types.get(name, "undefined") != "undefined":
                yield formal[min(i, len(formal) - 1)].type_str, types[name]


def _fits(kernel: Mapping[str, Any], since: int, bound: Types) -> bool:
    """As onnxruntime looks kernels up: one without an end fits only the version of the operator that it begins with."""
    last = kernel["from"] if kernel["to"] is None else kernel["to"]
    if not kernel["from"] <= since <= last:
        return False
    return all(dtype in kernel["types"].get(name, [dtype]) for name, dtype in bound.items())
