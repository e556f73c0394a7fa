"""What the heads share: which tensors they take, and the way from centre and size to corners."""

from __future__ import annotations

from onnxprep.step import Ops, Value, refuse_unless
from onnxprep.tensor import Dim, TensorSpec

Dims3 = tuple[Dim, Dim, Dim]


def dims_of(x: TensorSpec, expected: str) -> Dims3:
    """The three lengths of a float32 tensor with a batch; unknown ones where its rank is not known.

    Raises:
        ContractError: it is no such tensor.
    """
    refuse_unless(
        x.dtype == "float32",
        f"does not work on {x.dtype}",
        expected=expected,
        got=x,
        hint="put `to_dtype: {dtype: float32}` before it" if x.dtype in ("float16", "float64") else "",
    )
    refuse_unless(not x.is_image, "is an image, not what a detector's head gives", expected=expected, got=x)
    if x.shape is None:
        return None, None, None
    hint = "is the batch missing? the model has to keep its first axis" if x.rank == 2 else ""
    refuse_unless(x.rank == 3, f"has {x.rank} axes instead of 3", expected=expected, got=x, hint=hint)
    n, a, b = x.shape
    return n, a, b


def same(a: Dim, b: Dim) -> bool:
    """Whether two lengths can be the same."""
    return a == b or not (isinstance(a, int) and isinstance(b, int))


def either(a: Dim, b: Dim) -> Dim:
    """Of two lengths that are the same the better known one."""
    return a if isinstance(a, int) or (isinstance(a, str) and not isinstance(b, int)) else b


def corners(op: Ops, centre: Value, size: Value, axis: int) -> Value:
    """``(c - s / 2, c + s / 2)`` behind each other along ``axis``; half of a float32 is exact but for the smallest."""
    half = op.Mul(size, op.float32(0.5))
    both: Value = op.Concat(op.Sub(centre, half), op.Add(centre, half), axis=axis)
    return both


def part(op: Ops, x: Value, start: int, end: int | None, axis: int) -> Value:
    """``x[start:end]`` along an axis."""
    end = 2**62 if end is None else end
    piece: Value = op.Slice(x, op.int64([start]), op.int64([end]), op.int64([axis]))
    return piece


def scores_of(op: Ops, x: Value, start: int, classes: int | None, *, known: bool) -> Value:
    """The rows of ``classes`` classes of [N, rows, K] from ``start`` on, or all; a Reshape fails on fewer, unless known."""
    if classes is None or known:
        return part(op, x, start, None if classes is None else start + classes, 1)
    shape = op.Shape(x)
    wanted = op.Concat(part(op, shape, 0, 1, 0), op.int64([classes]), part(op, shape, 2, 3, 0), axis=0)
    scores: Value = op.Reshape(part(op, x, start, start + classes, 1), wanted)
    return scores
