"""Pillow's extended box: a box whose radius need not be whole, as both its blurs use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Ops, Value
from onnxprep.steps.image._bands import Planes, Window
from onnxprep.steps.image._blurs import Blur, cases_of
from onnxprep.steps.image._drawn import random_image

Radius = Annotated[float, Field(ge=0, le=500)]
"""px."""


class ExtendedBoxBlur(Blur):
    """Base: a step says its radius and what Pillow makes of it."""

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Whole radii and others, images smaller than the box, one pixel."""
        rgb, gray = ("NHWC", (2, 9, 13, 3), "RGB"), ("CHW", (1, 20, 35), "GRAY")
        sizes: list[tuple[Any, tuple[str, tuple[int, ...], str]]] = [
            (2.0, rgb), (1.0, gray), (0.3, ("HWC", (6, 7, 4), "RGBA")), ([0.0, 2.5], rgb), ([8.0, 0.5], gray),
            (3.3, ("NCHW", (1, 3, 17, 33), "RGB")), (5.0, ("HWC", (1, 1, 3), "RGB")), (0.0, rgb),
            (20.0, ("CHW", (3, 40, 3), "BGR")),
        ]  # fmt: skip
        yield from cases_of(({"radius": radius}, image) for radius, image in sizes)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any radii, most of them small."""
        radii = [float(rng.choice([0, 1, 2, 5, *20 ** rng.uniform(-1, 1, 6)])) for _ in range(2)]
        return Case({"radius": radii if rng.random() < 0.5 else radii[0]}, (random_image(rng, largest),))


def blurred(op: Ops, x: Value, radii: tuple[float, float], times: int, box: Callable[[float], np.float32]) -> Value:
    """``times`` passes over the columns, then over the rows; ``box`` gives the radius that Pillow makes of one."""
    rows, columns = (_window(box(radius)) if box(radius) else None for radius in radii)
    return Planes(op, x).repeated(rows, columns, times) if rows or columns else x


def _window(radius: np.float32) -> Window:
    """Whole pixels weigh ``2**24 / (2 * radius + 1)``, cut in float32, the two at the ends what is left over."""
    whole = int(radius)
    inner = int(np.float32(2**24) / (radius * np.float32(2) + np.float32(1)))
    ends = (2**24 - (2 * whole + 1) * inner) // 2
    weights = [k / 2**24 for k in (ends, *[inner] * (2 * whole + 1), ends)]
    return Window(weights, whole + 1, "edge")
