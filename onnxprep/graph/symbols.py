"""Which symbolic dimensions our graph inputs and outputs may carry.

A symbol of ours and one of the model's with the same name need not be the same length, and a runtime that believes it
plans memory by it. Ours keep their names where they clash with nothing or stand for the same axis; else they are renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnx import ModelProto

from onnxprep.graph import names
from onnxprep.graph.signature import signature
from onnxprep.spec.plan import Plan
from onnxprep.tensor import Dim, TensorSpec

_Meaning = Mapping[str, str | None]
"""Symbol as a value's description writes it -> name in the file; ``None`` where two lengths share it."""


def declared(plan: Plan, model: ModelProto) -> dict[str, TensorSpec]:
    """Every value of the plan with the symbols that it may carry in the file."""
    avoid = names.symbols(model) - _paired(plan, model)
    meanings: dict[str, _Meaning] = {
        name: {dim: _free(dim, avoid) for dim in _symbols(plan.values[name])} for name in plan.inputs
    }
    meanings |= {name: {dim: dim for dim in _symbols(plan.values[name])} for name in plan.gives}
    for step in plan.steps:
        merged = _merged([(plan.values[name], meanings.get(name, {})) for name in step.inputs])
        for name in step.outputs:
            made = {dim: _free(dim, avoid) for dim in _symbols(plan.values[name]) if dim not in merged}
            meanings[name] = {**merged, **made}
    return {name: _renamed(spec, meanings.get(name, {})) for name, spec in plan.values.items()}


def _paired(plan: Plan, model: ModelProto) -> set[str]:
    """Our symbols that meet, on fed inputs, the model's symbol of the same name and no other."""
    inputs = signature(model).inputs
    met: dict[str, set[Dim]] = {}
    for name, value in plan.feeds.items():
        theirs = inputs[name].shape or ()
        ours = plan.values[value].shape or ()
        for a, b in zip(ours, theirs, strict=False):
            if isinstance(a, str):
                met.setdefault(a, set()).add(b)
    return {symbol for symbol, others in met.items() if others == {symbol}}


def _merged(given: list[tuple[TensorSpec, _Meaning]]) -> dict[str, str | None]:
    merged: dict[str, str | None] = {}
    for spec, meaning in given:
        for dim in _symbols(spec):
            name = meaning.get(dim, dim)
            merged[dim] = name if merged.get(dim, name) == name else None
    return merged


def _symbols(spec: TensorSpec) -> list[str]:
    return [dim for dim in spec.shape or () if isinstance(dim, str)]


def _renamed(spec: TensorSpec, meaning: _Meaning) -> TensorSpec:
    if spec.shape is None:
        return spec
    return replace(spec, shape=tuple(meaning.get(d, d) if isinstance(d, str) else d for d in spec.shape))


def _free(symbol: str, taken: set[str]) -> str:
    name = symbol
    while name in taken:
        name = f"onnxprep_{name}"
    return name
