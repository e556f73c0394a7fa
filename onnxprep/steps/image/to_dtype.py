"""to_dtype: numbers of another type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.tensor import NARROW, Array, Tensor, TensorSpec

_INTEGERS = ("uint8", "int8", "int32", "int64")
_FLOATS = ("float16", "float32", "float64")
_LARGEST = {"float8_e4m3fn": 448.0, "float8_e4m3fnuz": 240.0, "float8_e5m2": 57344.0, "float8_e5m2fnuz": 57344.0}
"""The largest numbers of one byte; ONNX, "Float stored in 8 bits"."""


class ToDtype(Step):
    """``y = dtype(x)``: what does not fit is clipped to what does, never wrapped around.

    Float to integer: NaN becomes 0, the value is rounded by ``rounding`` and clipped to the largest and smallest number
    of the input's own dtype that the output holds (float32 to int32 ends at 2147483520). Float to float and integer to
    float: the nearest number, half to even; beyond the largest one, infinity, for float8 the largest one.

    Input: any tensor; uint8, int8, int32, int64, any float or bool.
    Output: dtype, with the same layout, shape and colour. bfloat16 needs opset 13, float8 needs 19.
    Rounds: as ``rounding`` says, at most once.
    Source: NumPy's ``clip``, ``trunc``, ``round`` and ``astype``; for bfloat16 and float8 ml_dtypes'.
    Raises: ContractError where a float becomes an integer without ``rounding``, where ``rounding`` has nothing to do,
        and for float16, bfloat16 and float8 out of float64, int32 and int64, which would round twice.
    """

    operation: ClassVar[str] = "to_dtype"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "clip(round(x)).astype(dtype)")}

    dtype: Literal[
        "uint8", "int8", "int32", "int64", "float16", "float32", "float64", "bfloat16",
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
    ] = parameter("the wanted dtype")  # fmt: skip
    rounding: Literal["trunc", "half_even"] | None = parameter(
        "towards 0 or to the nearest, ties to even; required from float to integer, refused elsewhere", None
    )

    @property
    def needed_opset(self) -> int:
        """What ONNX's Cast needs."""
        return 19 if self.dtype in _LARGEST else 13 if self.dtype == "bfloat16" else self.min_opset

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The dtype; the range is what becomes of its ends."""
        (x,) = inputs
        known = (*_INTEGERS, *_FLOATS, "bool", *NARROW)
        refuse_unless(x.dtype in known, f"does not work on {x.dtype}", expected=", ".join(known), got=x)
        rounds = x.dtype in (*_FLOATS, *NARROW) and self.dtype in _INTEGERS
        said = self.rounding is not None
        refuse_unless(said or not rounds, "needs a rounding", expected="`rounding: trunc` or `half_even`", got=x)
        refuse_unless(rounds or not said, "has nothing to round", expected="no `rounding`", got=x)
        twice = self.dtype in ("float16", *NARROW) and x.dtype in ("float64", "int32", "int64")
        refuse_unless(
            not twice, "would round twice", expected="float32", got=x, hint="a `to_dtype` of float32 before it"
        )
        if x.range is None:
            return (replace(x, dtype=self.dtype),)
        source = "float32" if x.dtype in NARROW else x.dtype
        low, high = (float(self._cast(np.array(end, source))) for end in x.range)
        return (replace(x, dtype=self.dtype, range=(low, high)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Cast; before it Clip where the output holds less, and before that Round and NaN to 0."""
        (x,) = inputs
        if x.spec.dtype == self.dtype:
            return x
        if x.spec.dtype in NARROW or (self.dtype in NARROW and x.spec.dtype != "float32"):
            x = op.Cast(x, to="float32")  # every number of the one is a number of the other
        source = x.spec.dtype
        if source == self.dtype:
            return x
        bare = source == "float16" and op.opset < 12
        if bare:
            # no float16 kernels there: Casts put around a Max or Clip would merge with those behind the model's last node
            x = op.Reshape(x, op.Shape(x))
        if self.dtype in _INTEGERS and source != "bool" and not np.can_cast(source, self.dtype, "safe"):
            x = self._clipped(op, x)
        elif self.dtype in _LARGEST:
            x = op.Where(op.IsNaN(x), x, op.Clip(x, *(op.float32(end * _LARGEST[self.dtype]) for end in (-1, 1))))
        elif (source in _FLOATS and not bare) or source == "int64":
            # a pass that changes nothing: ONNX Runtime would merge this Cast into one before it and round only once
            x = op.Max(x, x)
        y = op.Cast(x, to=self.dtype)
        if source == "float32" and self.dtype in ("float16", "bfloat16"):
            # behind it ONNX Runtime may put a Cast back, for a kernel that has no float16, and merge that one too
            y = op.Reshape(y, op.Shape(x))
        return y

    def _clipped(self, op: Ops, x: Value) -> Any:
        ends = _ends(x.spec.dtype, self.dtype)
        if x.spec.dtype in _FLOATS:
            x = op.Where(op.IsNaN(x), op.constant(0, x.spec.dtype), x)
            x = op.Round(x) if self.rounding == "half_even" else x
        elif x.spec.dtype in ("uint8", "int8"):
            x = op.Cast(x, to="int32")  # below opset 12 older ONNX Runtimes compare no bytes
        return op.Clip(x, *(op.constant(end, x.spec.dtype) for end in ends))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's clip and astype."""
        (x,) = inputs
        return self._cast(x.array)

    def _cast(self, x: Array) -> Array:
        if x.dtype.name == self.dtype:
            return x
        with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaNs are numbers like others here
            return self._converted(x)

    def _converted(self, x: Array) -> Array:
        if self.dtype in NARROW or x.dtype.name in NARROW:
            x = x.astype(np.float32)
        if self.dtype in NARROW:
            return _narrowed(x, self.dtype)
        if self.dtype in _FLOATS or x.dtype == bool:
            return np.asarray(x.astype(self.dtype))
        limits = np.iinfo(self.dtype)
        if x.dtype.kind != "f":
            own = np.iinfo(x.dtype)
            return np.clip(x, max(limits.min, own.min), min(limits.max, own.max)).astype(self.dtype)
        whole = np.round(x) if self.rounding == "half_even" else np.trunc(x)
        first, last = (np.array(end).astype(x.dtype) for end in (limits.min, limits.max))
        if float(last) > limits.max:  # it was rounded up
            last = np.nextafter(last, x.dtype.type(0))
        first = np.maximum(first, np.finfo(x.dtype).min)
        return np.clip(np.where(np.isnan(x), x.dtype.type(0), whole), first, last).astype(self.dtype)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every pair of dtypes that is allowed; floats to integers beyond both ends."""
        for source in (*_INTEGERS, *_FLOATS, "bool"):
            for dtype in (*_INTEGERS, *_FLOATS):
                if dtype == "float16" and source in ("float64", "int32", "int64"):
                    continue
                rounds = source in _FLOATS and dtype in _INTEGERS
                spec = TensorSpec(source, (2, 2, 3, 4), "NHWC", None, _SPANS[source])
                for rounding in ("trunc", "half_even") if rounds else (None,):
                    yield Case({"dtype": dtype, "rounding": rounding}, (Sample(spec, seed=1),))


def _narrowed(x: Array, dtype: str) -> Array:
    import ml_dtypes

    if dtype in _LARGEST:
        largest = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]  # theirs
        x = np.clip(x, -largest, largest)
    return np.asarray(x.astype(dtype))


_SPANS = {
    "uint8": (0.0, 255.0), "int8": (-128.0, 127.0), "int32": (-1e9, 1e9), "int64": (-1e12, 1e12),
    "float16": (-400.0, 400.0), "float32": (-500.0, 500.0), "float64": (-600.0, 600.0), "bool": (0.0, 1.0),
}  # fmt: skip


def _ends(source: str, dtype: str) -> tuple[int, int]:
    """The smallest and the largest number that both dtypes hold."""
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if source in _INTEGERS:
        return max(low, int(np.iinfo(source).min)), min(high, int(np.iinfo(source).max))
    most, spare = int(np.finfo(source).max), max(high.bit_length() - np.finfo(source).nmant - 1, 0)
    return max(low, -most), min(high >> spare << spare, most)
