"""Our nodes of one side, cut out of a model: what a step makes is read there, never by tapping the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from onnxprep.emit import type_proto
from onnxprep.tensor import TensorSpec


def cut(model: ModelProto, side: str, outputs: Mapping[str, str]) -> ModelProto:
    """The nodes ``onnxprep/<side>.*`` with the wanted tensors as outputs.

    Args:
        model: an augmented model.
        side: ``"pre"`` or ``"post"``.
        outputs: the tensors to look at, with their dtypes; those that are not made there are left out.
    """
    nodes = _nodes(model, side)
    made = {name for node in nodes for name in node.output}
    wanted = {name: type_proto(TensorSpec(dtype)) for name, dtype in outputs.items() if name in made}
    return _model(model, side, nodes, [helper.make_value_info(name, proto) for name, proto in wanted.items()])


def cut_declared(
    model: ModelProto, side: str, crossing: Mapping[str, ValueInfoProto] = MappingProxyType({})
) -> ModelProto:
    """The nodes of one side with what leaves them as outputs, typed as the model declares it.

    A length that the model declares as negative, as old exporters write what they do not know, is left open.

    Args:
        model: an augmented model.
        side: ``"pre"`` or ``"post"``.
        crossing: types of tensors of the other side, which the model does not declare.
    """
    nodes = _nodes(model, side)
    made = {name for node in nodes for name in node.output}
    known = _known(model)
    outputs = [_without_negatives(info) for name, info in known.items() if name in made]
    return _model(model, side, nodes, outputs, crossing)


def _nodes(model: ModelProto, side: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.name.startswith(f"onnxprep/{side}.")]


def _model(
    model: ModelProto,
    side: str,
    nodes: list[NodeProto],
    outputs: list[ValueInfoProto],
    crossing: Mapping[str, ValueInfoProto] = MappingProxyType({}),
) -> ModelProto:
    made = {name for node in nodes for name in node.output}
    needed = dict.fromkeys(name for node in nodes for name in _read(node) if name not in made)
    known = {**_weights(model, needed), **crossing, **_known(model)}
    inputs = [_without_negatives(known[name]) for name in needed if name in known]
    graph = helper.make_graph(nodes, f"onnxprep.{side}", inputs, outputs)
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def _known(model: ModelProto) -> Mapping[str, ValueInfoProto]:
    graph = model.graph
    return {info.name: info for infos in (graph.value_info, graph.output, graph.input) for info in infos}


def _weights(model: ModelProto, wanted: Iterable[str]) -> Mapping[str, ValueInfoProto]:
    """Types of initializers that our nodes read: an output of the model may be one, and no ValueInfo tells of it."""
    graph, names = model.graph, set(wanted)
    found = [(t.name, t.data_type, t.dims) for t in graph.initializer if t.name in names]
    found += [(t.values.name, t.values.data_type, t.dims) for t in graph.sparse_initializer if t.values.name in names]
    return {name: helper.make_tensor_value_info(name, kind, dims) for name, kind, dims in found}


def _without_negatives(info: ValueInfoProto) -> ValueInfoProto:
    dims = info.type.tensor_type.shape.dim
    if not any(dim.dim_value < 0 for dim in dims):
        return info
    copy = ValueInfoProto()
    copy.CopyFrom(info)
    for dim in copy.type.tensor_type.shape.dim:
        if dim.dim_value < 0:
            dim.ClearField("dim_value")
    return copy


def _read(node: NodeProto) -> Iterable[str]:
    """Every tensor from outside that a node reads, its subgraphs included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            inside = {i.name for i in attribute.g.input} | {name for n in attribute.g.node for name in n.output}
            yield from (name for n in attribute.g.node for name in _read(n) if name not in inside)
