"""Spec -> plan: which tensor enters and leaves every step, worked out before any graph exists."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from onnxprep.errors import ContractError
from onnxprep.spec.bind import Signature
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.spec.messages import did_you_mean, listed, shown
from onnxprep.step import FRAME_SPECS, Step, catalogue, frame_values
from onnxprep.tensor import TensorSpec

__all__ = ["Plan", "PlannedStep", "Side", "Signature", "Values", "inferred", "lines", "plan"]

Side = Literal["pre", "post"]
_SIDES = {"pre": "preprocess", "post": "postprocess"}
Values = Mapping[str, TensorSpec]
"""Value name -> its logical tensor."""

_MOST_PIXELS, _MOST_VALUES = 2**18, 2**40


@dataclass(frozen=True)
class PlannedStep:
    """One baked step with its tensors. ``index`` counts the entries of its side from 0, as paths in errors do.

    ``frames`` are values that it takes behind its inputs: what it undoes of the geometric steps before the model.
    ``file`` is the name that one of its parameters was read from.
    """

    side: Side
    index: int
    name: str
    step: Step
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: tuple[TensorSpec, ...]
    gives: tuple[TensorSpec, ...]
    frames: tuple[str, ...] = ()
    file: str = ""

    @property
    def frame(self) -> tuple[str, ...]:
        """The values that tell where a geometric step has put the image."""
        return frame_values(self.name) if self.step.tells_frame() else ()

    @property
    def prefix(self) -> str:
        """What the names of the step's nodes begin with."""
        return f"onnxprep/{self.side}.{self.index}.{self.name}"

    @property
    def path(self) -> str:
        """Where the step stands in the document."""
        return f"{_SIDES[self.side]}[{self.index}]"


@dataclass(frozen=True)
class Plan:
    """Everything the graph needs to know.

    Attributes:
        steps: the baked steps of both sides, in order.
        values: every value: graph inputs, what steps make, what the model gives.
        inputs: the spec's graph inputs, in order.
        feeds: model input -> the value that feeds it.
        gives: value -> the model output that it is.
        outputs: the graph's outputs, in order; each is a value.
        kept: model inputs that nothing feeds; they stay graph inputs.
    """

    steps: tuple[PlannedStep, ...]
    values: Values
    inputs: tuple[str, ...]
    feeds: Mapping[str, str]
    gives: Mapping[str, str]
    outputs: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def side(self, side: Side) -> tuple[PlannedStep, ...]:
        """The steps before or after the model."""
        return tuple(step for step in self.steps if step.side == side)

    def published(self, side: Side) -> tuple[str, ...]:
        """What the steps of one side make for others: the model, the other side, the graph's outputs."""
        wanted = {*self.feeds.values(), *self.outputs}
        wanted.update(name for step in self.side("post") for name in (*step.inputs, *step.frames))
        return tuple(name for step in self.side(side) for name in (*step.outputs, *step.frame) if name in wanted)


def plan(bound: Spec, signature: Signature | None = None) -> Plan:
    """Works out every tensor of a bound spec; without a signature the spec stands alone.

    Raises:
        ContractError: a step does not work on what it gets.
    """
    values: dict[str, TensorSpec] = dict(bound.inputs)
    steps = _walk("pre", bound.preprocess, values, ())
    for value, tensor in bound.model_outputs.items():
        values[value] = signature.outputs[tensor] if signature else TensorSpec("float32")
    steps += _walk("post", bound.postprocess, values, steps)
    kept = tuple(name for name in (signature.inputs if signature else ()) if name not in bound.model_inputs)
    feeds, gives = dict(bound.model_inputs), dict(bound.model_outputs)
    return Plan(tuple(steps), values, tuple(bound.inputs), feeds, gives, bound.outputs or (), kept)


def check_frames(spec: Spec, before: Sequence[PlannedStep]) -> None:
    """What can be said without a model: the steps that postprocessing undoes are there, and can be undone.

    Raises:
        ContractError: the first that is not.
    """
    for i, entry in enumerate(spec.postprocess):
        if entry.where == "graph" and entry.step is not None:
            _in_frame(entry.step, f"{_SIDES['post']}[{i}]", before)


