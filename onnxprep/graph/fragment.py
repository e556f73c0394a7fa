"""Plan -> nodes: the steps of one side, emitted one after the other.

Logical and lying tensor: a value's description is what the spec says (NHWC, say); in the graph images lie planar. The
transposition happens once, where the first image step meets the input, and back only where a value leaves the nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onnx import NodeProto

from onnxprep.emit import Emitter
from onnxprep.graph.order import permuted_late
from onnxprep.spec.plan import PlannedStep, Values
from onnxprep.step import Step, Value
from onnxprep.tensor import TensorSpec


@dataclass(frozen=True)
class Fragment:
    """Nodes in order, and where the values are.

    Attributes:
        nodes: the nodes.
        tensors: published value -> the tensor that carries it in its logical layout.
        lying: every value that exists between the nodes, as it lies there. What a fused crop leaves out is not among
            them.
    """

    nodes: tuple[NodeProto, ...]
    tensors: Mapping[str, str]
    lying: Mapping[str, Value]


def emit_steps(
    steps: Sequence[PlannedStep], given: Values, tensors: Mapping[str, str], opset: int, published: Collection[str]
) -> Fragment:
    """Emits the steps.

    Args:
        steps: the steps of one side, in order.
        given: the values that exist before the first step.
        tensors: the name in the graph of each given value.
        opset: the ai.onnx opset to write for.
        published: the values that leave the nodes: to the model, to the other side, or as outputs.
    """
    lying = {name: Value(tensors[name], spec) for name, spec in given.items()}
    logical = {name: tensors[name] for name in given}
    nodes: list[NodeProto] = []
    waiting = permuted_late(steps, published)
    while waiting:
        first = waiting.pop(0)
        op = Emitter(first.prefix, opset)
        kept = _kept_only(op, first, waiting, lying, published)
        last, made = (waiting.pop(0), (kept,)) if kept is not None else (first, _emit(op, first, lying))
        wanted = {*published, *(name for step in waiting for name in step.inputs)}
        framed = _frames(op, [first] if last is first else [first, last], lying, published)
        lying |= framed
        logical |= {name: value.name for name, value in framed.items()}
        kept_tensors = {value.name for value in framed.values()}
        for name, spec, value in zip(last.outputs, last.gives, made, strict=True):
            if name in wanted:  # a port that nobody takes is not computed
                lying[name] = Value(value.name, spec.planar())
                kept_tensors.add(value.name)
            if name in published:
                logical[name] = _leaving(op, lying[name], spec).name
                kept_tensors.add(logical[name])
        nodes += without_unused(op.nodes, kept_tensors)
    return Fragment(tuple(nodes), {name: logical[name] for name in published}, lying)


def _frames(
    op: Emitter, steps: Sequence[PlannedStep], lying: Mapping[str, Value], published: Collection[str]
) -> dict[str, Value]:
    """What the steps publish of where they put the image."""
    found: dict[str, Value] = {}
    if not any(name in published for step in steps for name in step.frame):
        return found
    size = op.size(lying[steps[0].inputs[0]], "HW")
    for step in steps:
        gain, offset, after = step.step.frame_of(op, size)
        found |= dict(zip(step.frame, (size, gain, offset), strict=True))
        size = after
    return {name: value for name, value in found.items() if name in published}


def without_unused(nodes: Sequence[NodeProto], kept: Collection[str]) -> list[NodeProto]:
    """Without what nothing reads: constants that were only looked at, and ports that nobody takes."""
    needed, used = set(kept), []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed.update(read_by([node]))
            used.append(node)
    return used[::-1]


def read_by(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """The names that the nodes and the graphs inside them read."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from read_by(attribute.g.node)


def _emit(op: Emitter, planned: PlannedStep, lying: Mapping[str, Value]) -> tuple[Value, ...]:
    made = planned.step.emit(op, *_inputs(op, planned, lying), *(lying[name] for name in planned.frames))
    return made if isinstance(made, tuple) else (made,)


def _inputs(op: Emitter, planned: PlannedStep, lying: Mapping[str, Value]) -> list[Value]:
    values = [lying[name] for name in planned.inputs]
    return [_in_layout(op, value, value.spec.planar()) for value in values] if planned.step.planar else values


def _leaving(op: Emitter, value: Value, wanted: TensorSpec) -> Value:
    """The value in its logical layout.

    A Reshape, which copies nothing, holds the Transpose in place: ONNX Runtime would move it before the arithmetic,
    which takes ten times as long where the last axis is C.
    """
    if value.spec.layout in (None, wanted.layout) or not value.spec.dtype.startswith("float"):
        return _in_layout(op, value, wanted)
    held = op.Reshape(value, op.int64([0] * len(str(value.spec.layout))))
    return _in_layout(op, Value(held.name, value.spec), wanted)


def _in_layout(op: Emitter, value: Value, wanted: TensorSpec) -> Value:
    if value.spec.layout == wanted.layout or value.spec.layout is None:
        return value
    order = [value.spec.axis(letter) for letter in str(wanted.layout)]
    return Value(op.Transpose(value, perm=order).name, wanted)


def _kept_only(
    op: Emitter,
    first: PlannedStep,
    following: Sequence[PlannedStep],
    lying: Mapping[str, Value],
    published: Collection[str],
) -> Value | None:
    """The output of ``first`` and the crop behind it together, where only what the crop keeps need be computed."""
    if not following or type(first.step).emit_window is Step.emit_window:
        return None
    value, crop = first.outputs[0], following[0]
    consumers = [step for step in following if value in step.inputs]
    if consumers != [crop] or value in published or type(crop.step).window is Step.window:
        return None
    (x,) = _inputs(op, first, lying)
    return first.step.emit_window(op, x, crop.step)
