"""Weighted sums along the columns and rows of an image whose axes are laid for them, tap after tap.

An image lies as (W, N, C, H) while its columns are combined and as (H, W, N, C) while its rows are: Gather then copies
long runs. OpenCV adds the products of a row of vectors from the last to the first, and what is left over at the end of
the row from the first to the last; float32 makes that two results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.axes import Taps
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.ways import Way, first_way, same

_TO_COLUMNS = {"NCHW": [3, 0, 1, 2], "NHWC": [2, 0, 3, 1], "CHW": [2, 0, 1], "HWC": [1, 2, 0]}


def columns_first(op: Ops, x: Value) -> Value:
    """An image in any layout as (W, N, C, H) or (W, C, H)."""
    return op.Transpose(x, perm=_TO_COLUMNS[str(x.spec.layout)])


def rows_first(op: Ops, x: Value) -> Value:
    """What lies (W, N, C, H) as (H, W, N, C)."""
    rank = len(x.spec.shape or ())
    return op.Transpose(x, perm=[rank - 1, *range(rank - 1)])


def planar(op: Ops, x: Value) -> Value:
    """What lies (H, W, N, C) as NCHW."""
    return op.Transpose(x, perm=[2, 3, 0, 1] if len(x.spec.shape or ()) == 4 else [2, 0, 1])


def first_of(op: Ops, x: Value, geometry: OpencvGeometry, *ways: Way) -> Value:
    """The first way whose condition is true; before all of them a copy where the size stays."""
    a = Arithmetic(op)
    dims = [a.size(x, letter) for letter in "NC" if letter in str(x.spec.layout)]
    copy: Way = (same(a, geometry), lambda: _copied(op, x, geometry))
    return first_way(op, [copy, *ways], a.join(*dims, geometry.count), x.spec.dtype)


def _copied(op: Ops, x: Value, geometry: OpencvGeometry) -> Value:
    a, layout = Arithmetic(op), str(x.spec.layout)
    axes = [layout.index(letter) for letter in "HW"]
    if not geometry.is_whole(a):
        end = a.Add(geometry.start, geometry.count)
        x = op.Slice(x, a.value(geometry.start), a.value(end), op.int64(axes))
    return op.Transpose(x, perm=[layout.index(letter) for letter in "NCHW" if letter in layout])


def only_needed(op: Ops, x: Value, letter: str, taps: Taps) -> tuple[Value, Taps]:
    """The image without rows (columns) that no tap reads, as far as that is known and worth a copy."""
    a = Arithmetic(op)
    known = [read for read in (a.known(read) for read, _ in taps) if read is not None and read.size]
    if len(known) < len(taps):
        return x, taps
    used, places = np.unique(np.stack(known), return_inverse=True)
    axis, first, end = x.spec.axis(letter), int(used[0]), int(used[-1]) + 1
    if letter == "H" and 2 * len(used) < end - first:
        kept, places = op.Gather(x, op.int64(used), axis=axis), places.reshape(len(taps), -1)
    elif end - first != x.spec.dim(letter):
        kept, places = op.Slice(x, op.int64([first]), op.int64([end]), op.int64([axis])), np.stack(known) - first
    else:
        return x, taps
    kept = Value(kept.name, x.spec.with_dims(**{letter: (kept.spec.shape or ())[axis]}))
    return kept, [(place, weight) for place, (_, weight) in zip(places, taps, strict=True)]


def across(op: Ops, x: Value, taps: Sequence[Taps], dtype: str = "float32") -> tuple[Value, Taps]:
    """The columns of an image combined, laid (H, W, N, C); and what is left to do with its rows."""
    x, along = only_needed(op, x, "W", taps[1])
    x, down = only_needed(op, x, "H", taps[0])
    return rows_first(op, from_left(op, products(op, columns_first(op, x), along, dtype))), down


def products(op: Ops, x: Value, taps: Taps, dtype: str) -> list[Value]:
    """What every tap adds: inputs along axis 0 times weights, in ``dtype``."""
    made = []
    for read, weight in taps:
        gathered = op.Gather(x, Arithmetic(op).value(read), axis=0)
        made.append(op.Mul(in_dtype(op, gathered, dtype), factors(op, gathered, weight, dtype)))
    return made


def factors(op: Ops, x: Value, weight: Number, dtype: str) -> Value:
    """A weight per element of axis 0, shaped to be multiplied with ``x``."""
    shape, known = [-1, *[1] * (len(x.spec.shape or ()) - 1)], Arithmetic(op).known(weight)
    if known is not None:
        return op.constant(known.reshape(shape).astype(dtype), dtype)
    return in_dtype(op, op.Reshape(weight, op.int64(shape)), dtype)


def in_dtype(op: Ops, x: Value, dtype: str) -> Value:
    """A Cast where one is needed."""
    return x if x.spec.dtype == dtype else op.Cast(x, to=dtype)


def to_bytes(op: Ops, x: Value) -> Value:
    """Whole numbers cut to 0..255."""
    low, high = (op.constant(level, x.spec.dtype) for level in (0, 255))
    return op.Cast(op.Clip(x, low, high), to="uint8")


def from_left(op: Ops, values: Sequence[Value]) -> Value:
    """``((v0 + v1) + v2) + ...``."""
    return reduce(op.Add, values)


def from_right(op: Ops, values: Sequence[Value]) -> Value:
    """``v0 + (v1 + (v2 + ...))``."""
    return reduce(lambda total, value: op.Add(value, total), reversed(values))


def running_sum(op: Ops, x: Value, axis: int) -> Value:
    """The sum along an axis, one element after the other; the axis is gone then."""
    sums = op.CumSum(x, op.int64(axis))
    return op.Squeeze(op.Slice(sums, op.int64([-1]), op.int64([2**62]), op.int64([axis])), axes=[axis])


def with_tail(
    op: Ops,
    x: Value,
    geometry: OpencvGeometry,
    vector: int,
    body: Callable[[Value], Value],
    tail: Callable[[Value], Value],
    axis: int = 1,
) -> Value:
    """``body`` of ``x``, but ``tail`` at the end of each row, which fills no ``vector`` of numbers.

    Both give (H, W, N, C); the columns are an ``axis`` of ``x``, its last one the channels. The row is that of the whole
    new image, columns and channels one behind the other, whatever part of it is wanted.
    """
    a, columns = Arithmetic(op), geometry.axis(Arithmetic(op), 1)
    channels = _last_length(op, x)
    width = a.Mul(columns.resized, channels)
    edge = a.Sub(width, a.Mod(width, lengths(vector)))
    last = a.Min(columns.count, lengths(vector))  # one more than a tail can be: a cut block of INTER_AREA
    first = a.Sub(columns.count, last)
    places = a.Add(a.count_to(last), a.Add(columns.start, first))
    numbers = a.Add(a.Mul(a.column(places), channels), a.count_to(channels))
    behind = a.Not(a.Less(numbers, edge))  # [last, C]
    known = a.known(behind)
    if known is not None and not known.any():
        return body(x)
    if known is not None and known.all() and a.known(first) == 0:
        return tail(x)
    whole, start, end = body(x), a.value(first), a.value(columns.count)
    shape = [0, -1] if len(whole.spec.shape or ()) == 3 else [0, 1, -1]
    mask = op.Reshape(a.value(behind), op.int64(shape))
    other = tail(op.Slice(x, start, end, op.int64([axis])))
    mixed = op.Where(mask, other, op.Slice(whole, start, end, op.int64([1])))
    return op.Concat(op.Slice(whole, op.int64([0]), start, op.int64([1])), mixed, axis=1)


def _last_length(op: Ops, x: Value) -> Number:
    length, rank = (x.spec.shape or (None,))[-1], len(x.spec.shape or ())
    return lengths(length) if isinstance(length, int) else op.Shape(x, start=rank - 1, end=rank)
