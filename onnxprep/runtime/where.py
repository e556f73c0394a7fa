"""Where the steps of a file would run on a provider: a session of our nodes tells, or else a table of its kernels."""

from __future__ import annotations

from onnx import ModelProto, ValueInfoProto

from onnxprep.errors import ContractError
from onnxprep.graph.cut import cut_declared
from onnxprep.graph.metadata import onnxprep_nodes
from onnxprep.runtime import kernels
from onnxprep.runtime.agreement import Reference, made_up
from onnxprep.runtime.placement import Placement, placement, step_of
from onnxprep.runtime.session import Session, available, brought_by, version
from onnxprep.spec.document import Spec


def where_steps_run(model: ModelProto, spec: Spec, provider: str) -> list[str]:
    """Lines that tell, for every step, where its nodes run.

    Args:
        model: an augmented model.
        spec: its spec.
        provider: its full name, installed here or not.
    """
    none = _without_nodes(model, spec)
    package = brought_by(provider)
    why = f"is not in this onnxruntime {version()}" + (f" ({package} brings it)" if package else "")
    if available(provider):
        try:
            return [_placed(model, spec, provider).text, *none]
        except ContractError as error:
            why = f"is in this onnxruntime {version()} and does not do it: {error.problem}: {error.got}"
    table = kernels.table(provider)
    if table is None:
        return [f"{why}, and onnxprep has no table of its kernels"]
    return [why, *kernels.lines(model, table), *none]


def _without_nodes(model: ModelProto, spec: Spec) -> list[str]:
    """The steps that need none, such as a crop that the resize before it computes."""
    having = {step_of(node.name) for node in onnxprep_nodes(model) if node.op_type != "Constant"}
    entries = (*spec.preprocess, *spec.postprocess)
    names = [str(entry.name) for entry in entries if entry.where == "graph" and entry.name not in having]
    if not names or not having:  # none at all: another tool has renamed them
        return []
    return [f"{', '.join(names)}: no nodes of {'their' if len(names) > 1 else 'its'} own, nothing to run"]


def _placed(model: ModelProto, spec: Spec, provider: str) -> Placement:
    """Of both sides, each in a session of its own: the body may be large, and its weights elsewhere."""
    nodes: list[tuple[str, str]] = []
    crossing: dict[str, ValueInfoProto] = {}
    for side in ("pre", "post"):
        alone = cut_declared(model, side, crossing)
        if not alone.graph.output:
            continue
        crossing = {info.name: info for info in alone.graph.output}
        session = Session(alone, [provider])
        assigned = session.assigned()
        if assigned is None:  # before 1.24, where only a run tells: of the steps before the model
            return Reference(model, {}, made_up(model, spec)).on(provider, {}).placed
        nodes += assigned
    return placement(nodes, provider)
