"""Do the steps fit the model? Worked out on descriptions, before any session: ONNX Runtime takes NHWC into NCHW."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from onnxprep.errors import ContractError
from onnxprep.graph.hint import hint_for
from onnxprep.spec.plan import Plan, PlannedStep, Signature, inferred
from onnxprep.tensor import Dim, TensorSpec


@dataclass(frozen=True)
class Contract:
    """How values and model inputs fit together.

    Attributes:
        bindings: our symbols that the model fixes, ``{"N": 1}``.
        theirs: the model's own symbols that our values fix.
        lines: one sentence per model input and used model output, for printing.
        warnings: what cannot be proven before a run.
    """

    bindings: Mapping[str, int]
    theirs: Mapping[str, int]
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def unify(plan: Plan, signature: Signature, *, strict: bool = False) -> Contract:
    """Fits every fed model input to the value that feeds it.

    Raises:
        ContractError: they do not fit; with ``strict`` also where it cannot be proven that they do.
    """
    classes, warnings = _Classes(), []
    for name in signature.inputs:
        if name in plan.feeds:
            warnings += _fit(plan, signature, name, classes)
    for name in plan.feeds:
        if name not in signature.inputs:
            have = ", ".join(signature.inputs) or "no tensor inputs"
            raise ContractError("is no input of the model", at=f"model.inputs.{name}", expected=have)
    warnings += classes.undecided()
    if strict and warnings:
        raise ContractError(
            warnings[0],
            expected="a proof that steps and model fit",
            hint="a size of [height, width] or a crop makes it certain; or drop --strict",
        )
    bindings, theirs = classes.bound("ours"), classes.bound("theirs")
    return Contract(bindings, theirs, _lines(plan, signature, bindings, theirs), tuple(warnings))


def bind(plan: Plan, bindings: Mapping[str, int], theirs: Mapping[str, int] | None = None) -> Plan:
    """The plan with bound symbols as numbers.

    ``bindings`` holds for our inputs, ``theirs`` for the model's outputs; what steps make of them is inferred again,
    since the two sides may use one symbol for different lengths.
    """
    values = dict(plan.values)
    for name in plan.inputs:
        values[name] = _numbered(values[name], bindings)
    for name in plan.gives:
        values[name] = _numbered(values[name], theirs or {})
    steps = []
    for step in plan.steps:
        given = tuple(values[name] for name in step.inputs)
        gives = step.gives if given == step.given else inferred(step.step, step.path, given, step.file)
        values.update(zip(step.outputs, gives, strict=True))
        steps.append(replace(step, given=given, gives=gives))
    return replace(plan, steps=tuple(steps), values=values)


def _numbered(spec: TensorSpec, bindings: Mapping[str, int]) -> TensorSpec:
    if spec.shape is None:
        return spec
    return replace(spec, shape=tuple(bindings.get(d, d) if isinstance(d, str) else d for d in spec.shape))


# one input ---------------------------------------------------------------------------------------------------------


def _fit(plan: Plan, signature: Signature, name: str, classes: _Classes) -> list[str]:
    """Unifies one model input with its value; returns what cannot be proven."""
    ours, theirs = plan.values[plan.feeds[name]], signature.inputs[name]
    if theirs.dtype not in (ours.dtype, "undefined"):
        raise _misfit(plan, name, theirs, f"the model takes {theirs.dtype}, not {ours.dtype}")
    if theirs.shape is None:
        return []
    if ours.shape is None:
        return [f"{_maker(plan, name)}: its rank is unknown; the model's {name} wants {_type(theirs)}: cannot prove"]
    if len(ours.shape) != len(theirs.shape):
        raise _misfit(plan, name, theirs, f"the model wants {len(theirs.shape)} axes, not {len(ours.shape)}")
    warnings = []
    for axis, (a, b) in enumerate(zip(ours.shape, theirs.shape, strict=True)):
        if a is None and isinstance(b, int):
            warnings.append(
                f"{_maker(plan, name)}: the length of axis {axis} is unknown; the model's {name} wants {b}: cannot prove"
            )
        clash = classes.join(a, b) if a is not None and b is not None else ""
        if clash:
            raise _misfit(plan, name, theirs, f"axis {axis}: {clash}", axis)
    return warnings


_Length = tuple[str, int | str]
"""Whose it is (``ours``, ``theirs``, ``number``), and the symbol or number."""


@dataclass(eq=False)
class _Class:
    """Lengths that are equal, and the number that they are."""

    members: set[_Length]
    number: int | None = None


class _Classes:
    """Which lengths must be equal: symbols of either side and numbers, in classes that grow as inputs are read."""

    def __init__(self) -> None:
        self._of: dict[_Length, _Class] = {}
        self._all: dict[_Class, None] = {}  # the one that grew last stands last

    @property
    def _members(self) -> list[set[_Length]]:
        return [found.members for found in self._all]

    def join(self, ours: int | str, theirs: int | str) -> str:
        """Puts both lengths into one class; says what is wrong if that class then holds two numbers."""
        one, other = self._class("ours", ours), self._class("theirs", theirs)
        numbers = {found.number for found in (one, other)} - {None}
        if len(numbers) > 1:
            return self._clash(ours, theirs, sorted(n for n in numbers if n is not None))
        large, small = (one, other) if len(one.members) >= len(other.members) else (other, one)
        # a number alone ties nothing together: two axes of length 3 are not one symbol
        if len(large.members) > 1 or one.members != other.members:
            self._all.pop(one, None)
            self._all.pop(other, None)
            self._all[large] = None
            self._of.update(dict.fromkeys((*small.members, *(large.members if len(large.members) == 1 else ())), large))
            large.members |= small.members  # into the larger one: many joins stay cheap
            large.number = next(iter(numbers), None)
        return ""

    def _class(self, side: str, length: int | str) -> _Class:
        if isinstance(length, int):
            return self._of.get(("number", length)) or _Class({("number", length)}, length)
        return self._of.get((side, length)) or _Class({(side, length)})

    def bound(self, side: str) -> dict[str, int]:
        """Symbols of one side whose class holds a number."""
        found = {}
        for members in self._members:
            numbers = [int(value) for kind, value in members if kind == "number"]
            if numbers:
                found.update({str(value): numbers[0] for kind, value in members if kind == side})
        return dict(sorted(found.items()))

    def undecided(self) -> list[str]:
        """Two of our own symbols that the model wants equal, where no number settles it."""
        found = []
        for members in self._members:
            ours = sorted(str(value) for side, value in members if side == "ours")
            if len(ours) > 1 and all(side != "number" for side, _ in members):
                found.append(f"{' and '.join(ours)} must be equal for the model: cannot prove")
        return found

    def _clash(self, ours: int | str, theirs: int | str, numbers: list[int]) -> str:
        if isinstance(ours, int) and isinstance(theirs, int):
            return f"the model wants {theirs}, not {ours}"
        symbol = ours if isinstance(ours, str) else f"the model's {theirs}"
        return f"{symbol} would have to be {' and '.join(map(str, numbers))} at once"


# texts -------------------------------------------------------------------------------------------------------------


def _misfit(plan: Plan, name: str, theirs: TensorSpec, problem: str, axis: int | None = None) -> ContractError:
    ours = plan.values[plan.feeds[name]]
    step = maker(plan, plan.feeds[name])
    return ContractError(
        f"does not fit the model's input {name}: {problem}",
        at=_maker(plan, name),
        expected=f"{name}: {_type(theirs)}",
        got=f"{plan.feeds[name]}: {ours}",
        hint=hint_for(plan, step, ours, theirs, axis),
    )


def maker(plan: Plan, value: str) -> PlannedStep | None:
    """The step that makes the value; ``None`` for a graph input."""
    return next((step for step in plan.steps if value in step.outputs), None)


def _maker(plan: Plan, name: str) -> str:
    step = maker(plan, plan.feeds[name])
    return f"inputs.{plan.feeds[name]}" if step is None else f"{step.path} ({step.name})"


def _lines(plan: Plan, signature: Signature, bindings: Mapping[str, int], theirs: Mapping[str, int]) -> tuple[str, ...]:
    lines = []
    for name, spec in signature.inputs.items():
        if name not in plan.feeds:
            lines.append(f"model input {name}: {_type(spec)}  stays a graph input")
            continue
        value = plan.values[plan.feeds[name]]
        fixed = _assigned(value, bindings) + _assigned(spec, theirs)
        lines.append(
            f"model input {name}: {_type(spec)} <- {plan.feeds[name]} {_type(value)}  fits"
            + (f" ({', '.join(fixed)})" if fixed else "")
        )
    lines += [
        f"model output {name}: {_type(signature.outputs[name])} -> {value}"
        for value, name in plan.gives.items()
        if name in signature.outputs
    ]
    return tuple(lines)


def _assigned(spec: TensorSpec, bindings: Mapping[str, int]) -> list[str]:
    symbols: dict[Dim, None] = dict.fromkeys(spec.shape or ())
    return [f"{symbol} := {bindings[symbol]}" for symbol in symbols if isinstance(symbol, str) and symbol in bindings]


def _type(spec: TensorSpec) -> str:
    return str(TensorSpec(spec.dtype, spec.shape))
