"""Lengths declared inside a graph: ONNX Runtime believes them and plans its memory by them.

So a later tool may have added those that ONNX's own inference tells of the nodes, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator

from onnx import ModelProto, TypeProto
from onnx.shape_inference import InferenceError, infer_shapes

from onnxprep.graph.metadata import onnxprep_nodes


def inferred(model: ModelProto) -> Iterator[ModelProto]:
    """The model with the types that ONNX infers, in both of its ways."""
    for data_prop in (False, True):
        try:
            yield infer_shapes(model, data_prop=data_prop)
        except (InferenceError, ValueError, RuntimeError):  # no model for it, or one of 2 GiB
            continue


def misdeclared(found: ModelProto, expected: ModelProto) -> str:
    """The first tensor of our nodes whose type in ``found`` is neither as in ``expected`` nor inferred from that."""
    joints = {name for node in onnxprep_nodes(found) for name in (*node.input, *node.output)}
    types = _types(expected)
    odd = [info for info in found.graph.value_info if info.name in joints and _type(info.type) != types.get(info.name)]
    if not odd:
        return ""
    told = [_types(model) for model in inferred(expected)]
    return next((info.name for info in odd if not any(_type(info.type) == t.get(info.name) for t in told)), "")


def _types(model: ModelProto) -> dict[str, bytes]:
    return {info.name: _type(info.type) for info in model.graph.value_info}


def _type(kind: TypeProto) -> bytes:
    return kind.SerializeToString(deterministic=True)
