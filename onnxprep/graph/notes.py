"""Nodes without notes: what tools change on a node that changes nothing of what it computes."""

from __future__ import annotations

from onnx import NodeProto

from onnxprep.graph import names

_NOTES = ("doc_string", "metadata_props")


def plain(node: NodeProto) -> NodeProto:
    """The node without texts, tags, and the order of its attributes."""
    copy = NodeProto()
    copy.CopyFrom(node)
    _clear(copy)
    for graph in names.inside(copy):
        for note in _NOTES:
            graph.ClearField(note)
        for inner in graph.node:
            _clear(inner)
    return copy


def _clear(node: NodeProto) -> None:
    for note in _NOTES:
        node.ClearField(note)
    node.attribute.sort(key=lambda attribute: attribute.name)
    for text in ("domain", "overload"):
        if not getattr(node, text):  # written out, or left out: both are the empty one
            node.ClearField(text)
