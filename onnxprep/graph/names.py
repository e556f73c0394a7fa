"""Names of tensors in a model: every place that can hold one, read and renamed.

A graph and its subgraphs share one namespace; so do training graphs, which see the main graph's tensors. The bodies of
model-local functions are namespaces of their own and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, TensorShapeProto, TypeProto, ValueInfoProto

PREFIX = "onnxprep/"
"""What the names of our nodes and of the tensors between them begin with."""

_RENAMED = re.compile(r"(.{1,200}?)onnxprep/(?:pre|post)\.\d+\.", re.DOTALL)


def is_ours(node: NodeProto) -> bool:
    """Whether the node was written by onnxprep."""
    name: str | bytes = node.name  # protobuf hands out a text that is not UTF-8 as bytes
    return isinstance(name, str) and name.startswith(PREFIX)


def nested(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and every graph inside its nodes' attributes."""
    yield graph
    for node in graph.node:
        if node.attribute:
            yield from inside(node)


def inside(node: NodeProto) -> Iterator[GraphProto]:
    """Every graph inside the node's attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from nested(attribute.g)
        for graph in attribute.graphs:
            yield from nested(graph)


def graphs(model: ModelProto) -> Iterator[GraphProto]:
    """The main graph, the training graphs, and everything inside them."""
    yield from nested(model.graph)
    for training in model.training_info:
        yield from nested(training.initialization)
        yield from nested(training.algorithm)


def tensor_names(model: ModelProto) -> set[str]:
    """Every tensor name in use, at any depth."""
    found: set[str] = set()
    for graph in graphs(model):
        for node in graph.node:
            found.update(node.input)
            found.update(node.output)
        found.update(info.name for info in _infos(graph))
        found.update(tensor.name for tensor in graph.initializer)
        found.update(tensor.values.name for tensor in graph.sparse_initializer)
        for annotation in graph.quantization_annotation:
            found.add(annotation.tensor_name)
            found.update(entry.value for entry in annotation.quant_parameter_tensor_names)
    found.discard("")
    return found


def read_names(model: ModelProto) -> set[str]:
    """Every tensor that a node reads or a graph gives, at any depth."""
    found: set[str] = set()
    for graph in graphs(model):
        found.update(info.name for info in graph.output)
        for node in graph.node:
            found.update(node.input)
    return found


def any_of_ours(model: ModelProto) -> bool:
    """Whether a node or a tensor, at any depth, is called as only ours are."""
    nodes = (node.name for graph in graphs(model) for node in graph.node)
    return any(name.startswith(PREFIX) for found in (tensor_names(model), nodes) for name in found)


def put_before(name: str) -> str | None:
    """What another tool has put before a name of ours; None where the name is not one of these."""
    found = _RENAMED.match(name)
    return None if found is None else found.group(1)


def symbols(model: ModelProto) -> set[str]:
    """Every symbolic dimension the model declares, at any depth, inside sequences and optionals too."""
    return {
        dim.dim_param for graph in graphs(model) for info in _infos(graph) for dim in _dims(info.type) if dim.dim_param
    }


def _dims(kind: TypeProto) -> Iterator[TensorShapeProto.Dimension]:
    """The dimensions of a type, or of what it holds."""
    which = kind.WhichOneof("value")
    if which in ("tensor_type", "sparse_tensor_type"):
        yield from getattr(kind, which).shape.dim
    elif which in ("sequence_type", "optional_type"):
        yield from _dims(getattr(kind, which).elem_type)
    elif which == "map_type":
        yield from _dims(kind.map_type.value_type)


def rename(model: ModelProto, to: Mapping[str, str]) -> None:
    """Renames tensors wherever a name can stand. The new names must be free; then swapping ``to`` undoes it exactly."""
    if not to:
        return
    for graph in graphs(model):
        _rename_in_graph(graph, to)
    for training in model.training_info:
        for binding in (*training.initialization_binding, *training.update_binding):
            if binding.key in to:
                binding.key = to[binding.key]
            if binding.value in to:
                binding.value = to[binding.value]


def rename_in_nodes(nodes: Iterable[NodeProto], to: Mapping[str, str]) -> None:
    """Renames tensors in nodes and in everything inside them."""
    for node in nodes:
        _rename_in_node(node, to)
        for graph in inside(node):
            _rename_in_graph(graph, to)


def _rename_in_graph(graph: GraphProto, to: Mapping[str, str]) -> None:
    """One graph without its subgraphs. Assigns only where a name changes: an unset field must stay unset."""
    for node in graph.node:
        _rename_in_node(node, to)
    for info in _infos(graph):
        if info.name in to:
            info.name = to[info.name]
    for tensor in (*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)):
        if tensor.name in to:
            tensor.name = to[tensor.name]
    for annotation in graph.quantization_annotation:
        if annotation.tensor_name in to:
            annotation.tensor_name = to[annotation.tensor_name]
        for entry in annotation.quant_parameter_tensor_names:
            if entry.value in to:
                entry.value = to[entry.value]


def _rename_in_node(node: NodeProto, to: Mapping[str, str]) -> None:
    for names in (node.input, node.output):
        for i, name in enumerate(names):
            if name in to:
                names[i] = to[name]
    for configuration in node.device_configurations:
        for sharding in configuration.sharding_spec:
            if sharding.tensor_name in to:
                sharding.tensor_name = to[sharding.tensor_name]


def _infos(graph: GraphProto) -> Iterator[ValueInfoProto]:
    yield from graph.input
    yield from graph.output
    yield from graph.value_info