def _walk(
    side: Side, entries: Sequence[Entry], values: dict[str, TensorSpec], before: Sequence[PlannedStep]
) -> list[PlannedStep]:
    """Adds what the steps make to ``values``."""
    planned = []
    for i, entry in enumerate(entries):
        if entry.where == "caller":
            continue
        at = f"{_SIDES[side]}[{i}]"
        if entry.step is None:
            hint = "install what adds it (see `onnxprep.writer` in the model), or a newer onnxprep"
            what = "with these parameters " if entry.operation in catalogue() else ""
            problem = f"the operation {shown(entry.operation)} {what}is not installed"
            raise ContractError(problem, at=at, hint=hint)
        taken, made = entry.inputs or (), entry.outputs or ()
        given = tuple(values[name] for name in taken)
        step, frames = _in_frame(entry.step, at, before)
        gives = inferred(step, at, given, entry.file)
        planned.append(PlannedStep(side, i, entry.name, step, taken, made, given, gives, frames, entry.file))
        values.update(zip(made, gives, strict=True))
        values.update(zip(planned[-1].frame, FRAME_SPECS, strict=False))
    return planned


def _in_frame(step: Step, at: str, before: Sequence[PlannedStep]) -> tuple[Step, tuple[str, ...]]:
    """The step, knowing what its parameter ``frame`` names, and the values that tell what it has to undo."""
    name = getattr(step, "frame", None)
    if name is None:
        return step, ()
    found = {planned.name: planned for planned in before}
    at = f"{at}.parameters.frame"
    if name not in found:
        known = listed(found) or "none: there is no step before the model"
        raise ContractError(
            f"{shown(name)} is no step before the model", at=at, expected=known, hint=did_you_mean(name, found)
        )
    undone = _undone(found[name], before)
    try:
        undoing = step.undoing([planned.step for planned in undone])
        if undoing is None:
            return step.in_frame(found[name].step), ()
    except ContractError as error:
        raise error.told_as(ContractError, at=at) from None
    for planned in undone:
        if not planned.frame:
            hint = "coordinates of its output cannot be told in its input"
            raise ContractError(f"leads through `{planned.name}`, which cannot be undone", at=at, hint=hint)
    return undoing, tuple(value for planned in undone for value in planned.frame)


def _undone(last: PlannedStep, before: Sequence[PlannedStep]) -> list[PlannedStep]:
    """The geometric steps from ``last`` back to the graph's input, the last one first."""
    makers = {name: planned for planned in before for name in planned.outputs}
    found: list[PlannedStep] = []
    planned: PlannedStep | None = last
    while planned is not None:
        if planned.step.geometric:
            found.append(planned)
        planned = makers.get(planned.inputs[0])
    return found


def inferred(step: Step, at: str, given: tuple[TensorSpec, ...], file: str = "") -> tuple[TensorSpec, ...]:
    """What the step at path ``at`` makes.

    Raises:
        ContractError: it does not work on what it is given.
    """
    try:
        gives = step.infer(*given)
    except ContractError as error:
        told = {"problem": f"`{step.operation}` {error.problem}", "at": at}
        if file and error.at == type(step).from_file:  # what is wrong is what was read
            told |= {"at": f"{at}.parameters.file", "got": f"{error.got}, the lines of {shown(file)}"}
        raise error.told_as(ContractError, **told) from None
    for tensor in (*given, *gives):
        _refuse_beyond_memory(tensor, step.operation, at)
    return gives


def _refuse_beyond_memory(tensor: TensorSpec, operation: str, at: str) -> None:
    """Tables are worked out for lengths that are known: these must be lengths that a machine can have."""
    sides = [dim for dim in (tensor.dim("H"), tensor.dim("W")) if isinstance(dim, int)]
    values = math.prod(dim for dim in tensor.shape or () if isinstance(dim, int))
    if max(sides, default=0) > _MOST_PIXELS or values > _MOST_VALUES:
        expected = f"at most {_MOST_PIXELS:,} px along H and W, and {_MOST_VALUES:,} values in all"
        raise ContractError(f"`{operation}` works on what no memory holds", at=at, expected=expected, got=str(tensor))


def lines(planned: Plan) -> list[str]:
    """One line per step: what it does to which tensor, and whose arithmetic it follows."""
    rows = [(step.path, step.name, _tensors(step.given), _tensors(step.gives), _family(step)) for step in planned.steps]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(4)]
    return [
        f"{path:<{widths[0]}}  {name:<{widths[1]}}  {given:<{widths[2]}} -> {gives:<{widths[3]}}  {family}".rstrip()
        for path, name, given, gives, family in rows
    ]


def _tensors(specs: tuple[TensorSpec, ...]) -> str:
    return ", ".join(map(str, specs))


def _family(step: PlannedStep) -> str:
    tolerance = step.step.promise().tolerance
    return f"like {step.step.like}: {tolerance}" if step.step.like else tolerance
