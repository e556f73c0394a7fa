"""Names and flow: what every step is called, takes and makes, as far as the document alone says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from onnxprep.errors import SpecError
from onnxprep.spec.entry import Entry
from onnxprep.spec.messages import did_you_mean, listed, shown
from onnxprep.step import frame_values


@dataclass
class _Scope:
    """What has a name so far. Local to one pass over the document."""

    taken: dict[str, str] = field(default_factory=dict)  # name -> where it was given
    ports: dict[str, str] = field(default_factory=dict)  # port name -> latest value on such a port
    by_caller: set[str] = field(default_factory=set)  # of these, what no baked step can take
    steps: set[str] = field(default_factory=set)
    reserved: frozenset[str] = frozenset()
    latest: str | None = None

    def take(self, name: str, at: str) -> None:
        if name in self.taken:
            raise SpecError(f"{shown(name)} is the name of {self.taken[name]} too", at=at, expected="another name")
        if name in self.reserved:
            raise SpecError(f"{shown(name)} is reserved for the frame of that step", at=at, expected="another name")
        self.taken[name] = at


def resolve(
    inputs: Sequence[str], preprocess: Sequence[Entry], postprocess: Sequence[Entry], from_model: Sequence[str]
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Both sides with names, outputs and, except where only the model can tell, inputs.

    Args:
        inputs: names of the graph inputs.
        preprocess: the entries before the model.
        postprocess: the entries after it.
        from_model: names the spec gives to model outputs.
    """
    named = _step_names([*preprocess, *postprocess], {*inputs, *from_model})
    frames = frozenset(value for entry in named if entry.where == "graph" for value in frame_values(entry.name))
    scope = _Scope(reserved=frames)
    for i, name in enumerate(inputs):
        scope.take(name, f"inputs[{i}].name")
    for name in from_model:
        scope.take(name, f"model.outputs.{name}")
    before = _side("preprocess", named[: len(preprocess)], scope, inputs)
    scope.latest = None  # the first postprocess step starts from the model
    after = _side("postprocess", named[len(preprocess) :], scope, inputs)
    return before, after


def _step_names(entries: Sequence[Entry], taken: Collection[str]) -> list[Entry]:
    """Names written in the document stand; the others are the operation, then ``_2``, ``_3``."""
    used = {entry.name for entry in entries if entry.name} | set(taken)
    numbers: dict[str, int] = {}
    result = []
    for entry in entries:
        name = entry.name or entry.operation
        while not entry.name and name in used:
            numbers[entry.operation] = numbers.get(entry.operation, 1) + 1
            name = f"{entry.operation}_{numbers[entry.operation]}"
        used.add(name)
        result.append(replace(entry, name=name))
    return result


def _side(side: str, entries: Sequence[Entry], scope: _Scope, inputs: Sequence[str]) -> tuple[Entry, ...]:
    result: list[Entry] = []
    first_input = inputs[0] if inputs and side == "preprocess" else None
    for i, entry in enumerate(entries):
        at = f"{side}[{i}]"
        if entry.name in scope.steps:
            raise SpecError(f"{shown(entry.name)} is the name of an earlier step", at=f"{at}.name")
        scope.steps.add(entry.name)
        if entry.where == "caller":
            result.append(_caller(side, entry, scope, inputs, at))
            continue
        taken = entry.inputs if entry.inputs is not None else _default_inputs(entry, scope, first_input, at)
        _check_inputs(side, entry, taken, scope, at)
        made = _outputs(entry, at)
        for k, name in enumerate(made):
            scope.take(name, f"{at}.outputs[{k}]")
        result.append(replace(entry, inputs=taken, outputs=made))
        if entry.step is not None:
            scope.ports.update(zip(type(entry.step).outputs, made, strict=True))
        scope.latest, first_input = made[0], None
    return tuple(result)


