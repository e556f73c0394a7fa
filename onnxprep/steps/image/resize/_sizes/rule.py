"""What a size rule is: from the sides of an image to those it is resized to.

A rule is written once, in NumPy's float64 and int64, and serves sides that are known now and sides that are not.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths

Side = Annotated[int, Field(gt=0, le=65_536)]
Pair = tuple[Side, Side]
Area = Annotated[int, Field(gt=0, lt=2**31)]


class SizeRule(BaseModel):
    """From the sides (H, W) of an image, int64 [2], to those it is resized to."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    main: ClassVar[str]
    """The field that tells, together with ``rule``, which rule is meant."""

    rule: str

    @classmethod
    def name(cls) -> str:
        """The only word that ``rule`` can be."""
        return str(get_args(cls.model_fields["rule"].annotation)[0])

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        """(h, w), int64 [2]."""
        raise NotImplementedError

    def at_least(self) -> int:
        """What both resized sides are at least, whatever the image."""
        return 0


def double(n: int) -> Any:
    """A known float64, [1]."""
    return np.array([n], np.float64)


def down(a: Arithmetic, n: Number, multiple: int) -> Number:
    """Down to a multiple."""
    return a.Mul(a.Div(n, lengths(multiple)), lengths(multiple))


def up(a: Arithmetic, n: Number, multiple: int) -> Number:
    """Up to a multiple."""
    return a.Mul(a.ceil_div(n, lengths(multiple)), lengths(multiple))
