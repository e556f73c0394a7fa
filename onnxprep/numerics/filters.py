"""Pillow's resampling filters, in the order of operations of its C code."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

SUPPORT = {"box": 0.5, "bilinear": 1.0, "hamming": 1.0, "bicubic": 2.0, "lanczos": 3.0}
"""Half the width of each filter, in input pixels when nothing is reduced (Pillow 13.0.0, Resample.c)."""

HAMMING = (float(np.float32(0.54)), float(np.float32(0.46)))
"""The two constants of the window; Resample.c writes them as float literals."""

# NumPy's sin and cos may be vector code with other last bits; the C library's are what Pillow calls
_sin = np.vectorize(math.sin, otypes=[np.float64])
_cos = np.vectorize(math.cos, otypes=[np.float64])


def filter_values(x: Doubles, interpolation: str) -> Doubles:
    """The filter at ``x``.

    Source: Pillow 13.0.0, src/libImaging/Resample.c box_filter .. lanczos_filter.
    """
    if interpolation == "box":
        return ((x > -0.5) & (x <= 0.5)).astype(np.float64)
    if interpolation == "bilinear":
        return np.maximum(1.0 - np.abs(x), 0.0)
    if interpolation == "bicubic":
        return _bicubic(np.abs(x))
    if interpolation == "hamming":
        t = np.abs(x)
        angle = _nonzero(t) * math.pi
        inside = _sin(angle) / angle * (HAMMING[0] + HAMMING[1] * _cos(angle))
        return np.where(t == 0.0, 1.0, np.where(t < 1.0, inside, 0.0))
    if interpolation == "lanczos":
        return np.where((x >= -3.0) & (x < 3.0), _sinc(x) * _sinc(x / 3.0), 0.0)
    raise ValueError(interpolation)


def _bicubic(t: Doubles) -> Doubles:
    a = -0.5
    near = ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
    far = (((t - 5.0) * t + 8.0) * t - 4.0) * a
    return np.where(t < 1.0, near, np.where(t < 2.0, far, 0.0))


def _sinc(x: Doubles) -> Doubles:
    angle = _nonzero(x) * math.pi
    return np.where(x == 0.0, 1.0, _sin(angle) / angle)


def _nonzero(x: Doubles) -> Doubles:
    return np.where(x == 0.0, 1.0, x)
