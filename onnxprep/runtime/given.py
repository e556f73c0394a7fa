"""Files of a command line as inputs: which file is for which input, and what stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxprep.errors import UsageError
from onnxprep.runtime.callers import Callers
from onnxprep.runtime.files import is_file, read_bytes
from onnxprep.runtime.npy import read_array
from onnxprep.runtime.pictures import picture
from onnxprep.spec.document import Spec
from onnxprep.spec.messages import did_you_mean


@dataclass(frozen=True)
class Named:
    """A file and the input it is for."""

    item: str
    name: str
    path: Path

    @property
    def is_array(self) -> bool:
        """Whether the file is a NumPy array, by its name."""
        return self.path.suffix.lower() == ".npy"


@dataclass(frozen=True)
class GivenFiles:
    """``FILE`` or ``NAME=FILE``, as often as wanted: every plain FILE is a run, every NAME=FILE is part of all runs."""

    items: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path that an item may mean."""
        return tuple(Path(text) for item in self.items for text in {item, item.partition("=")[2]} if text)

    def runs(self, spec: Spec, graph: Sequence[str]) -> list[list[Named]]:
        """The files of every run.

        Args:
            spec: what the model's steps are.
            graph: the inputs of the graph; those that the spec does not declare are the model's own.

        Raises:
            UsageError: it cannot be told which input a file is for, or two are for one.
        """
        callers = Callers(spec)
        names = list(dict.fromkeys([*graph, *callers.free]))
        named: dict[str, Named] = {}
        plain: list[str] = []
        for item in self.items:
            found = _named(item, names)
            if found is None:
                plain.append(item)
                continue
            if found.name in named:
                hint = "without NAME= each file is a run of its own"
                raise UsageError(f"{found.name} is given twice", at=item, expected="one file for each input", hint=hint)
            named[found.name] = found
        if not plain:
            return [list(named.values())]
        for item in plain:
            _refuse_mistyped(item, names)
        open_inputs = _open(named, graph, callers)
        if len(open_inputs) != 1:
            expected = f"NAME=FILE with {', '.join(open_inputs or names)}"
            raise UsageError("cannot be told which input it is for", at=plain[0], expected=expected)
        return [[*named.values(), Named(item, open_inputs[0], Path(item))] for item in plain]

    def samples(self, spec: Spec, graph: Sequence[str]) -> list[dict[str, Any]]:
        """What each run is fed with.

        Raises:
            UsageError: also where a file is not what its input takes.
        """
        return [contents(run, spec) for run in self.runs(spec, graph)]


def contents(run: Iterable[Named], spec: Spec) -> dict[str, Any]:
    """Input -> what stands in its file: an array for ``.npy``, bytes for a declared decoder, else a picture.

    Raises:
        UsageError: a file cannot be read, or is not what its input takes.
    """
    return dict(_content(named, spec) for named in run)


def decoded_here(named: Named, spec: Spec) -> bool:
    """Whether ``contents`` decodes a picture by a rule that the spec does not hold."""
    return not named.is_array and named.name in spec.inputs and not _sources(named.name, Callers(spec))


def _content(named: Named, spec: Spec) -> tuple[str, Any]:
    callers = Callers(spec)
    if named.is_array:
        return named.name, read_array(named.path)
    sources = _sources(named.name, callers)
    if len(sources) > 1:
        expected = f"NAME=FILE with {', '.join(sources)}, or {named.name}=FILE.npy"
        raise UsageError(f"{named.name} is made from several files", at=named.item, expected=expected)
    if sources or named.name in callers.free:
        return (sources or (named.name,))[0], read_bytes(named.path)
    if named.name not in spec.inputs:
        what = f"a .npy array: {named.name} is the model's own input"
        read_bytes(named.path)  # a file that is not there is told first
        raise UsageError("a picture does not fit the input", at=str(named.path), expected=what)
    return named.name, picture(named.path, spec.inputs[named.name])


def _sources(name: str, callers: Callers) -> tuple[str, ...]:
    """What the caller's steps make this graph input from, in the end."""
    makers = {made: entry for entry in callers.before for made in entry.outputs or ()}
    if name not in makers:
        return ()
    inputs = makers[name].inputs or ()
    return tuple(dict.fromkeys(source for taken in inputs for source in _sources(taken, callers) or (taken,)))


def _open(named: Iterable[str], graph: Iterable[str], callers: Callers) -> list[str]:
    """The graph inputs that still need a file."""
    given = set(named)
    return [name for name in graph if name not in given and not (given & set(_sources(name, callers)))]


def _named(item: str, names: Sequence[str]) -> Named | None:
    """The item with its input; ``None`` for a plain file. A name of an input wins over a file of that name."""
    fitting = [name for name in names if item.startswith(f"{name}=")]
    if not fitting:
        return None
    name = max(fitting, key=len)
    return Named(item, name, Path(item[len(name) + 1 :]))


def _refuse_mistyped(item: str, names: Sequence[str]) -> None:
    """A NAME that is no input looks like a file with = in its name."""
    name, equals, _ = item.partition("=")
    if equals and not is_file(Path(item)):
        raise UsageError(
            f"{name!r} is not an input", at=item, expected=f"NAME=FILE with {', '.join(names)}",
            hint=did_you_mean(name, names),
        )  # fmt: skip
