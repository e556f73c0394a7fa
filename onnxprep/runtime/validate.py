"""Validation of the new model: our nodes by themselves, then the whole on every provider."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import ModelProto
from onnx.checker import ValidationError
from onnx.shape_inference import InferenceError

from onnxprep.errors import ContractError
from onnxprep.graph.cut import cut_declared
from onnxprep.runtime.session import Session, known


def check_nodes(model: ModelProto) -> None:
    """Our nodes against ONNX's checker with strict inference, and in a session of their own.

    What leaves them carries the type that the model declared for its input, so a shape that cannot fit shows here.

    Raises:
        ContractError: they do not hold together.
    """
    for side in ("pre", "post"):
        alone = cut_declared(model, side)
        if not alone.graph.node:
            continue
        try:
            onnx.checker.check_model(alone, full_check=True)
        except (ValidationError, InferenceError) as error:
            got = str(error).strip().splitlines()[0][:300]
            raise ContractError("the steps' nodes do not fit the model", at=f"{side}process", got=got) from None
        Session(alone)


def load(path: Path, at: str, providers: Sequence[str]) -> list[Session]:
    """The whole model on each provider; a silent fall-back to another is an error.

    Raises:
        ContractError: a provider does not load it, or is not the one that does.
        UsageError: a provider that this onnxruntime does not have.
    """
    sessions = []
    for provider in known(providers):
        try:
            session = Session(path, [provider])
        except ContractError as error:
            raise error.inside(at) from None
        if session.providers[0] != provider:
            got = ", ".join(session.providers)
            raise ContractError("onnxruntime fell back to another provider", at=provider, expected=provider, got=got)
        sessions.append(session)
    return sessions
