"""A file whose nodes another tool has changed: do its goldens hold nevertheless? One sentence for the error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from onnxprep.errors import ContractError, OnnxprepError, ParityError
from onnxprep.graph import metadata
from onnxprep.graph.cut import cut_back
from onnxprep.runtime import arrays, golden
from onnxprep.runtime.session import Session
from onnxprep.tensor import Array

_LENGTH = 100  # of what ONNX Runtime says


def holding(source: Path, model: ModelProto, stored: Mapping[str, str], providers: Sequence[str]) -> str:
    """Whether the outputs are still what was recorded, and the steps before the model where they can be seen."""
    if metadata.GOLDEN not in stored:
        return "no golden is recorded to tell whether it still computes the same"
    try:
        samples = golden.load(stored[metadata.GOLDEN], source.parent)
        for provider in providers:
            session = Session(source, [provider])
            for i, sample in enumerate(samples):
                _outputs(session, sample, f"samples[{i}]")
        return f"the goldens hold on {', '.join(providers)}{_seen(model, samples)}"
    except ParityError as error:
        return f"the goldens do not hold: {error.at}: {error.problem}"
    except ContractError as error:
        return f"the goldens cannot be run: {error.problem}{f' ({error.got[:_LENGTH]} ...)' if error.got else ''}"


def _outputs(session: Session, sample: golden.Sample, at: str) -> None:
    made = session.run(sample.inputs)
    for name, expected in sample.values.items():
        if name in made:
            difference = arrays.first_difference(made[name], expected.array, expected.tolerance)
            if difference:
                raise ParityError(difference, at=f"{at}.values.{name}")
        elif name not in sample.steps:
            raise ParityError("is not made any more", at=f"{at}.values.{name}")


def _seen(model: ModelProto, samples: Sequence[golden.Sample]) -> str:
    """Of the recorded steps those whose tensors the file still makes."""
    count = seen = 0
    for i, sample in enumerate(samples):
        made = _made(model, sample)
        count, seen = count + len(sample.steps), seen + len(made)
        for name, array in made.items():
            if arrays.digest(array) != sample.steps[name].sha256:
                raise ParityError("gives other bits than were recorded", at=f"samples[{i}].steps.{name}")
    return f", and so do {seen} of {count} steps, bit for bit; the others cannot be seen any more" if seen < count else (
        f", and so do all {count} steps, bit for bit" if count else ""
    )  # fmt: skip


def _made(model: ModelProto, sample: golden.Sample) -> dict[str, Array]:
    """What the file itself gives between the steps; nothing where what leads there does not run alone."""
    alone = cut_back(model, {step.traced.tensor: step.traced.dtype for step in sample.steps.values()})
    if alone is None:
        return {}
    wanted = {info.name for info in alone.graph.input}
    try:
        made = Session(alone).run({name: array for name, array in sample.inputs.items() if name in wanted})
        traced = {name: step.traced for name, step in sample.steps.items() if step.traced.tensor in made}
        return {name: made[trace.tensor].transpose(trace.axes) for name, trace in traced.items()}
    except (OnnxprepError, ValueError):  # ValueError: a tensor of another rank
        return {}
