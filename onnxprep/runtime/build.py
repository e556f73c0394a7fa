"""Build and strip: preprocessing as a model of its own; the original back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnx import ModelProto

from onnxprep.errors import ContractError, OnnxprepError
from onnxprep.graph import undo
from onnxprep.graph.standalone import standalone
from onnxprep.runtime.beside import place, weights
from onnxprep.runtime.copying import DraftWithData, Told, check_targets
from onnxprep.runtime.files import check_output, read_model
from onnxprep.runtime.spill import golden_files
from onnxprep.spec.bind import bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import plan


def build(spec: Spec | str | Path | Mapping[str, Any]) -> ModelProto:
    """The preprocessing alone as an ONNX model: the same graph, in a training data loader.

    Raises:
        SpecError: the document is wrong.
        ContractError: a step does not work on what it gets.
    """
    loaded = spec if isinstance(spec, Spec) else Spec.load(spec)
    return standalone(plan(bind_alone(loaded)))


def strip(model: str | Path, out: str | Path, *, force: bool = False, progress: Told | None = None) -> undo.Stripped:
    """Writes the original model; in another folder, with a copy of its external data.

    Args:
        model: the exported file; it is never changed.
        out: where the original goes.
        force: whether ``out``, and data files copied beside it, may be replaced.
        progress: called while data files are copied with a file's name, the bytes copied and those of all files.

    Raises:
        UsageError: a path is wrong, or external data is missing.
        ContractError: the model holds nothing of ours, or cannot be restored.
    """
    source, target = Path(model), Path(out)
    check_output(target, [source], force=force)
    joined = read_model(source)[0]  # not its bytes: of a large model, gigabytes
    read = [source, *weights(joined, source), *golden_files(joined, source)]
    check_output(target, read, force=force)
    try:
        stripped = undo.strip(joined)
    except ContractError as error:
        at = str(source) if error.at == "model" else f"{source}: {error.at}"
        raise error.told_as(ContractError, at=at) from None
    placed = place(stripped.model, source, target)
    placed = check_targets(placed, target, read, len(stripped.data), force=force)
    with DraftWithData(target, placed.copies, progress, force=force, like=source) as draft:
        draft.copy()
        draft.write(stripped.data)
        if stripped.state == "changed":
            stripped = replace(stripped, reason=stripped.reason + _not_loading(draft.path, target))
        draft.keep()
    return stripped


def _not_loading(path: Path, target: Path) -> str:
    """A body that another tool has changed may not take any more what the original took."""
    from onnxprep.runtime.session import Session  # noqa: PLC0415  # a faithful strip starts no onnxruntime

    try:
        Session(path, called=str(target))
    except OnnxprepError as error:
        return f"; {error.problem}: {error.got}"
    return ""
