"""l2_normalize: vectors to length 1, as embeddings are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless_float32
from onnxprep.steps.classify._drawn import EXTREME, random_scores
from onnxprep.steps.classify.axis import refuse_unless_axis
from onnxprep.tensor import Array, Tensor, TensorSpec


class L2Normalize(Step):
    """``y = x / max(sqrt(sum(x * x)), eps)`` along an axis, in float64, rounded to float32 at the end.

    In float32 the order of the sum, and with it the last bits, is each library's own; in float64 they agree with what
    is nearest to the true value, and with torch within a few units in the last place.

    Input: float32, any layout or none.
    Output: float32, same layout and shape; -1..1.
    Rounds: in every operation in float64, then once to float32.
    Source: NumPy; the formula is that of torch.nn.functional.normalize.
    Raises: ContractError where the tensor is not float32 or has no such axis. Zeros stay zeros; a NaN makes its whole
        vector NaN; infinities become NaN and what stands beside them 0.
    """

    operation: ClassVar[str] = "l2_normalize"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "x / maximum(sqrt((x * x).sum()), eps) in float64", ulp=1)}

    axis: int = parameter("axis of the vector; negative counts from the last", -1)
    eps: Annotated[float, Field(gt=0)] = parameter("the least that is divided by", 1e-12)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """No element is longer than its vector."""
        (x,) = inputs
        refuse_unless_float32(x)
        refuse_unless_axis(x, self.axis)
        return (replace(x, color=None, range=(-1.0, 1.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Not LpNormalization, for which CUDA has no kernel."""
        wide = op.Cast(inputs[0], to="float64")
        total = op.ReduceSum(op.Mul(wide, wide), axes=[self.axis], keepdims=1)
        return op.Cast(op.Div(wide, op.Max(op.Sqrt(total), op.float64(self.eps))), to="float32")

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy, float64."""
        wide = inputs[0].array.astype(np.float64)
        total = (wide * wide).sum(self.axis, keepdims=True)
        return np.asarray(wide / np.maximum(np.sqrt(total), self.eps), np.float32)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Embeddings, one number, a map of vectors, zeros, a large eps."""
        yield Case({}, (Sample(TensorSpec("float32", (3, 512), "NC"), 1),))
        yield Case({}, (Sample(TensorSpec("float32", (4, 1), "NC"), 2),))
        yield Case({"axis": 1}, (Sample(TensorSpec("float32", (2, 5, 3, 4), "NCHW"), 3),))
        yield Case({}, (Sample(TensorSpec("float32", (2, 6), "NC", None, (0.0, 0.0)), 4),))
        yield Case({"eps": 9.0}, (Sample(TensorSpec("float32", (2, 6), "NC"), 5),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Vectors of any shape and length, every other one with another eps."""
        sample, axis = random_scores(rng, largest, EXTREME)
        eps = {"eps": float(10 ** rng.uniform(-20, 1))} if rng.random() < 0.5 else {}
        return Case({"axis": axis, **eps}, (sample,))
