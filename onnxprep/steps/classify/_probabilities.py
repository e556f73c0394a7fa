"""What softmax, log_softmax and sigmoid share: a temperature, and in which precision they count."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify._drawn import EXTREME, Span, random_scores
from onnxprep.tensor import Array, Tensor, TensorSpec


class Probabilities(Step):
    """The base: what is refused, and the Casts around the operator.

    Class variables:
        span: the range of what comes out.
        formula: of the float64 form, for its claim.
        drawn: the ranges of random scores.
    """

    span: ClassVar[tuple[float, float] | None] = (0.0, 1.0)
    formula: ClassVar[str]
    drawn: ClassVar[tuple[Span, ...]] = EXTREME

    precision: Literal["float32", "float64"] = parameter(
        "arithmetic inside; float64 costs about twice the time", "float32"
    )
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = parameter(
        "what the input is divided by first", 1.0, added=True
    )

    def promise(self) -> Claim:
        """float64 is held against NumPy, in ulp."""
        if self.precision == "float32":
            return super().promise()
        return Claim("numpy", ">=1.26", self.formula, ulp=1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The range is that of the function; probabilities are no colours."""
        (x,) = inputs
        refuse_unless(
            x.dtype == "float32",
            "needs float32",
            expected="float32",
            got=x,
            hint="put `to_dtype: {dtype: float32}` before it",
        )
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

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Scores of any shape, in either precision, every other one with a temperature."""
        sample, axis = random_scores(rng, largest, cls.drawn)
        parameters: dict[str, Any] = {"precision": str(rng.choice(["float32", "float64"]))}
        if "axis" in cls.parameters():
            parameters["axis"] = axis
        if rng.random() < 0.5:
            parameters["temperature"] = float(np.exp(rng.uniform(-1, 3)))
        return Case(parameters, (sample,))
