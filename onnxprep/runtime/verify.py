"""Verify: is the file what was exported, and does it still compute what was recorded?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, numpy_helper

from onnxprep.errors import ContractError, OnnxprepError, ParityError
from onnxprep.graph import metadata, seal, undo
from onnxprep.graph.attach import attach
from onnxprep.graph.fit import fit
from onnxprep.graph.opset import default_opset
from onnxprep.runtime import arrays, golden
from onnxprep.runtime.files import read_bytes
from onnxprep.runtime.pipeline import stored_spec
from onnxprep.runtime.record import step_arrays
from onnxprep.runtime.session import Session
from onnxprep.spec.document import Spec
from onnxprep.tensor import Array

_DAMAGED = "the file was changed or damaged after export; export it again"


@dataclass
class Checked:
    """What held, one line each."""

    lines: list[str] = field(default_factory=list)


def verify(path: str | Path, providers: Sequence[str] = ()) -> Checked:
    """Checks, in order: stored texts, spec digest, our nodes, goldens on each provider.

    Raises:
        UsageError: the file cannot be read.
        ContractError: it holds no spec.
        ParityError: the first difference, with its place.
    """
    source, checked = Path(path), Checked()
    model = _model(read_bytes(source), str(source))
    stored = _stored(model, str(source))
    seal.check(stored)
    spec = _spec(stored, str(source))
    checked.lines.append(f"spec    {stored[metadata.DIGEST][:16]}  as exported")
    checked.lines.append(_nodes(model, spec, stored))
    _goldens(source, model, stored, providers, checked)
    return checked


def _model(data: bytes, at: str) -> ModelProto:
    """The model as it stands: damaged texts are for the checks to name."""
    try:
        model: ModelProto = ModelProto.FromString(data)
    except DecodeError:
        raise ContractError("is not an ONNX model", at=at, expected="a serialised ModelProto") from None
    if not model.HasField("graph"):
        raise ContractError("is not an ONNX model: it holds no graph", at=at, expected="a serialised ModelProto")
    return model


def _stored(model: ModelProto, at: str) -> dict[str, str]:
    try:
        stored = metadata.read(model)
    except ContractError as error:
        raise ParityError(error.problem, at=error.at, hint=_DAMAGED) from None
    if not stored and not metadata.onnxprep_nodes(model):
        raise ContractError("holds no spec", at=at, expected="an exported model", hint="`onnxprep export` makes one")
    return stored


def _spec(stored: Mapping[str, str], at: str) -> Spec:
    try:
        spec = stored_spec(stored, at)
    except OnnxprepError as error:
        raise ParityError(
            f"cannot be read: {error.problem}", at=f"{metadata.SPEC} {error.at}".strip(), hint=_DAMAGED
        ) from None
    if spec.digest != stored.get(metadata.DIGEST):
        raise ParityError(
            "does not match its digest",
            at=metadata.SPEC,
            expected=str(stored.get(metadata.DIGEST)),
            got=spec.digest,
            hint=_DAMAGED,
        )
    return spec


# nodes -------------------------------------------------------------------------------------------------------------


def _nodes(model: ModelProto, spec: Spec, stored: Mapping[str, str]) -> str:
    """Digest first; only where it differs are the nodes built again from the spec and compared one by one."""
    ours = metadata.onnxprep_nodes(model)
    if metadata.nodes_digest(model) == stored.get(metadata.NODES):
        return f"nodes   {len(ours)} as exported"
    try:
        original = undo.strip(model).model
        again = attach(original, fit(spec, original).plan, default_opset(model))
    except (OnnxprepError, TypeError) as error:
        got = str(error).splitlines()[0]
        raise ParityError("our nodes are not as exported", at=metadata.NODES, got=got, hint=_DAMAGED) from None
    _first_difference(ours, metadata.onnxprep_nodes(again), stored.get(metadata.WRITER, ""))
    problem = "does not match our nodes, which are as the spec makes them"
    raise ParityError(problem, at=metadata.NODES, hint=_DAMAGED)


def _first_difference(got: Sequence[NodeProto], expected: Sequence[NodeProto], writer: str) -> None:
    own = f"onnxprep {installed('onnxprep')}"
    hint = _DAMAGED if writer == own else f"compared with what {own} makes; the file was written by {writer}"
    for found, wanted in zip(got, expected, strict=False):
        if found != wanted:
            raise ParityError(
                f"is not as the spec makes it: {_difference(found, wanted)}",
                at=wanted.name or found.name,
                hint=hint,
            )
    if len(got) != len(expected):
        extra = (list(got) + list(expected))[min(len(got), len(expected))]
        raise ParityError(f"{len(got)} nodes instead of {len(expected)}", at=extra.name, hint=hint)


def _difference(found: NodeProto, wanted: NodeProto) -> str:
    for part in ("name", "op_type", "domain"):
        if getattr(found, part) != getattr(wanted, part):
            return f"{part} {getattr(found, part)!r} instead of {getattr(wanted, part)!r}"
    for part in ("input", "output"):
        if list(getattr(found, part)) != list(getattr(wanted, part)):
            return f"{part}s {list(getattr(found, part))} instead of {list(getattr(wanted, part))}"
    theirs = {attribute.name: attribute for attribute in found.attribute}
    for attribute in wanted.attribute:
        other = theirs.get(attribute.name)
        if other != attribute:
            return f"attribute {attribute.name}" + ("" if other is None else _attribute_difference(other, attribute))
    return "attributes differ"


def _attribute_difference(found: AttributeProto, wanted: AttributeProto) -> str:
    if found.type != AttributeProto.TENSOR or wanted.type != AttributeProto.TENSOR:
        return ""
    try:
        got, expected = (np.asarray(numpy_helper.to_array(a.t)) for a in (found, wanted))
    except (ValueError, TypeError, UnicodeDecodeError) as error:
        return f", not readable: {str(error)[:80]}"
    return f", {arrays.first_difference(got, expected) or 'how it is stored'}"


# goldens -----------------------------------------------------------------------------------------------------------


def _goldens(
    source: Path,
    model: ModelProto,
    stored: Mapping[str, str],
    providers: Sequence[str],
    checked: Checked,
) -> None:
    if metadata.GOLDEN not in stored:
        checked.lines.append("golden  none recorded (`export --golden INPUT` records one)")
        return
    samples = golden.load(stored[metadata.GOLDEN], source.parent)
    for i, sample in enumerate(samples):
        _steps(model, sample, f"samples[{i}]")
    for provider in providers or ("cpu",):
        session = Session(source, [provider])
        for i, sample in enumerate(samples):
            _outputs(session, sample, f"samples[{i}]", provider)
            checked.lines.append(
                f"golden  samples[{i}] holds on {session.providers[0]}; expectation made by {sample.made_by}"
            )


def _steps(model: ModelProto, sample: golden.Sample, at: str) -> None:
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
