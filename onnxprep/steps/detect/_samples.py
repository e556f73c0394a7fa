"""Boxes and scores as they try a detection step: ties, touching and degenerate boxes, few above the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.step import Sample
from onnxprep.tensor import Array, TensorSpec


@dataclass(frozen=True)
class Boxes(Sample):
    """Boxes [N, K, 4] in few places; one in ten has no area or its corners in the wrong order.

    Attributes:
        grid: their corners lie on multiples of it; 0 for anywhere.
        span: where they begin, 0 to this.
    """

    grid: float = 1.0
    span: float = 16.0

    def array(self) -> Array:
        """Half of them are one of the boxes before, moved a little."""
        n, k, _ = (int(d) for d in self.spec.shape or ())  # type: ignore[arg-type]  # a Sample's dims are ints
        rng = np.random.default_rng(self.seed)
        corner, side = rng.uniform(0, self.span, (n, k, 2)), rng.uniform(0.1, 0.6, (n, k, 2)) * self.span
        if k:
            like = rng.integers(0, k, (n, k))
            near = rng.random((n, k, 1)) < 0.5
            corner = np.where(near, np.take_along_axis(corner, like[..., None], 1) + side * 0.1, corner)
            side = np.where(near, np.take_along_axis(side, like[..., None], 1), side)
        side *= rng.choice([1.0, 0.0, -1.0], (n, k, 2), p=[0.9, 0.05, 0.05])
        boxes = np.concatenate([corner, corner + side], 2)
        if self.grid:
            boxes = np.round(boxes / self.grid) * self.grid
        return boxes.astype(np.float32)


@dataclass(frozen=True)
class Scores(Sample):
    """Scores 0 to 1 of any shape, most of them low.

    Attributes:
        levels: how many different ones there are; 0 for no two alike, as far as float32 goes.
        power: the greater, the fewer are high.
    """

    levels: int = 10
    power: float = 1.0

    def array(self) -> Array:
        """Multiples of 1 / levels; or any number of 24 bits once."""
        shape = tuple(int(d) for d in self.spec.shape or ())  # type: ignore[arg-type]  # a Sample's dims are ints
        rng = np.random.default_rng(self.seed)
        made = rng.random(shape) ** self.power
        if self.levels:
            return (np.round(made * self.levels) / self.levels).astype(np.float32)
        steps = np.sort(rng.choice(2**24, made.size, replace=False)) / np.float32(2**24)
        order = np.argsort(made, None, kind="stable")
        unique = np.empty(made.size, np.float32)
        unique[order] = steps**self.power
        return unique.reshape(shape)


def boxes(n: int, k: int, seed: int, grid: float = 1.0, span: float = 16.0) -> Boxes:
    """Boxes [n, k, 4]."""
    return Boxes(TensorSpec("float32", (n, k, 4)), seed, grid, span)


def scores(shape: tuple[int, ...], seed: int, levels: int = 10, power: float = 1.0) -> Scores:
    """Scores of a shape."""
    return Scores(TensorSpec("float32", shape, None, None, (0.0, 1.0)), seed, levels, power)


def random(rng: np.random.Generator, largest: int, *, unique: bool = False) -> tuple[Boxes, Scores]:
    """Boxes and scores with and without ties, for up to ``largest`` boxes."""
    n, c, k = int(rng.integers(1, 4)), int(rng.choice([1, 2, 3, 5, 12, 20])), int(rng.integers(1, largest + 1))
    levels = 0 if unique else int(rng.choice([0, 2, 10, 100]))
    span = float(rng.choice([8.0, 16.0, 640.0]))
    grid = float(rng.choice([0.0, 0.5, 1.0]))
    first, second = (int(seed) for seed in rng.integers(2**31, size=2))
    return boxes(n, k, first, grid, span), scores((n, c, k), second, levels, float(rng.choice([1, 4])))
