"""Opset numbers: what our steps need, and how a model gets there.

Raising the number alone leaves the body as it is, and ``restampable`` says whether it then means the same. Rewriting it
is left to ONNX's own converter, behind a gate: that drops what it does not know and gets some operators silently wrong.
Either way the result is a candidate, and the caller compares both models bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, version_converter
from onnx.defs import OpSchema, SchemaError, get_all_schemas_with_history, get_schema

from onnxprep.errors import ContractError
from onnxprep.graph import changes
from onnxprep.graph.names import graphs, nested
from onnxprep.spec.plan import Plan, Side

_DEFAULT_DOMAIN = ("", "ai.onnx")  # two spellings of one domain
_LARGEST = 2**31 - 1

WRONG = {
    ("Hardmax", 13): "the axis keeps its old meaning",
    ("Resize", 11): "the old sampling positions are lost",
    ("Upsample", 10): "the old sampling positions are lost",
    ("GroupNormalization", 21): "scale and bias keep their old shape",
}
"""(operator, opset of the change) -> what the converter gets wrong; ONNX Runtime compared both, onnx 1.23."""


def default_opset(model: ModelProto) -> int | None:
    """The model's ai.onnx opset; ``None`` where it imports none.

    Raises:
        ContractError: it imports two different ones, or one that is none.
    """
    found = sorted({entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAIN})
    if len(found) > 1:
        raise ContractError(
            "imports ai.onnx more than once",
            at="model.opset_import",
            expected="one number",
            got=", ".join(map(str, found)),
        )
    if found and not 0 <= found[0] <= _LARGEST:
        raise ContractError("is no opset number", at="model.opset_import", got=str(found[0]))
    return found[0] if found else None


def needs(plan: Plan, *sides: Side) -> int:
    """The lowest ai.onnx opset that the steps (of these sides) can be written for; 0 without steps."""
    steps = [step for step in plan.steps if not sides or step.side in sides]
    return max((step.step.needed_opset for step in steps), default=0)


def restamped(model: ModelProto, opset: int) -> ModelProto:
    """A copy with a higher ai.onnx opset number and nothing else changed. ``restampable`` says whether it means the same."""
    copy = ModelProto()
    copy.CopyFrom(model)
    raise_opset(copy, opset)
    return copy


def raise_opset(model: ModelProto, opset: int) -> None:
    """Sets the number in place; adds the import where the model has none."""
    own = default_opset(model)
    if own is not None and opset < own:
        raise ContractError(
            "an opset number can only be raised", at="model.opset_import", expected=f"{own} or higher", got=str(opset)
        )
    if own is None:
        model.opset_import.add(domain="", version=opset)
    for entry in model.opset_import:
        if entry.domain in _DEFAULT_DOMAIN:
            entry.version = opset


def restampable(model: ModelProto, to_opset: int) -> list[str]:
    """Why the number alone cannot be raised to ``to_opset``; empty where every node of the body means the same there."""
    own = default_opset(model)
    if own is None or own == to_opset:
        return []
    reasons: dict[str, None] = {}
    if own > to_opset:
        reasons[f"the model's opset {own} is higher"] = None
    if own < changes.REVIEWED_FROM:
        reasons[f"opset {own} is older than what was reviewed ({changes.REVIEWED_FROM})"] = None
    if to_opset > changes.REVIEWED_TO:
        reasons[f"opset {to_opset} is newer than what was reviewed ({changes.REVIEWED_TO})"] = None
    if model.functions:
        reasons["the model has functions of its own, whose bodies a runtime reads at the model's number"] = None
    for graph in graphs(model):
        used = _used(graph)
        for node in graph.node:
            if node.domain in _DEFAULT_DOMAIN:
                reasons |= dict.fromkeys(_node_reasons(node, own, to_opset, used))
    return list(reasons)


def _node_reasons(node: NodeProto, old: int, new: int, used: set[str]) -> Iterator[str]:
    try:
        before, after = get_schema(node.op_type, old, ""), get_schema(node.op_type, new, "")
    except SchemaError:
        yield f"{node.op_type}: opset {old} has no such operator"
        return
    if before.since_version == after.since_version:
        return
    outputs = max((i + 1 for i, name in enumerate(node.output) if name in used), default=0)
    view = changes.NodeView(node, outputs)
    for earlier, later in pairwise(_versions(node.op_type)):
        if before.since_version <= earlier.since_version < later.since_version <= after.since_version:
            for reason in changes.between(earlier, later, view):
                yield f"{node.op_type} at opset {later.since_version}: {reason}"


@cache
def _versions(operator: str) -> tuple[OpSchema, ...]:
    """Every version of an operator, oldest first."""
    found = [schema for schema in _all_schemas() if schema.name == operator]
    return tuple(sorted(found, key=lambda schema: schema.since_version))


@cache
def _all_schemas() -> tuple[OpSchema, ...]:
    return tuple(schema for schema in get_all_schemas_with_history() if schema.domain == "")


def _used(graph: GraphProto) -> set[str]:
    """Tensors of the graph that somebody reads, in it or in a graph inside it."""
    read = {info.name for info in graph.output}
    for inner in nested(graph):
        read.update(name for node in inner.node for name in node.input)
        read.update(info.name for info in inner.output)
    return read


# rewriting the body ------------------------------------------------------------------------------------------------


def refusals(model: ModelProto, opset: int) -> list[str]:
    """Constructs that the converter would lose or get wrong on the way to ``opset``; empty where it may be tried."""
    own = default_opset(model)
    if own is None:
        return ["the model imports no ai.onnx opset"]
    found: dict[str, None] = {}
    if opset < own:
        found[f"the model's opset {own} is higher than {opset}"] = None
    found |= dict.fromkeys(_lost(model))
    for graph in graphs(model):
        for node in graph.node:
            for (operator, changed), why in WRONG.items():
                if node.op_type == operator and node.domain in _DEFAULT_DOMAIN and own < changed <= opset:
                    found[f"{operator} before opset {changed}: {why}"] = None
    return list(found)


def upgraded(model: ModelProto, opset: int) -> ModelProto:
    """The model rewritten for ``opset``; not yet proven equal.

    Raises:
        ContractError: it holds something the converter would lose or get wrong, or the converter gave up.
    """
    reasons = refusals(model, opset)
    if reasons:
        raise ContractError(
            f"cannot be rewritten for opset {opset}: {reasons[0]}",
            at="model", got="; ".join(reasons), hint="export the model again at the higher opset",
        )  # fmt: skip
    try:
        result = version_converter.convert_version(model, opset)
    except Exception as error:  # the converter raises RuntimeError, IndexError and its own kinds
        raise ContractError(
            f"ONNX's converter gave up on the way to opset {opset}", at="model",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__, hint="export the model again at the higher opset",
        ) from error  # fmt: skip
    return result


def _lost(model: ModelProto) -> Iterator[str]:
    """What the converter drops or fails on."""
    if model.functions:
        yield "functions of the model's own are dropped"
    if model.training_info:
        yield "training information is dropped"
    if model.configuration:
        yield "device configurations are dropped"
    for graph in graphs(model):
        if graph.sparse_initializer:
            yield "sparse initializers are not read"
        if graph.quantization_annotation:
            yield "quantization annotations are dropped"
        if graph.metadata_props or any(node.metadata_props for node in graph.node):
            yield "metadata of graphs and nodes is dropped"
        if any(_tagged(info) for info in (*graph.input, *graph.output, *graph.value_info)):
            yield "metadata and denotations of tensors are dropped"


def _tagged(info: ValueInfoProto) -> bool:
    dims = info.type.tensor_type.shape.dim
    return bool(info.metadata_props or info.type.denotation or any(dim.denotation for dim in dims))
