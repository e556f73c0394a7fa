"""log_softmax: scores to logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter
from onnxprep.steps.classify._drawn import Span
from onnxprep.steps.classify._probabilities import Probabilities
from onnxprep.steps.classify.axis import refuse_unless_axis
from onnxprep.tensor import Array, TensorSpec


class LogSoftmax(Probabilities):
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

    axis: int = parameter("axis of the classes; negative counts from the last", -1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As all, where there is such an axis."""
        told = super().infer(*inputs)
        refuse_unless_axis(inputs[0], self.axis)
        return told

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

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Few and many classes, large scores, an axis in the middle, one class, a temperature."""
        for precision in ("float32", "float64"):
            for classes, span in ((10, None), (1000, (-30.0, 30.0)), (1, None)):
                scores = TensorSpec("float32", (2, classes), "NC", None, span)
                yield Case({"precision": precision}, (Sample(scores, seed=classes),))
            yield Case({"axis": 1, "precision": precision}, (Sample(TensorSpec("float32", (2, 5, 3, 4), "NCHW"), 4),))
            warm = Sample(TensorSpec("float32", (3, 20), "NC", None, (-9.0, 9.0)), 6)
            yield Case({"precision": precision, "temperature": 1.7}, (warm,))
        yield Case({"axis": 0}, (Sample(TensorSpec("float32", (7,)), seed=5),))
