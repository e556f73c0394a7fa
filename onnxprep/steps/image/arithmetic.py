"""Arithmetic on lengths: done now where every operand is known, left to the graph where one is not.

A rule written once then serves ``infer`` (ints in, ints out), files for images of one size, and files for any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.tensor import Array

Number = Array | Value
"""int64, float64 or bool of rank 0 or 1 (indices: any rank); an array where it is known."""


def lengths(*values: int) -> Array:
    """Known lengths: int64 [n]."""
    return np.array(values, np.int64)


def _divide(a: Array, b: Array) -> Array:
    return a // b if a.dtype.kind == "i" else a / b


_NOW: Mapping[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divide, "Mod": np.mod, "Abs": np.abs,
    "Min": np.minimum, "Max": np.maximum, "Where": np.where, "Sqrt": np.sqrt, "Sign": np.sign,
    "Sin": np.sin, "Reciprocal": np.reciprocal, "Or": np.logical_or,
    "Equal": np.equal, "Less": np.less, "Greater": np.greater, "And": np.logical_and, "Not": np.logical_not,
    "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint,
}  # fmt: skip
"""ONNX operator -> the NumPy function that gives the same bits (integer operands are never negative in a Div)."""

_MOST_KNOWN = 2**18
"""Longer rows of numbers are counted by the graph, not kept in it."""

_NEUTRAL = {"Add": 0, "Mul": 1}
"""Operator -> the operand that changes nothing."""


class Arithmetic:
    """``a.Add(x, y)`` and so on, spelled as ONNX spells them; without ``op`` every operand must be known."""

    def __init__(self, op: Ops | None = None) -> None:
        self._op = op

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        def apply(*operands: Number) -> Number:
            known = [self.known(operand) for operand in operands]
            if all(k is not None for k in known):
                return np.asarray(_NOW[operator](*known))
            for k, other in zip(known, reversed(operands), strict=True):
                if operator in _NEUTRAL and k is not None and self._changes_nothing(_NEUTRAL[operator], k, other):
                    return other
            return self._emitted(operator, *operands)

        return apply

    @staticmethod
    def _changes_nothing(neutral: int, k: Array, other: Number) -> bool:
        rank = other.spec.rank if isinstance(other, Value) else other.ndim
        return k.size == 1 and k.item() == neutral and rank is not None and rank >= k.ndim

    def known(self, x: Number) -> Array | None:
        """The numbers themselves, ``None`` where only the graph will know them."""
        return x if not isinstance(x, Value) else self._op.known(x) if self._op else None

    def value(self, x: Number) -> Value:
        """The numbers as a tensor of the graph."""
        if isinstance(x, Value):
            return x
        return self._graph().constant(x, str(x.dtype))

    def size(self, x: Value, letters: str) -> Number:
        """Lengths of named axes, int64 [len(letters)]; known where all of them are."""
        dims = [x.spec.dim(letter) for letter in letters]
        ints = [d for d in dims if isinstance(d, int)]
        return lengths(*ints) if len(ints) == len(dims) else self._graph().size(x, letters)

    def double(self, x: Number) -> Number:
        """int64 as float64."""
        known = self.known(x)
        return self._emitted("Cast", x, to="float64") if known is None else known.astype(np.float64)

    def single(self, x: Number) -> Number:
        """int64 or float64 as float32."""
        known = self.known(x)
        return self._emitted("Cast", x, to="float32") if known is None else known.astype(np.float32)

    def integer(self, x: Number) -> Number:
        """float64 as int64, cut towards zero."""
        known = self.known(x)
        return self._emitted("Cast", x, to="int64") if known is None else np.trunc(known).astype(np.int64)

    def ratio(self, x: Number, y: Number) -> Number:
        """The float64 quotient of two int64."""
        return self.Div(self.double(x), self.double(y))

    def ceil_div(self, x: Number, y: Number) -> Number:
        """``ceil(x / y)`` of int64, x >= 0, y > 0."""
        return self.Div(self.Add(x, self.Sub(y, lengths(1))), y)

    def least(self, x: Number) -> Number:
        """The smallest element, [1]."""
        known = self.known(x)
        return self._emitted("ReduceMin", x, keepdims=1) if known is None else known.min(keepdims=True)

    def most(self, x: Number) -> Number:
        """The largest element, [1]."""
        known = self.known(x)
        return self._emitted("ReduceMax", x, keepdims=1) if known is None else known.max(keepdims=True)

    def product(self, x: Number) -> Number:
        """All elements multiplied, [1]."""
        known = self.known(x)
        return self._emitted("ReduceProd", x, keepdims=1) if known is None else known.prod(keepdims=True)

    def pick(self, x: Number, i: int) -> Number:
        """Element ``i``, [1]."""
        known = self.known(x)
        if known is not None:
            return known[i : i + 1]
        op = self._graph()
        return op.Slice(x, op.int64([i]), op.int64([i + 1]), op.int64([0]))

    def column(self, x: Number) -> Number:
        """A [n] as [n, 1]."""
        known = self.known(x)
        return self._emitted("Reshape", x, lengths(-1, 1)) if known is None else known[:, None]

    def take(self, x: Number, i: Number) -> Number:
        """The elements or rows of ``x`` at ``i``."""
        known = self.known(x), self.known(i)
        if known[0] is not None and known[1] is not None:
            return np.asarray(known[0][known[1]])
        return self._emitted("Gather", x, i, axis=0)

    def count_to(self, end: Number) -> Number:
        """``0 .. end - 1`` for an ``end`` of shape [1]."""
        known = self.known(end)
        if known is None or (known[0] > _MOST_KNOWN and self._op is not None):
            return self._emitted("Range", np.array(0), self.scalar(end), np.array(1))
        return np.arange(known[0])

    def scalar(self, x: Number) -> Number:
        """The element of a [1], rank 0."""
        known = self.known(x)
        return self._emitted("Squeeze", x) if known is None else known.reshape(())

    def join(self, *parts: Number) -> Number:
        """The parts one behind the other."""
        known = [part for part in map(self.known, parts) if part is not None]
        return np.concatenate(known) if len(known) == len(parts) else self._emitted("Concat", *parts, axis=0)

    def two_ints(self, x: Number) -> tuple[int, int] | None:
        """The elements of a [2], where they are known."""
        known = self.known(x)
        return None if known is None else (int(known[0]), int(known[1]))

    def _emitted(self, operator: str, *operands: Number, **attributes: Any) -> Value:
        values: Sequence[Value] = [self.value(operand) for operand in operands]
        return getattr(self._graph(), operator)(*values, **attributes)

    def _graph(self) -> Ops:
        if self._op is None:
            raise TypeError("no graph to emit into")
        return self._op
