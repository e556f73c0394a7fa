"""Our nodes of one side, cut out of a model: what a step makes is read there, never by tapping the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def cut_declared(model: ModelProto, side: str) -> ModelProto:
    """The nodes of one side with what leaves them as outputs, typed as the model declares it."""
    nodes = _nodes(model, side)
    made = {name for node in nodes for name in node.output}
    known = _known(model)
    return _model(model, side, nodes, [info for name, info in known.items() if name in made])


def _nodes(model: ModelProto, side: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.name.startswith(f"onnxprep/{side}.")]


def _model(model: ModelProto, side: str, nodes: list[NodeProto], outputs: list[ValueInfoProto]) -> ModelProto:
    made = {name for node in nodes for name in node.output}
    known = _known(model)
    needed = dict.fromkeys(name for node in nodes for name in _read(node) if name not in made)
    inputs = [known[name] for name in needed if name in known]
    graph = helper.make_graph(nodes, f"onnxprep.{side}", inputs, outputs)
    return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def _known(model: ModelProto) -> Mapping[str, ValueInfoProto]:
    graph = model.graph
    return {info.name: info for infos in (graph.value_info, graph.output, graph.input) for info in infos}


def _read(node: NodeProto) -> Iterable[str]:
    """Every tensor from outside that a node reads, its subgraphs included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            inside = {i.name for i in attribute.g.input} | {name for n in attribute.g.node for name in n.output}
            yield from (name for n in attribute.g.node for name in _read(n) if name not in inside)
