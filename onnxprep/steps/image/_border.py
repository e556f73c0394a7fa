"""What lies beyond the edge of an image, as positions inside it. Lengths may be known or left to the graph."""

from __future__ import annotations

from typing import Literal

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths

Border = Literal["reflect_101", "reflect", "replicate"]
"""``dcb|abcd|cba``, ``cba|abcd|dcb`` and ``aaa|abcd|ddd``, by OpenCV's names."""


def inside(a: Arithmetic, positions: Number, length: Number, border: Border) -> Number:
    """Where position i of an axis (any int64) is found in ``0 .. length - 1``, as often reflected as it takes."""
    if border == "replicate":
        return a.Max(a.Min(positions, a.Sub(length, lengths(1))), lengths(0))
    if border == "reflect":
        period = a.Mul(length, lengths(2))
        i = a.Mod(positions, period)
        return a.Min(i, a.Sub(a.Sub(period, lengths(1)), i))
    period = a.Max(a.Sub(a.Mul(length, lengths(2)), lengths(2)), lengths(1))
    i = a.Mod(positions, period)
    return a.Min(i, a.Sub(period, i))


def extended(op: Ops, x: Value, length: Number, axis: int, by: tuple[int, int], border: Border) -> Value:
    """``x`` with that many more positions before and after on one axis; only those are gathered, the rest is copied."""
    a = Arithmetic(op)
    before = inside(a, np.arange(-by[0], 0), length, border)
    after = inside(a, a.Add(length, np.arange(by[1])), length, border)
    parts = [op.Gather(x, a.value(before), axis=axis)] if by[0] else []
    parts += [x, *([op.Gather(x, a.value(after), axis=axis)] if by[1] else [])]
    return op.Concat(*parts, axis=axis) if len(parts) > 1 else x
