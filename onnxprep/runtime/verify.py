"""Verify: is the file what was exported, and does it still compute what was recorded?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, numpy_helper

from onnxprep.errors import ContractError, OnnxprepError, ParityError
from onnxprep.graph import metadata, seal, undo
from onnxprep.graph.attach import attach
from onnxprep.graph.fit import Fitted, fit
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
    fitted = _nodes(model, spec, stored, checked)
    _goldens(source, model, fitted, stored, providers, checked)
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


def _nodes(model: ModelProto, spec: Spec, stored: Mapping[str, str], checked: Checked) -> Fitted | None:
    """Digest first; only where it differs are the nodes built again from the spec and compared one by one."""
    count = len(metadata.onnxprep_nodes(model))
    same = metadata.nodes_digest(model) == stored.get(metadata.NODES)
    unknown = [
        entry.operation for entry in (*spec.preprocess, *spec.postprocess) if entry.where == "graph" and not entry.step
    ]
    if unknown and same:
        checked.lines.append(f"nodes   {count} as exported; {unknown[0]} is not installed here")
        return None
    try:
        original = undo.strip(model).model
        fitted = fit(spec, original)
        if not same:
            number = default_opset(model)
            _first_difference(
                metadata.onnxprep_nodes(model), metadata.onnxprep_nodes(attach(original, fitted.plan, number))
            )
    except (ContractError, TypeError) as error:
        if same:
            raise
        raise ParityError(
            "our nodes are not as exported", at=metadata.NODES, got=str(error).splitlines()[0], hint=_DAMAGED
        ) from None
    if not same:
        raise ParityError(
            "does not match our nodes, which are as the spec makes them", at=metadata.NODES, hint=_DAMAGED
        )
    checked.lines.append(f"nodes   {count} as exported")
    return fitted


def _first_difference(got: Sequence[NodeProto], expected: Sequence[NodeProto]) -> None:
    for found, wanted in zip(got, expected, strict=False):
        if found != wanted:
            raise ParityError(
                f"is not as the spec makes it: {_difference(found, wanted)}",
                at=wanted.name or found.name,
                hint=_DAMAGED,
            )
    if len(got) != len(expected):
        extra = (list(got) + list(expected))[min(len(got), len(expected))]
        raise ParityError(f"{len(got)} nodes instead of {len(expected)}", at=extra.name, hint=_DAMAGED)


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
    fitted: Fitted | None,
    stored: Mapping[str, str],
    providers: Sequence[str],
    checked: Checked,
) -> None:
    if metadata.GOLDEN not in stored:
        checked.lines.append("golden  none recorded (`export --golden INPUT` records one)")
        return
    samples = golden.load(stored[metadata.GOLDEN], source.parent)
    if fitted is not None:
        for i, sample in enumerate(samples):
            _steps(model, fitted, sample, f"samples[{i}]")
    for provider in providers or ("cpu",):
        session = Session(source, [provider])
        for i, sample in enumerate(samples):
            _outputs(session, sample, f"samples[{i}]", provider)
            checked.lines.append(
                f"golden  samples[{i}] holds on {session.providers[0]}; expectation made by {sample.made_by}"
            )


def _steps(model: ModelProto, fitted: Fitted, sample: golden.Sample, at: str) -> None:
    """Bits of every step before the model, in order: the first that differs is the one to look at."""
    made = step_arrays(model, fitted, sample.inputs)
    for name, array in made.items():
        if name in sample.steps and arrays.digest(array) != sample.steps[name]:
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
