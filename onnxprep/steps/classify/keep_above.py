"""keep_above: classes whose score reaches a threshold; -1 for the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify.threshold import refuse_unless_reachable
from onnxprep.tensor import Array, Tensor, TensorSpec


class KeepAbove(Step):
    """``indices = -1`` and ``values = 0`` where not ``values > value`` (or ``>=``); the others stay as they are.

    Several labels per image: ``[sigmoid, {top_k: {k: 5}}, {keep_above: {value: 0.5}}, {labels: {..., default: ""}}]``
    gives the names of all classes above 0.5, five at most, best first and "" behind them. "None of these": ``[softmax,
    argmax, {keep_above: {value: 0.5}}, {labels: {..., default: unknown}}]``.

    Input: values, float32 or float64, and indices, int64 or int32, of the same shape: what argmax and top_k make.
    Output: indices and values, the same dtypes and shape.
    Rounds: the threshold, once, to the dtype of the values: float32(0.3) lies above 0.3.
    Source: torch 2.13, torch.where on the comparison of a tensor with a Python number.
    Raises: ContractError where a tensor has another dtype, the shapes differ, or the threshold is beyond the dtype. A
        NaN is above nothing.
    """

    operation: ClassVar[str] = "keep_above"
    claims: ClassVar = {"": Claim("torch", ">=2.4", "where, gt, ge")}
    inputs: ClassVar[tuple[str, ...]] = ("values", "indices")
    outputs: ClassVar[tuple[str, ...]] = ("indices", "values")

    value: float = parameter("the threshold, in the unit of the values")
    compare: Literal[">", ">="] = parameter("whether the threshold itself is below or above", ">")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """-1 and 0 may come in."""
        values, indices = inputs
        refuse_unless_reachable(values, self.value)
        refuse_unless(indices.dtype in ("int64", "int32"), "needs indices", expected="int64 or int32", got=indices)
        refuse_unless(
            _alike(values, indices), "gets values and indices of two shapes", expected=str(values), got=indices
        )
        classes = None if indices.range is None else (-1.0, indices.range[1])
        scores = None if values.range is None else (min(values.range[0], 0.0), max(values.range[1], 0.0))
        return replace(indices, range=classes), replace(values, range=scores)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """One comparison, two Wheres."""
        values, indices = inputs
        compare = op.Greater if self.compare == ">" else op.GreaterOrEqual
        above = compare(values, op.constant(self.value, values.spec.dtype))
        none, zero = op.constant(-1, indices.spec.dtype), op.constant(0.0, values.spec.dtype)
        return op.Where(above, indices, none), op.Where(above, values, zero)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """Comparison and where of torch."""
        import torch

        values, indices = (torch.from_numpy(tensor.array) for tensor in inputs)
        above = values > self.value if self.compare == ">" else values >= self.value
        kept = torch.where(above, indices, torch.full_like(indices, -1))
        return kept.numpy(), torch.where(above, values, torch.zeros_like(values)).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Scores on both sides of a threshold, on it, one per image, without axes."""
        for k, shape in enumerate(((2, 5), (3,), (), (1, 2, 3))):
            for compare in (">", ">="):
                values = TensorSpec(
                    "float64" if k == 1 else "float32", shape, "NC" if k == 0 else None, None, (0.0, 1.0)
                )
                indices = replace(values, dtype="int32" if k == 3 else "int64", range=(0.0, 9.0))
                yield Case({"value": 0.5, "compare": compare}, (Sample(values, k + 1), Sample(indices, k)))
                met = replace(values, range=(0.3, 0.3))
                yield Case({"value": 0.3, "compare": compare}, (Sample(met, k), Sample(indices, k)))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any shape; the threshold is one of the values."""
        shape = tuple(int(n) for n in rng.integers(1, largest, int(rng.integers(0, 3))))
        values = TensorSpec(str(rng.choice(["float32", "float64"])), shape, None, None, (-1.0, 1.0 + rng.random()))
        indices = TensorSpec(str(rng.choice(["int64", "int32"])), shape, None, None, (0.0, 99.0))
        made = Sample(values, int(rng.integers(2**31)))
        value = float(rng.choice(made.array().ravel()))
        return Case({"value": value, "compare": str(rng.choice([">", ">="]))}, (made, Sample(indices, 1)))


def _alike(a: TensorSpec, b: TensorSpec) -> bool:
    if a.shape is None or b.shape is None:
        return True
    pairs = zip(a.shape, b.shape, strict=False)
    return a.rank == b.rank and all(x == y for x, y in pairs if isinstance(x, int) and isinstance(y, int))
