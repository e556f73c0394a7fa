"""Which tensor of an augmented model is which value of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnx import ModelProto

from onnxprep.graph.fragment import emit_steps
from onnxprep.graph.metadata import onnxprep_nodes
from onnxprep.spec.plan import Plan
from onnxprep.step import Value


@dataclass(frozen=True)
class Traced:
    """A value between our nodes: the tensor that carries it, its dtype, and the order of axes that makes it logical.

    Recorded with a golden, so that a file can be checked by versions that would emit other nodes.
    """

    tensor: str
    dtype: str
    axes: tuple[int, ...]


def traced_before(model: ModelProto, plan: Plan, opset: int) -> dict[str, Traced]:
    """The values between our nodes before the model, for a model that this very version has just made.

    A tensor is named after the node that makes it, until the splice renames it; node names stay, so they lead there.
    """
    given = {name: plan.values[name] for name in plan.inputs}
    fragment = emit_steps(plan.side("pre"), given, {name: name for name in given}, opset, plan.published("pre"))
    nodes = {node.name: node for node in onnxprep_nodes(model)}
    found = {}
    for name, value in fragment.lying.items():
        node, _, port = value.name.partition(":")
        if node in nodes and name in plan.values and name not in given:
            axes = _axes(value, plan.values[name].layout)
            found[name] = Traced(nodes[node].output[int(port or 0)], value.spec.dtype, axes)
    return found


def _axes(value: Value, wanted: str | None) -> tuple[int, ...]:
    layout = value.spec.layout
    if layout is None or wanted is None:
        return tuple(range(value.spec.rank or 0))
    return tuple(layout.index(letter) for letter in wanted)


Trace = Mapping[str, Traced]
"""Value name -> where it is."""
