"""Tap tables: which input samples each output sample of a resize reads, with which fixed-point weights.

An axis is described by its length, the length it is resized to, the range of outputs that are wanted of it, and the
part of it that is resized where that is not all of it. The outputs are then taken in blocks: neighbours read nearly the same inputs, so a block is one small dense matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxprep.numerics.filters import SUPPORT, Doubles, filter_values

Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

PRECISION = 22
"""Bits behind the point of a weight: 32 - 8 - 2 (Pillow 13.0.0, src/libImaging/Resample.c PRECISION_BITS)."""

DIGIT_ZERO = 80
"""Added to each base-256 digit to make it unsigned; weights from -0.62 to 1.36 then have digits in 0..255."""


@dataclass(frozen=True)
class Taps:
    """For each output: the first input it reads, the one past the last, and its weights (``k``, padded with 0)."""

    first: Int64
    last: Int64
    weights: Int64

    @property
    def most(self) -> int:
        """The largest number of inputs that one output reads."""
        return int((self.last - self.first).max(initial=0))


def tap_table(
    length: int,
    resized: int,
    interpolation: str,
    start: int = 0,
    count: int | None = None,
    begin: float = 0.0,
    extent: float | None = None,
) -> Taps:
    """Taps of outputs ``start .. start + count`` of an axis of ``length`` samples, resized to ``resized``.

    Where ``extent`` is given, only so much of it from ``begin`` on; taps outside of that part are read all the same.

    ``k = trunc(w * 2**22 + copysign(0.5, w))``, with w the filter around the output's centre, divided by its sum.

    Source: Pillow 13.0.0, src/libImaging/Resample.c precompute_coeffs, normalize_coeffs_8bpc.
    """
    first, last, weights = tap_weights(length, resized, interpolation, start, count, begin, extent)
    return Taps(first, last, rounded(weights * 2.0**PRECISION))


def tap_weights(
    length: int,
    resized: int,
    interpolation: str,
    start: int = 0,
    count: int | None = None,
    begin: float = 0.0,
    extent: float | None = None,
) -> tuple[Int64, Int64, Doubles]:
    """The same before they are rounded: first input, the one past the last, and the weights."""
    count = resized - start if count is None else count
    scale = np.float64(length if extent is None else extent) / resized
    stretch = max(scale, np.float64(1.0))
    support = SUPPORT[interpolation] * stretch
    centers = begin + (np.arange(start, start + count) + 0.5) * scale
    first = np.maximum(np.trunc(centers - support + 0.5).astype(np.int64), 0)
    last = np.minimum(np.trunc(centers + support + 0.5).astype(np.int64), length)
    positions = first[:, None] + np.arange(int((last - first).max(initial=0)))
    arguments = (positions - centers[:, None] + 0.5) * (1.0 / stretch)
    weights = np.where(positions < last[:, None], filter_values(arguments, interpolation), 0.0)
    # one tap after the other, as the C loop adds; NumPy's sum would add pairwise
    total = np.cumsum(weights, axis=1)[:, -1:] if weights.size else np.ones((count, 1))
    return first, last, weights / np.where(total == 0.0, 1.0, total)


def rounded(scaled: Doubles) -> Int64:
    """Half away from zero, as C code that adds a half and cuts."""
    return np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)


def outputs_per_block(quotient: int) -> int:
    """For an axis that is reduced ``quotient`` times (integer division): wider blocks multiply by more zeros."""
    return 2 if quotient > 5 else 8 if quotient < 1 else 4


@dataclass(frozen=True)
class Bands:
    """The taps of one axis as dense blocks.

    Attributes:
        begin, end: first input that is needed at all and the one past the last.
        index: [blocks, span], the inputs each block reads, counted from ``begin``.
        weights: [blocks, outputs per block, span]; rows past the last output repeat it.
    """

    begin: int
    end: int
    index: Int64
    weights: Int64


def bands(taps: Taps, block: int) -> Bands:
    """Groups the outputs of ``taps`` into blocks of ``block``."""
    count = len(taps.first)
    rows = np.minimum(np.arange(-(-count // block) * block), count - 1)
    first, last = taps.first[rows], taps.last[rows]
    block_first, block_last = first[::block], last[block - 1 :: block]
    positions = block_first[:, None] + np.arange(int((block_last - block_first).max()))
    begin, end = int(first[0]), int(last[-1])
    dense = np.zeros((len(rows), positions.shape[1]), np.int64)
    for i, row in enumerate(rows):
        at = int(first[i] - block_first[i // block])
        dense[i, at : at + int(last[i] - first[i])] = taps.weights[row, : int(last[i] - first[i])]
    index = np.minimum(positions, end - 1) - begin
    return Bands(begin, end, index, dense.reshape(-1, block, positions.shape[1]))


def float_pair(weights: Int64) -> tuple[Float32, Float32]:
    """``(high, low / 4096)`` with ``k = 4096 * high + low``, |low| <= 2048, |high| <= 1408.

    Integers of 11 bits, times a power of two: exact even where a GPU multiplies float32 as TF32.
    """
    high = np.floor(weights / 4096 + 0.5)
    return high.astype(np.float32), (weights / 4096 - high).astype(np.float32)


def digits(weights: Int64) -> UInt8:
    """``k = d0 + 2**7 * d1 + 2**15 * d2`` as uint8 ``d + 80``, rows ordered (digit, output): [blocks, 3 * block, span].

    d0 is in 0..127; d1 and d2 are in -80..175.
    """
    rest = weights >> 7
    top = (rest + DIGIT_ZERO) >> 8
    split = np.stack([weights - (rest << 7), rest - (top << 8), top], axis=1) + DIGIT_ZERO
    return split.reshape(len(weights), -1, weights.shape[-1]).astype(np.uint8)
