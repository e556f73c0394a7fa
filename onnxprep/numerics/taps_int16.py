"""Tap tables with 16-bit weights: as many bits behind the point as the largest weight of an axis leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxprep.numerics.filters import Doubles
from onnxprep.numerics.taps import Int64, Taps, UInt8, rounded, tap_weights

POWERS = 2.0 ** np.arange(1, 23)
"""2 to as many bits as there can be behind the point (torch 2.13, cpu/UpSampleKernel.cpp: up to 32 - 8 - 2)."""

LIMIT = 2.0**15
"""What a weight has to stay below, once it is rounded."""

CUBIC = -0.75
"""The parameter of the cubic without antialiasing (torch 2.13, native/UpSample.h); with it, it is -0.5."""


@dataclass(frozen=True)
class Base:
    """``k = d0 + base * d1``, stored as uint8 ``d + zero``."""

    base: int
    zero: int


UNSIGNED = Base(128, 0)
"""For weights from 0 to 2**15 - 1: d0 is in 0..127, d1 in 0..255."""

SIGNED = Base(256, 127)
"""For weights of both signs: both digits are in -127..128."""


def power_of(weights: Doubles) -> float:
    """``2**p`` for the weights of a whole axis: the largest power for which none of them becomes 2**15."""
    return float(POWERS[weights.max() * POWERS + 0.5 < LIMIT].max(initial=1.0))


def int16_table(length: int, resized: int, interpolation: str, start: int, count: int) -> tuple[Taps, float]:
    """Taps of outputs ``start .. start + count``, and the ``2**p`` that all outputs of the axis share.

    ``k = trunc(w * 2**p + copysign(0.5, w))``.

    Source: torch 2.13, aten/src/ATen/native/cpu/UpSampleKernel.cpp, the int16 weights of uint8 images.
    """
    first, last, weights = tap_weights(length, resized, interpolation)
    power, kept = power_of(weights), slice(start, start + count)
    return Taps(first[kept], last[kept], rounded(weights[kept] * power)), power


def digits(weights: Int64, base: Base) -> UInt8:
    """``k = d0 + base * d1``, rows ordered (digit, output): [blocks, 2 * block, span]."""
    top = (weights + base.zero) // base.base
    return (np.concatenate([weights - top * base.base, top], axis=1) + base.zero).astype(np.uint8)


def point_table(
    length: int, resized: int, interpolation: str, start: int, count: int
) -> tuple[Int64, npt.NDArray[np.float32]]:
    """Without antialiasing: the 2 or 4 inputs of each output, [count, taps], and ``k / 2**p``.

    Inputs beyond an edge are the edge; their weights are added to its own before they are rounded.

    Source: torch 2.13, aten/src/ATen/native/cpu/UpSampleKernel.cpp, the int16 weights of uint8 images.
    """
    centers = (np.arange(resized) + 0.5) * (np.float64(length) / resized) - 0.5
    if interpolation == "bilinear":
        centers = np.maximum(centers, 0.0)
    whole = np.minimum(np.floor(centers).astype(np.int64), length - 1)
    part = np.clip(centers - whole, 0.0, 1.0)[:, None]
    weights = np.concatenate(_cubic(part) if interpolation == "bicubic" else [1.0 - part, 1.0 - (1.0 - part)], axis=1)
    taps = weights.shape[1]
    wanted = whole[:, None] + np.arange(1 - taps // 2, 1 + taps // 2)
    index = np.clip(wanted, 0, length - 1)
    merged = np.zeros_like(weights)
    for t in range(taps):  # in this order, each onto the first tap that reads the same input
        merged[np.arange(resized), np.argmax(index == index[:, t : t + 1], axis=1)] += weights[:, t]
    power, kept = power_of(merged), slice(start, start + count)
    return index[kept], (rounded(merged[kept] * power) / power).astype(np.float32)


def _cubic(t: Doubles) -> list[Doubles]:
    far, near = cubic_far, cubic_near
    return [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]


def cubic_near(t: Doubles) -> Doubles:
    """The cubic for distances up to 1."""
    return ((CUBIC + 2.0) * t - (CUBIC + 3.0)) * t * t + 1.0


def cubic_far(t: Doubles) -> Doubles:
    """The cubic for distances from 1 to 2."""
    return ((CUBIC * t - 5.0 * CUBIC) * t + 8.0 * CUBIC) * t - 4.0 * CUBIC
