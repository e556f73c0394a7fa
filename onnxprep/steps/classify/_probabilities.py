"""What softmax, log_softmax and sigmoid share: a temperature, and in which precision they count."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from onnxprep.step import Claim, Ops, Step, Value, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec


class Probabilities(Step):
    """The base: what is refused, and the Casts around the operator.

    Class variables:
        span: the range of what comes out.
        formula: of the float64 form, for its claim.
    """

    span: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    formula: ClassVar[str]

    precision: Literal["float32", "float64"] = parameter(
        "arithmetic inside; float64 costs about twice the time", "float32"
    )
    temperature: Annotated[float, Field(gt=0)] = parameter("what the input is divided by first", 1.0, added=True)

    def promise(self) -> Claim:
        """float64 is held against NumPy, in ulp."""
        if self.precision == "float32":
            return super().promise()
        return Claim("numpy", ">=1.26", self.formula, ulp=1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The range is that of the function; probabilities are no colours."""
        (x,) = inputs
        refuse_unless(x.dtype == "float32", "needs float32", expected="float32", got=x, hint="put `to_dtype` before it")
        return (replace(x, color=None, range=self.span),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The operator, between two Casts for float64."""
        (x,) = inputs
        y = x if self.precision == "float32" else op.Cast(x, to="float64")
        if self.temperature != 1:
            y = op.Div(y, op.constant(self.temperature, self.precision))
        y = self.applied(op, y)
        return y if self.precision == "float32" else op.Cast(y, to="float32")

    def applied(self, op: Ops, x: Value) -> Value:
        """The operator alone."""
        raise NotImplementedError

    def oracle(self, *inputs: Tensor) -> Array:
        """torch, or NumPy in float64."""
        (x,) = inputs
        if self.precision == "float64":
            return np.asarray(self.in_numpy(x.array.astype(np.float64) / self.temperature), np.float32)
        import torch

        scores = torch.from_numpy(x.array)
        return np.asarray(self.in_torch(scores if self.temperature == 1 else scores / self.temperature).numpy())

    def in_numpy(self, x: Array) -> Array:
        """The formula on float64."""
        raise NotImplementedError

    def in_torch(self, x: Any) -> Any:
        """The library's function."""
        raise NotImplementedError
