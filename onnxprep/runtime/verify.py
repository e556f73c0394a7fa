"""Verify: is the file what was exported, and does it still compute what was recorded?"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError
from onnx import ModelProto

from onnxprep.errors import ContractError, OnnxprepError, ParityError
from onnxprep.graph import metadata, seal
from onnxprep.graph.lost import LAST, refuse_lost
from onnxprep.graph.parse import refuse_ort_format, refuse_unreadable
from onnxprep.runtime import arrays, golden, nodes, wiring
from onnxprep.runtime.agreement import compare
from onnxprep.runtime.beside import present
from onnxprep.runtime.closeness import apart
from onnxprep.runtime.files import read_model_bytes
from onnxprep.runtime.holding import holding
from onnxprep.runtime.nodes import DAMAGED
from onnxprep.runtime.record import step_arrays
from onnxprep.runtime.session import CPU, Session, known
from onnxprep.runtime.stored import stored_spec
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.spec.plan import Plan
from onnxprep.tensor import Array

_OTHER_BODY = f"the steps are as exported, the body is not (a quantiser?): {LAST}"


@dataclass
class Checked:
    """What held, one line each."""

    lines: list[str] = field(default_factory=list)


def verify(path: str | Path, providers: Sequence[str] = ()) -> Checked:
    """Checks, in order: stored texts, spec digest, our nodes, how steps and body are joined, goldens on each provider.

    A provider that was named is compared with the CPU on made-up images, too.

    Raises:
        UsageError: the file cannot be read, or this onnxruntime has no such provider.
        ContractError: it holds no spec.
        ParityError: the first difference, with its place.
    """
    source, checked, asked = Path(path), Checked(), known(providers)
    model = _model(read_model_bytes(source), str(source))
    stored = _stored(model, str(source))
    seal.check(stored)
    _refuse_unreadable(model)
    spec = _spec(stored, str(source))
    checked.lines.append(f"spec    {stored[metadata.DIGEST][:16]}  as exported")
    nodes.refuse_outside(metadata.onnxprep_nodes(model))
    if metadata.PART in stored:
        checked.lines.append(_part(source, model, stored, asked))
        return checked
    try:
        lines, plan = _nodes(model, spec, stored)
    except ParityError as error:
        found = [*filter(None, [error.got]), holding(source, model, stored, asked)]
        hint = f"{DAMAGED}, and {LAST}" if error.hint == DAMAGED else error.hint
        raise error.told_as(ParityError, got="; ".join(found), hint=hint) from None
    checked.lines += lines
    try:
        checked.lines += [f"weights {line}: there, and not read" for line in present(model, source)]
        sessions = {provider: _whole(source, provider) for provider in asked}
        _goldens(source, model, stored, sessions, checked)
        if providers:
            _providers(model, spec, plan, sessions, checked)
    except ParityError as error:
        changed = any(line.startswith("body ") for line in checked.lines)
        raise error.told_as(ParityError, hint=_OTHER_BODY if changed else error.hint) from None
    except ContractError as error:
        raise error.told_as(ParityError, at=error.at or str(source), hint=error.hint or DAMAGED) from None
    return checked


def _model(data: bytes, at: str) -> ModelProto:
    """The model as it stands: damaged texts are for the checks to name."""
    try:
        refuse_ort_format(data)
    except ContractError as error:
        raise error.inside(at) from None
    try:
        model: ModelProto = ModelProto.FromString(data)
    except DecodeError:
        raise ContractError("is not an ONNX model", at=at, expected="a serialised ModelProto") from None
    if not model.HasField("graph"):
        raise ContractError("is not an ONNX model: it holds no graph", at=at, expected="a serialised ModelProto")
    return model


def _refuse_unreadable(model: ModelProto) -> None:
    try:
        refuse_unreadable(model)
    except ContractError as error:
        raise error.told_as(ParityError, hint=DAMAGED) from None


def _stored(model: ModelProto, at: str) -> dict[str, str]:
    try:
        stored = metadata.read(model)
    except ContractError as error:
        raise error.told_as(ParityError, hint=DAMAGED) from None
    if stored:
        return stored
    try:
        refuse_unreadable(model)
        refuse_lost(model, at)
    except ContractError as error:  # what is left of our steps is not what was exported
        raise error.told_as(ParityError) from None
    raise ContractError("holds no spec", at=at, expected="an exported model", hint="`onnxprep export` makes one")


def _spec(stored: Mapping[str, str], at: str) -> Spec:
    try:
        spec = stored_spec(stored, at)
    except ContractError as error:
        raise ParityError(f"cannot be read: {error.problem}", at=error.at, hint=DAMAGED) from None
    if spec.digest != stored.get(metadata.DIGEST):
        raise ParityError(
            "does not match its digest",
            at=metadata.SPEC,
            expected=str(stored.get(metadata.DIGEST)),
            got=spec.digest,
            hint=DAMAGED,
        )
    return spec


# nodes -------------------------------------------------------------------------------------------------------------


def _nodes(model: ModelProto, spec: Spec, stored: Mapping[str, str]) -> tuple[list[str], Plan | None]:
    """The steps are taken out and put in again; only where the digest differs are our nodes compared one by one.

    The plan is given where the nodes are those that this version makes.
    """
    ours, writer = metadata.onnxprep_nodes(model), stored.get(metadata.WRITER, "")
    kept, same_writer = metadata.nodes_digest(model) == stored.get(metadata.NODES), writer == nodes.own_writer()
    without = wiring.stripped(model)
    lines = [f"nodes   {len(ours)} as exported"]
    if not without.untouched:
        lines.append(f"body    changed since export (sha256 {hashlib.sha256(without.data).hexdigest()[:16]})")
        if without.stacked:
            _check_below(without.model)
    missing = next((entry for entry in (*spec.preprocess, *spec.postprocess) if _not_installed(entry)), None)
    try:
        again, plan = wiring.attached(model, spec, without, same_writer=same_writer)
    except (OnnxprepError, TypeError) as error:
        if kept and (missing is not None or not same_writer):
            why = f"{missing.operation} is not installed" if missing else f"written by {writer}"
            return [*lines, f"wiring  not checked: {why}"], None
        problem = "the steps do not fit the body any more" if kept else "our nodes are not as exported"
        raise ParityError(problem, at=metadata.NODES, got=str(error).splitlines()[0], hint=DAMAGED) from None
    if not kept:
        note = nodes.compared(ours, again, writer)
        if not note:
            problem = "does not match our nodes, which are as the spec makes them"
            raise ParityError(problem, at=metadata.NODES, hint=DAMAGED)
        lines[0] += f", {note}"
    wiring.check(model, again, plan, without.keys, same_writer=same_writer)
    return lines, plan if metadata.nodes_digest(again) == stored.get(metadata.NODES) else None


def _part(source: Path, model: ModelProto, stored: Mapping[str, str], asked: Sequence[str]) -> str:
    """The steps of one side, alone: whether they are there, all of them, and load."""
    if metadata.nodes_digest(model) != stored.get(metadata.NODES):
        raise ParityError("does not match our nodes", at=metadata.NODES, hint=DAMAGED)
    nodes.refuse_more(model)
    for provider in asked:
        try:
            _whole(source, provider)
        except ContractError as error:
            raise error.told_as(ParityError, at=error.at or str(source), hint=error.hint or DAMAGED) from None
    return f"nodes   {len(model.graph.node)} as exported: {stored[metadata.PART]} alone, without the model"


def _check_below(model: ModelProto) -> None:
    """Of a model with steps on top of steps, the texts of those below."""
    try:
        seal.check(metadata.read(model))
    except ParityError as error:
        raise error.told_as(ParityError, at=f"{error.at} of the steps below") from None


def _not_installed(entry: Entry) -> bool:
    return entry.where == "graph" and entry.step is None


# goldens -----------------------------------------------------------------------------------------------------------


def _goldens(
    source: Path,
    model: ModelProto,
    stored: Mapping[str, str],
    sessions: Mapping[str, Session],
    checked: Checked,
) -> None:
    if metadata.GOLDEN not in stored:
        checked.lines.append("golden  none recorded (`export --golden INPUT` records one)")
        return
    samples = golden.load(stored[metadata.GOLDEN], source.parent)
    for provider, session in sessions.items():
        for i, sample in enumerate(samples):
            made = _steps(model, sample, f"samples[{i}]", provider)
            _refuse_missing(sample, {*made, *session.outputs}, f"samples[{i}]")
            _outputs(session, sample, f"samples[{i}]", provider)
            checked.lines.append(
                f"golden  samples[{i}] holds on {session.providers[0]}; expectation made by {sample.made_by}"
            )


def _whole(source: Path, provider: str) -> Session:
    try:
        return Session(source, [provider])
    except ContractError as error:
        if provider == CPU:
            raise
        hint = error.hint or "the CPU may still load it"
        raise error.told_as(ContractError, at=f"{source}: {provider}", hint=hint) from None


def _providers(
    model: ModelProto, spec: Spec, plan: Plan | None, sessions: Mapping[str, Session], checked: Checked
) -> None:
    """Every provider that was named against the CPU; a bit that is claimed to be exact has to be."""
    if plan is None:
        checked.lines.append("steps   not compared with the CPU: not the nodes that this version makes")
        return
    for found in compare(model, plan, spec, tuple(sessions), whole=tuple(sessions.values())):
        if found.problem is not None:
            raise found.problem
        checked.lines.append(f"steps   {found.line}")


def _refuse_missing(sample: golden.Sample, made: Collection[str], at: str) -> None:
    for kind, recorded in (("steps", sample.steps), ("values", sample.values)):
        for name in recorded:
            if name not in made:
                raise ParityError("was recorded and is not made any more", at=f"{at}.{kind}.{name}", hint=DAMAGED)


def _steps(model: ModelProto, sample: golden.Sample, at: str, provider: str) -> dict[str, Array]:
    """Bits of every step before the model, in order: the first that differs is the one to look at."""
    places = {name: i for i, node in enumerate(model.graph.node) for name in node.output}
    order = sorted(sample.steps, key=lambda name: places.get(sample.steps[name].traced.tensor, -1))
    trace = {name: sample.steps[name].traced for name in order}
    made = step_arrays(model, trace, sample.inputs, [provider])
    for name, array in made.items():
        if arrays.digest(array) != sample.steps[name].sha256:
            problem, at = "gives other bits than were recorded", f"{at}.steps.{name}"
            if provider == CPU:
                raise ParityError(problem, at=at, hint="another runtime or machine?")
            got, hint = _against_the_cpu(step_arrays(model, trace, sample.inputs)[name], array, sample.steps[name])
            raise ParityError(f"{problem} (on {provider})", at=at, got=got, hint=hint)
    for name, expected in sample.values.items():
        if name in made:
            _compare(made[name], expected, f"{at}.values.{name}", "our nodes")
    return made


def _against_the_cpu(wanted: Array, got: Array, recorded: golden.StepRecord) -> tuple[str, str]:
    """How far a provider is from the CPU, and what to do about it."""
    if arrays.digest(wanted) != recorded.sha256:
        return "", "the CPU does not give them either: another runtime or machine?"
    return f"up to {apart(got, wanted).text} from the CPU, which gives what was recorded", "serve the steps on the CPU"


def _outputs(session: Session, sample: golden.Sample, at: str, provider: str) -> None:
    for name, array in session.run(sample.inputs).items():
        if name in sample.values:
            _compare(array, sample.values[name], f"{at}.values.{name}", provider)


def _compare(got: Array, expected: golden.Expected, at: str, where: str) -> None:
    difference = arrays.first_difference(got, expected.array, expected.tolerance)
    if difference:
        bound = f"within {expected.tolerance:g}" if expected.tolerance else "every bit"
        raise ParityError(
            f"{difference} (on {where})",
            at=at,
            expected=f"{bound} of what {expected.made_by} made",
            hint="the model or the runtime changed",
        )
