"""What softmax, log_softmax and sigmoid share: a temperature, and in which precision they count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless_float32
from onnxprep.steps.classify._drawn import EXTREME, Span, random_scores
from onnxprep.steps.classify.axis import refuse_unless_axis
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
        refuse_unless_float32(x)
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


class OfClasses(Probabilities):
    """The base of those that look at all classes together."""

    axis: int = parameter("axis of the classes; negative counts from the last", -1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As all, where there is such an axis."""
        told = super().infer(*inputs)
        refuse_unless_axis(inputs[0], self.axis)
        return told

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
