"""The mean of blocks as cv2.resize computes it for float32 where both scales are whole numbers."""

from __future__ import annotations

from dataclasses import replace

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._opencv.geometry import OpencvGeometry
from onnxprep.steps.image.resize._opencv.passes import planar, running_sum, with_tail
from onnxprep.steps.image.resize._opencv.taps import outputs
from onnxprep.steps.image.resize._opencv.ways import Way, both
from onnxprep.tensor import TensorSpec

_VECTORED = (1, 4)
"""Numbers of channels for which blocks of 2 x 2 are computed by vectors of 4 (resize.cpp ResizeAreaFastVec_SIMD_32f)."""


def block_ways(op: Ops, x: Value, geometry: OpencvGeometry, whole: Number) -> list[Way]:
    """``(sum of the block) * (1 / its size)`` where ``whole``, four elements at a time, once in vectors, once not.

    Where fx and fy leave only a part of a block at the edge, that part: its elements one by one, divided by their number.
    Source: OpenCV 5.0.0, imgproc/src/resize.cpp resizeAreaFast_Invoker.
    """
    a = Arithmetic(op)
    # 0, where an axis grows much, would be refused even in a branch that is not taken
    block = a.Max(a.integer(a.Round(geometry.scale)), lengths(1))
    channels = a.size(x, "C")
    vectored = a.Or(a.Equal(channels, lengths(_VECTORED[0])), a.Equal(channels, lengths(_VECTORED[1])))
    plain: Way = (whole, lambda: _means(op, x, geometry, block, vectors=False))
    known = a.known(vectored)
    if known is not None and not known.all():
        return [plain]
    square = both(a, a.Equal(block, lengths(2)))
    return [(a.And(a.And(vectored, square), whole), lambda: _means(op, x, geometry, block, vectors=True)), plain]


def _means(op: Ops, x: Value, geometry: OpencvGeometry, block: Number, *, vectors: bool) -> Value:
    a = Arithmetic(op)
    cut = _may_be_cut(a, geometry, block)
    elements = _elements(op, x, geometry, block, cut=cut)
    if vectors:
        mean = _by_vectors(op, elements, replace(geometry, resized=a.Div(geometry.sides, block)))
    else:
        mean = _by_fours(op, elements, a.product(block))
    if not cut:
        return planar(op, mean)
    behind, counts = _parts(a, geometry, block)
    shape = op.int64([0, 0, *[1] * (len(mean.spec.shape or ()) - 2)])
    parts = op.Div(running_sum(op, elements, 0), op.Reshape(a.value(a.single(counts)), shape))
    return planar(op, op.Where(op.Reshape(a.value(behind), shape), parts, mean))


def _may_be_cut(a: Arithmetic, geometry: OpencvGeometry, block: Number) -> bool:
    """Whether blocks may reach over the edge: never where the scale follows from the lengths."""
    cut = a.known(a.Greater(a.Mul(a.Add(geometry.start, geometry.count), block), geometry.sides))
    return bool(cut.any()) if cut is not None else geometry.by_factor


def _parts(a: Arithmetic, geometry: OpencvGeometry, block: Number) -> tuple[Number, Number]:
    """Which blocks are cut, and how many elements of every block are there, [H, W]."""
    there, cut = [], []
    for i in (0, 1):
        axis, side = geometry.axis(a, i), a.pick(block, i)
        left = a.Sub(axis.sides, a.Mul(outputs(a, axis), side))
        there.append(a.Min(left, side))
        cut.append(a.Less(left, side))
    return a.Or(a.column(cut[0]), cut[1]), a.Mul(a.column(there[0]), there[1])


def _elements(op: Ops, x: Value, geometry: OpencvGeometry, block: Number, *, cut: bool) -> Value:
    """The wanted blocks taken apart: (element, H, W, N, C), the elements row by row; 0 beyond the edge."""
    a, layout = Arithmetic(op), str(x.spec.layout)
    axes = op.int64([layout.index("H"), layout.index("W")])
    start, end = a.Mul(geometry.start, block), a.Mul(a.Add(geometry.start, geometry.count), block)
    known = a.known(start), a.known(end), a.known(geometry.sides)
    if any(n is None for n in known) or known[0].any() or (known[1] != known[2]).any():  # type: ignore[union-attr]
        x_cut = op.Slice(x, a.value(start), a.value(end), axes)
    else:
        x_cut = x
    if cut:
        missing = a.Max(a.Sub(end, geometry.sides), lengths(0))
        ends = {"H": a.pick(missing, 0), "W": a.pick(missing, 1)}
        zeros = lengths(*[0] * len(layout))
        behind = a.join(*(ends.get(letter, lengths(0)) for letter in layout))
        x_cut = op.Pad(x_cut, a.value(a.join(zeros, behind)), op.float32(0.0), mode="constant")
    parts: list[Number] = []
    order: dict[str, int] = {}
    for letter in layout:
        order[letter] = len(parts)
        if letter in "HW":
            i = "HW".index(letter)
            parts += [a.pick(geometry.count, i), a.pick(block, i)]
        else:
            parts.append(a.size(x, letter))
    others = [order[letter] for letter in "NC" if letter in order]
    perm = [order["H"] + 1, order["W"] + 1, order["H"], order["W"], *others]
    apart = op.Transpose(op.Reshape(x_cut, a.value(a.join(*parts))), perm=perm)
    together = a.join(a.product(block), geometry.count, *(a.size(x, letter) for letter in "NC" if letter in order))
    laid = op.Reshape(apart, a.value(together))
    shape = (None,) * (2 + len(others)) + (x.spec.dim("C"),)  # ONNX's inference loses the rank
    return Value(laid.name, TensorSpec(laid.spec.dtype, shape))


def _by_vectors(op: Ops, elements: Value, geometry: OpencvGeometry) -> Value:
    def four(some: Value) -> list[Value]:
        return [op.Gather(some, op.int64(i), axis=0) for i in range(4)]

    def body(some: Value) -> Value:
        v = four(some)
        return op.Mul(op.Add(op.Add(v[0], v[1]), op.Add(v[2], v[3])), op.float32(0.25))

    def tail(some: Value) -> Value:
        v = four(some)
        return op.Mul(op.Add(op.Add(op.Add(v[0], v[1]), v[2]), v[3]), op.float32(0.25))

    return with_tail(op, elements, geometry, 4, body, tail, axis=2)


def _by_fours(op: Ops, elements: Value, area: Number) -> Value:
    a, first = Arithmetic(op), op.int64([0])
    fours = a.value(a.Sub(area, a.Mod(area, lengths(4))))
    v = [op.Slice(elements, op.int64([i]), fours, first, op.int64([4])) for i in range(4)]
    sums = op.Add(op.Add(op.Add(v[0], v[1]), v[2]), v[3])
    rest = op.Slice(elements, fours, a.value(area), first)
    factor = a.Reciprocal(a.single(area))
    return op.Mul(running_sum(op, op.Concat(sums, rest, axis=0), 0), a.value(factor))
