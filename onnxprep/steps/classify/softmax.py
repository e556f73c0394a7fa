"""softmax: scores to probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify.axis import refuse_unless_axis
from onnxprep.tensor import Array, Tensor, TensorSpec


class Softmax(Step):
    """``y = exp(x - max(x)) / sum(exp(x - max(x)))`` along an axis.

    In float32 no two libraries agree in the last bits: exp and the order of the sum are their own. In float64, rounded
    to float32 at the end, they do, up to values that lie almost exactly between two float32 numbers.

    Input: float32, any layout or none.
    Output: float32, same layout and shape; 0..1.
    Rounds: in every operation; with ``precision: float64`` once more at the end.
    Source: torch 2.13, torch.softmax; for float64 the formula in NumPy.
    Raises: ContractError where the tensor is not float32 or has no such axis.
    """

    operation: ClassVar[str] = "softmax"
    claims: ClassVar = {
        "": Claim(
            "torch",
            ">=2.4",
            "softmax",
            absolute=1e-6,
            note="4.8e-7 at most in 25 million values; precision float64: NumPy in float64, within 1 ulp, none differed",
        )
    }

    axis: int = parameter("axis of the classes; negative counts from the last", -1)
    precision: Literal["float32", "float64"] = parameter(
        "arithmetic inside; float64 costs about twice the time", "float32"
    )

    def promise(self) -> Claim:
        """float64 is held against NumPy, in ulp."""
        if self.precision == "float32":
            return super().promise()
        return Claim("numpy", ">=1.26", "exp(x - max) / sum(exp(x - max)) in float64", ulp=1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The range is 0..1; probabilities are no colours."""
        (x,) = inputs
        refuse_unless(
            x.dtype == "float32",
            "needs float32",
            expected="float32",
            got=x,
            hint="put `to_dtype: {dtype: float32}` before it",
        )
        refuse_unless_axis(x, self.axis)
        return (replace(x, color=None, range=(0.0, 1.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Softmax, between two Casts for float64."""
        (x,) = inputs
        if self.precision == "float32":
            return op.Softmax(x, axis=self.axis)
        return op.Cast(op.Softmax(op.Cast(x, to="float64"), axis=self.axis), to="float32")

    def oracle(self, *inputs: Tensor) -> Array:
        """torch, or NumPy in float64."""
        (x,) = inputs
        if self.precision == "float64":
            wide = x.array.astype(np.float64)
            powers = np.exp(wide - wide.max(self.axis, keepdims=True))
            return np.asarray(powers / powers.sum(self.axis, keepdims=True), np.float32)
        import torch

        return torch.softmax(torch.from_numpy(x.array), self.axis).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Few and many classes, large scores, an axis in the middle, one class."""
        for precision in ("float32", "float64"):
            for classes, span in ((10, None), (1000, (-30.0, 30.0)), (1, None)):
                scores = TensorSpec("float32", (2, classes), "NC", None, span)
                yield Case({"precision": precision}, (Sample(scores, seed=classes),))
            yield Case({"axis": 1, "precision": precision}, (Sample(TensorSpec("float32", (2, 5, 3, 4), "NCHW"), 4),))
        yield Case({"axis": 0}, (Sample(TensorSpec("float32", (7,)), seed=5),))
