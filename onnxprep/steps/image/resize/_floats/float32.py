"""Arithmetic on tap tables in float32, operation by operation as the libraries do it: now or in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxprep.steps.image.arithmetic import Arithmetic, Number


def single(value: float) -> Any:
    """A known float32, rank 0."""
    return np.array(value, np.float32)


class Float32(Arithmetic):
    """Adds what tables of float32 need. Every operation rounds once: no fused multiply-add, no reciprocal by guessing."""

    def single(self, x: Number) -> Number:
        """Rounded to float32."""
        known = self.known(x)
        return self._emitted("Cast", x, to="float32") if known is None else known.astype(np.float32)

    def quotient(self, x: Number, y: Number) -> Number:
        """The float32 quotient of two int64, each of which is rounded first."""
        return self.Div(self.single(x), self.single(y))

    def inverse(self, x: Number) -> Number:
        """``1 / x``, rounded once: the second rounding of a float64 quotient changes nothing.

        Not Div(1, x), which ONNX Runtime multiplies into what follows; not Reciprocal, which it approximates.
        """
        return self.single(self.Div(np.array(1.0), self.double(x)))

    def fused(self, x: Number, y: Number, z: Number) -> Number:
        """``x * y + z``, the product not rounded (but in the rarest of cases, where float64 rounds half-way)."""
        return self.single(self.Add(self.Mul(self.double(x), self.double(y)), self.double(z)))

    def total(self, x: Number) -> Number:
        """The sums of the rows of [n, k] as [n, 1], added one after the other."""
        known = self.known(x)
        if known is not None:
            return np.cumsum(known, axis=1, dtype=known.dtype)[:, -1:]
        op = self._graph()
        sums = op.CumSum(self.value(x), op.int64(1))
        return op.Slice(sums, op.int64([-1]), op.int64([2**62]), op.int64([1]))

    def last(self, x: Number) -> Number:
        """The last element of a [n], [1]."""
        known = self.known(x)
        if known is not None:
            return known[-1:]
        op = self._graph()
        return op.Slice(self.value(x), op.int64([-1]), op.int64([2**62]), op.int64([0]))

    def flat(self, x: Number) -> Number:
        """Everything in one row."""
        known = self.known(x)
        return self._emitted("Reshape", x, np.array([-1])) if known is None else known.ravel()

    def places(self, start: Number, count: Number) -> Number:
        """``start .. start + count - 1``, int64 [n]."""
        return self.Add(self.count_to(count), start)

    def stack(self, *columns: Number) -> Number:
        """The [n] side by side, [n, k]."""
        known = [column for column in map(self.known, columns) if column is not None]
        if len(known) == len(columns):
            return np.stack(known, axis=1)
        op = self._graph()
        return op.Concat(*(self.value(self.column(column)) for column in columns), axis=1)
