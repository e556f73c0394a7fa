"""softmax: scores to probabilities."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Claim, Ops, Value
from onnxprep.steps.classify._probabilities import OfClasses
from onnxprep.tensor import Array


class Softmax(OfClasses):
    """``y = exp(x / t - max(x / t)) / sum(exp(x / t - max(x / t)))`` along an axis.

    In float32 no two libraries agree in the last bits: exp and the order of the sum are their own. In float64, rounded
    to float32 at the end, they do, up to values that lie almost exactly between two float32 numbers.

    Input: float32, any layout or none.
    Output: float32, same layout and shape; 0..1.
    Rounds: in every operation; with ``precision: float64`` once more at the end.
    Source: torch 2.13, torch.softmax; for float64 the formula in NumPy.
    Raises: ContractError where the tensor is not float32 or has no such axis. A NaN or +inf among the scores, or nothing
        but -inf, makes all of its classes NaN, as in torch.
    """

    operation: ClassVar[str] = "softmax"
    claims: ClassVar = {
        "": Claim(
            "torch",
            ">=2.4",
            "softmax",
            absolute=1e-6,
            note="6e-7 at most in 25 million values; precision float64: NumPy in float64, within 1 ulp, none differed",
        )
    }
    formula: ClassVar[str] = "exp(x - max) / sum(exp(x - max)) in float64"

    def applied(self, op: Ops, x: Value) -> Value:
        """Softmax."""
        y: Value = op.Softmax(x, axis=self.axis)
        return y

    def in_numpy(self, x: Array) -> Array:
        """The largest is taken off first."""
        powers = np.exp(x - x.max(self.axis, keepdims=True))
        return np.asarray(powers / powers.sum(self.axis, keepdims=True))

    def in_torch(self, x: Any) -> Any:
        """torch.softmax."""
        return x.softmax(self.axis)
