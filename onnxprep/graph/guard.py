"""A guard where only the run can tell that a value has the lengths that the model declares for its input.

Fed alone, ONNX Runtime would refuse another length; inside a graph nothing does, and the body computes with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnxprep.emit import Emitter
from onnxprep.step import Value
from onnxprep.tensor import Dim, TensorSpec

_WHERE_SINCE = 9


def uncertain(ours: TensorSpec, theirs: TensorSpec) -> dict[int, int]:
    """Axis -> the length that the model wants where ours is not known."""
    if ours.shape is None or theirs.shape is None:
        return {}
    pairs: Sequence[tuple[Dim, Dim]] = list(zip(ours.shape, theirs.shape, strict=False))
    return {axis: wanted for axis, (have, wanted) in enumerate(pairs) if have is None and isinstance(wanted, int)}


def guarded(op: Emitter, x: Value, wanted: dict[int, int]) -> Value:
    """The same tensor behind a Reshape, which copies nothing, and fails where an axis has another length."""
    if not wanted or op.opset < _WHERE_SINCE:
        return x
    rank = x.spec.rank or 0
    shape = op.Shape(x)
    right = op.Equal(shape, op.int64([wanted.get(axis, -1) for axis in range(rank)]))
    open_axes = op.constant([axis not in wanted for axis in range(rank)], "bool")
    # one more along an axis that is wrong: another number of elements
    target = op.Where(op.Or(open_axes, right), op.int64([0] * rank), op.Add(shape, op.int64([1])))
    return Value(op.Reshape(x, target).name, x.spec)
