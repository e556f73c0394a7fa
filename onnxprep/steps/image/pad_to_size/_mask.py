"""The mask of a padded image."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image._borders import Border
from onnxprep.steps.image.arithmetic import Arithmetic, Number


def mask(op: Ops, x: Value, border: Border, sides: Number) -> Value:
    """int64 [N, H, W] or [H, W]: 1 where the image is, 0 in its border; ``x`` is planar."""
    a = Arithmetic(op)

    def line(axis: int) -> Number:
        before, length, after = (a.pick(n, axis) for n in (border.before, sides, border.after))
        numbers = [a.known(n) for n in (before, length, after)]
        if all(n is not None for n in numbers):
            return np.repeat([0, 1, 0], [n.item() for n in numbers if n is not None])
        ones = op.Expand(op.int64([1]), a.value(length))
        return op.Pad(ones, a.value(a.join(before, after)), op.int64(0), mode="constant")

    plane = op.Mul(a.value(a.column(line(0))), a.value(line(1)))
    if len(x.spec.shape or ()) < 4:
        return plane
    height, width = (a.pick(border.sides(a, sides), i) for i in (0, 1))
    return op.Expand(plane, a.value(a.join(a.size(x, "N"), height, width)))
