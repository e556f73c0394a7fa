"""What the steps share that undo a normalization: one number or one per target, along the last axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import ValidationInfo

from onnxprep.step import Case, Sample, Step, refuse_unless, refuse_unless_float32, wrong
from onnxprep.tensor import Array, TensorSpec


def as_many(values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
    """A validator: as many numbers as the parameter has that is declared before."""
    before, numbers = list(info.data.items())[-1]
    if before != "like" and len(values) != len(numbers):  # absent where it is wrong itself
        raise wrong(f"has {len(values)} numbers", expected=f"{len(numbers)}, as many as {before}")
    return values


class Targets(Step):
    """Base: what is refused. Targets of any number of axes, the last one theirs where there are several numbers."""

    def numbers(self) -> tuple[Array, Array]:
        """Both parameters, as they meet the last axis."""
        raise NotImplementedError

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The same tensor; its range is not known."""
        (x,) = inputs
        refuse_unless_float32(x)
        given = len(self.numbers()[0])
        refuse_unless(
            x.layout == x.planar().layout, "has its targets on another axis", expected="targets on the last", got=x
        )
        last = None if x.shape is None else x.shape[-1] if x.shape else 1
        fits = given == 1 or (x.shape != () and (last == given or not isinstance(last, int)))
        refuse_unless(fits, "has another number of targets", expected=f"{given} on the last axis", got=x)
        return (replace(x, color=None, range=None),)

    @classmethod
    def samples(cls, targets: int, seed: int) -> list[Sample]:
        """A batch of answers, one answer, answers of several axes; and one number each where there is one target."""
        shapes: list[Any] = [(5, targets), (targets,), (2, 3, targets)] + ([(7,), ()] if targets == 1 else [])
        return [
            Sample(TensorSpec("float32", shape, "NC" if len(shape) == 2 else None), seed + k)
            for k, shape in enumerate(shapes)
        ]

    @classmethod
    def random(cls, rng: np.random.Generator, targets: int) -> dict[str, list[float]]:
        """Parameters for so many targets."""
        raise NotImplementedError

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """One to a hundred targets in a batch of any size, in any unit."""
        targets = int(100 ** rng.random())
        shape = (int(rng.integers(1, 2 + largest)), targets)
        span = None if rng.random() < 0.5 else (-(10.0 ** float(rng.integers(-3, 4))), 10.0)
        sample = Sample(TensorSpec("float32", shape, None, None, span), int(rng.integers(2**31)))
        return Case(cls.random(rng, targets), (sample,), (like,))


def by_rows(x: Array, apply: Any) -> Array:
    """What ``apply`` makes of [n, targets], for targets of any number of axes."""
    rows = x.reshape(-1, x.shape[-1] if x.ndim else 1)
    return np.asarray(apply(rows.copy()) if len(rows) else rows).reshape(x.shape)
