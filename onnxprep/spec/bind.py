"""Spec + model -> the same spec with every default that only the model can tell written out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from onnxprep.errors import ContractError, OnnxprepError, SpecError
from onnxprep.spec import fields
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry, Where
from onnxprep.spec.messages import did_you_mean, listed, shown
from onnxprep.step import frame_values
from onnxprep.tensor import TensorSpec


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives: tensor name -> description (no layouts, a model does not declare them)."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def bind(spec: Spec, signature: Signature) -> Spec:
    """The spec joined to a model: feeds, names of the model's outputs, first postprocess input, outputs.

    Raises:
        ContractError: the model has no such tensor, or it cannot be told which one is meant.
        SpecError: a value that nobody uses, or a name that is none.
    """
    feeds = _feeds(spec, signature)
    gives = _gives(spec, signature)
    postprocess = _after(spec, gives)
    bound = replace(spec, model_inputs=feeds, model_outputs=gives, postprocess=postprocess)
    outputs = spec.outputs if spec.outputs is not None else _default_outputs(bound)
    bound = replace(bound, outputs=outputs)
    _check_names(bound)
    _check_all_used(bound)
    return bound


def bind_alone(spec: Spec) -> Spec:
    """Preprocessing as a model of its own, without model and postprocess.

    Its outputs are the values that no step takes, and those that ``model`` or ``outputs`` names.

    Raises:
        SpecError: nothing would come out.
    """
    made = _made(spec.preprocess)
    known = {*made, *_frames(spec.preprocess), *spec.inputs}
    named = [name for name in spec.outputs or () if name in known]
    used = _consumed(spec.preprocess)
    feeding = [name for name in spec.model_inputs.values() if name in made or name in spec.inputs]
    outputs = tuple(dict.fromkeys([*named, *feeding, *(name for name in made if name not in used)]))
    bound = replace(spec, postprocess=(), model_inputs={}, model_outputs={}, outputs=outputs)
    if not outputs:
        raise SpecError("has no step", at="preprocess", expected="at least one step in the graph")
    return bound  # an input that no step takes may feed a model; that is told when one is at hand


def graph_steps(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that are baked."""
    return [entry for entry in entries if entry.where == "graph"]


def _made(entries: Iterable[Entry]) -> list[str]:
    return [name for entry in graph_steps(entries) for name in entry.outputs or ()]


def _frames(entries: Iterable[Entry]) -> list[str]:
    """What geometric steps publish of where they put the image."""
    steps = [(entry.name, entry.step) for entry in graph_steps(entries)]
    return [value for name, step in steps if step is not None and step.tells_frame() for value in frame_values(name)]


def _consumed(entries: Iterable[Entry]) -> set[str]:
    return {name for entry in graph_steps(entries) for name in entry.inputs or ()}


# before the model ---------------------------------------------------------------------------------------------------


def _feeds(spec: Spec, signature: Signature) -> dict[str, str]:
    before = [*spec.inputs, *_made(spec.preprocess)]
    feeds: dict[str, str] = {}
    for tensor, value in spec.model_inputs.items():
        at = f"model.inputs.{tensor}"
        if tensor not in signature.inputs:
            raise _unknown(ContractError, f"the model has no input {shown(tensor)}", at, tensor, signature.inputs)
        if value not in before:
            raise _unknown(SpecError, f"{shown(value)} is not a value before the model", at, value, before)
        feeds[tensor] = value
    used = _consumed(spec.preprocess)
    # an input that a step consumes may carry the model's old input name: it is not what feeds the model
    by_name = [name for name in before if not (name in spec.inputs and name in used)]
    for tensor in signature.inputs:
        if tensor not in feeds and tensor in by_name:
            feeds[tensor] = tensor
    return feeds | _last_feeds(spec, signature, feeds, used)


def _last_feeds(spec: Spec, signature: Signature, feeds: Mapping[str, str], used: set[str]) -> dict[str, str]:
    """The last value before the model feeds the only input that nothing feeds."""
    steps = graph_steps(spec.preprocess)
    last = (steps[-1].outputs or ("",))[0] if steps else next(iter(spec.inputs), "")
    if not last or last in feeds.values() or last in used:
        return {}
    open_inputs = [tensor for tensor in signature.inputs if tensor not in feeds]
    if len(open_inputs) == 1:
        return {open_inputs[0]: last}
    elsewhere = last in (spec.outputs or ()) or last in _consumed(spec.postprocess)
    if not signature.inputs and not elsewhere:
        expected = "a model with an input that is a tensor"
        raise ContractError(
            f"the model has no input, so {shown(last)} leads nowhere", at="model.inputs", expected=expected
        )
    if not open_inputs or elsewhere:
        return {}  # if nobody uses it, that is said later
    raise ContractError(
        f"the model has several inputs that nothing feeds, so it cannot be told where {shown(last)} goes",
        at="model.inputs",
        expected="`model: {inputs: {MODEL INPUT: VALUE}}`",
        got=", ".join(f"{tensor} {signature.inputs[tensor]}" for tensor in open_inputs),
        hint=f"for example `model: {{inputs: {{{open_inputs[0]}: {last}}}}}`",
    )


