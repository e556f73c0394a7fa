"""What changed between the versions of ONNX's operators, as far as a node may notice: opset 7 to 26, reviewed.

Schemas tell most of it: a removed attribute, another default, another input. Three tables tell the rest: additions that
are harmless at their default, removals that are harmless while unwritten, and changes of meaning no schema shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from onnx import AttributeProto, NodeProto
from onnx.defs import OpSchema
from onnx.helper import get_attribute_value

REVIEWED_FROM, REVIEWED_TO = 7, 26
"""Oldest and newest opset whose changelogs these tables cover; ONNX Runtime promises nothing below 7 either."""

_HARMLESS_ADDITIONS: Mapping[tuple[str, int], tuple[str, ...]] = {
    ("ArgMax", 12): ("select_last_index",), ("ArgMin", 12): ("select_last_index",),
    ("AveragePool", 10): ("ceil_mode",), ("AveragePool", 19): ("dilations",),
    ("BatchNormalization", 14): ("training_mode",),
    ("Cast", 19): ("saturate",), ("Cast", 24): ("round_mode",),
    ("CastLike", 19): ("saturate",), ("CastLike", 24): ("round_mode",),
    ("Constant", 11): ("sparse_value",),
    ("Constant", 12): ("value_float", "value_floats", "value_int", "value_ints", "value_string", "value_strings"),
    ("DepthToSpace", 11): ("mode",),
    ("DequantizeLinear", 13): ("axis",), ("DequantizeLinear", 21): ("block_size",),
    ("DequantizeLinear", 23): ("output_dtype",),
    ("Dropout", 12): ("seed",),
    ("GRU", 14): ("layout",), ("LSTM", 14): ("layout",), ("RNN", 14): ("layout",),
    ("GatherND", 12): ("batch_dims",),
    ("LpPool", 18): ("ceil_mode", "dilations"),
    ("MaxPool", 8): ("storage_order",), ("MaxPool", 10): ("ceil_mode", "dilations"),
    ("QuantizeLinear", 13): ("axis",), ("QuantizeLinear", 19): ("saturate",),
    ("QuantizeLinear", 21): ("block_size", "output_dtype"), ("QuantizeLinear", 23): ("precision",),
    ("Reshape", 14): ("allowzero",),
    ("Resize", 18): ("antialias", "axes", "keep_aspect_ratio_policy"),
    ("ScatterElements", 16): ("reduction",), ("ScatterND", 16): ("reduction",),
    ("Shape", 15): ("start", "end"),
    ("TopK", 11): ("largest", "sorted"),
    **{(name, 18): ("noop_with_empty_axes",) for name in (
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
        "ReduceSumSquare",
    )},
    ("ReduceSum", 13): ("noop_with_empty_axes",),
    ("Split", 18): ("num_outputs",),
}  # fmt: skip
"""(operator, version) -> attributes that came with it and, unwritten, mean what the version before did."""

_HARMLESS_REMOVALS: Mapping[tuple[str, int], tuple[str, ...]] = {
    ("BatchNormalization", 9): ("spatial",),
    ("Dropout", 12): ("ratio",),
    ("Squeeze", 13): ("axes",), ("ReduceSum", 13): ("axes",),
    **{(name, 18): ("axes",) for name in (
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
        "ReduceSumSquare",
    )},
    ("Split", 13): ("split",),
}  # fmt: skip
"""(operator, version) -> attributes that went with it; a node that does not write them means the same."""


@dataclass(frozen=True)
class NodeView:
    """A node as the review looks at it; ``outputs`` is how many it has up to the last one that somebody reads."""

    node: NodeProto
    outputs: int

    @cached_property
    def written(self) -> Mapping[str, AttributeProto]:
        """Its attributes by name."""
        return {attribute.name: attribute for attribute in self.node.attribute}

    def value(self, name: str, default: object = None) -> object:
        """An attribute's value, text decoded."""
        if name not in self.written:
            return default
        found = get_attribute_value(self.written[name])
        return found.decode(errors="replace") if isinstance(found, bytes) else found

    def inputs(self) -> int:
        """How many inputs it has, empty ones at the end not counted."""
        return max((i + 1 for i, name in enumerate(self.node.input) if name), default=0)


_Concerned = Callable[[NodeView], bool]


def _any(_: NodeView) -> bool:
    return True


def _rounds_up(view: NodeView) -> bool:
    return bool(view.value("ceil_mode", 0))


def _flattens(view: NodeView) -> bool:
    return view.value("axis") != -1


