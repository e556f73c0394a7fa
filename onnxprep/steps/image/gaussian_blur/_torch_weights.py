"""torchvision's Gaussian weights, operation by operation as torch computes them in float32 on x86-64 with AVX-512."""

from __future__ import annotations

import math

import numpy as np

from onnxprep.tensor import Array

_F = np.float32
_EXP = (0.00139304355252534151077271, 0.00833336077630519866943359, 0.0416664853692054748535156,
        0.166666671633720397949219, 0.5)  # fmt: skip
"""Coefficients of SLEEF 3.6, src/libm/sleefsp.c xexpf, after the first."""


def weights_v1(size: int, sigma: float) -> Array:
    """``exp(-0.5 * (x / sigma)**2)`` divided by the sum, float32 [size]."""
    x = _linspace((size - 1) * 0.5, size) / _F(sigma)
    powers = _F(-0.5) * (x * x)
    density = np.exp(powers.astype(np.float64)).astype(np.float32)  # as MKL, but for one value in 300
    return np.asarray(density / _sum_v1(density))


def weights_v2(size: int, sigma: float) -> Array:
    """The softmax of ``-(x / sigma)**2``, x smaller by the root of 2; float32 [size]."""
    x = _linspace((size - 1) / (2.0 * math.sqrt(2.0)), size) / _F(sigma)
    powers = -(x * x)
    density = _exp(powers - powers.max())
    return np.asarray(density * (_F(1) / _sum_v2(density)))


def _linspace(end: float, size: int) -> Array:
    """torch.linspace: from each end to the middle, with one rounding per element."""
    if size == 1:
        return np.array([-end], np.float32)
    step = (_F(end) - _F(-end)) / _F(size - 1)
    up = _fused(step, np.arange(size // 2), _F(-end))
    down = _fused(-step, np.arange(size - size // 2)[::-1], _F(end))
    return np.concatenate([up, down])


def _fused(a: Array | np.float32, b: Array, c: Array | np.float32 | float) -> Array:
    return np.asarray((np.float64(a) * b.astype(np.float64) + np.float64(c)).astype(np.float32))


def _exp(x: Array) -> Array:
    q = np.rint(x * _F(math.log2(math.e))).astype(np.float32)
    s = _fused(_F(-0.693145751953125), q, x)
    s = _fused(_F(-1.428606765330187045e-06), q, s)
    u = np.full(x.shape, 0.000198527617612853646278381, np.float32)
    for coefficient in _EXP:
        u = _fused(u, s, _F(coefficient))
    return np.ldexp(_F(1) + _fused(s * s, u, s), q.astype(np.int32))


def _sequence(terms: Array) -> np.float32:
    total = _F(0)
    for term in terms:
        total = _F(total + term)
    return total


def _sum_v1(terms: Array) -> np.float32:
    """torch.sum of at most 31: by lanes of 8 behind the rest, or by 4 below that."""
    whole, lanes = (len(terms) // 8 * 8, 8) if len(terms) >= 8 else (len(terms) // 4 * 4, 4)
    parts = np.zeros(lanes, np.float32)
    for i in range(0, whole, lanes):
        parts += terms[i : i + lanes]
    rest = terms[whole:]
    if lanes == 8:
        return _sequence(np.array([_sequence(rest), *parts], np.float32))
    return _sequence(np.array([_sequence(np.array([parts[0], *rest], np.float32)), *parts[1:]], np.float32))


def _sum_v2(terms: Array) -> np.float32:
    """The sum inside torch.softmax of at most 31: one by one below 16, else 16 lanes folded in halves."""
    if len(terms) < 16:
        return _sequence(terms)
    lanes = terms[:16].copy()
    lanes[: len(terms) - 16] += terms[16:]
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return _F(lanes[0])
