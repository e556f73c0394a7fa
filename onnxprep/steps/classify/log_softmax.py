"""log_softmax: scores to logarithms of probabilities."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Claim, Ops, Value
from onnxprep.steps.classify._drawn import Span
from onnxprep.steps.classify._probabilities import OfClasses
from onnxprep.tensor import Array


class LogSoftmax(OfClasses):
    """``y = x / t - max(x / t) - log(sum(exp(x / t - max(x / t))))`` along an axis.

    Input: float32, any layout or none.
    Output: float32, same layout and shape; 0 or less.
    Rounds: in every operation; with ``precision: float64`` once more at the end.
    Source: torch 2.13, torch.log_softmax; for float64 the formula in NumPy.
    Raises: ContractError where the tensor is not float32 or has no such axis. A NaN or +inf among the scores, or nothing
        but -inf, makes all of its classes NaN, as in torch.
    """

    operation: ClassVar[str] = "log_softmax"
    claims: ClassVar = {
        "": Claim(
            "torch",
            ">=2.4",
            "log_softmax",
            absolute=1e-5,
            note="where it is above -64; below, 3 ulp; precision float64: NumPy in float64, within 1 ulp",
        )
    }
    span: ClassVar[tuple[float, float] | None] = None
    drawn: ClassVar[tuple[Span, ...]] = ((-9.0, 9.0), (0.0, 1.0), (-1e-3, 1e-3), (-1e-38, 1e-38))
    formula: ClassVar[str] = "x - max - log(sum(exp(x - max))) in float64"

    def applied(self, op: Ops, x: Value) -> Value:
        """Its parts: ONNX Runtime's LogSoftmax is another function before opset 13."""
        scores = op.Sub(x, op.ReduceMax(x, axes=[self.axis], keepdims=1))
        total = op.ReduceSum(op.Exp(scores), axes=[self.axis], keepdims=1)
        y: Value = op.Sub(scores, op.Log(total))
        return y

    def in_numpy(self, x: Array) -> Array:
        """The largest is taken off first."""
        scores = x - x.max(self.axis, keepdims=True)
        return np.asarray(scores - np.log(np.exp(scores).sum(self.axis, keepdims=True)))

    def in_torch(self, x: Any) -> Any:
        """torch.log_softmax."""
        return x.log_softmax(self.axis)
