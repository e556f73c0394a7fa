"""threshold: scores to yes or no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify._drawn import TIES, random_scores
from onnxprep.tensor import Array, Tensor, TensorSpec

_DTYPES = ("float32", "float64")


class Threshold(Step):
    """``y = x > value`` or ``y = x >= value``, the value rounded to the dtype of x first; false for NaN.

    Input: float32 or float64, any layout or none.
    Output: bool, same layout and shape.
    Rounds: the value, once: float32(0.3) lies above 0.3.
    Source: torch 2.13, comparison of a tensor with a Python number.
    Raises: ContractError where the tensor has another dtype, or the value is beyond it.
    """

    operation: ClassVar[str] = "threshold"
    claims: ClassVar = {"": Claim("torch", ">=2.4", "gt, ge")}
    outputs: ClassVar[tuple[str, ...]] = ("above_threshold",)

    value: float = parameter("the threshold, in the unit of the input")
    compare: Literal[">", ">="] = parameter("whether the threshold itself is below or above", ">")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """A bool for every number."""
        (x,) = inputs
        refuse_unless_reachable(x, self.value)
        return (replace(x, dtype="bool", color=None, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Greater or GreaterOrEqual."""
        (x,) = inputs
        compare = op.Greater if self.compare == ">" else op.GreaterOrEqual
        return compare(x, op.constant(self.value, x.spec.dtype))

    def oracle(self, *inputs: Tensor) -> Array:
        """The comparison of torch."""
        (x,) = inputs
        import torch

        scores = torch.from_numpy(x.array)
        return (scores > self.value if self.compare == ">" else scores >= self.value).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """A threshold that floats do not hold, and one that is met exactly."""
        for compare in (">", ">="):
            yield Case(
                {"value": 0.3, "compare": compare}, (Sample(TensorSpec("float32", (2, 9), "NC", None, (0.0, 1.0)), 1),)
            )
            for dtype, value in (("float32", 0.3), ("float64", 0.3), ("float32", 0.5)):
                exact = TensorSpec(dtype, (1, 3, 2), None, None, (value, value))
                yield Case({"value": value, "compare": compare}, (Sample(exact, seed=2),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Scores of any shape; the threshold is one of them."""
        sample, _ = random_scores(rng, largest, TIES, _DTYPES)
        value = float(rng.choice(sample.array().ravel()))
        return Case({"value": value, "compare": str(rng.choice([">", ">="]))}, (sample,))


def refuse_unless_reachable(x: TensorSpec, value: float) -> None:
    """Raises a ContractError where ``x`` is no float, or its dtype does not reach as far as the threshold."""
    refuse_unless(x.dtype in _DTYPES, f"does not work on {x.dtype}", expected=" or ".join(_DTYPES), got=x)
    fits = x.dtype == "float64" or abs(value) <= float(np.finfo(np.float32).max)
    refuse_unless(fits, f"cannot reach {value:g}", expected="a threshold within float32", got=x)
