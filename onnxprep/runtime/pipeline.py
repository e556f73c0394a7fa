"""Pipeline: an augmented model as a function of named arrays."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph import metadata
from onnxprep.graph.lost import refuse_lost
from onnxprep.graph.parse import is_ort_format
from onnxprep.runtime.beside import present
from onnxprep.runtime.callers import Callers, Function
from onnxprep.runtime.files import is_file, read_bytes, read_model
from onnxprep.runtime.inputs import checked, refuse_unknown
from onnxprep.runtime.session import Session
from onnxprep.runtime.stored import of_part, stored_spec
from onnxprep.runtime.verify import verify as verify_file


class Pipeline:
    """A model with its steps inside, ready to run.

    Args:
        path: the augmented model.
        providers: onnxruntime's, by full or short name; the CPU by default.
        threads: threads inside an operator; 0 leaves the choice to onnxruntime.
        callers: the program's own functions for caller steps that onnxprep does not know, by step name.

    Raises:
        UsageError: the file cannot be read.
        ContractError: there is no spec inside, or it needs a caller step that is not given.
    """

    def __init__(
        self,
        path: str | Path,
        providers: Sequence[str] = (),
        *,
        threads: int = 0,
        callers: Mapping[str, Function] | None = None,
    ) -> None:
        self.path = Path(path)
        if not is_file(self.path):
            raise UsageError("there is no such file", at=str(path), expected="an augmented model")
        self._again = functools.partial(Pipeline, path, providers, threads=threads, callers=callers)
        self._session = _session(self.path, providers, threads)
        if metadata.SPEC not in self._session.metadata and not is_ort_format(read_bytes(self.path)):
            refuse_lost(read_model(self.path)[0], str(path))
        self.spec = of_part(stored_spec(self._session.metadata, str(path)), self._session.metadata)
        self._callers = Callers(self.spec, callers)
        self._callers.check()

    @property
    def graph_inputs(self) -> tuple[str, ...]:
        """What the graph takes."""
        return tuple(self._session.inputs)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What a call may name: the graph's inputs, and what the caller's steps start from."""
        return tuple(dict.fromkeys([*self._session.inputs, *self._callers.free]))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a call returns."""
        after = [name for entry in self._callers.after for name in entry.outputs or ()]
        return (*self._session.outputs, *after)

    def __call__(self, /, **inputs: Any) -> dict[str, Any]:
        """Runs the model.

        Input: one array per input, as the spec declares it; or for some inputs a list, whose items (with or without
            the axis N) may differ in size and are run one by one.
        Output: name -> array; with a list, name -> list of arrays.

        Raises:
            UsageError: an input that is unknown, missing, or of another dtype, rank or length.
            ContractError: onnxruntime refuses what it is given, or a caller's function gives something else.
        """
        lists = {name: value for name, value in inputs.items() if isinstance(value, list)}
        if not lists:
            return self._run(inputs)
        lengths = {len(value) for value in lists.values()}
        if len(lengths) != 1:
            raise UsageError(f"lists of {sorted(lengths)} items", at=", ".join(lists), expected="lists of one length")
        runs = [
            self._run({**inputs, **{name: self._callers.with_batch(name, value[i]) for name, value in lists.items()}})
            for i in range(lengths.pop())
        ]
        return {name: [run[name] for run in runs] for name in self.outputs}

    def verify(self) -> None:
        """Checks digests and goldens, as ``onnxprep verify`` does.

        Raises:
            ParityError: the first difference.
        """
        verify_file(self.path, self._session.providers[:1])

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process loads the file again."""
        return self._again, ()

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        refuse_unknown(inputs, self.inputs)
        values = self._callers.run(self._callers.before, inputs)
        for name in self._session.inputs:
            if name not in values:
                raise UsageError("is missing", at=name, expected=", ".join(self.inputs))
        feeds = checked(values, self.spec.inputs, self._session.inputs)
        return self._callers.run(self._callers.after, self._session.run(feeds))


def _session(path: Path, providers: Sequence[str], threads: int) -> Session:
    """A session; where there is none for want of external data, that is told."""
    try:
        return Session(path, providers, threads=threads)
    except ContractError as error:
        with contextlib.suppress(ContractError):  # a model that we cannot read either
            present(read_model(path)[0], path)
        raise error.inside(str(path)) from None
