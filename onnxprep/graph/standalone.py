"""The steps of one side as a model of their own: for a training data loader, or for servers that keep them apart."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import GraphProto, ModelProto, helper

from onnxprep.emit import type_proto
from onnxprep.errors import ContractError
from onnxprep.graph.attach import Own, drop_unused, emit_side, name_values
from onnxprep.graph.opset import needs
from onnxprep.spec.plan import Plan, Side

_OPSET = 17  # loads in every ONNX Runtime since 1.16
_IR = 8

Names = Mapping[str, str]
"""Name of an input or output of the new model -> the value that it is."""


def standalone(plan: Plan) -> ModelProto:
    """The preprocessing steps of the plan as a model from its inputs to its outputs.

    Raises:
        ContractError: an output needs the model or a postprocess step.
    """
    made = {*plan.inputs, *(name for step in plan.side("pre") for name in (*step.outputs, *step.frame))}
    for name in plan.outputs:
        if name not in made:
            raise ContractError(
                "cannot be built without the model", at=f"outputs: {name}", expected="values of preprocess steps"
            )
    return side_alone(plan, "pre", {name: name for name in plan.inputs}, {name: name for name in plan.outputs})


def side_alone(plan: Plan, side: Side, inputs: Names, outputs: Names) -> ModelProto:
    """The steps of one side as a model."""
    opset = max(_OPSET, needs(plan, side))
    own = Own({value: name for name, value in inputs.items()}, opset)
    emit_side(own, plan, side)
    name_values(own, own.behind, list(outputs.items()), "post.output")
    drop_unused(own)
    graph = GraphProto(name="onnxprep")
    graph.node.extend([*own.before, *own.behind])
    for place, names in ((graph.input, inputs), (graph.output, outputs)):
        place.extend(helper.make_value_info(name, type_proto(plan.values[value])) for name, value in names.items())
    imports = [helper.make_opsetid("", opset)]
    ir = max(_IR, helper.find_min_ir_version_for(imports))
    return helper.make_model(graph, opset_imports=imports, ir_version=ir, producer_name="onnxprep")
