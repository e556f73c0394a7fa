"""Spec + model -> what is attached: bind, plan, unify. Export, check and verify all go this way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from onnx import ModelProto, NodeProto

from onnxprep.graph.attach import refuse_augmented
from onnxprep.graph.contract import Contract, unify
from onnxprep.graph.contract import bind as bind_symbols
from onnxprep.graph.opset import default_opset, needs, restampable
from onnxprep.graph.signature import signature
from onnxprep.spec.bind import bind
from onnxprep.spec.document import Spec
from onnxprep.spec.lint import lint, refuse_doubts
from onnxprep.spec.plan import Plan, plan


@dataclass(frozen=True)
class Fitted:
    """A spec that fits a model: with every default written out, its plan, and how the two meet."""

    spec: Spec
    plan: Plan
    contract: Contract


def fit(spec: Spec, model: ModelProto, *, strict: bool = False, one_file: bool = True) -> Fitted:
    """Joins spec and model on paper; with ``one_file`` false their opsets may differ.

    Raises:
        SpecError: the document does not hold together.
        ContractError: steps do not fit each other or the model; with ``strict``, also where that cannot be proven.
    """
    refuse_augmented(model)
    wanted = signature(model)
    bound = bind(spec, wanted)
    planned = plan(bound, wanted)
    contract = unify(planned, wanted, strict=strict)
    doubts = (*lint(planned), *_twice(planned, model))
    if strict:
        refuse_doubts(doubts)
    contract = replace(contract, warnings=contract.warnings + doubts + (_too_old(model, planned) if one_file else ()))
    return Fitted(bound, bind_symbols(planned, contract.bindings, contract.theirs), contract)


def _too_old(model: ModelProto, planned: Plan) -> tuple[str, ...]:
    """What ``export`` will refuse, unless it may rewrite the body."""
    own, needed = default_opset(model), needs(planned)
    reasons = restampable(model, needed) if own is not None and own < needed else []
    if not reasons:
        return ()
    return (f"the steps need opset {needed}, the model has {own}, and its number cannot be raised: {reasons[0]}",)


_PROBABILITIES = ("Softmax", "Sigmoid")  # not LogSoftmax: of its logarithms a softmax gives the probabilities
_PASSING = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")


def _twice(planned: Plan, model: ModelProto) -> Iterator[str]:
    """A softmax of what the model's own last node has made probabilities."""
    makers = {name: node for node in model.graph.node for name in node.output if name}
    for step in planned.side("post"):
        output = planned.gives.get(step.inputs[0]) if step.step.operation == "softmax" else None
        node = _maker(output, makers) if output else None
        if node is not None and node.op_type in _PROBABILITIES and node.domain in ("", "ai.onnx"):
            yield f"{step.path}: `softmax` of the model's output {output}, which a {node.op_type} of the model makes: twice? leave it out"


def _maker(tensor: str, makers: Mapping[str, NodeProto]) -> NodeProto | None:
    """The node that made its values, behind those that only pass them on."""
    node = makers.get(tensor)
    for _ in makers:  # a damaged graph may go in a circle
        if node is None or node.op_type not in _PASSING or not node.input:
            break
        node = makers.get(node.input[0])
    return node
