"""The ports of detections: their descriptions, and how rows found in a batch come to a fixed width."""

from __future__ import annotations

from collections.abc import Sequence

from onnxprep.step import Ops, Value, refuse_unless
from onnxprep.tensor import Array, Dim, TensorSpec

DETECTIONS = ("boxes", "scores", "classes", "counts", "indices")
"""float32 [N, K, 4], float32 [N, K], int64 [N, K], int64 [N], int64 [N, K]; best first, padded with 0, 0, -1, -, -1."""


def refuse_unless_rows(x: TensorSpec, name: str, dtype: str, shape: str, last: int | None = None) -> None:
    """Raises a ContractError unless the tensor has this dtype and as many axes as ``shape`` names, the last this long."""
    rank = shape.count(",") + 1
    fits = x.dtype == dtype and x.rank == rank and not x.is_image
    if fits and last is not None:
        fits = (x.shape or (0,))[-1] == last or not isinstance((x.shape or (0,))[-1], int)
    refuse_unless(fits, f"cannot take this as `{name}`", expected=f"{dtype}[{shape}]", got=x)


def common(name: str, dims: Sequence[tuple[TensorSpec, int]], hint: str = "") -> Dim:
    """The one length of axes that have to be equally long: a number where one is known, else the first symbol.

    Raises:
        ContractError: two of them are known and differ.
    """
    found: Dim = None
    for spec, axis in dims:
        dim = (spec.shape or ())[axis]
        if isinstance(dim, int):
            same = not isinstance(found, int) or found == dim
            expected = f"{found} {name} in every input"
            refuse_unless(same, f"gets different numbers of {name}", expected=expected, got=spec, hint=hint)
        if found is None or (isinstance(dim, int) and not isinstance(found, int)):
            found = dim
    return found


def detections(
    boxes: TensorSpec, scores: TensorSpec, dims: tuple[Dim, int], last: tuple[Dim, Dim]
) -> tuple[TensorSpec, ...]:
    """The five ports: ``dims`` are N and the width, ``last`` how many classes and how many candidates there were."""
    n, width = dims
    classes, candidates = (None if not isinstance(d, int) else (-1.0, max(d, 1) - 1.0) for d in last)
    return (
        TensorSpec("float32", (n, width, 4), None, None, with_zero(boxes.range)),
        TensorSpec("float32", (n, width), None, None, with_zero(scores.range)),
        TensorSpec("int64", (n, width), None, None, classes),
        TensorSpec("int64", (n,), None, None, (0.0, float(width))),
        TensorSpec("int64", (n, width), None, None, candidates),
    )


def with_zero(span: tuple[float, float] | None) -> tuple[float, float] | None:
    """The range of the values once rows of zeros are added."""
    return None if span is None else (min(span[0], 0.0), max(span[1], 0.0))


def numbers(op: Ops, length: Value) -> Value:
    """0, 1, ... below ``length``, int64 [1]."""
    made: Value = op.Range(op.int64(0), op.Squeeze(length, axes=[0]), op.int64(1))
    return made


def sorted_by_score(op: Ops, scores: Value, k: Value, n: Value) -> tuple[Value, Value]:
    """The ``k`` best along the last axis of [N, ...], and where they were; of equal ones the lower index first.

    One more row where there may be none: on none ONNX Runtime before 1.31 dies.
    """
    shape = scores.spec.shape or (None,)
    if isinstance(shape[0], int) and shape[0] > 0:
        best, order = op.TopK(scores, k, axis=-1, largest=1, sorted=1, outputs=2)
        return best, order
    more = op.int64([int(i == len(shape)) for i in range(2 * len(shape))])
    found = op.TopK(op.Pad(scores, more, op.float32(0.0), mode="constant"), k, axis=-1, largest=1, sorted=1, outputs=2)
    best, order = (op.Slice(x, op.int64([0]), n, op.int64([0])) for x in found)
    return best, order


def longest(op: Ops, mask: Value) -> Value:
    """How many are true in the row [N, K] that has the most, int64 [1]; 0 where there is no row."""
    each = op.Cast(op.ReduceSum(op.Cast(mask, to="int32"), axes=[1], keepdims=0), to="int64")
    most: Value = op.ReduceMax(op.Concat(each, op.int64([0]), axis=0), axes=[0], keepdims=1)
    return most


def take_rows(op: Ops, x: Value, order: Value) -> Value:
    """Rows [N, k, ...] of ``x`` [N, K, ...]: each is copied as a whole."""
    shape = op.Shape(x)
    rows = op.Reshape(
        x, op.Concat(op.int64([-1]), op.Slice(shape, op.int64([2]), op.int64([9]), op.int64([0])), axis=0)
    )
    if (x.spec.shape or (None,))[0] == 1:
        return _rows(op, rows, order)
    n, length = (op.Slice(shape, op.int64([i]), op.int64([i + 1]), op.int64([0])) for i in range(2))
    start = op.Mul(op.Unsqueeze(numbers(op, n), axes=[1]), length)
    return _rows(op, rows, op.Add(start, order))


def _rows(op: Ops, x: Value, which: Value) -> Value:
    taken: Value = op.Gather(x, which, axis=0)
    return taken


def in_fixed_width(
    op: Ops, n: Value, batch: Value, place: Value, width: int, sources: Sequence[tuple[Value, Array]]
) -> tuple[Value, ...]:
    """``counts`` [N], then of every source [N, k, ...] its rows in fixed width; each comes with the row that pads it.

    Args:
        op: what to emit into.
        n: length of N, int64 [1].
        batch: the image of every found row, ascending, int64 [M].
        place: which of the k rows of its image it is, int64 [M], in the order wanted.
        width: how many rows each image gets.
        sources: tensors, and their padding [1, ...].
    """
    k = op.Shape(sources[0][0], start=1, end=2)
    # each has a place of its own: a comparison of all with every image would take N times as much memory
    longer = op.Add(k, op.int64([1]))
    marks, ones = op.Expand(op.int64(0), op.Concat(n, longer, axis=0)), op.Expand(op.int64(1), op.Shape(batch))
    places = op.Concat(op.Unsqueeze(batch, axes=[1]), op.Unsqueeze(place, axes=[1]), axis=1)
    of_image = op.ReduceSum(op.ScatterND(marks, places, ones), axes=[1], keepdims=1)
    counts = op.Min(of_image, op.int64(width))
    start = op.CumSum(of_image, op.int64(0), exclusive=1)
    slot = op.int64([list(range(width))])
    row = op.Where(op.Less(slot, counts), op.Add(start, slot), op.Shape(batch))
    flat = op.Concat(op.Add(op.Mul(batch, k), place), op.Mul(n, k), axis=0)  # the last one is the padding
    source = op.Gather(flat, row, axis=0)
    made = []
    for x, padding in sources:
        rows = op.Reshape(x, op.int64([-1, *padding.shape[1:]]))
        made.append(op.Gather(op.Concat(rows, op.constant(padding, x.spec.dtype), axis=0), source, axis=0))
    return (op.Squeeze(counts, axes=[1]), *made)
