"""One entry of ``preprocess`` or ``postprocess``: short or long form in, long form out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from onnxprep.errors import SpecError
from onnxprep.spec import fields
from onnxprep.spec.messages import did_you_mean, listed, shown, validated
from onnxprep.step import Step, catalogue

Where = Literal["graph", "caller"]
KEYS = ("step", "operation", "parameters", "name", "inputs", "outputs", "where")
STEP_FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """A step as the document has it.

    Attributes:
        operation: the step's type.
        parameters: every parameter with its value, ``like`` among them; JSON values.
        name: unique in the spec; ``""`` until the flow is worked out.
        inputs: the values it takes; ``None`` until known: worked out from the flow, or the model's only output.
        outputs: the values it makes, in the order of its ports; ``None`` until worked out.
        where: inside the graph, or in the caller's program.
        step: the operation itself; ``None`` for what the caller runs unknown to us, and for operations, families and
            parameters that this release does not know.
        file: the name that one of the parameters was read from; no part of the document.
    """

    operation: str
    parameters: Mapping[str, Any]
    name: str = ""
    inputs: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    where: Where = "graph"
    step: Step | None = None
    file: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The long form, every default written out."""
        written: dict[str, Any] = {
            "step": STEP_FORMAT,
            "operation": self.operation,
            "parameters": dict(self.parameters),
            "name": self.name,
            "where": self.where,
        }
        for key, values in (("inputs", self.inputs), ("outputs", self.outputs)):
            if values is not None:
                written[key] = list(values)
        return written


@dataclass(frozen=True)
class EntryReader:
    """What reading an entry depends on.

    Attributes:
        like: the spec's own family, inherited where a step has it and allows it.
        lines: gives the lines of a ``file``; told whether a line of blanks is an entry.
        known_only: whether an operation that is not installed is an error.
    """

    like: str
    lines: Callable[[str, bool], list[str]]
    known_only: bool

    def read(self, value: Any, at: str) -> Entry:
        """The entry at path ``at``.

        Raises:
            SpecError: it is not one.
        """
        long = _long_form(value, at)
        operation = fields.operation(long["operation"], f"{at}.operation")
        where: Where = "caller" if long.get("where", "graph") == "caller" else "graph"
        fields.one_of(long.get("where", "graph"), f"{at}.where", ("graph", "caller"))
        fields.version(long.get("step", STEP_FORMAT), f"{at}.step", STEP_FORMAT, "the format of a step")
        parameters = _parameters(long.get("parameters"), f"{at}.parameters")
        step = self._step(operation, parameters, where, at)
        file = ""
        if step is not None:
            file = parameters.get("file", "") if type(step).from_file else ""
            parameters = {**step.to_dict(), **({"like": step.like} if step.like else {})}
        return Entry(
            operation,
            parameters,
            fields.step_name(long["name"], f"{at}.name") if long.get("name") is not None else "",
            None if long.get("inputs") is None else fields.names(long["inputs"], f"{at}.inputs"),
            None if long.get("outputs") is None else fields.names(long["outputs"], f"{at}.outputs"),
            where,
            step,
            file,
        )

    def _step(self, operation: str, parameters: Mapping[str, Any], where: Where, at: str) -> Step | None:
        families = catalogue().get(operation)
        if families is None:
            if where == "caller" or not self.known_only:
                return None
            raise SpecError(
                f"is {shown(operation)}, which is not an installed operation",
                at=f"{at}.operation",
                hint=did_you_mean(operation, catalogue()) or "`onnxprep steps` lists them all",
            )
        try:
            like = self._like(operation, families, parameters, f"{at}.parameters.like")
        except SpecError:
            if self.known_only:
                raise
            return None  # a family of a later release
        cls = families[like]
        if cls.caller != (where == "caller"):
            expected = "`where: caller`, it cannot be baked" if cls.caller else "`where: graph`"
            line = f"`{{operation: {operation}, where: caller, inputs: [file], outputs: [image], parameters: {{...}}}}`"
            hint = f"{line}, image being the graph input" if cls.caller else ""
            raise SpecError(f"`{operation}` does not run there", at=f"{at}.where", expected=expected, hint=hint)
        given = {key: value for key, value in parameters.items() if key != "like"}
        if cls.from_file and "file" in given:
            given = self._inlined(cls, given, f"{at}.parameters")
        try:
            return validated(cls, given, like)
        except SpecError as error:
            if self.known_only:
                raise error.inside(f"{at}.parameters") from None
            return None  # a parameter of a later release

    def _like(self, operation: str, families: Mapping[str, type[Step]], parameters: Mapping[str, Any], at: str) -> str:
        named = [family for family in families if family]
        like = parameters.get("like")
        if like is None and self.like in named and families[self.like].inherits:
            return self.like
        if like is None and "" in families:
            return ""
        if like is None:
            why = "" if any(families[f].inherits for f in named) else f"; `{operation}` never takes it from the spec"
            raise SpecError("is missing", at=at, expected=listed(named), hint=f"say whose arithmetic it follows{why}")
        if not named:
            raise SpecError(f"is {shown(like)}", at=at, expected="nothing: the operation follows no library")
        return fields.one_of(like, at, named)

    def _inlined(self, cls: type[Step], parameters: Mapping[str, Any], at: str) -> dict[str, Any]:
        if cls.from_file in parameters:
            raise SpecError(f"stands beside `{cls.from_file}`", at=f"{at}.file", expected="one of the two")
        try:
            lines = self.lines(fields.text(parameters["file"], f"{at}.file"), cls.blank_lines)
        except SpecError as error:
            raise error if error.at else error.inside(f"{at}.file") from None
        rest = {key: value for key, value in parameters.items() if key != "file"}
        return {cls.from_file: lines, **rest}


def _long_form(value: Any, at: str) -> Mapping[str, Any]:
    if isinstance(value, str):
        return {"operation": value}
    if isinstance(value, dict) and "operation" in value:
        return fields.mapping(value, at, KEYS)
    if isinstance(value, dict) and len(value) == 1:
        ((operation, parameters),) = value.items()
        return {"operation": operation, "parameters": parameters}
    hint = "name, inputs, outputs and where need the long form: `{operation: ..., parameters: {...}}`"
    raise SpecError(f"is {shown(value)}", at=at, expected="an operation, or `operation: {parameters}`", hint=hint)


def _parameters(value: Any, at: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError(f"is {shown(value)}", at=at, expected="a mapping of parameters")
    if "like" in value:
        fields.text(value["like"], f"{at}.like")
    return value
