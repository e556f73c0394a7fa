"""Random scores for the random cases of steps that work on any shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxprep.step import Sample
from onnxprep.tensor import TensorSpec

Span = tuple[float, float]

MODERATE: tuple[Span, ...] = ((-9.0, 9.0), (-90.0, 90.0), (0.0, 1.0), (-1e-3, 1e-3), (-3000.0, 3000.0))
EXTREME: tuple[Span, ...] = (*MODERATE, (-3e38, 3e38), (-1e-38, 1e-38), (0.0, 0.0))
TIES: tuple[Span, ...] = (*EXTREME, (1.0, 1.0 + 2**-22))  # three float32 numbers


def random_scores(
    rng: np.random.Generator, largest: int, spans: Sequence[Span], dtypes: Sequence[str] = ("float32",)
) -> tuple[Sample, int]:
    """Scores of one to four axes, and which of them the classes are: in one of ten cases there is just one class.

    Integers are few, so that most have an equal; one in five of the floats are standard normal.
    """
    dtype, rank = str(rng.choice(list(dtypes))), int(rng.integers(1, 5))
    axis = int(rng.integers(-rank, rank))
    shape = [int(n) for n in rng.integers(1, 4, rank)]
    shape[axis] = 1 if rng.random() < 0.1 else int((4 * largest) ** rng.uniform(0.1, 1))
    span: Span | None = spans[int(rng.integers(len(spans)))]
    if dtype.startswith("int"):
        low = float(rng.integers(1 - 2**31, 2**31 - 4))
        span = (low, low + float(rng.integers(0, 4)))
    elif rng.random() < 0.2:
        span = None
    layout = "NC" if rank == 2 and rng.random() < 0.5 else None
    return Sample(TensorSpec(dtype, tuple(shape), layout, None, span), int(rng.integers(2**31))), axis
