"""Caller steps: what the program runs before and behind the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnxprep.errors import ContractError, UsageError
from onnxprep.runtime.inputs import as_array, with_batch
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.spec.messages import did_you_mean

Function = Callable[..., Any]


class Callers:
    """The caller steps of a spec with the functions that run them: onnxprep's own, or the program's by step name.

    Raises:
        UsageError: a function for a step that is none, or that is no function.
    """

    def __init__(self, spec: Spec, given: Mapping[str, Function] | None = None) -> None:
        self._spec = spec
        self._given = dict(given or {})
        names = [entry.name for entry in spec.callers]
        for name, function in self._given.items():
            if name not in names:
                expected = ", ".join(names) or "nothing: the spec has no caller steps"
                hint = did_you_mean(name, names)
                raise UsageError("is no caller step", at=f"callers[{name!r}]", expected=expected, hint=hint)
            if not callable(function):
                problem = f"is {type(function).__name__}"
                raise UsageError(problem, at=f"callers[{name!r}]", expected="a function")

    @property
    def before(self) -> tuple[Entry, ...]:
        """The steps that make graph inputs."""
        return tuple(entry for entry in self._spec.preprocess if entry.where == "caller")

    @property
    def after(self) -> tuple[Entry, ...]:
        """The steps that start from graph outputs."""
        return tuple(entry for entry in self._spec.postprocess if entry.where == "caller")

    @property
    def free(self) -> tuple[str, ...]:
        """What the steps before the graph take."""
        return tuple(dict.fromkeys(name for entry in self.before for name in entry.inputs or ()))

    def check(self) -> None:
        """Whether there is a function for every step.

        Raises:
            ContractError: the first step that nothing runs.
        """
        for entry in (*self.before, *self.after):
            self._function(entry)

    def run(self, entries: Sequence[Entry], values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with what the steps make of them; what is already there is not made again.

        Raises:
            UsageError: a value that a step takes is missing, or not what it takes.
            ContractError: a step that nothing runs, or that gives another number of values than it names.
        """
        found = dict(values)
        for entry in entries:
            if all(name in found for name in entry.outputs or ()):
                continue  # the program made them itself
            missing = [name for name in entry.inputs or () if name not in found]
            if missing:
                expected = ", ".join([*(entry.inputs or ()), "or directly", *(entry.outputs or ())])
                raise UsageError("is missing", at=missing[0], expected=expected)
            for name, result in zip(entry.outputs or (), self._results(entry, found), strict=True):
                found[name] = self.with_batch(name, result)
        return found

    def with_batch(self, name: str, item: Any) -> Any:
        """A graph input's item with the axis N; everything else as it is."""
        if isinstance(item, bytes | str) or name not in self._spec.inputs:
            return item
        return with_batch(as_array(item, name), self._spec.inputs[name])

    def _results(self, entry: Entry, values: Mapping[str, Any]) -> Sequence[Any]:
        outputs = entry.outputs or ()
        try:
            made = self._function(entry)(*(values[name] for name in entry.inputs or ()))
        except UsageError as error:
            raise error.inside(entry.name) from None
        if len(outputs) == 1:
            return (made,)
        if not isinstance(made, tuple | list) or len(made) != len(outputs):
            got = f"{len(made)} values" if isinstance(made, tuple | list) else type(made).__name__
            expected = f"{len(outputs)} values: {', '.join(outputs)}"
            raise ContractError("the caller's function gives something else", at=entry.name, expected=expected, got=got)
        return made

    def _function(self, entry: Entry) -> Function:
        if entry.name in self._given:
            return self._given[entry.name]
        run = getattr(entry.step, "run", None)
        if run is None:
            raise ContractError(
                f"the caller must run `{entry.operation}`, and nothing here does",
                at=entry.name,
                expected=f"callers={{{entry.name!r}: function}}",
                hint="it cannot be baked into the graph: call the model from Python, `onnxprep.Pipeline(model, callers=...)`",
            )
        return run
