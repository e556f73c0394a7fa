"""prove: the graph of a spec against the libraries that are installed here, step by step and all in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from packaging.specifiers import SpecifierSet

from onnxprep.errors import ContractError, OnnxprepError, ParityError, UsageError
from onnxprep.graph.standalone import standalone
from onnxprep.runtime.callers import Callers
from onnxprep.runtime.closeness import Closeness, closeness
from onnxprep.runtime.inputs import checked
from onnxprep.runtime.libraries import installed_version
from onnxprep.runtime.session import Session
from onnxprep.spec.bind import bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import Plan, PlannedStep, plan
from onnxprep.step import Claim
from onnxprep.tensor import Array, Tensor

END = "the steps in a row"


@dataclass(frozen=True)
class Row:
    """What was found about one step, or about all of them in a row.

    Attributes:
        name: path and name of the step; ``END`` for all of them.
        claim: what is promised, in words.
        library: which library was asked, in which version.
        found: the comparison; nothing was compared where the library is missing.
        note: why nothing was compared.
        covered: whether the installed library is one of the versions that are claimed.
    """

    name: str
    claim: str
    library: str
    found: Closeness
    note: str = ""
    covered: bool = True

    @property
    def proven(self) -> bool:
        """Whether a library of the claimed versions was asked, and agreed."""
        return self.covered and self.holds and self.found.values > 0

    @property
    def holds(self) -> bool:
        """Whether everything compared is within the tolerance."""
        return self.found.outside == 0


@dataclass(frozen=True)
class Proven:
    """The rows of every step in order, then that of all together; and how many inputs went through."""

    rows: tuple[Row, ...]
    inputs: int
    refused: int

    @property
    def summary(self) -> str:
        """``5 of 6 steps proven on 8 inputs``."""
        steps = self.rows[:-1]
        done = sum(row.proven for row in steps)
        refused = f", {self.refused} more refused by graph and library" if self.refused else ""
        return f"{done} of {len(steps)} steps proven on {self.inputs} input{'s' * (self.inputs != 1)}{refused}"

    def problem(self, *, strict: bool = False) -> OnnxprepError | None:
        """A broken claim, or that nothing was proven; with ``strict`` also the first step that is not proven."""
        for row in self.rows:
            if not row.holds:
                got = f"{row.found.outside} of {row.found.values} values are not, by {row.found.largest:g} at most"
                return ParityError(
                    "the claim does not hold", at=row.name, expected=f"{row.claim} to {row.library}", got=got
                )
        if not any(row.found.values for row in self.rows):
            return UsageError("nothing could be proven", expected="the libraries named above", hint="pip install them")
        unproven = next((row for row in self.rows[:-1] if not row.proven), None) if strict else None
        if unproven is None:
            return None
        got = unproven.note or f"{unproven.library}, which is outside of the claim"
        hint = "run it where training ran"
        return ParityError("is not proven here", at=unproven.name, expected="its library", got=got, hint=hint)


def prove(
    spec: Spec,
    inputs: Iterable[tuple[str, Mapping[str, Any]]],
    tell: Callable[[str], None],
    providers: Sequence[str] = (),
) -> Proven:
    """Compares every preprocess step with its oracle, on what the graph gives it, and all of them in a row.

    Args:
        spec: the document; what follows the model is not part of it.
        inputs: name of a sample and its inputs, files' contents or arrays.
        tell: is told beforehand which library is missing, or outside of the versions that are claimed.
        providers: where the graph runs.

    Raises:
        SpecError: the document does not hold together.
        ContractError: a step does not work on what it gets, or no input can be run.
    """
    alone = bind_alone(spec)
    planned = plan(alone)
    if not planned.steps:
        raise UsageError("has no step in the graph before the model", at="preprocess", expected="something to prove")
    asked = [_Asked(step, tell) for step in planned.steps]
    whole = Session(standalone(planned), providers)
    every = tuple(dict.fromkeys(name for step in planned.steps for name in step.outputs))
    by_step = Session(standalone(replace(planned, outputs=every)), providers)
    end, count, refused = _End(planned, asked), 0, 0
    callers = Callers(spec)
    for _, given in inputs:
        values = callers.run(callers.before, given)
        feeds = checked(values, alone.inputs, whole.inputs)
        try:
            made, final = {**feeds, **by_step.run(feeds)}, whole.run(feeds)
        except ContractError as error:
            end.refused_too(feeds, error)
            refused += 1
            continue
        count += 1
        for one in asked:
            one.compare(made)
        end.compare(feeds, final)
    if not count:
        raise ContractError("no input can be run", expected="images that the steps take")
    return Proven((*(one.row for one in asked), end.row), count, refused)


class Refused(Exception):  # noqa: N818  # nothing went wrong: a library says no
    """The library does not take an input."""


class _Asked:
    """One step and its library."""

    def __init__(self, step: PlannedStep, tell: Callable[[str], None]) -> None:
        self.step, self.claim = step, step.step.promise()
        self.version = installed_version(self.claim.library)
        self.found, self.note, self.covered = Closeness(), "", True
        wanted = f"{self.claim.library} {self.claim.versions}"
        if self.version is None:
            self.note = f"{wanted} is not installed"
        elif self.version not in SpecifierSet(self.claim.versions, prereleases=True):
            self.covered = False
            tell(f"warning: {step.path}: {self.claim.library} {self.version} is outside of the claim, {wanted}")
        if self.note:
            tell(f"warning: {step.path}: {self.note}: cannot be proven here")

    @property
    def row(self) -> Row:
        library = f"{self.claim.library} {self.version}" if self.version else self.claim.library
        words = _words(self.step, self.claim) if self.covered else f"not claimed, like {self.step.step.like}"
        return Row(f"{self.step.path} {self.step.name}", words, library, self.found, self.note, self.covered)

    def oracle(self, values: Mapping[str, Array]) -> tuple[Array, ...] | None:
        """What the library makes of the values; nothing where it, or what it needs, is not here."""
        if self.note:
            return None
        given = zip(self.step.inputs, self.step.given, strict=True)
        tensors = [Tensor(values[name], replace(spec, shape=values[name].shape)) for name, spec in given]
        try:
            made = self.step.step.oracle(*tensors)
        except ImportError as error:
            self.note = f"cannot be asked: {error}"
            return None
        except Exception as error:
            raise Refused(f"{type(error).__name__}: {error}"[:200]) from error
        return made if isinstance(made, tuple) else (made,)

    def compare(self, values: Mapping[str, Array]) -> None:
        """Adds what one input shows.

        Raises:
            ParityError: the library refuses what the graph takes.
        """
        try:
            made = self.oracle(values)
        except Refused as error:
            at = f"{self.step.path} {self.step.name}"
            raise ParityError("the library refuses what the graph takes", at=at, got=str(error)) from None
        for name, want in zip(self.step.outputs, made or (), strict=False):
            self.found += closeness(values[name], want, self.claim)


class _End:
    """All steps in a row, from the library's own results to the library's own results."""

    def __init__(self, planned: Plan, asked: Sequence[_Asked]) -> None:
        self._planned, self._asked, self._found = planned, asked, Closeness()
        bounded = [one.claim for one in asked if one.claim.absolute or one.claim.ulp]
        self._claim = Claim("", "", "") if not bounded else None

    @property
    def row(self) -> Row:
        missing = any(one.note for one in self._asked)
        libraries = dict.fromkeys(f"{one.claim.library} {one.version or ''}".strip() for one in self._asked)
        words = "bit-exact" if self._claim else "no bound of its own"
        note = "a library is missing" if missing else ""
        return Row(END, words, ", ".join(libraries), self._found, note)

    def compare(self, feeds: Mapping[str, Array], final: Mapping[str, Array]) -> None:
        values = self._values(feeds)
        for name in self._planned.outputs if values is not None else ():
            if values is not None and name not in self._planned.inputs:
                found = closeness(final[name], values[name], self._claim or Claim("", "", "", absolute=float("inf")))
                self._found += found

    def _values(self, feeds: Mapping[str, Array]) -> dict[str, Array] | None:
        values = dict(feeds)
        for one in self._asked:
            made = one.oracle(values)
            if made is None:
                return None
            values.update(zip(one.step.outputs, made, strict=True))
        return values

    def refused_too(self, feeds: Mapping[str, Array], error: ContractError) -> None:
        """Where the graph refuses an input, the library has to refuse it as well."""
        try:
            values = self._values(feeds)
        except Refused:
            return
        if values is not None:
            raise error


def _words(step: PlannedStep, claim: Claim) -> str:
    return f"{claim.tolerance}, like {step.step.like}" if step.step.like else claim.tolerance


def lines(proven: Proven) -> list[str]:
    """The rows as a table."""
    head = ("step", "values", "differing", "largest", "claim", "library")
    cells = [head]
    for row in proven.rows:
        found = row.found
        numbers = (f"{found.values:,}", f"{found.differing:,}", f"{found.largest:.3g}") if found.values else ("-",) * 3
        cells.append((row.name, *numbers, row.claim, row.note or row.library))
    widths = [max(len(line[k]) for line in cells) for k in range(len(head))]
    form = "{:<%d}  {:>%d}  {:>%d}  {:>%d}  {:<%d}  {}" % tuple(widths[:5])  # noqa: UP031
    return [form.format(*line).rstrip() for line in cells]
