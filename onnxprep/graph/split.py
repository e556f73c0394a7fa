"""Plan -> two models around an untouched one, for servers that keep the steps off the accelerator.

Names join them: what comes out of one under a name goes into the next under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnx import ModelProto

from onnxprep.graph.standalone import Names, side_alone
from onnxprep.spec.plan import Plan, Side


@dataclass(frozen=True)
class Part:
    """The steps of one side, alone.

    Attributes:
        side: which.
        inputs, outputs: name -> value.
        model: the graph; without our metadata.
    """

    side: Side
    inputs: Names
    outputs: Names
    model: ModelProto


def split(plan: Plan) -> list[Part]:
    """The sides that have steps.

    What feeds the model carries the name of the model's input, and what the model gives that of its output, unless a
    graph input or output of the spec has that name: then the value's own.
    """
    found = []
    if plan.side("pre"):
        inputs = {name: name for name in plan.inputs if name in _taken(plan, "pre")}
        outputs = dict(_leaving(plan))
        found.append(Part("pre", inputs, outputs, side_alone(plan, "pre", inputs, outputs)))
    if plan.side("post"):
        made = _made(plan, "post")
        inputs = {
            _called(plan, plan.gives.get(value, value), value): value
            for value in _taken(plan, "post")
            if value not in made
        }
        outputs = {name: name for name in plan.outputs if name in made}
        found.append(Part("post", inputs, outputs, side_alone(plan, "post", inputs, outputs)))
    return [part for part in found if part.outputs]


def wiring(plan: Plan, parts: list[Part]) -> list[str]:
    """What the names do not say: where models are joined by two of them, and which outputs no part gives."""
    made = _made(plan, "pre")
    feeding = {tensor: _called(plan, tensor, v) if v in made else v for tensor, v in plan.feeds.items()}
    lines = [f"{name} goes into the model's {tensor}" for tensor, name in feeding.items() if name != tensor]
    for part in parts:
        for name, value in part.inputs.items():
            if plan.gives.get(value, name) != name:
                lines.append(f"the model's {plan.gives[value]} goes into postprocess as {name}")
    lines += [f"output {name} is the model's {plan.gives[name]}" for name in plan.outputs if name in plan.gives]
    lines += [f"output {name} is the input {name}" for name in plan.outputs if name in plan.inputs]
    return lines


def _made(plan: Plan, side: Side) -> set[str]:
    return {name for step in plan.side(side) for name in (*step.outputs, *step.frame)}


def _taken(plan: Plan, side: Side) -> dict[str, None]:
    """The values that the steps of one side take, in order."""
    return dict.fromkeys(name for step in plan.side(side) for name in (*step.inputs, *step.frames))


def _leaving(plan: Plan) -> Iterator[tuple[str, str]]:
    """What the model takes, then what postprocessing and the caller do."""
    made = _made(plan, "pre")
    for tensor, value in plan.feeds.items():
        if value in made:
            yield _called(plan, tensor, value), value
    for value in (*_taken(plan, "post"), *plan.outputs):
        if value in made:
            yield value, value


def _called(plan: Plan, tensor: str, value: str) -> str:
    """The model's name for a value; its own where another value has that name."""
    return value if tensor in plan.values else tensor