# after the model ----------------------------------------------------------------------------------------------------


def _gives(spec: Spec, signature: Signature) -> dict[str, str]:
    gives = dict(spec.model_outputs)
    for value, tensor in gives.items():
        if tensor not in signature.outputs:
            at = f"model.outputs.{value}"
            raise _unknown(ContractError, f"the model has no output {shown(tensor)}", at, tensor, signature.outputs)
    taken = {*spec.inputs, *_made(spec.preprocess), *_made(spec.postprocess), *gives}
    for tensor in signature.outputs:
        if tensor not in gives.values():
            gives[_named_by_itself(tensor, taken)] = tensor
    return gives


def _named_by_itself(tensor: str, taken: Collection[str]) -> str:
    """A model output that the spec does not name keeps its name, if a value can have it and none has."""
    try:
        if tensor not in taken:
            return fields.value_name(tensor, "")
        problem = f"the model's output {shown(tensor)} and a value of the spec have one name"
    except SpecError:
        problem = f"the model's output {shown(tensor)} has a name that no value can have"
    hint = f"`model: {{outputs: {{raw: {shown(tensor)}}}}}` calls it `raw`"
    raise ContractError(problem, at="model.outputs", expected="a name of its own for it", hint=hint) from None


def _after(spec: Spec, gives: Mapping[str, str]) -> tuple[Entry, ...]:
    result = []
    for i, entry in enumerate(spec.postprocess):
        if entry.where == "graph" and entry.inputs is None:
            if len(gives) != 1:
                raise ContractError(
                    f"the model has {len(gives)} outputs, so the first step must say which it takes",
                    at=f"postprocess[{i}].inputs",
                    expected=f"one of {', '.join(gives) or 'the names given in model.outputs'}",
                    hint=f"`{{operation: {entry.operation}, inputs: [{next(iter(gives), 'NAME')}]}}`",
                )
            result.append(replace(entry, inputs=tuple(gives)))
        else:
            result.append(entry)
    return tuple(result)


def _default_outputs(spec: Spec) -> tuple[str, ...]:
    used = _consumed(spec.postprocess)
    return tuple(name for name in (*spec.model_outputs, *_made(spec.postprocess)) if name not in used)


# the whole ----------------------------------------------------------------------------------------------------------


def _check_names(spec: Spec) -> None:
    known = dict.fromkeys([*spec.inputs, *_made(spec.preprocess), *spec.model_outputs])
    known = _follow(spec, "graph", known, "is not a value here")
    frames = _frames((*spec.preprocess, *spec.postprocess))
    for i, name in enumerate(spec.outputs or ()):
        if name not in known and name not in frames:
            raise _unknown(SpecError, f"{shown(name)} is not a value", f"outputs[{i}]", name, known)
    _follow(spec, "caller", dict.fromkeys(spec.outputs or ()), "is not an output of the graph")


def _follow(spec: Spec, where: Where, known: Mapping[str, None], problem: str) -> dict[str, None]:
    """The names known behind the postprocess steps that run in one place; each takes only what is known before it."""
    names = dict(known)
    for i, entry in enumerate(spec.postprocess):
        if entry.where == where:
            for k, name in enumerate(entry.inputs or ()):
                if name not in names:
                    raise _unknown(SpecError, f"{shown(name)} {problem}", f"postprocess[{i}].inputs[{k}]", name, names)
            names |= dict.fromkeys(entry.outputs or ())
    return names


def _check_all_used(spec: Spec) -> None:
    used = _consumed((*spec.preprocess, *spec.postprocess)) | set(spec.model_inputs.values()) | set(spec.outputs or ())
    places = {name: f"inputs[{i}]" for i, name in enumerate(spec.inputs)}
    for i, entry in enumerate(spec.preprocess):
        if entry.where == "graph" and not used.intersection(entry.outputs or ()):  # of several ports one will do
            places |= dict.fromkeys(entry.outputs or (), f"preprocess[{i}]")
    for name, at in places.items():
        if name not in used:
            asked = {n for entry in (*spec.preprocess, *spec.postprocess) for n in entry.inputs or ()} - set(places)
            raise SpecError(
                f"nobody uses the value {shown(name)}",
                at=at,
                expected="a step that takes it, a model input, or its name in `outputs`",
                hint=did_you_mean(name, asked),
            )


def _unknown(kind: type[OnnxprepError], problem: str, at: str, word: str, known: Iterable[str]) -> OnnxprepError:
    words = list(known)
    expected = f"one of {listed(words)}" if words else ""
    return kind(problem, at=at, expected=expected, hint=did_you_mean(word, words))
