"""Plans written by hand, and plain steps for them: what the tests of the splice share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import onnxruntime as ort
from onnx import ModelProto

from onnxprep.graph.signature import signature
from onnxprep.spec.plan import Plan, PlannedStep, Side
from onnxprep.step import Case, Claim, Ops, Step, Value
from onnxprep.tensor import Array, TensorSpec


class Plain(Step):
    """A step of the tests: no oracle, no cases."""

    claims: ClassVar = {"": Claim("ONNX", ">=1.19", "a step of the tests")}

    @classmethod
    def cases(cls) -> Iterator[Case]:
        yield from ()


class Scale(Plain):
    """``y = x * 2 + 0.5``"""

    operation: ClassVar[str] = "scale"
    min_opset: ClassVar[int] = 7

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(inputs[0], range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Add(op.Mul(inputs[0], op.float32(2.0)), op.float32(0.5))


class Nothing(Plain):
    """Emits no node."""

    operation: ClassVar[str] = "nothing"

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return inputs

    def emit(self, op: Ops, *inputs: Value) -> Value:  # noqa: ARG002
        return inputs[0]


class Both(Plain):
    """Two outputs: ``x + 1`` and ``x - 1``."""

    operation: ClassVar[str] = "both"
    outputs: ClassVar[tuple[str, ...]] = ("more", "less")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return inputs[0], inputs[0]

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        one = op.float32(1.0)
        return op.Add(inputs[0], one), op.Sub(inputs[0], one)


class Flip(Plain):
    """``-x`` through an If whose branches read from outside: names inside subgraphs must follow."""

    operation: ClassVar[str] = "flip"

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return inputs

    def emit(self, op: Ops, *inputs: Value) -> Value:
        minus = op.Neg(inputs[0])
        positive = op.Greater(op.Size(inputs[0]), op.int64(0))
        return op.branch(positive, lambda: op.Identity(minus), lambda: op.Abs(minus))


class Add(Plain):
    """``a + b``: takes what came before the model and what came behind it."""

    operation: ClassVar[str] = "add"
    inputs: ClassVar[tuple[str, ...]] = ("a", "b")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (inputs[1],)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Add(*inputs)


class Newer(Scale):
    """``scale``, but only from opset 11 on."""

    operation: ClassVar[str] = "newer"
    min_opset: ClassVar[int] = 11


Wanted = tuple[str, Step, tuple[str, ...]]
"""Name, step, names of the values it takes."""


def planned(
    inputs: Mapping[str, TensorSpec],
    pre: Sequence[Wanted],
    model: ModelProto | None = None,
    feeds: Mapping[str, str] | None = None,
    gives: Mapping[str, str] | None = None,
    post: Sequence[Wanted] = (),
    outputs: Sequence[str] = (),
) -> Plan:
    """A plan; values are called as steps are, ``name.port`` where a step has several ports."""
    values, steps = dict(inputs), []
    _walk("pre", pre, values, steps)
    known = signature(model) if model is not None else None
    for value, tensor in (gives or {}).items():
        assert known is not None
        values[value] = known.outputs[tensor]
    _walk("post", post, values, steps)
    kept = tuple(name for name in (known.inputs if known else ()) if name not in (feeds or {}))
    return Plan(tuple(steps), values, tuple(inputs), feeds or {}, gives or {}, tuple(outputs), kept)


def _walk(side: Side, wanted: Sequence[Wanted], values: dict[str, TensorSpec], steps: list[PlannedStep]) -> None:
    for k, (name, step, taken) in enumerate(wanted):
        given = tuple(values[value] for value in taken)
        gives = step.infer(*given)
        made = (name,) if len(step.outputs) == 1 else tuple(f"{name}.{port}" for port in step.outputs)
        steps.append(PlannedStep(side, k, name, step, tuple(taken), made, given, gives))
        values.update(zip(made, gives, strict=True))


def run(
    model: ModelProto | bytes, feeds: Mapping[str, Array | list[Array]], *, plain: bool = False
) -> dict[str, Array]:
    """Every output by name; ``plain`` without ONNX Runtime's optimisations."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if plain:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    data = model if isinstance(model, bytes) else model.SerializeToString()
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(feeds)), strict=True))
