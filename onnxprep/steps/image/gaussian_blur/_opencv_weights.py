"""OpenCV's Gaussian weights for bytes: whole numbers whose sum is 256."""

from __future__ import annotations

import numpy as np

FIXED = {
    1: [256], 3: [64, 128, 64], 5: [16, 64, 96, 64, 16], 7: [8, 28, 56, 72, 56, 28, 8],
    9: [4, 13, 30, 51, 60, 51, 30, 13, 4],
}  # fmt: skip
"""Weights * 256 where sigma is 0 (OpenCV 5.0.0, modules/imgproc/src/smooth.dispatch.cpp, getGaussianKernelBitExact)."""


def weights(size: int, sigma: float) -> list[int]:
    """``256 * exp(-x**2 / (2 * sigma**2)) / sum``, rounded from the edge inwards, each with what the last left over."""
    size = size or round(sigma * 6 + 1) | 1
    if sigma == 0 and size in FIXED:
        return FIXED[size]
    sigma = sigma or ((size - 1) * 0.5 - 1) * 0.3 + 0.8
    x = np.arange(size) - (size - 1) * 0.5
    kernel = np.exp(-0.5 / (sigma * sigma) * x * x)
    kernel /= kernel.sum()
    half: list[int] = []
    left = 0.0
    for exact in kernel[: size // 2]:
        wanted = float(exact) * 256 + left
        half.append(round(wanted))
        left = wanted - half[-1]
    return [*half, 256 - 2 * sum(half), *reversed(half)]