def _default_inputs(entry: Entry, scope: _Scope, first_input: str | None, at: str) -> tuple[str, ...] | None:
    ports = type(entry.step).inputs if entry.step is not None else ("x",)
    if len(ports) == 1:
        start = scope.latest if scope.latest is not None else first_input
        if start is None and at.startswith("preprocess"):
            raise SpecError("has nothing to start from", at=at, expected="`inputs` of the spec, or of the step")
        return None if start is None else (start,)
    missing = [port for port in ports if port not in scope.ports]
    if missing:
        hint = f"`inputs` names a value for each of {', '.join(ports)}; what the model gives has the name it has there"
        raise SpecError(
            f"no earlier step has a port `{missing[0]}`", at=f"{at}.inputs", expected=", ".join(ports), hint=hint
        )
    return tuple(scope.ports[port] for port in ports)


def _check_inputs(side: str, entry: Entry, taken: tuple[str, ...] | None, scope: _Scope, at: str) -> None:
    ports = type(entry.step).inputs if entry.step is not None else None
    if taken is None:
        return
    if ports is not None and len(taken) != len(ports):
        raise SpecError(f"names {len(taken)} values", at=f"{at}.inputs", expected=f"{len(ports)}: {', '.join(ports)}")
    for k, name in enumerate(taken):
        if side == "postprocess" and name in scope.by_caller:
            what = f"{shown(name)} is made by the caller, after the graph has run"
            raise SpecError(what, at=f"{at}.inputs[{k}]", expected="a value of the graph")
        # after the model a name may be one of its tensors, which only the model can tell
        if side == "preprocess" and name not in scope.taken:
            raise SpecError(
                f"{shown(name)} is not a value here",
                at=f"{at}.inputs[{k}]",
                expected=listed(scope.taken) or "an earlier value",
                hint=did_you_mean(name, scope.taken),
            )


def _outputs(entry: Entry, at: str) -> tuple[str, ...]:
    ports = type(entry.step).outputs if entry.step is not None else None
    if entry.outputs is None:
        if ports is None or len(ports) == 1:
            return (entry.name,)
        return tuple(f"{entry.name}.{port}" for port in ports)
    if ports is not None and len(entry.outputs) != len(ports):
        expected = f"{len(ports)}: {', '.join(ports)}"
        raise SpecError(f"names {len(entry.outputs)} values", at=f"{at}.outputs", expected=expected)
    if not entry.outputs:
        raise SpecError("is empty", at=f"{at}.outputs", expected="at least one name")
    return entry.outputs


def _caller(side: str, entry: Entry, scope: _Scope, inputs: Sequence[str], at: str) -> Entry:
    """Before the model the caller makes graph inputs out of free names; behind it, anything out of outputs."""
    if entry.inputs is None:
        raise SpecError("is missing", at=f"{at}.inputs", expected="the names of what the caller's step takes")
    if side == "postprocess":
        made = entry.outputs if entry.outputs is not None else (entry.name,)
        for k, name in enumerate(made):
            scope.take(name, f"{at}.outputs[{k}]")
        scope.by_caller.update(made)
        return replace(entry, outputs=made)
    if not entry.outputs:
        expected = f"the graph inputs it makes: {', '.join(inputs) or 'none are declared'}"
        raise SpecError("is missing", at=f"{at}.outputs", expected=expected)
    return entry


def check_callers(inputs: Sequence[str], preprocess: Sequence[Entry]) -> None:
    """What a caller step makes is a graph input or what a later one takes, and nothing is made twice.

    Raises:
        SpecError: a chain ends nowhere.
    """
    callers = [(i, entry) for i, entry in enumerate(preprocess) if entry.where == "caller"]
    made: set[str] = set()
    last = {name: i for i, entry in callers for name in entry.inputs or ()}  # the last step that takes it
    for i, entry in callers:
        for k, name in enumerate(entry.outputs or ()):
            at = f"preprocess[{i}].outputs[{k}]"
            if name not in inputs and last.get(name, -1) <= i:
                expected = "a graph input, or what a later caller step takes"
                raise SpecError(
                    f"{shown(name)} is used by nothing", at=at, expected=expected, hint=did_you_mean(name, inputs)
                )
            if name in made:
                raise SpecError(f"{shown(name)} is made twice", at=at)
            made.add(name)
