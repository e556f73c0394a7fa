"""argmax: the best class and its score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify._drawn import TIES, random_scores
from onnxprep.steps.classify.axis import length, refuse_unless_axis, span_of_indices, without
from onnxprep.tensor import Array, Tensor, TensorSpec

_DTYPES = ("float32", "float64", "int32", "int64")


class Argmax(Step):
    """``indices = argmax(x)`` along an axis, the first where several are largest; ``values = x[indices]``.

    Input: float32, float64, int32 or int64, any layout or none.
    Output: indices, int64, and values, the dtype of the input; both without the axis.
    Rounds: never.
    Source: NumPy's argmax and take_along_axis; torch.max agrees.
    Raises: ContractError where the tensor has another dtype, no such axis or nothing along it. With NaN among the scores
        which class is found is not defined: some class there is, with its own score. Behind softmax, which makes them
        all NaN, it is one whose score is NaN.
    """

    operation: ClassVar[str] = "argmax"
    claims: ClassVar = {
        "": Claim("numpy", ">=1.26", "argmax, take_along_axis", note="without NaN, which has no place in the order")
    }
    outputs: ClassVar[tuple[str, ...]] = ("indices", "values")

    axis: int = parameter("axis of the classes; negative counts from the last", -1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The axis goes; the range of the indices tells the number of classes."""
        (x,) = inputs
        refuse_unless(x.dtype in _DTYPES, f"does not work on {x.dtype}", expected=", ".join(_DTYPES), got=x)
        refuse_unless_axis(x, self.axis)
        classes = length(x, self.axis)
        refuse_unless(classes != 0, "has no classes", expected="one class or more", got=x)
        best = without(x, self.axis)
        return replace(best, dtype="int64", range=span_of_indices(classes)), best

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """ArgMax; the values are gathered, so that they belong to the indices whatever the input."""
        (x,) = inputs
        # of an empty batch ONNX Runtime 1.31's ArgMax keeps the whole axis: the Slice makes it one long
        found = op.ArgMax(x, axis=self.axis, keepdims=1)
        index = op.Slice(found, op.int64([0]), op.int64([1]), op.int64([self.axis]))
        best = op.GatherElements(x, index, axis=self.axis)
        return op.Squeeze(index, axes=[self.axis]), op.Squeeze(best, axes=[self.axis])

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """NumPy."""
        (x,) = inputs
        index = np.argmax(x.array, self.axis, keepdims=True)
        best = np.take_along_axis(x.array, index, self.axis)
        return index.squeeze(self.axis), best.squeeze(self.axis)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Scores, scores with many ties, a map of classes, a single vector."""
        yield Case({}, (Sample(TensorSpec("float32", (2, 10), "NC"), seed=1),))
        yield Case({}, (Sample(TensorSpec("int64", (50, 6), "NC", None, (0.0, 2.0)), seed=2),))
        yield Case({"axis": 1}, (Sample(TensorSpec("float64", (1, 4, 5, 3), "NCHW"), seed=3),))
        yield Case({"axis": 0}, (Sample(TensorSpec("int32", (9,), None, None, (-3.0, 3.0)), seed=4),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Scores of any shape and dtype, many of them equal."""
        sample, axis = random_scores(rng, largest, TIES, _DTYPES)
        return Case({"axis": axis}, (sample,))
