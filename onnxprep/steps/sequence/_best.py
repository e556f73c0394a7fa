"""The best of very many classes: ArgMax looks at one number at a time, ReduceMax at as many as a register holds."""

from __future__ import annotations

from onnxprep.step import Ops, Value

_MANY = 512


def best_class(op: Ops, x: Value) -> tuple[Value, Value]:
    """The largest along the last axis of three and where it stands first: values and int64 indices, one long there."""
    classes = None if x.spec.shape is None else x.spec.shape[-1]
    block = _block(classes) if isinstance(classes, int) and op.opset >= 14 else 0  # allowzero
    if not block:
        index = _first_largest(op, x, 2)
        return op.GatherElements(x, index, axis=2), index
    blocks = op.Reshape(x, op.int64([-1, int(classes or 0) // block, block]))
    chosen = _first_largest(op, op.ReduceMax(blocks, axes=[2], keepdims=0), 1)
    inside = op.GatherND(blocks, chosen, batch_dims=1)
    place = _first_largest(op, inside, 1)
    index = op.Add(op.Mul(chosen, op.int64(block)), place)
    value = op.GatherElements(inside, place, axis=1)
    shape = op.Concat(op.Slice(op.Shape(x), op.int64([0]), op.int64([2]), op.int64([0])), op.int64([1]), axis=0)
    return op.Reshape(value, shape, allowzero=1), op.Reshape(index, shape, allowzero=1)


def _first_largest(op: Ops, x: Value, axis: int) -> Value:
    """Of an empty batch ONNX Runtime 1.31's ArgMax keeps the whole axis: the Slice makes it one long."""
    found = op.ArgMax(x, axis=axis, keepdims=1)
    first: Value = op.Slice(found, op.int64([0]), op.int64([1]), op.int64([axis]))
    return first


def _block(classes: int) -> int:
    """The divisor that leaves the least to look through one by one; 0 where looking through all takes no longer."""
    if classes < _MANY:
        return 0
    divisors = [n for n in range(32, classes // 4 + 1) if classes % n == 0]
    return min(divisors, key=lambda n: n + classes // n, default=0)
