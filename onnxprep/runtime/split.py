"""Split: three models instead of one, for servers that keep pre- and postprocessing off the accelerator."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph import metadata
from onnxprep.graph.attach import refuse_taken
from onnxprep.graph.fit import Fitted, fit
from onnxprep.graph.seal import SEAL, seal
from onnxprep.graph.split import Part, split, wiring
from onnxprep.graph.underlying import Underlying
from onnxprep.runtime.beside import Placed, place, weights
from onnxprep.runtime.copying import DraftWithData, Told, check_targets
from onnxprep.runtime.files import Draft, check_output, quietly, read_bytes, reason
from onnxprep.runtime.session import Session
from onnxprep.runtime.stored import entries
from onnxprep.runtime.underlying import read_underlying
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import lines

NAMES = {"pre": "preprocess.onnx", "post": "postprocess.onnx"}
MODEL = "model.onnx"


@dataclass
class SplitReport:
    """What a split did, for printing.

    Attributes:
        folder: where the models are.
        plan: one line per step.
        contract: how steps and model meet, and what their names do not say of it.
        warnings: what could not be proven.
        weights: where the model's external data lies, one line per file.
        digest: the spec's.
        files: name -> its inputs and outputs.
    """

    folder: Path
    plan: list[str] = field(default_factory=list)
    contract: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    digest: str = ""
    files: dict[str, str] = field(default_factory=dict)


def export_split(
    model: str | Path,
    spec: Spec | str | Path | Mapping[str, Any],
    folder: str | Path,
    *,
    run: bool = True,
    strict: bool = False,
    force: bool = False,
    progress: Told | None = None,
) -> SplitReport:
    """Writes ``preprocess.onnx``, ``model.onnx`` and ``postprocess.onnx`` into a folder; the model as it is.

    What one gives under a name the next takes under the same name; frames of geometric steps are among it. A side
    without steps has no file.

    Args:
        model: the exported ONNX file; it is never changed.
        spec: a Spec, a path to one, its text, or plain data.
        folder: where the files go; it is made where it does not exist. The model's external data is copied there.
        run: False to leave out loading the models.
        strict: whether what cannot be proven about the fit is an error.
        force: whether files that are there may be replaced.
        progress: called while data files are copied with a file's name, the bytes copied and those of all files.

    Raises:
        UsageError, SpecError, ContractError: see ``onnxprep.errors``; nothing is written.
    """
    source, target = Path(model), Path(folder)
    loaded = spec if isinstance(spec, Spec) else Spec.load(spec)
    below = read_underlying(source)
    if below.note:
        hint = "`onnxprep strip` gives the original"
        raise ContractError("has steps already", at=str(source), expected="a model without them", hint=hint)
    fitted = fit(loaded, below.model, strict=strict, one_file=False)
    refuse_taken(below.model, fitted.plan)
    parts = split(fitted.plan)
    with contextlib.ExitStack() as made:
        _folder(target, made)
        read = [source, *loaded.read_from, *weights(below.model, source)]
        placed = _targets(source, target, read, parts, below, force=force)
        models = _stored(parts, fitted, below)
        _write(source, target, placed, models, progress, sha256=below.sha256, run=run, force=force)
        made.pop_all()
    report = SplitReport(target, [*lines(fitted.plan)], digest=fitted.spec.digest, weights=placed.lines)
    report.contract = [*fitted.contract.lines, *wiring(fitted.plan, parts)]
    report.warnings = list(fitted.contract.warnings)
    report.files = {NAMES[part.side]: f"{_listed(part.inputs)} -> {_listed(part.outputs)}" for part in parts}
    report.files[MODEL] = "the model, byte for byte"
    return report


def _listed(names: Mapping[str, str]) -> str:
    return ", ".join(names)


def _folder(target: Path, made: contextlib.ExitStack) -> None:
    """Makes it; goes again where nothing comes of it."""
    if target.is_dir():
        return
    try:
        target.mkdir()
    except (OSError, ValueError) as error:
        expected = "a folder, or a name for one in a folder that exists"
        raise UsageError(reason(error), at=str(target), expected=expected) from None
    made.callback(quietly, target.rmdir)


def _targets(
    source: Path, target: Path, read: list[Path], parts: list[Part], below: Underlying, *, force: bool
) -> Placed:
    written = [NAMES[part.side] for part in parts]
    for name in (*written, MODEL):
        check_output(target / name, read, force=force)
    for name in NAMES.values():
        if name not in written and os.path.lexists(target / name):
            problem = "is there, and this spec has no such steps: a chain of the folder's files would run it"
            hint = "remove it, or write to another folder"
            raise UsageError(problem, at=str(target / name), expected="a folder without it", hint=hint)
    placed = place(below.model, source, target / MODEL)
    for file in placed.files:
        if file.target.name in written and file.target.parent == target:
            raise UsageError(
                "is the name of the model's external data too", at=str(file.target), expected="data of another name"
            )
    return check_targets(placed, target / MODEL, read, below.size, force=force)


def _stored(parts: list[Part], fitted: Fitted, below: Underlying) -> dict[str, ModelProto]:
    """The models of our own, with the spec and which part of it they are."""
    models = {}
    for part in parts:
        made = entries(fitted.spec, part.model, below.sha256, {metadata.PART: f"{part.side}process"})
        metadata.write(part.model, {**made, SEAL: seal(made)})
        onnx.checker.check_model(part.model)
        models[NAMES[part.side]] = part.model
    return models


def _write(
    source: Path,
    target: Path,
    placed: Placed,
    models: Mapping[str, ModelProto],
    progress: Told | None,
    *,
    sha256: str,
    run: bool,
    force: bool,
) -> None:
    """Drafts, loads, names: the model last. What has a new name loses it where a later one cannot be given."""
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as named:
        drafts: list[Draft] = []
        for name, model in models.items():
            draft = stack.enter_context(Draft(target / name, force=force, like=source))
            draft.write(model.SerializeToString())
            drafts.append(draft)
            if run:
                Session(model)
        whole = stack.enter_context(DraftWithData(target / MODEL, placed.copies, progress, force=force, like=source))
        whole.copy()
        data = read_bytes(source)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise UsageError("changed while it was read", at=str(source), expected="a file that nothing writes to")
        whole.write(data)
        if run:
            Session(whole.path, called=str(target / MODEL))
        for name, draft in zip((*models, MODEL), [*drafts, whole], strict=True):
            new = not os.path.lexists(target / name)
            draft.keep()
            if new:
                named.callback(quietly, (target / name).unlink)
        named.pop_all()
