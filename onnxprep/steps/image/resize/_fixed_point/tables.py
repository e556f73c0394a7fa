"""Tap tables of both axes, as constants where H and W are known and as nodes where they are not."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np

from onnxprep.numerics.taps import (
    Bands,
    Taps,
    bands,
    digits,
    float_pair,
    outputs_per_block,
    tap_table,
)
from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._fixed_point.axes import FEW, Axes, fills_blocks
from onnxprep.steps.image.resize._fixed_point.products import Product, Sums, apply_bands
from onnxprep.steps.image.resize._geometry import Geometry, Sizes


class KnownTables:
    """Computed now: one constant per matrix.

    Attributes:
        counts: wanted outputs per axis (H, W), int64 [1] each.
        begins, ends: first input that is needed and the one past the last.
        indices: [blocks, span], the inputs of each block, counted from ``begins``.
        whole: whether the outputs are known to fill their blocks.
        most_bytes: of the image, about, that products of integers take at a time; None: as many as there are.
    """

    most_bytes: ClassVar[int | None] = None

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, _: Sizes = (None, None)) -> None:
        sides, resized = _ints(op, geometry.sides), _ints(op, geometry.resized)
        start, count = _ints(op, geometry.start), _ints(op, geometry.count)
        quotients = [side // new for side, new in zip(_ints(op, geometry.whole_extent()), resized, strict=True)]
        self._parts = list(zip(*_parts(op, geometry), strict=True))
        self._op, self._interpolation, self._few = op, interpolation, max(quotients) < FEW[interpolation]
        taps = self._taps(list(zip(sides, resized, [interpolation] * 2, start, count, strict=True)))
        blocks = [outputs_per_block(quotient) for quotient in quotients]
        self._most = max(t.most for t in taps)
        self._bands: list[Bands] = [bands(t, block) for t, block in zip(taps, blocks, strict=True)]
        self.counts = lengths(count[0]), lengths(count[1])
        self.begins = lengths(self._bands[0].begin), lengths(self._bands[1].begin)
        self.ends = lengths(self._bands[0].end), lengths(self._bands[1].end)
        self.indices: tuple[Number, Number] = (self._bands[0].index, self._bands[1].index)
        self.whole = count[0] % blocks[0] == 0, count[1] % blocks[1] == 0

    def _taps(self, axes: list[tuple[int, int, str, int, int]]) -> list[Taps]:
        return [tap_table(*axis, *part) for axis, part in zip(axes, self._parts, strict=True)]

    def product(self) -> Product:
        """How to multiply; proven for any number of taps."""
        return "float" if self._few else "integer" if self._most <= 518 else "integer_many"

    def sums(self, product: Product) -> tuple[Sums, Sums]:
        """What turns gathered samples of either axis into outputs."""
        matrices = [self._matrix(axis, product) for axis in self._bands]
        first, second = (partial(apply_bands, self._op, product, matrix) for matrix in matrices)
        return first, second

    def _matrix(self, axis: Bands, product: Product) -> Value:
        if product != "float":
            return self._op.constant(digits(axis.weights), "uint8")
        return self._op.float32(np.concatenate(float_pair(axis.weights), axis=1))


def _ints(op: Ops, numbers: Number) -> tuple[int, int]:
    known = Arithmetic(op).known(numbers)
    if known is None:
        raise TypeError("a known length was expected")
    return int(known[0]), int(known[1])


def _parts(op: Ops, geometry: Geometry) -> tuple[list[float], list[float]]:
    """Where the part of either axis that is resized begins, and how long it is."""
    extent = Arithmetic(op).known(geometry.extent())
    if extent is None:
        raise TypeError("a known length was expected")
    return np.broadcast_to(geometry.begin(), 2).tolist(), extent.astype(np.float64).tolist()


class EmittedTables:
    """The same, computed when the graph runs. Axes of which equally many outputs are wanted are computed together."""

    axes: ClassVar[type[Axes]] = Axes
    most_bytes: ClassVar[int | None] = None

    def __init__(self, op: Ops, geometry: Geometry, interpolation: str, sizes: Sizes) -> None:
        a, together = Arithmetic(op), sizes[0] is not None and sizes[0] == sizes[1]
        if together:
            self._axes = [self.axes(op, geometry, interpolation, sizes[0])]
        else:
            self._axes = [self.axes(op, geometry.axis(a, i), interpolation, sizes[i]) for i in (0, 1)]
        self._op, self._place = op, [(0, 0), (0, 1)] if together else [(0, 0), (1, 0)]
        self.counts = a.pick(geometry.count, 0), a.pick(geometry.count, 1)
        edges = [edge for axes in self._axes for edge in op.Split(axes.edges, split=[1, 1] * (3 - len(self._axes)))]
        self.begins, self.ends = (edges[0], edges[2]), (edges[1], edges[3])
        self.indices = self._pair([axes.index for axes in self._axes])
        self.whole = fills_blocks(sizes[0]), fills_blocks(sizes[1])

    def _pair(self, of_axes: list[Value]) -> tuple[Value, Value]:
        take = [self._op.Gather(of_axes[i], self._op.int64(j), axis=0) for i, j in self._place]
        return take[0], take[1]

    def few(self) -> Value:
        """Whether no output has more than about 8 taps."""
        few = [axes.few for axes in self._axes]
        return few[0] if len(few) == 1 else self._op.And(*few)

    def sums(self, product: Product) -> tuple[Sums, Sums]:
        """What turns gathered samples of either axis into outputs."""
        of_axes = [axes.operands(product) for axes in self._axes]
        pairs = [self._pair([operands[i] for operands in of_axes]) for i in range(len(of_axes[0]))]
        apply = partial(self._axes[0].apply, product)
        first, second = (partial(apply, *operands) for operands in zip(*pairs, strict=True))
        return first, second
