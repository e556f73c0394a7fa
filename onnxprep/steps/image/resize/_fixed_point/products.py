"""Fixed-point sums over bands, exact in the arithmetic that runtimes are fast at.

One output is ``clip((2**21 + sum k * p) >> 22, 0, 255)`` with 23-bit weights k and bytes p (Pillow 13.0.0,
src/libImaging/Resample.c). No runtime has a fast product of such integers, so k is taken apart:

float    ``k = 4096 * high + low``, |low| <= 2048. Every partial sum of either float32 product is a multiple of a fixed
         unit below 2**24 units, so nothing is rounded: up to 32 taps. Both factors have 11 bits at most, so that it
         holds where a GPU multiplies as TF32, too.
integer  ``k = d0 + 2**7 * d1 + 2**15 * d2`` with digits of 8 bits. uint8 x uint8, as uint8 x int8 may saturate on x86.

Both first give ``floor(sum k * p / 2**s)``, an integer below 2**24, and leave the last rounding and the clipping to
QuantizeLinear, whose rounding half to even never meets a tie here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from onnxprep.numerics.taps import DIGIT_ZERO
from onnxprep.step import Ops, Value

Product = Literal["float", "integer", "integer_many"]
"""How a band matrix meets the samples; ``integer_many`` for so many taps that a sum of digits is no exact float32."""

Sums = Callable[[Value], Value]
"""From gathered samples, uint8 [blocks, span, columns], to outputs, uint8 [blocks, block * columns] in any shape."""


def apply_bands(op: Ops, product: Product, matrix: Value, x: Value) -> Value:
    """A band matrix [blocks, parts of the weights * block, span] on gathered samples."""
    zero = op.constant(0, "uint8")
    if product == "float":
        levels, scale = _by_floats(op, matrix, x), 2.0**10 * (1 - 2.0**-23)
        # one ulp less than 2**10: a sum of exactly (m + 1/2) * 2**10 then rounds up, one less still rounds down
    else:
        levels, scale = _by_digits(op, product, matrix, x), 2.0**15
    return op.QuantizeLinear(levels, op.float32(scale), zero)


def _by_floats(op: Ops, stacked: Value, x: Value) -> Value:
    """``floor(sum k * p / 4096)``; one product for both parts, as packing the samples costs more than the sums."""
    sums = op.MatMul(stacked, op.Cast(x, to="float32"))
    sums = op.Reshape(sums, op.int64([0, 2, -1]))  # rows are (part, output) in each block
    high, low = op.Split(sums, axis=1, split=[1, 1])
    return op.Add(high, op.Floor(low))


def _by_digits(op: Ops, product: Product, stacked: Value, x: Value) -> Value:
    """``floor(sum k * p / 128) + 1/2``."""
    sums = op.MatMulInteger(stacked, x, op.constant(DIGIT_ZERO, "uint8"))
    sums = op.Reshape(sums, op.int64([0, 3, -1]))  # rows are (digit, output) in each block
    d0, d1, d2 = op.Split(sums, axis=1, split=[1, 1, 1])
    if product == "integer":  # d0 sums are in 0 .. 127 * 255 * 518 < 2**24: exact as float32, and cut = floor
        carry = op.Cast(op.DequantizeLinear(d0, op.float32(2.0**-7)), to="int32")
    else:
        carry = op.Div(d0, op.constant(128, "int32"))
    whole = op.Add(op.Add(op.Mul(d2, op.constant(256, "int32")), d1), carry)
    return op.Add(op.Cast(whole, to="float32"), op.float32(0.5))
