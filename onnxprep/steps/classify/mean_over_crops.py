"""mean_over_crops: one answer per image out of one answer per crop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import ClassVar, Literal, Self

import numpy as np

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec


class MeanOverCrops(Step):
    """``y[n] = (x[n * crops] + x[n * crops + 1] + ...) / crops``: the crops of an image lie one behind the other.

    Before ``softmax`` it averages logits, behind it probabilities; training code does either.

    Input: float32 or float64, the batch axis first, as long as a multiple of crops.
    Output: the same dtype and axes, the batch axis divided by crops.
    Rounds: after each addition, in order, and after the division; half to even.
    Source: NumPy 2, reshape and mean over an axis that is not the last. torch's mean adds in another order: its last
        bits differ.
    Raises: ContractError where the tensor has no axis, its length is known to be no multiple of crops, or frame is no
        five_crop or ten_crop. Where the length is not known, running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "mean_over_crops"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "x.reshape(-1, crops, ...).mean(axis=1)")}

    frame: str = parameter("name of the five_crop or ten_crop before the model", min_length=1)
    crops: Literal[5, 10] | None = parameter("crops per image; left out, as many as that step makes", None)

    def in_frame(self, step: Step) -> Self:
        """The same, knowing how many crops there are."""
        made = getattr(step, "crops", None)
        if made not in (5, 10) or self.crops not in (None, made):
            expected = "the name of a five_crop or ten_crop" if made is None else f"crops: {made}, or none"
            raise ContractError("does not average the crops of its frame", expected=expected, got=step.operation)
        return self.model_copy(update={"crops": made})

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The first axis becomes shorter."""
        (x,) = inputs
        refuse_unless(x.dtype in ("float32", "float64"), f"does not work on {x.dtype}", expected="a float", got=x)
        refuse_unless(x.rank != 0, "has no batch axis", expected="at least one axis", got=x)
        refuse_unless(
            x.layout is None or x.layout[0] == "N", "begins with another axis", expected="the batch axis first", got=x
        )
        if x.shape is None:
            return (x,)
        length, crops = x.shape[0], self._crops()
        whole = not isinstance(length, int) or length % crops == 0
        hint = f"a model that takes a fixed batch gets {crops} crops per image: export it with a free batch"
        refuse_unless(
            whole, "is no whole number of images", expected=f"a multiple of {crops} answers", got=x, hint=hint
        )
        return (replace(x, shape=(length // crops if isinstance(length, int) else None, *x.shape[1:])),)

    def _crops(self) -> int:
        if self.crops is None:
            raise ContractError("does not know how many crops there are", expected="crops: 5 or 10", got="none")
        return self.crops

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Reshape, then one Gather and Add per crop: ReduceMean is free to add in another order."""
        (x,) = inputs
        crops = self._crops()
        rest = op.Slice(op.Shape(x), op.int64([1]), op.int64([2**31]), op.int64([0]))
        by_image = op.Reshape(x, op.Concat(op.int64([-1, crops]), rest, axis=0))
        total = reduce(op.Add, (op.Gather(by_image, op.int64(k), axis=1) for k in range(crops)))
        return op.Div(total, op.constant(float(crops), x.spec.dtype))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's mean."""
        (x,) = inputs
        return x.array.reshape(-1, self._crops(), *x.array.shape[1:]).mean(axis=1)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both numbers of crops, several images, answers of one and of three axes."""
        yield Case({"frame": "five_crop", "crops": 5}, (Sample(TensorSpec("float32", (10, 21)), 1),))
        yield Case({"frame": "ten_crop", "crops": 10}, (Sample(TensorSpec("float32", (10, 3, 2)), 2),))
        yield Case({"frame": "ten_crop", "crops": 10}, (Sample(TensorSpec("float64", (30, 7)), 3),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Up to nine images with any number of classes."""
        case = super().draw(like, rng, largest)
        crops, images, classes = int(case.parameters["crops"]), int(rng.integers(1, 10)), int(rng.integers(1, 1001))
        shape = (crops * images, classes)
        return Case(case.parameters, (Sample(TensorSpec("float32", shape), int(rng.integers(2**31))),))
