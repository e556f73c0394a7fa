"""Validation of the new model: our nodes by themselves, then the whole on every provider."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import ModelProto, ValueInfoProto
from onnx.checker import ValidationError
from onnx.shape_inference import InferenceError, infer_shapes

from onnxprep.errors import ContractError
from onnxprep.graph.cut import cut_declared
from onnxprep.runtime.session import CPU, Session, known

_NODE = re.compile(r"onnxprep/(pre|post)\.(\d+)\.([^/\s]+)/")


def check_nodes(model: ModelProto) -> None:
    """Our nodes against ONNX's checker with strict inference, and in a session of their own.

    What leaves them carries the type that the model declared for its input, so a shape that cannot fit shows here.

    Raises:
        ContractError: they do not hold together; ``at`` is the step, where it can be told.
    """
    crossing: dict[str, ValueInfoProto] = {}
    for side in ("pre", "post"):
        alone = cut_declared(model, side, crossing)
        if not alone.graph.node:
            continue
        try:
            typed = _checked(alone)
            if alone.graph.output:
                Session(alone)
        except (ValidationError, InferenceError, ContractError) as error:
            text = error.got if isinstance(error, ContractError) else str(error).strip().splitlines()[0][:300]
            at = _step(text) or f"{side}process"
            raise ContractError("the steps' nodes do not fit the model", at=at, got=text) from None
        crossing = {info.name: info for info in (*typed.graph.value_info, *typed.graph.output)}


def _checked(alone: ModelProto) -> ModelProto:
    """The checker, which wants a shape of everything, on a copy that has one; inference on the types as they are."""
    shaped = ModelProto()
    shaped.CopyFrom(alone)
    for info in (*shaped.graph.input, *shaped.graph.output):
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(shaped)
    return infer_shapes(alone, check_type=True, strict_mode=True)


def _step(text: str) -> str:
    found = _NODE.search(text)
    return f"{found[1]}process[{found[2]}] ({found[3]})" if found else ""


def load(path: Path, at: str, providers: Sequence[str]) -> list[Session]:
    """The whole model on the CPU, which goldens are recorded on, and on each provider; no silent fall-back to another.

    Raises:
        ContractError: a provider does not load it, or leaves it to another.
        UsageError: a provider that this onnxruntime does not have.
    """
    sessions = []
    for provider in known([CPU, *providers]):
        try:
            sessions.append(Session(path, [provider], called=at))
        except ContractError as error:
            raise error.told_as(ContractError, at=at if provider == CPU else f"{at}: {provider}") from None
    return sessions
