"""Which of several ways a resize takes: now where that can be told, when the graph runs where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.lines import Lines

ALWAYS = np.array([True])


def both(a: Arithmetic, condition: Number) -> Number:
    """Whether a bool [2] is true for H and W, [1]."""
    return a.And(a.pick(condition, 0), a.pick(condition, 1))


def same(a: Arithmetic, geometry: OpencvGeometry) -> Number:
    """Whether nothing changes."""
    return both(a, a.Equal(geometry.sides, geometry.resized))


def halves(a: Arithmetic, geometry: OpencvGeometry) -> Number:
    """Whether both sides are halved: cv2 then takes INTER_AREA instead of INTER_LINEAR and INTER_LINEAR_EXACT."""
    return both(a, a.Equal(geometry.scale, np.array([2.0])))


def becomes_shorter(a: Arithmetic, geometry: OpencvGeometry) -> Number:
    """Whether the height becomes less than half."""
    twice = a.Mul(a.pick(geometry.resized, 0), lengths(2))
    return a.Less(twice, a.pick(geometry.sides, 0))


def planar_dims(a: Arithmetic, lines: Lines, geometry: OpencvGeometry) -> Number:
    """The shape of the result."""
    return a.join(lines.dims, geometry.count)


Way = tuple[Number, Callable[[], Value]]
"""A condition (bool [1]) and what then gives the result."""


def first_way(op: Ops, ways: Sequence[Way], dims: Number, dtype: str = "uint8") -> Value:
    """What the first way gives whose condition is true, shaped ``dims``. The last condition is ``ALWAYS``.

    Flat Ifs of which one gives everything and the others nothing. Nested ones are shorter, but ONNX Runtime 1.31 crashes
    at load where it inlines an If whose branch holds another If with a constant condition.
    """
    a = Arithmetic(op)
    possible: list[Way] = []
    for condition, way in ways:
        known = a.known(condition)
        if known is None or known.all():
            possible.append((condition, way))
        if known is not None and known.all():
            break
    if len(possible) == 1:
        return op.Reshape(possible[0][1](), a.value(dims))
    nothing = op.constant(np.zeros(0), dtype)

    def arm(condition: Number, way: Callable[[], Value]) -> Value:
        return op.branch(op.Squeeze(a.value(condition)), lambda: op.Reshape(way(), op.int64([-1])), lambda: nothing)

    arms, others = [arm(*possible[0])], a.Not(possible[0][0])
    for condition, way in possible[1:-1]:
        arms.append(arm(a.And(others, condition), way))
        others = a.And(others, a.Not(condition))
    arms.append(arm(others, possible[-1][1]))
    return op.Reshape(op.Concat(*arms, axis=0), a.value(dims))
