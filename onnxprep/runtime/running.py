"""Running on files: what ``onnxprep run`` does, and how it shows the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxprep.runtime.answers import answered
from onnxprep.runtime.callers import Callers
from onnxprep.runtime.files import refuse_pipe
from onnxprep.runtime.given import GivenFiles, contents, decoded_here
from onnxprep.runtime.pipeline import Pipeline
from onnxprep.spec.document import Spec
from onnxprep.tensor import Array, dtype_name

_MANY = 16


@dataclass(frozen=True)
class Run:
    """What one run was given, and what came out.

    Attributes:
        name: the files, as they were named.
        spec: what the model's steps are.
        given: arrays, and bytes for the caller's steps.
        outputs: the named outputs.
    """

    name: str
    spec: Spec
    given: Mapping[str, Any]
    outputs: Mapping[str, Array]

    @property
    def fed(self) -> Mapping[str, Any]:
        """What the graph took."""
        callers = Callers(self.spec)
        return callers.run(callers.before, self.given)


def run_files(model: Path, files: GivenFiles, providers: Sequence[str], tell: Callable[[str], None]) -> list[Run]:
    """Runs the model on every plain file.

    Raises:
        UsageError: a file is not what its input takes.
        ContractError: the model holds no spec, or needs a caller step.
    """
    refuse_pipe(model)
    pipeline = Pipeline(model, providers)
    runs = files.runs(pipeline.spec, pipeline.graph_inputs)
    if any(decoded_here(named, pipeline.spec) for run in runs for named in run):
        tell("decoded with Pillow, EXIF orientation not applied; decoding is not part of this spec")
    given = [(", ".join(named.item for named in run), contents(run, pipeline.spec)) for run in runs]
    return [Run(name, pipeline.spec, inputs, pipeline(**inputs)) for name, inputs in given]


def shown(run: Run) -> list[str]:
    """Lines for a person: tables of the answers, then the outputs that are part of none."""
    told = answered(run.spec, run.outputs)
    lines = []
    for n, answers in enumerate(told.images):
        lines += [f"image {n}"] if len(told.images) > 1 else []
        lines += [line for answer in answers for line in answer.lines]
    return lines + _arrays(told.rest)


def _arrays(outputs: Mapping[str, Array]) -> list[str]:
    """Texts beside the numbers of the same shape, small arrays whole, large ones by their ends."""
    texts = {name: array for name, array in outputs.items() if dtype_name(array) == "string"}
    lines: list[str] = []
    beside: set[str] = set()
    for name, array in texts.items():
        numbers = {n: a for n, a in outputs.items() if a.dtype.kind in "fiub" and a.shape == array.shape}
        if array.size > 1 or numbers:
            beside |= {name, *numbers}
            lines.append("  ".join([f"{name:<24}", *(f"{n:>16}" for n in numbers)]).rstrip())
            for index in np.ndindex(array.shape):
                lines.append(
                    "  ".join([f"{array[index]!s:<24}", *(f"{_number(a[index]):>16}" for a in numbers.values())])
                )
    return lines + [f"{name}: {_array(array)}" for name, array in outputs.items() if name not in beside]


def _array(array: Array) -> str:
    head = f"{dtype_name(array)}{list(array.shape)}"
    if array.size <= _MANY:
        return f"{head} {[_plain(item) for item in array.ravel()]}"
    return f"{head} {array.min():.6g} .. {array.max():.6g}" if array.dtype.kind in "fiu" else head


def _number(value: Any) -> str:
    return f"{value:.6f}" if isinstance(value, np.floating) else str(value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def as_json_values(outputs: Mapping[str, Array]) -> dict[str, Any]:
    """Arrays as nested lists; NaN and infinities as text, which JSON does not have."""
    return {name: _jsonable(array.tolist()) for name, array in outputs.items()}


def _jsonable(value: Any) -> Any:
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
