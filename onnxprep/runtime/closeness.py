"""How far the graph is from the library, and whether that keeps the claim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.step import Claim
from onnxprep.tensor import Array, dtype_name


@dataclass(frozen=True)
class Closeness:
    """What a comparison found; two of them add up.

    Attributes:
        values: how many were compared.
        differing: how many are not equal bit for bit.
        outside: how many lie outside of the tolerance.
        largest: the largest difference between numbers.
    """

    values: int = 0
    differing: int = 0
    outside: int = 0
    largest: float = 0.0

    def __add__(self, other: Closeness) -> Closeness:
        return Closeness(
            self.values + other.values,
            self.differing + other.differing,
            self.outside + other.outside,
            max(self.largest, other.largest),
        )


def closeness(got: Array, want: Array, claim: Claim) -> Closeness:
    """Compares; another dtype or shape puts every value outside. NaN equals NaN."""
    if dtype_name(got) != dtype_name(want) or got.shape != want.shape:
        size = max(got.size, want.size, 1)
        return Closeness(size, size, size, float("inf"))
    if got.dtype.kind not in "iuf" or not got.size:
        differing = int(np.count_nonzero(got != want))
        return Closeness(got.size, differing, differing, 0.0)
    both_nan = np.isnan(got) & np.isnan(want) if got.dtype.kind == "f" else np.zeros(got.shape, bool)
    equal = (got == want) & (np.signbit(got) == np.signbit(want)) | both_nan
    with np.errstate(invalid="ignore"):
        apart = np.where(equal, 0.0, np.abs(got.astype(np.float64) - want.astype(np.float64)))
    apart = np.where(np.isnan(apart), np.inf, apart)
    inside = equal | (apart <= (claim.absolute or _ulps(want, claim.ulp)))
    count = np.count_nonzero
    return Closeness(got.size, int(count(~equal)), int(count(~inside)), float(apart.max()))


def _ulps(want: Array, ulp: int) -> Array:
    """The tolerance of so many units in the last place of each value; below 0 where none is allowed."""
    if not ulp or want.dtype.kind != "f":
        return np.full(want.shape, -1.0)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(ulp * np.abs(np.spacing(want)).astype(np.float64), nan=-1.0)
