"""The parameter ``box``: which part of an image is resized, as Pillow's ``Image.resize`` takes it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Ops, Value, refuse_unless, wrong
from onnxprep.steps.image._borders import refuse_at_run
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.resize._geometry import BoxGeometry, Geometry
from onnxprep.tensor import Array, TensorSpec

Place = Annotated[float, Field(ge=0, lt=2**31)]
"""How far from the left or the upper edge, px."""


def _not_empty(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    begin, end = _edges(box)
    for i, before, after in ((3, "upper", "lower"), (2, "left", "right")):
        if begin[3 - i] >= end[3 - i]:
            expected = f"{after} greater than {before}, as float32"
            raise wrong(f"is {box[i]:g}: the box is empty", at=f"[{i}]", expected=expected)
    return box


Box = Annotated[tuple[Place, Place, Place, Place], AfterValidator(_not_empty)]
"""left, upper, right, lower."""


def _edges(box: Box) -> tuple[Array, Array]:
    """Where the box begins and ends (H, W): float32 [2], which is how Pillow's C code takes it."""
    left, upper, right, lower = box
    return np.array([upper, left], np.float32), np.array([lower, right], np.float32)


def _least(box: Box) -> tuple[int, int]:
    """The sides of the smallest image the box lies in."""
    height, width = np.ceil(_edges(box)[1].astype(np.float64)).astype(int).tolist()
    return height, width


def refuse_unless_inside(x: TensorSpec, box: Box) -> None:
    """Raises a ContractError where H or W is known and the box goes beyond."""
    for letter, least in zip("HW", _least(box), strict=True):
        length = x.dim(letter)
        fits = not isinstance(length, int) or length >= least
        refuse_unless(fits, "is smaller than the box", expected=f"{letter} of at least {least} px", got=x)


def in_box(op: Ops, x: Value, geometry: Geometry, box: Box) -> tuple[Value, Geometry]:
    """The image, with a check where it may be smaller than the box, and what is to be done with that part of it."""
    a, (begin, end) = Arithmetic(op), _edges(box)
    x = refuse_at_run(op, x, a.Not(a.Less(geometry.sides, lengths(*_least(box)))))
    left, upper, right, lower = box  # Pillow's Python code compares these, before they become float32
    is_image = left == upper == 0 and right.is_integer() and lower.is_integer()
    whole = lengths(int(lower), int(right)) if is_image else lengths(0, 0)
    doubles = begin.astype(np.float64), (end - begin).astype(np.float64)
    return x, BoxGeometry(geometry.sides, geometry.resized, geometry.start, geometry.count, *doubles, whole)
