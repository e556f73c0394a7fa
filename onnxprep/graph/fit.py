"""Spec + model -> what is attached: bind, plan, unify. Export, check and verify all go this way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnx import ModelProto

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


def fit(spec: Spec, model: ModelProto, *, strict: bool = False) -> Fitted:
    """Joins spec and model on paper.

    Raises:
        SpecError: the document does not hold together.
        ContractError: steps do not fit each other or the model; with ``strict``, also where that cannot be proven.
    """
    refuse_augmented(model)
    wanted = signature(model)
    bound = bind(spec, wanted)
    planned = plan(bound, wanted)
    contract = unify(planned, wanted, strict=strict)
    doubts = lint(planned)
    if strict:
        refuse_doubts(doubts)
    contract = replace(contract, warnings=contract.warnings + doubts + _too_old(model, planned))
    return Fitted(bound, bind_symbols(planned, contract.bindings, contract.theirs), contract)


def _too_old(model: ModelProto, planned: Plan) -> tuple[str, ...]:
    """What ``export`` will refuse, unless it may rewrite the body."""
    own, needed = default_opset(model), needs(planned)
    reasons = restampable(model, needed) if own is not None and own < needed else []
    if not reasons:
        return ()
    return (f"the steps need opset {needed}, the model has {own}, and its number cannot be raised: {reasons[0]}",)
