"""How far two arrays are apart, and whether that keeps a claim."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Claim
from onnxprep.tensor import Array


def ulp_distance(a: Array, b: Array) -> Array:
    """How many floats apart, as uint64; -0 and 0 are one apart, NaN and NaN none, NaN and a number all of them."""
    signed = np.dtype(f"i{a.dtype.itemsize}")
    x, y = (np.ascontiguousarray(v).view(signed).astype(np.int64) for v in (a, b))
    # the bits of negative floats grow away from zero: mirrored below -1 they grow towards it, like the numbers
    x, y = (np.where(v < 0, np.iinfo(signed).min - v - 1, v) for v in (x, y))
    distance = np.maximum(x, y).astype(np.uint64) - np.minimum(x, y).astype(np.uint64)
    none, everything = np.uint64(0), np.uint64(np.iinfo(np.uint64).max)
    return np.where(np.isnan(a) & np.isnan(b), none, np.where(np.isnan(a) | np.isnan(b), everything, distance))


def difference(got: Array, want: Array, claim: Claim) -> str:
    """What is wrong with ``got``, in words; empty where it keeps the claim."""
    if (got.dtype, got.shape) != (want.dtype, want.shape):
        return f"{got.dtype}{got.shape} instead of {want.dtype}{want.shape}"
    if got.dtype.kind not in "fiu":
        far = got != want
    elif claim.absolute:
        with np.errstate(invalid="ignore"):
            near = np.abs(got.astype(np.float64) - want.astype(np.float64)) <= claim.absolute
        nan = (got.dtype.kind == "f") & (np.isnan(got.astype(np.float64)) & np.isnan(want.astype(np.float64)))
        far = ~(near | (got == want) | nan)
    elif got.dtype.kind == "f":
        far = ulp_distance(got, want) > claim.ulp
    else:
        far = got != want
    if not far.any():
        return ""
    first = tuple(int(i) for i in np.argwhere(far)[0])
    share = f"{int(far.sum())} of {far.size} values differ"
    return f"{share} more than {claim.tolerance}, first at {first}: {got[first]!r} instead of {want[first]!r}"
