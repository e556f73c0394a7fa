"""top_k: the k best classes and their scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify._drawn import TIES, random_scores
from onnxprep.steps.classify.axis import length, refuse_unless_axis, span_of_indices, with_length
from onnxprep.tensor import Array, Tensor, TensorSpec

_DTYPES = ("float32", "float64", "int32", "int64")


class TopK(Step):
    """The ``k`` largest along an axis, largest first; of equal ones the lower index first.

    Input: float32, float64, int32 or int64, any layout or none, at least ``k`` along the axis.
    Output: values, the dtype of the input, and indices, int64; ``k`` along the axis.
    Rounds: never.
    Source: NumPy's stable argsort of ``-x``. The order of equal values in torch.topk is unspecified.
    Raises: ContractError where the tensor has another dtype, no such axis or is known to have fewer than ``k`` along it.
        Where that is not known, running the graph fails in TopK. With NaN among the scores the order is not defined:
        there are still ``k`` different classes, each with its own score.
    """

    operation: ClassVar[str] = "top_k"
    claims: ClassVar = {
        "": Claim(
            "numpy",
            ">=1.26",
            'argsort(-x, kind="stable")[..., :k]',
            note="without NaN, which has no place in the order",
        )
    }
    outputs: ClassVar[tuple[str, ...]] = ("values", "indices")

    k: int = parameter("how many", gt=0, lt=2**31)
    axis: int = parameter("axis of the classes; negative counts from the last", -1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The axis is k long; the range of the indices tells the number of classes."""
        (x,) = inputs
        refuse_unless(x.dtype in _DTYPES, f"does not work on {x.dtype}", expected=", ".join(_DTYPES), got=x)
        refuse_unless_axis(x, self.axis)
        classes = length(x, self.axis)
        enough = not isinstance(classes, int) or classes >= self.k
        expected, hint = f"{self.k} or more along the axis", _other_axis(x, self.axis, self.k)
        refuse_unless(
            enough, f"has fewer than {self.k} classes along axis {self.axis}", expected=expected, got=x, hint=hint
        )
        values = with_length(x, self.axis, self.k)
        return values, replace(values, dtype="int64", range=span_of_indices(classes))

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """TopK, sorted; where the rank is known, of one row at least: on none ONNX Runtime before 1.31 dies."""
        (x,) = inputs
        shape = x.spec.shape or ()
        axis = self.axis % len(shape) if shape else self.axis
        unsure = [i for i, dim in enumerate(shape) if i != axis and (dim == 0 or not isinstance(dim, int))]
        if not unsure:
            return self._top_k(op, x)
        one_more = [int(i in unsure) for i in range(len(shape))]
        padded = op.Pad(x, op.int64([0] * len(shape) + one_more), op.constant(0, x.spec.dtype), mode="constant")
        end = op.Gather(op.Shape(x), op.int64(unsure), axis=0)
        start, axes = op.int64([0] * len(unsure)), op.int64(unsure)
        return tuple(op.Slice(found, start, end, axes) for found in self._top_k(op, padded))

    def _top_k(self, op: Ops, x: Value) -> tuple[Value, ...]:
        return tuple(op.TopK(x, op.int64([self.k]), axis=self.axis, largest=1, sorted=1, outputs=2))

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """NumPy, stable."""
        (x,) = inputs
        order = np.argsort(-x.array, self.axis, kind="stable")
        indices = np.take(order, range(self.k), self.axis)
        return np.take_along_axis(x.array, indices, self.axis), indices

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Scores, many ties, all of them, an axis in the middle."""
        yield Case({"k": 5}, (Sample(TensorSpec("float32", (2, 1000), "NC"), seed=1),))
        yield Case({"k": 4}, (Sample(TensorSpec("int64", (50, 6), "NC", None, (0.0, 2.0)), seed=2),))
        yield Case({"k": 1}, (Sample(TensorSpec("float32", (1, 1), "NC"), seed=3),))
        yield Case({"k": 2, "axis": 1}, (Sample(TensorSpec("float64", (1, 4, 5, 3), "NCHW"), seed=4),))
        yield Case({"k": 9, "axis": 0}, (Sample(TensorSpec("int32", (9,), None, None, (-3.0, 3.0)), seed=5),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Scores of any shape and dtype, many of them equal; from one up to all of them."""
        sample, axis = random_scores(rng, largest, TIES, _DTYPES)
        classes = int(sample.array().shape[axis])
        return Case({"axis": axis, "k": int(rng.integers(1, classes + 1))}, (sample,))


def _other_axis(x: TensorSpec, axis: int, k: int) -> str:
    """The axis that the classes may lie along: the first other one that is long enough; the batch is none."""
    lengths = [dim if isinstance(dim, int) and i else 0 for i, dim in enumerate(x.shape or ())]
    found = [i for i, dim in enumerate(lengths) if dim >= k and i != axis % len(lengths)]
    return f"are the classes along another one? `axis: {found[0]}`" if found else ""
