"""Pipeline: an augmented model as a function of named arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph import metadata
from onnxprep.runtime.pictures import with_batch
from onnxprep.runtime.session import Session
from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.spec.messages import did_you_mean
from onnxprep.tensor import Array, TensorSpec

Function = Callable[..., Any]


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
        if not self.path.is_file():
            raise UsageError("there is no such file", at=str(path), expected="an augmented model")
        self._again = functools.partial(Pipeline, path, providers, threads=threads, callers=callers)
        self._session = Session(self.path, providers, threads=threads)
        self.spec = stored_spec(self._session.metadata, str(path))
        self._callers = {entry.name: _function(entry, callers or {}) for entry in self.spec.callers}

    @property
    def inputs(self) -> tuple[str, ...]:
        """What a call may name: the graph's inputs, and what the caller's steps start from."""
        free = [name for entry in self._before() for name in entry.inputs or ()]
        return tuple(dict.fromkeys([*self._session.inputs, *free]))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a call returns."""
        after = [name for entry in self._after() for name in entry.outputs or ()]
        return (*self._session.outputs, *after)

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        """Runs the model.

        Input: one array per input, as the spec declares it; or for some inputs a list, whose items (with or without
            the axis N) may differ in size and are run one by one.
        Output: name -> array; with a list, name -> list of arrays.

        Raises:
            UsageError: an input that is unknown, missing, or of another dtype or rank.
            ContractError: onnxruntime refuses what it is given.
        """
        lists = {name: value for name, value in inputs.items() if isinstance(value, list)}
        if not lists:
            return self._run(inputs)
        lengths = {len(value) for value in lists.values()}
        if len(lengths) != 1:
            raise UsageError(f"lists of {sorted(lengths)} items", at=", ".join(lists), expected="lists of one length")
        runs = [
            self._run({**inputs, **{name: self._with_batch(name, value[i]) for name, value in lists.items()}})
            for i in range(lengths.pop())
        ]
        return {name: [run[name] for run in runs] for name in self.outputs}

    def verify(self) -> None:
        """Checks digests and goldens, as ``onnxprep verify`` does.

        Raises:
            ParityError: the first difference.
        """
        from onnxprep.runtime.verify import verify  # noqa: PLC0415  # verify runs pipelines

        verify(self.path, self._session.providers[:1])

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy in another process loads the file again."""
        return self._again, ()

    def _before(self) -> list[Entry]:
        return [entry for entry in self.spec.preprocess if entry.where == "caller"]

    def _after(self) -> list[Entry]:
        return [entry for entry in self.spec.postprocess if entry.where == "caller"]

    def _run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        values = self._run_callers(self._before(), dict(inputs))
        feeds = {name: self._checked(name, values) for name in self._session.inputs}
        unknown = set(inputs) - set(self.inputs)
        if unknown:
            name = min(unknown)
            raise UsageError(
                "is not an input", at=name, expected=", ".join(self.inputs), hint=did_you_mean(name, self.inputs)
            )
        return self._run_callers(self._after(), dict(self._session.run(feeds)))

    def _run_callers(self, entries: Sequence[Entry], values: dict[str, Any]) -> dict[str, Any]:
        for entry in entries:
            if all(name in values for name in entry.outputs or ()):
                continue  # the program made them itself
            missing = [name for name in entry.inputs or () if name not in values]
            if missing:
                expected = ", ".join([*(entry.inputs or ()), "or directly", *(entry.outputs or ())])
                raise UsageError("is missing", at=missing[0], expected=expected)
            made = self._callers[entry.name](*(values[name] for name in entry.inputs or ()))
            results = made if len(entry.outputs or ()) > 1 else (made,)
            for name, result in zip(entry.outputs or (), results, strict=True):
                values[name] = self._with_batch(name, result)
        return values

    def _with_batch(self, name: str, item: Any) -> Any:
        if isinstance(item, bytes | str) or name not in self.spec.inputs:
            return item
        return with_batch(np.asarray(item), self.spec.inputs[name])

    def _checked(self, name: str, values: Mapping[str, Any]) -> Array:
        if name not in values:
            raise UsageError("is missing", at=name, expected=", ".join(self.inputs))
        array = np.asarray(values[name])
        declared = self.spec.inputs.get(name)
        if declared is None:
            return array
        if declared.dtype != dtype_name(array):
            hint = "pass the picture as it was decoded, 0..255" if declared.dtype == "uint8" else ""
            raise UsageError(f"is {dtype_name(array)}", at=name, expected=str(declared), hint=hint)
        if declared.rank != array.ndim:
            hint = _hint(array, declared, name)
            raise UsageError(f"has the shape {list(array.shape)}", at=name, expected=str(declared), hint=hint)
        self._check_dims(name, array, declared)
        return array

    def _check_dims(self, name: str, array: Array, declared: TensorSpec) -> None:
        """Lengths that the file fixes; with the letter of the axis, which onnxruntime does not know."""
        for axis, (length, wanted) in enumerate(zip(array.shape, self._session.inputs[name], strict=False)):
            if isinstance(wanted, int) and wanted not in (length, -1):
                letter = declared.layout[axis] if declared.layout else str(axis)
                hint = f"pass a list of pictures: they are run {wanted} by {wanted}" if letter == "N" else ""
                raise UsageError(
                    f"has the shape {list(array.shape)}", at=name, expected=f"{wanted} along axis {letter}", hint=hint
                )


def _hint(array: Array, declared: TensorSpec, name: str) -> str:
    layout = declared.layout or ""
    if array.ndim + 1 != declared.rank or not declared.is_image:
        return f"gray pixels [H, W] are {name}[None, :, :, None]" if declared.color == "GRAY" else ""
    if declared.color == "GRAY" and layout.endswith("C") and array.shape[-1] != 1:
        return f"gray pixels need an axis C: {name}[..., None]"
    return f"one picture is {name}[None]" if layout.startswith("N") else ""


def dtype_name(array: Array) -> str:
    """NumPy spelling of an array's dtype; text is ``"string"``."""
    return "string" if array.dtype.kind in "OUS" else str(array.dtype.name)


def stored_spec(stored: Mapping[str, str], at: str) -> Spec:
    """The spec in a model's metadata, as it was written.

    Raises:
        ContractError: there is none, or it cannot be read.
    """
    if metadata.SPEC not in stored:
        hint = "`onnxprep export` puts one in"
        raise ContractError("holds no spec", at=at, expected=f"the metadata key {metadata.SPEC}", hint=hint)
    files = {k.removeprefix(metadata.FILE): v for k, v in stored.items() if k.startswith(metadata.FILE)}
    return Spec.load(stored[metadata.SPEC], files=files, known_only=False)


def _function(entry: Entry, callers: Mapping[str, Function]) -> Function:
    if entry.name in callers:
        return callers[entry.name]
    run = getattr(entry.step, "run", None)
    if run is None:
        raise ContractError(
            f"the caller must run `{entry.operation}`, and nothing here does",
            at=entry.name,
            expected=f"callers={{{entry.name!r}: function}}",
            hint="the spec tracks this step because it cannot be baked into the graph",
        )
    return run  # type: ignore[no-any-return]
