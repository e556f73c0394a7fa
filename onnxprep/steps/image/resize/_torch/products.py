"""Sums over bands with 16-bit weights, exact in the arithmetic that runtimes are fast at.

One output is ``clip((2**(p - 1) + sum k * x) >> p, 0, 255)`` with weights ``k = d0 + base * d1`` and bytes x (torch 2.13,
aten/src/ATen/native/cpu/UpSampleKernelAVXAntialias.h). Both digits have 8 bits and are multiplied as uint8 x uint8: no
float32 product, which a GPU might compute as TF32 and so lose bits of k.

float    up to p = 15: ``sum k * x`` is below 2**24 and so exact as float32, however it is added.
integer  ``floor(sum k * x / base)`` is; a sum over d0 is, too, for up to 518 taps (base 128) or 514 (base 256).

The rounding is left to QuantizeLinear: divided by one ulp less than 1, every float32 moves up by one ulp. Ties then go
up, and nothing else changes as long as there are 15 bits behind the point at most.
"""

from __future__ import annotations

import numpy as np

from onnxprep.numerics.taps_int16 import Base
from onnxprep.step import Ops, Value
from onnxprep.steps.image.resize._fixed_point.products import Product
from onnxprep.tensor import Array

_ONE = 1 - 2.0**-24


def units_of(base: Base, power: float) -> Array:
    """For the product ``float``: what the sums over d0 and d1 are multiples of."""
    return np.array([1.0, base.base]) / power


def unit_of(base: Base, power: float) -> float:
    """For the others: what the integer sum has to be divided by."""
    return power / base.base * _ONE


def apply_int16(op: Ops, product: Product, base: Base, matrix: Value, scale: Value, x: Value) -> Value:
    """A band matrix [blocks, 2 * block, span] on gathered samples."""
    zeros = [op.constant(base.zero, "uint8")] if base.zero else []
    sums = op.Reshape(op.MatMulInteger(matrix, x, *zeros), op.int64([0, 2, -1]))  # rows are (digit, output)
    if product == "float":
        return rounded(op, op.ReduceSum(scaled(op, sums, scale, axis=1), axes=[1], keepdims=0))
    d0, d1 = op.Split(sums, axis=1, split=[1, 1])
    return op.QuantizeLinear(_levels(op, product, base, d0, d1), scale, op.constant(0, "uint8"))


def _levels(op: Ops, product: Product, base: Base, d0: Value, d1: Value) -> Value:
    """``floor(sum k * x / base)`` as float32."""
    if product == "integer_many":
        both = op.Add(
            op.Floor(op.Mul(op.Cast(d0, to="float64"), op.float64(1.0 / base.base))), op.Cast(d1, to="float64")
        )
        return op.Cast(both, to="float32")
    part = op.DequantizeLinear(d0, op.float32(1.0 / base.base))
    if base.zero:
        return op.Add(op.Floor(part), op.Cast(d1, to="float32"))
    return op.Cast(op.Add(op.Cast(part, to="int32"), d1), to="float32")  # never negative: cut = floor


def scaled(op: Ops, x: Value, scales: Value, axis: int) -> Value:
    """Integers [a, b, c] or [b, c] times ``scales`` [b] as float32; ``axis`` says where b is."""
    if op.opset >= 13:
        return op.DequantizeLinear(x, scales, axis=axis)
    return op.Mul(op.Cast(x, to="float32"), op.Unsqueeze(scales, axes=[1]))


def rounded(op: Ops, y: Value) -> Value:
    """Half up, and into 0..255: right for multiples of 2**-15."""
    return op.QuantizeLinear(y, op.float32(_ONE), op.constant(0, "uint8"))
