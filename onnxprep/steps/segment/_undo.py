"""Bringing a map back to the picture: what each geometric step before the model did to pixels is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxprep.errors import ContractError
from onnxprep.step import Ops, Step, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._geometry import Sizes
from onnxprep.tensor import TensorSpec

_KEEPS_PIXELS = ("crop", "center_crop", "pad", "pad_to_size", "pad_to_multiple")
_CUTS_OFF = ("crop", "center_crop")


@dataclass(frozen=True)
class Undone:
    """One geometric step, seen from behind. Numbers are int64 [2] (H, W), px.

    Attributes:
        size: of the output of the step.
        sizes: the same, as far as it is known when the graph is written.
        start, end: the part of the output that shows the picture.
        before, after: how much of the picture is missing around that part.
        in_size: of the input of the step.
        resizes: whether that part is then made that large.
        crops: whether anything can be missing.
        pads: whether there can be anything around that part.
    """

    size: Number
    sizes: Sizes
    start: Number
    end: Number
    before: Number
    after: Number
    in_size: Number
    resizes: bool
    crops: bool
    pads: bool


def undone(op: Ops, steps: Sequence[Step], picture: Value) -> list[Undone]:
    """The steps, the last one first; ``picture`` is the size of what enters the first one."""
    a, zero = Arithmetic(op), lengths(0, 0)
    found: list[Undone] = []
    size = picture
    for step in reversed(steps):
        gain, offset, after = step.frame_of(op, size)
        inner = a.Max(a.integer(a.Round(a.Mul(a.double(size), gain))), lengths(1))
        start, before = a.Max(offset, zero), a.Max(a.Sub(zero, offset), zero)
        end = a.Min(a.Add(offset, inner), after)
        missing = a.Sub(a.Sub(inner, before), a.Sub(end, start))
        resizes, crops = step.operation not in _KEEPS_PIXELS, step.operation in _CUTS_OFF
        pads = step.operation not in ("crop", "resize")
        found.append(Undone(after, _known(step), start, end, before, missing, size, resizes, crops, pads))
        size = after
    return found[::-1]


def _known(step: Step) -> Sizes:
    """H and W of what the step makes of any image, where it always makes the same."""
    for dtype in ("uint8", "float32"):
        try:
            (made, *_) = step.infer(TensorSpec(dtype, (None, None, None, 3), "NHWC", "RGB", (0.0, 255.0)))
        except ContractError:
            continue
        height, width = made.dim("H"), made.dim("W")
        return height if isinstance(height, int) else None, width if isinstance(width, int) else None
    return None, None


def cut(op: Ops, x: Value, step: Undone) -> Value:
    """What shows the picture of a map whose last axes are H and W."""
    if not step.pads:
        return x
    a = Arithmetic(op)
    rank = len(x.spec.shape or ())
    kept = op.Slice(x, a.value(step.start), a.value(step.end), op.int64([rank - 2, rank - 1]))
    return Value(kept.name, replace(x.spec, shape=(*(x.spec.shape or ())[:-2], None, None)))


def put_back(op: Ops, x: Value, step: Undone, fill: int) -> Value:
    """A map [N, H, W] of classes in the middle of as much ``fill`` as was cut off."""
    if not step.crops:
        return x
    a = Arithmetic(op)
    pads = a.join(lengths(0), step.before, lengths(0), step.after)
    made = op.Pad(x, a.value(pads), op.constant(np.array(fill), x.spec.dtype), mode="constant")
    return Value(made.name, replace(x.spec, shape=(*(x.spec.shape or ())[:-2], None, None)))
