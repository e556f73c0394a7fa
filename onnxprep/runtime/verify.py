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
from onnxprep.runtime.files import read_bytes
from onnxprep.runtime.holding import holding
from onnxprep.runtime.nodes import DAMAGED
from onnxprep.runtime.record import step_arrays
from onnxprep.runtime.session import Session, known
from onnxprep.runtime.stored import stored_spec
from onnxprep.runtime.validate import refuse_fall_back
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.tensor import Array

_OTHER_BODY = f"the steps are as exported, the body is not (a quantiser?): {LAST}"


@dataclass
class Checked:
    """What held, one line each."""

    lines: list[str] = field(default_factory=list)


def verify(path: str | Path, providers: Sequence[str] = ()) -> Checked:
    """Checks, in order: stored texts, spec digest, our nodes, how steps and body are joined, goldens on each provider.

    Raises:
        UsageError: the file cannot be read, or this onnxruntime has no such provider.
        ContractError: it holds no spec.
        ParityError: the first difference, with its place.
    """
    source, checked, asked = Path(path), Checked(), known(providers)
    model = _model(read_bytes(source), str(source))
    stored = _stored(model, str(source))
    seal.check(stored)
    _refuse_unreadable(model)
    spec = _spec(stored, str(source))
    checked.lines.append(f"spec    {stored[metadata.DIGEST][:16]}  as exported")
    nodes.refuse_outside(metadata.onnxprep_nodes(model))
    try:
        checked.lines += _nodes(model, spec, stored)
    except ParityError as error:
        found = [*filter(None, [error.got]), holding(source, model, stored, asked)]
        hint = f"{DAMAGED}, and {LAST}" if error.hint == DAMAGED else error.hint
        raise error.told_as(ParityError, got="; ".join(found), hint=hint) from None
    try:
        _goldens(source, model, stored, asked, checked)
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


def _nodes(model: ModelProto, spec: Spec, stored: Mapping[str, str]) -> list[str]:
    """The steps are taken out and put in again; only where the digest differs are our nodes compared one by one."""
    ours, writer = metadata.onnxprep_nodes(model), stored.get(metadata.WRITER, "")
    kept, same_writer = metadata.nodes_digest(model) == stored.get(metadata.NODES), writer == nodes.own_writer()
    without = wiring.stripped(model)
    lines = [f"nodes   {len(ours)} as exported"]
    if not without.untouched:
        lines.append(f"body    changed since export (sha256 {hashlib.sha256(without.data).hexdigest()[:16]})")
    missing = next((entry for entry in (*spec.preprocess, *spec.postprocess) if _not_installed(entry)), None)
    try:
        again, plan = wiring.attached(model, spec, without, same_writer=same_writer)
    except (OnnxprepError, TypeError) as error:
        if kept and (missing is not None or not same_writer):
            why = f"{missing.operation} is not installed" if missing else f"written by {writer}"
            return [*lines, f"wiring  not checked: {why}"]
        problem = "the steps do not fit the body any more" if kept else "our nodes are not as exported"
        raise ParityError(problem, at=metadata.NODES, got=str(error).splitlines()[0], hint=DAMAGED) from None
    if not kept:
        note = nodes.compared(ours, metadata.onnxprep_nodes(again), writer)
        if not note:
            problem = "does not match our nodes, which are as the spec makes them"
            raise ParityError(problem, at=metadata.NODES, hint=DAMAGED)
        lines[0] += f", {note}"
    wiring.check(model, again, plan, without.keys, same_writer=same_writer)
    return lines


def _not_installed(entry: Entry) -> bool:
    return entry.where == "graph" and entry.step is None


# goldens -----------------------------------------------------------------------------------------------------------


def _goldens(
    source: Path,
    model: ModelProto,
    stored: Mapping[str, str],
    providers: Sequence[str],
    checked: Checked,
) -> None:
    sessions = {provider: _session(source, provider) for provider in providers}
    if metadata.GOLDEN not in stored:
        checked.lines.append("golden  none recorded (`export --golden INPUT` records one)")
        return
    samples = golden.load(stored[metadata.GOLDEN], source.parent)
    for i, sample in enumerate(samples):
        made = _steps(model, sample, f"samples[{i}]")
        _refuse_missing(sample, {*made, *sessions[providers[0]].outputs}, f"samples[{i}]")
    for provider, session in sessions.items():
        for i, sample in enumerate(samples):
            _outputs(session, sample, f"samples[{i}]", provider)
            checked.lines.append(
                f"golden  samples[{i}] holds on {session.providers[0]}; expectation made by {sample.made_by}"
            )


def _session(source: Path, provider: str) -> Session:
    session = Session(source, [provider])
    refuse_fall_back(session, provider)
    return session


def _refuse_missing(sample: golden.Sample, made: Collection[str], at: str) -> None:
    for kind, recorded in (("steps", sample.steps), ("values", sample.values)):
        for name in recorded:
            if name not in made:
                raise ParityError("was recorded and is not made any more", at=f"{at}.{kind}.{name}", hint=DAMAGED)


def _steps(model: ModelProto, sample: golden.Sample, at: str) -> dict[str, Array]:
    """Bits of every step before the model, in order: the first that differs is the one to look at."""
    made = step_arrays(model, {name: step.traced for name, step in sample.steps.items()}, sample.inputs)
    for name, array in made.items():
        if arrays.digest(array) != sample.steps[name].sha256:
            raise ParityError(
                "gives other bits than were recorded", at=f"{at}.steps.{name}", hint="another runtime or machine?"
            )
    for name, expected in sample.values.items():
        if name in made:
            _compare(made[name], expected, f"{at}.values.{name}", "our nodes")
    return made


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
