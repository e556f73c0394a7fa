"""Mirroring and turning planar images without moving single pixels: only whole rows are gathered.

A Gather along the last axis takes ten times as long as making columns rows, a Gather of these, and the way back. The
Transposes are of two axes, between Reshapes that copy nothing: ONNX Runtime would merge a Transpose of the last two of
three axes with that of the layout before it into one that is ten times as slow as both.
"""

from __future__ import annotations

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths


def backwards(a: Arithmetic, length: Number) -> Number:
    """``length - 1, ..., 1, 0`` for a length of shape [1]."""
    return a.Sub(a.Sub(length, lengths(1)), a.count_to(length))


def rows(op: Ops, x: Value, order: Number) -> Value:
    """The rows in another order."""
    return op.Gather(x, Arithmetic(op).value(order), axis=len(x.spec.shape or ()) - 2)


def columns(op: Ops, x: Value, order: Number) -> Value:
    """The columns in another order."""
    back = op.Transpose(_columns_first(op, x, order), perm=[1, 0])
    return op.Reshape(back, Arithmetic(op).value(_shape(op, x)))


def turned(op: Ops, x: Value, order: Number | None = None) -> Value:
    """Columns become rows, in another order if one is given, and rows columns."""
    a, shape, rank = Arithmetic(op), _shape(op, x), len(x.spec.shape or ())
    height, width = a.pick(shape, rank - 2), a.pick(shape, rank - 1)
    blocks = op.Reshape(_columns_first(op, x, order), a.value(a.join(width, lengths(-1), height)))
    planes = op.Transpose(blocks, perm=[1, 0, 2])
    others = [a.pick(shape, i) for i in range(rank - 2)]
    return op.Reshape(planes, a.value(a.join(*others, width, height)))


def _columns_first(op: Ops, x: Value, order: Number | None) -> Value:
    """[W, the rest]."""
    a = Arithmetic(op)
    width = a.pick(_shape(op, x), len(x.spec.shape or ()) - 1)
    across = op.Transpose(op.Reshape(x, a.value(a.join(lengths(-1), width))), perm=[1, 0])
    return across if order is None else op.Gather(across, a.value(order), axis=0)


def _shape(op: Ops, x: Value) -> Number:
    dims = [d for d in x.spec.shape or () if isinstance(d, int)]
    return lengths(*dims) if len(dims) == len(x.spec.shape or ()) else op.Shape(x)
