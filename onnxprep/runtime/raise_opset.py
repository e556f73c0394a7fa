"""When a step needs a higher opset than the model has: raise the number alone and prove it, or rewrite on request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto

from onnxprep.errors import ContractError
from onnxprep.graph.fit import Fitted
from onnxprep.graph.opset import default_opset, needs, refusals, restampable, restamped, upgraded
from onnxprep.graph.signature import signature
from onnxprep.runtime.arrays import first_difference
from onnxprep.runtime.beside import in_memory
from onnxprep.runtime.session import Session
from onnxprep.spec.plan import PlannedStep
from onnxprep.tensor import NARROW, Array, TensorSpec

_SEEDS = (1, 2, 3)
_DEFAULT_LENGTH = 2  # for an axis of unknown length
_MOST_VALUES = 2**24


@dataclass(frozen=True)
class Raised:
    """The model to attach to, the number it gets (None: its own), how it came to that, and whether it is rewritten."""

    model: ModelProto
    opset: int | None = None
    how: str = ""
    rewritten: bool = False


def raised(model: ModelProto, fitted: Fitted, source: Path, *, upgrade: bool) -> Raised:
    """The model at an opset that every step can be written for; ``source`` is its file.

    Raises:
        ContractError: its number cannot be raised without a change of meaning, or the outputs then differ.
    """
    own, needed = default_opset(model), needs(fitted.plan)
    if own is None or own >= needed:
        return Raised(model)
    step = next(step for step in fitted.plan.steps if step.step.needed_opset > own)
    try:
        return _raised(model, own, needed, step, source, upgrade=upgrade)
    except ContractError as error:
        place = error.at if error.at.startswith(step.path) else f"{step.path} ({step.name}), {error.at}"
        raise error.told_as(
            ContractError, at=place, hint=error.hint or f"export it at opset {needed} or higher"
        ) from None


def _raised(model: ModelProto, own: int, needed: int, step: PlannedStep, source: Path, *, upgrade: bool) -> Raised:
    reasons = restampable(model, needed)
    if not reasons:
        copy = restamped(model, needed)
        _prove(model, copy, source, f"opset {own} -> {needed}")
        return Raised(model, needed, "restamped, proven equal")
    if not upgrade:
        raise ContractError(
            f"`{step.name}` needs opset {step.step.needed_opset}, the model has {own}",
            at=step.path,
            expected=f"a model whose number can be raised to {needed} without a change of meaning",
            got="; ".join(reasons[:4]),
            hint=_hint(model, needed),
        )
    copy = upgraded(model, needed)
    _prove(model, copy, source, f"opset {own} -> {needed}")
    how = "upgraded, proven equal; strip cannot give the original back"
    return Raised(copy, default_opset(copy), how, rewritten=True)


def _hint(model: ModelProto, needed: int) -> str:
    """``--upgrade-opset`` only where it may help."""
    found = refusals(model, needed)
    if found:
        return f"export it at opset {needed} or higher; --upgrade-opset cannot help: {found[0]}"
    return "export it at a higher opset, or --upgrade-opset rewrites the model's body (strip then cannot give the original back)"


def _prove(before: ModelProto, after: ModelProto, source: Path, what: str) -> None:
    """Both models on seeded inputs: equal bits, or an error."""
    try:
        first, second = _session(before, source), _session(after, source)
        runs = [(first.run(inputs), second.run(inputs)) for inputs in seeded(before)]
    except ContractError as error:
        raise error.inside(what) from None
    for expected, got in runs:
        for name, array in expected.items():
            difference = first_difference(got[name], array)
            if difference:
                raise ContractError("gives other numbers", at=f"{what}, output {name}", got=difference)


def _session(model: ModelProto, source: Path) -> Session:
    reachable, folder = in_memory(model, source)
    return Session(reachable, folder=folder)


def seeded(model: ModelProto) -> Iterator[dict[str, Array]]:
    """Random inputs of the right types, a few sets; axes of unknown length get length 2."""
    inputs = signature(model).inputs
    for seed in _SEEDS:
        rng = np.random.default_rng(seed)
        yield {name: _random(rng, spec) for name, spec in inputs.items()}


def _random(rng: np.random.Generator, spec: TensorSpec) -> Array:
    shape = tuple(d if isinstance(d, int) else _DEFAULT_LENGTH for d in spec.shape or ())
    if math.prod(shape) > _MOST_VALUES:
        problem = "has an input too large to be made up for a comparison"
        raise ContractError(problem, expected=f"at most {_MOST_VALUES:,} values", got=str(spec))
    if spec.dtype == "string":
        return np.full(shape, "a", dtype=object)
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError:
        raise ContractError(f"has an input of {spec.dtype}, which cannot be made up for a comparison") from None
    if dtype.kind == "f" or spec.dtype in NARROW:
        return np.asarray(rng.standard_normal(shape, np.float32)).astype(dtype)
    return np.asarray(rng.integers(0, 2, shape)).astype(dtype)
