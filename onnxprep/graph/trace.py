"""Which tensor of an augmented model is which value of the spec."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto

from onnxprep.graph.fragment import emit_steps
from onnxprep.graph.metadata import onnxprep_nodes
from onnxprep.spec.plan import Plan
from onnxprep.step import Value
from onnxprep.tensor import Array


def lying_before(model: ModelProto, plan: Plan, opset: int) -> Mapping[str, Value]:
    """The values between our nodes before the model, under the names they have in this model.

    A tensor is named after the node that makes it, until the splice renames it; node names stay, so they lead there.
    """
    given = {name: plan.values[name] for name in plan.inputs}
    fragment = emit_steps(plan.side("pre"), given, {name: name for name in given}, opset, ())
    nodes = {node.name: node for node in onnxprep_nodes(model)}
    found = {}
    for name, value in fragment.lying.items():
        node, _, port = value.name.partition(":")
        if node in nodes and name not in given:
            found[name] = Value(nodes[node].output[int(port or 0)], value.spec)
    return found


def logical(array: Array, lying: Value, wanted: str | None) -> Array:
    """The array of a lying value in the layout its description declares."""
    layout = lying.spec.layout
    if wanted is None or layout is None or layout == wanted:
        return array
    return array.transpose([layout.index(letter) for letter in wanted])
