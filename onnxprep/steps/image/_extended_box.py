"""Pillow's extended box: a box whose radius need not be whole, as both its blurs use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from onnxprep.step import Ops, Value, refuse_unless
from onnxprep.steps.image._bands import Planes, Window
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import TensorSpec

Radius = Annotated[float, Field(ge=0, le=500)]
"""px."""


def pair(radius: float | tuple[float, float]) -> tuple[float, float]:
    """Vertical and horizontal."""
    return radius if isinstance(radius, tuple) else (radius, radius)


def told(x: TensorSpec) -> tuple[TensorSpec, ...]:
    """The input itself, if Pillow blurs such an image: a mean stays in the range."""
    refuse_unless_image(x, "uint8", hint="blur before `rescale` or `to_dtype`")
    refuse_unless(x.dim("C") in (1, 3, 4), "has another number of channels", expected="C = 1, 3 or 4", got=x)
    return (x,)


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
