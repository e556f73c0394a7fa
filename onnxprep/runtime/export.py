"""Export: a model and a spec in, one self-contained, proven file out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onnx import ModelProto

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph import metadata, undo
from onnxprep.graph.attach import emit, splice
from onnxprep.graph.fit import Fitted, fit
from onnxprep.graph.image_keys import image_entries
from onnxprep.graph.opset import default_opset
from onnxprep.graph.seal import SEAL, seal
from onnxprep.graph.underlying import Underlying
from onnxprep.runtime import golden
from onnxprep.runtime.agreement import Images, compare
from onnxprep.runtime.beside import place, weights
from onnxprep.runtime.copying import DraftWithData, Told, check_targets
from onnxprep.runtime.files import check_output, serialised
from onnxprep.runtime.given import GivenFiles
from onnxprep.runtime.newest import refuse_newer
from onnxprep.runtime.proof import Proof
from onnxprep.runtime.raise_opset import Raised, raised
from onnxprep.runtime.record import record
from onnxprep.runtime.session import Session
from onnxprep.runtime.spill import SideFiles, named_files, spill
from onnxprep.runtime.stored import entries
from onnxprep.runtime.underlying import read_underlying
from onnxprep.runtime.validate import check_nodes, load
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.spec.plan import lines


@dataclass
class Report:
    """What an export did, for printing.

    Attributes:
        out: the written model.
        plan: one line per step.
        contract: how steps and model meet.
        warnings: what could not be proven.
        goldens: one line per recorded sample.
        providers: for every provider that was asked for, where the steps run and how far they are from the CPU's.
        weights: where the model's external data lies, one line per file.
        digest: the spec's.
        sizes: bytes of the original and of the new file.
        seconds: wall time by stage.
    """

    out: Path
    plan: list[str] = field(default_factory=list)
    contract: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    goldens: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    digest: str = ""
    sizes: tuple[int, int] = (0, 0)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the time spent inside to a stage."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


def export(
    model: str | Path,
    spec: Spec | str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    goldens: Sequence[Mapping[str, Any]] | GivenFiles = (),
    expect: Mapping[str, Any] | None = None,
    providers: Sequence[str] = (),
    run: bool = True,
    strict: bool = False,
    upgrade_opset: bool = False,
    stack: bool = False,
    force: bool = False,
    progress: Told | None = None,
) -> Report:
    """Attaches the spec's steps to the model, validates the result, stores spec and proof, and writes it.

    Args:
        model: the exported ONNX file; it is never changed.
        spec: a Spec, a path to one, its text, or plain data.
        out: where the new file goes. Beside the original it refers to the same external data; to another folder the
            data is copied.
        goldens: inputs to record, each a mapping from graph input to array; or files, as the command line names them.
        expect: what training made of the one golden's inputs, by value name: arrays, or paths of .npy files.
        providers: onnxruntime providers to load the result with and to compare with the CPU.
        run: False to leave out loading the whole model (and so goldens).
        strict: whether what cannot be proven about the fit is an error, and a provider that changes bits, too.
        upgrade_opset: whether the model's body may be rewritten for a higher opset.
        stack: whether steps that the model has already stay, as part of the body; else the new ones replace them.
        force: whether an existing ``out``, and data files copied beside it, may be replaced.
        progress: called while data files are copied with a file's name, the bytes copied and those of all files.

    Raises:
        UsageError, SpecError, ContractError, ParityError: see ``onnxprep.errors``; nothing is written.
    """
    source, target = Path(model), Path(out)
    report = Report(target)
    loaded = spec if isinstance(spec, Spec) else Spec.load(spec)
    proof = Proof.of(goldens, expect or {})
    if not run and proof:
        raise UsageError("a golden needs a run", at="--golden", hint="leave out --no-run")
    read = [source, *loaded.read_from, *proof.paths]
    check_output(target, read, force=force)
    with report.timed("read"):
        below = read_underlying(source, on_top=stack)
        read += [*weights(below.model, source), *named_files(below.golden, source)]
        check_output(target, read, force=force)
        refuse_newer(below.model, str(source))
        placed = place(below.model, source, target)
        placed = check_targets(placed, target, read, below.size, force=force)
        read += [file.target for file in placed.files]
    with report.timed("plan"):
        fitted = _fitted(loaded, below, strict=strict)
        images = image_entries(below.model, fitted.plan)
        proof = proof.read(fitted)
    with report.timed("opset"):
        body = raised(below.model, fitted, source, upgrade=upgrade_opset)
        joined = body.model
    _describe(report, fitted, below, body)
    with report.timed("read"):
        undone = undo.record(joined, below.sha256, keys=images, rewritten=body.rewritten, stacked=below.stacked)
    with report.timed("emit"):
        own = emit(joined, fitted.plan, body.opset)
    with report.timed("splice"):
        splice(joined, fitted.plan, own)
    stored = entries(fitted.spec, joined, below.sha256, {metadata.UNDO: undone})
    metadata.write(joined, images | stored)
    report.weights, report.sizes = placed.lines, (below.size, 0)
    draft = DraftWithData(target, placed.copies, progress, force=force, like=source)
    _write(report, joined, stored, fitted, proof, read, draft, _Asked(providers, run, strict))
    report.sizes = (below.size, target.stat().st_size)
    return report


def _fitted(spec: Spec, below: Underlying, *, strict: bool) -> Fitted:
    try:
        return fit(spec, below.model, strict=strict)
    except ContractError as error:
        if not below.note or below.stacked:
            raise
        told = "the model's own steps are replaced; --stack keeps them"
        raise error.told_as(ContractError, hint="; ".join(filter(None, [error.hint, told]))) from None


def _describe(report: Report, fitted: Fitted, below: Underlying, body: Raised) -> None:
    own = default_opset(below.model)
    report.plan = [*_caller_lines("preprocess", fitted.spec.preprocess), *lines(fitted.plan)]
    report.plan += _caller_lines("postprocess", fitted.spec.postprocess)
    number = f"opset {own}" + (f" -> {body.opset} ({body.how})" if body.how else "")
    report.contract = [*fitted.contract.lines, number, *([below.note] if below.note else [])]
    report.warnings = list(fitted.contract.warnings)
    report.digest = fitted.spec.digest


def _caller_lines(side: str, entries: Sequence[Entry]) -> list[str]:
    return [
        f"{side}[{i}]  {entry.name}  {', '.join(entry.inputs or ())} -> {', '.join(entry.outputs or ())}  run by the caller"
        for i, entry in enumerate(entries)
        if entry.where == "caller"
    ]


@dataclass(frozen=True)
class _Asked:
    """Where to try the result."""

    providers: Sequence[str]
    run: bool
    strict: bool

    def compare(
        self, report: Report, joined: ModelProto, fitted: Fitted, sessions: list[Session], given: Images
    ) -> None:
        """The providers that were named against the CPU."""
        if not self.providers:
            return
        for found in compare(joined, fitted.plan, fitted.spec, self.providers, given, sessions):
            report.providers.append(found.line)
            if found.problem is not None and self.strict:
                raise found.problem
            if found.problem is not None:
                report.warnings.append(f"{found.problem.at} {found.problem.problem}: {found.problem.got}")


def _write(
    report: Report,
    joined: ModelProto,
    stored: dict[str, str],
    fitted: Fitted,
    proof: Proof,
    read: Sequence[Path],
    draft: DraftWithData,
    asked: _Asked,
) -> None:
    """Draft, load, record, seal, name: the file appears only when everything has held."""
    with report.timed("validate"):
        check_nodes(joined)
    with draft:
        if draft.copies:
            with report.timed("copy"):
                draft.copy()
        with report.timed("write"):
            draft.write(serialised(joined, report.out, report.sizes[0]))
        beside: dict[Path, bytes] = {}
        own: frozenset[Path] = frozenset()
        sessions: list[Session] = []
        samples: list[golden.Sample] = []
        if asked.run:
            with report.timed("validate"):
                sessions = load(draft.path, str(report.out), asked.providers)
                samples = record(sessions[0], joined, fitted, proof.samples, proof.expect)
            if samples:
                text, beside, own = spill(golden.dump(samples), report.out, read, force=draft.force)
                stored[metadata.GOLDEN] = text
                beside_too = sum(map(len, beside.values()))
                report.goldens = [_golden_line(sample) for sample in samples]
                folders = ", ".join(sorted({f"{path.parent.name}/" for path in beside}))
                where = f", {beside_too:,} in {folders}, which has to stay beside the model" if beside else ""
                report.goldens.append(f"golden: {len(text):,} bytes inside{where}")
        with report.timed("validate"):
            asked.compare(report, joined, fitted, sessions, [sample.inputs for sample in samples])
        with report.timed("write"):
            # protobuf merges what is appended: these keys are new, so nothing is parsed or written twice
            tail = ModelProto()
            added = {metadata.GOLDEN: stored[metadata.GOLDEN]} if metadata.GOLDEN in stored else {}
            metadata.write(tail, {**added, SEAL: seal(stored)})
            draft.write(tail.SerializeToString())
            with SideFiles(beside, read, own) as side:
                side.keep(draft)


def _golden_line(sample: golden.Sample) -> str:
    values = ", ".join(f"{name} ({expected.made_by})" for name, expected in sample.values.items())
    return f"golden: {', '.join(f'{n}{list(a.shape)}' for n, a in sample.inputs.items())} -> {values}"
