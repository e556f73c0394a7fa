"""What cv2.resize is to do: the lengths, and the scale that its arithmetic starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxprep.step import Ops
from onnxprep.steps.image.arithmetic import Arithmetic, Number
from onnxprep.steps.image.resize._geometry import Geometry


@dataclass(frozen=True)
class OpencvGeometry(Geometry):
    """What both axes (H, W) go through.

    Attributes:
        ratio: new length / length, float64 [2]; fx where the scale is given.
        scale: 1 / ratio, float64 [2]: the reciprocal of a rounded number, not length / new length.
        by_factor: whether the scale is given, so that nothing of the lengths follows from it.
    """

    ratio: Number
    scale: Number
    by_factor: bool = False

    def axis(self, a: Arithmetic, i: int) -> OpencvGeometry:
        """The same numbers of one axis, [1]."""
        sides, resized, start, count, ratio, scale = (a.pick(n, i) for n in self._numbers())
        return OpencvGeometry(sides, resized, start, count, ratio, scale, self.by_factor)

    def known(self, a: Arithmetic) -> bool:
        """Whether every number is known when the graph is written."""
        return all(a.known(n) is not None for n in self._numbers())

    def _numbers(self) -> tuple[Number, ...]:
        return self.sides, self.resized, self.start, self.count, self.ratio, self.scale

    def is_whole(self, a: Arithmetic) -> bool:
        """Whether all outputs are known to be wanted."""
        start, count, resized = (a.known(n) for n in (self.start, self.count, self.resized))
        from_start = start is not None and not start.any()
        if count is not None and resized is not None:
            return from_start and bool((count == resized).all())
        return from_start and a.value(self.count) == a.value(self.resized)


def by_lengths(op: Ops, geometry: Geometry) -> OpencvGeometry:
    """For ``cv2.resize(x, dsize)``."""
    return _scaled(op, geometry, Arithmetic(op).ratio(geometry.resized, geometry.sides), by_factor=False)


def by_factors(op: Ops, geometry: Geometry, factors: tuple[float, float]) -> OpencvGeometry:
    """For ``cv2.resize(x, None, fx=, fy=)``, ``factors`` being (fy, fx); where no length changes, cv2 copies."""
    a = Arithmetic(op)
    kept = a.Equal(geometry.sides, geometry.resized)
    kept = a.And(a.pick(kept, 0), a.pick(kept, 1))
    return _scaled(op, geometry, a.Where(kept, np.array([1.0, 1.0]), np.array(factors)), by_factor=True)


def _scaled(op: Ops, geometry: Geometry, ratio: Number, *, by_factor: bool) -> OpencvGeometry:
    a = Arithmetic(op)
    known = a.known(ratio)
    scale = 1 / known if known is not None else op.Reciprocal(a.value(ratio))
    return OpencvGeometry(**vars(geometry), ratio=ratio, scale=scale, by_factor=by_factor)
