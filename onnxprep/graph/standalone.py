"""Preprocessing alone as a model: the same nodes, for a training data loader or a program of its own."""

from __future__ import annotations

from onnx import GraphProto, ModelProto, helper

from onnxprep.emit import type_proto
from onnxprep.errors import ContractError
from onnxprep.graph.attach import Own, emit_side, give
from onnxprep.graph.opset import needs
from onnxprep.spec.plan import Plan

_OPSET = 17  # loads in every ONNX Runtime since 1.16
_IR = 8


def standalone(plan: Plan) -> ModelProto:
    """The preprocessing steps of the plan as a model from its inputs to its outputs.

    Raises:
        ContractError: an output needs the model or a postprocess step.
    """
    made = {*plan.inputs, *(name for step in plan.side("pre") for name in step.outputs)}
    for name in plan.outputs:
        if name not in made:
            raise ContractError(
                "cannot be built without the model", at=f"outputs: {name}", expected="values of preprocess steps"
            )
    opset = max(_OPSET, needs(plan, "pre"))
    own = Own({name: name for name in plan.inputs}, opset)
    emit_side(own, plan, "pre")
    give(own, plan)
    graph = GraphProto(name="onnxprep")
    graph.node.extend([*own.before, *own.behind])
    for place, values in ((graph.input, plan.inputs), (graph.output, plan.outputs)):
        place.extend(helper.make_value_info(name, type_proto(plan.values[name])) for name in values)
    imports = [helper.make_opsetid("", opset)]
    ir = max(_IR, helper.find_min_ir_version_for(imports))
    return helper.make_model(graph, opset_imports=imports, ir_version=ir, producer_name="onnxprep")
