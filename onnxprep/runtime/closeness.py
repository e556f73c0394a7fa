"""How far the graph is from the library, or one provider from another, and whether that keeps the claim."""

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


@dataclass(frozen=True)
class Apart:
    """How far two results of one graph are apart; two of them add up.

    Attributes:
        values: how many were compared.
        differing: how many are not equal bit for bit; NaN equals NaN.
        largest: the largest difference; infinite where one is no number, or has another shape.
        ulp: the same in units in the last place; ``None`` for what is not a float.
    """

    values: int
    differing: int
    largest: float
    ulp: int | None = None

    def __add__(self, other: Apart) -> Apart:
        ulp = None if self.ulp is None or other.ulp is None else max(self.ulp, other.ulp)
        largest = max(self.largest, other.largest)
        return Apart(self.values + other.values, self.differing + other.differing, largest, ulp)

    @property
    def text(self) -> str:
        """``2 ulp (1.2e-07)`` for floats, ``1`` for integers."""
        if np.isinf(self.largest):
            return f"{self.differing} of {self.values} values, some by no number: NaN, infinite or of another shape"
        if self.ulp is None:
            return f"{self.largest:g}" if self.largest else f"{self.differing} of {self.values} values"
        return f"{self.ulp} ulp ({self.largest:.2g})"

    def within(self, claim: Claim) -> bool:
        """Whether a claim leaves room for it."""
        if claim.absolute:
            return self.largest <= claim.absolute
        return not self.differing or (self.ulp is not None and self.ulp <= claim.ulp)


def apart(got: Array, want: Array) -> Apart:
    """Compares what two providers made of the same."""
    if dtype_name(got) != dtype_name(want) or got.shape != want.shape:
        size = max(got.size, want.size, 1)
        return Apart(size, size, float("inf"))
    if got.dtype.kind not in "iuf" or got.dtype.itemsize > 8:
        return Apart(got.size, int(np.count_nonzero(got != want)), 0.0)
    if not got.size:
        return Apart(0, 0, 0.0, 0 if got.dtype.kind == "f" else None)
    if got.dtype.kind != "f":
        largest = np.abs(got.astype(np.float64) - want.astype(np.float64)).max()
        return Apart(got.size, int(np.count_nonzero(got != want)), float(largest))
    distance = _distance(got, want)
    with np.errstate(invalid="ignore"):
        by = np.abs(got.astype(np.float64) - want.astype(np.float64))
    by = np.where(distance == 0, 0.0, np.where(np.isnan(by), np.inf, by))
    return Apart(got.size, int(np.count_nonzero(distance)), float(by.max()), int(distance.max()))


def _distance(a: Array, b: Array) -> Array:
    """How many floats apart, as uint64; -0 and 0 are one apart, NaN and NaN none, NaN and a number all of them."""
    signed = np.dtype(f"i{a.dtype.itemsize}")
    x, y = (np.ascontiguousarray(v).view(signed).astype(np.int64) for v in (a, b))
    # the bits of negative floats grow away from zero: mirrored below -1 they grow towards it, like the numbers
    x, y = (np.where(v < 0, np.iinfo(signed).min - v - 1, v) for v in (x, y))
    distance = np.maximum(x, y).astype(np.uint64) - np.minimum(x, y).astype(np.uint64)
    none, everything = np.uint64(0), np.uint64(np.iinfo(np.uint64).max)
    return np.where(np.isnan(a) & np.isnan(b), none, np.where(np.isnan(a) | np.isnan(b), everything, distance))