_CHANGED_MEANINGS: Mapping[tuple[str, int], tuple[str, _Concerned]] = {
    ("Softmax", 13): ("works along one axis; before, on everything from that axis on", _flattens),
    ("LogSoftmax", 13): ("works along one axis; before, on everything from that axis on", _flattens),
    ("Hardmax", 13): ("works along one axis; before, on everything from that axis on", _flattens),
    ("Dropout", 10): ("the mask became boolean", lambda view: view.outputs > 1),
    ("Dropout", 12): ("the mask depends on training mode", lambda view: view.outputs > 1),
    ("BatchNormalization", 9): ("several outputs mean training", lambda view: view.outputs > 1),
    ("BatchNormalization", 14): ("several outputs mean training mode", lambda view: view.outputs > 1),
    ("Resize", 11): ("samples at pixel centres; before, at corners", _any),
    ("Resize", 13): (
        "has no tf_half_pixel_for_nn any more",
        lambda view: view.value("coordinate_transformation_mode") == "tf_half_pixel_for_nn",
    ),
    ("RoiAlign", 16): ("samples half a pixel further", _any),
    ("GridSample", 20): ("its modes have other names", _any),
    ("GroupNormalization", 21): ("scale and bias are per channel; before, per group", _any),
    ("Split", 18): ("must say into how many parts", lambda view: view.inputs() < 2),
    ("OneHot", 11): ("negative indices count from the end", _any),
    ("ConvTranspose", 11): (
        "pads the other side first",
        lambda view: "output_shape" in view.written or "SAME" in str(view.value("auto_pad")),
    ),
    ("AveragePool", 19): ("ONNX Runtime sums in another order, and the last bit differs", _any),
    ("AveragePool", 22): ("leaves out windows that begin in the padding when it rounds up", _rounds_up),
    ("MaxPool", 22): ("leaves out windows that begin in the padding when it rounds up", _rounds_up),
    ("LpPool", 22): ("leaves out windows that begin in the padding when it rounds up", _rounds_up),
    ("Attention", 24): ("orders mask and softcap otherwise", _any),
    ("Upsample", 9): ("takes its scales as an input", _any),
    ("Scan", 9): ("has no batch axis any more", _any),
}
"""(operator, version) -> a change that its schema does not show, and which nodes it concerns."""


def between(old: OpSchema, new: OpSchema, view: NodeView | None) -> Iterator[str]:
    """Why a node (any node, without ``view``) may not mean the same in the next version of its operator."""
    key = (new.name, new.since_version)
    if new.deprecated:
        yield "no longer exists"
        return
    changed = _CHANGED_MEANINGS.get(key)
    if changed and (view is None or changed[1](view)):
        yield changed[0]
        return
    yield from _attributes(old, new, view, key)
    yield from _formals(old, new, view)
    if view is None:  # of a node, whoever loads the model checks the types
        yield from _types(old, new)


def _attributes(old: OpSchema, new: OpSchema, view: NodeView | None, key: tuple[str, int]) -> Iterator[str]:
    before, after = old.attributes, new.attributes
    for name in sorted(before.keys() | after.keys()):
        written = view is None or name in view.written
        if name not in after:
            if written or name not in _HARMLESS_REMOVALS.get(key, ()):
                yield f"attribute {name} is gone"
        elif name not in before:
            if after[name].required or name not in _HARMLESS_ADDITIONS.get(key, ()):
                yield f"attribute {name} is new"
        elif before[name].type != after[name].type:
            yield f"attribute {name} has another type"
        elif _default(before[name]) != _default(after[name]) and (view is None or not written):
            yield f"attribute {name} has another default"


def _default(attribute: OpSchema.Attribute) -> bytes:
    return attribute.default_value.SerializeToString(deterministic=True)


def _formals(old: OpSchema, new: OpSchema, view: NodeView | None) -> Iterator[str]:
    """Inputs and outputs: those of before must stay in place; new ones may only be optional and come last."""
    read = None if view is None else view.outputs
    outputs = (old.outputs[:read], new.outputs[:read])
    for kind, before, after in (("input", old.inputs, new.inputs), ("output", *outputs)):
        if len(after) < len(before):
            yield f"has fewer {kind}s"
        for i, formal in enumerate(after):
            if i >= len(before):
                if formal.option != OpSchema.FormalParameterOption.Optional:
                    yield f"{kind} {formal.name} is new"
            elif not _accepts(before[i], formal):
                yield f"{kind} {i} is another"


def _accepts(before: OpSchema.FormalParameter, after: OpSchema.FormalParameter) -> bool:
    """Whether the new formal takes whatever the old one took."""
    option = OpSchema.FormalParameterOption
    if before.option == after.option:
        return before.is_homogeneous == after.is_homogeneous and after.min_arity <= before.min_arity
    return before.option == option.Single and after.option == option.Optional


def _types(old: OpSchema, new: OpSchema) -> Iterator[str]:
    """Element types may only be added."""
    for kind, before, after in (("input", old.inputs, new.inputs), ("output", old.outputs, new.outputs)):
        for i, (a, b) in enumerate(zip(before, after, strict=False)):
            lost = a.types - b.types
            if lost:
                yield f"{kind} {i} no longer takes {', '.join(sorted(lost))}"
