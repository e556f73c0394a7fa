"""A file that may have steps -> the model that new ones go to."""

from __future__ import annotations

from pathlib import Path

from onnxprep.errors import ContractError
from onnxprep.graph.underlying import Underlying, underlying
from onnxprep.runtime.files import read_model


def read_underlying(path: Path, *, on_top: bool = False) -> Underlying:
    """What ``export`` attaches to: the model in the file, or the one below the steps that it has.

    Raises:
        UsageError: the file cannot be read.
        ContractError: it is not an ONNX model, or one whose steps cannot be taken out (with ``on_top``, cannot stay).
    """
    model, data = read_model(path)
    try:
        return underlying(model, data, on_top=on_top)
    except ContractError as error:
        at = str(path) if error.at == "model" else f"{path}: {error.at}"
        raise error.told_as(ContractError, at=at) from None
