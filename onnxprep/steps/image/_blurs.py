"""What the blurs of several libraries share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from onnxprep.step import Case, Sample, Step, refuse_unless
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import TensorSpec

_Number = TypeVar("_Number", int, float)


class Blur(Step):
    """Base: bytes in, the same bytes but blurred out; 1, 3 or 4 channels."""

    inherits: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes: a mean, or a median, stays in the range."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="blur before `rescale` or `to_dtype`")
        refuse_unless(x.dim("C") in (1, 3, 4), "has another number of channels", expected="C = 1, 3 or 4", got=x)
        return (x,)


def pair(both: _Number | tuple[_Number, _Number]) -> tuple[_Number, _Number]:
    """One number for both axes, or one for each: vertical, horizontal."""
    return both if isinstance(both, tuple) else (both, both)


def cases_of(listed: Iterable[tuple[dict[str, Any], tuple[str, tuple[int, ...], str]]]) -> Iterator[Case]:
    """Parameters, each on an image of a layout, shape and colour; the place in the list is its seed."""
    for i, (parameters, (layout, shape, color)) in enumerate(listed):
        yield Case(parameters, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=i),))
