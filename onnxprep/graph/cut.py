"""Our nodes of one side, cut out of a model: what a step makes is read there, never by tapping the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from onnxprep.emit import type_proto
from onnxprep.graph.external import tensors_in
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


def cut_back(model: ModelProto, outputs: Mapping[str, str]) -> ModelProto | None:
    """All that leads to some tensors, whatever its nodes are called: other tools rename, fuse and fold them.

    Args:
        model: an augmented model that another tool has changed.
        outputs: the tensors to look at, with their dtypes; those that nothing makes are left out.

    Output: a model of its own, or None where there is nothing to look at, or where a constant lies in another file.
    """
    makers = {name: node for node in model.graph.node for name in node.output if name}
    needed, open_ends = dict[str, None](), [name for name in outputs if name in makers]
    wanted = [helper.make_value_info(name, type_proto(TensorSpec(outputs[name]))) for name in open_ends]
    while open_ends:
        name = open_ends.pop()
        if name not in needed:
            needed[name] = None
            open_ends += _read(makers[name]) if name in makers else ()
    nodes = [node for node in model.graph.node if any(name in needed for name in node.output)]
    constants = [weight for weight in model.graph.initializer if weight.name in needed]
    if not wanted or any(part.data_location == TensorProto.EXTERNAL for part in (*constants, *tensors_in(nodes))):
        return None
    held = {weight.name for weight in constants}
    inputs = [_without_negatives(info) for info in model.graph.input if info.name in needed and info.name not in held]
    graph = helper.make_graph(nodes, "onnxprep.back", inputs, wanted, constants)
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


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
