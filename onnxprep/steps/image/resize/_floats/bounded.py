"""resize where only choosing samples is exact: whoever wants another filter says that a bound will do."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import model_validator

from onnxprep.step import Claim, parameter, refuse_unless, wrong
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.tensor import TensorSpec


class Bounded(Resizing):
    """The claims are the bounds of the filters that add; ``nearest`` and ``nearest_exact`` are bit-exact.

    Class variables:
        bound: the claim's tolerance, in words.
    """

    bound: ClassVar[str]

    interpolation: str
    exact: bool = parameter("false where results within the claimed bound will do: all but nearest demand it", True)

    @property
    def _chooses(self) -> bool:
        return self.interpolation.startswith("nearest")

    @model_validator(mode="after")
    def _says_so(self) -> Self:
        if self.exact and not self._chooses:
            problem = f"{self.interpolation} is not bit-exact here, only {self.bound}"
            hint = "`exact: false` says that this will do; nearest and nearest_exact are exact"
            raise wrong(problem, at="exact", expected="false", hint=hint)
        return self

    def promise(self) -> Claim:
        """Bit-exact where samples are chosen, else the family's bound."""
        claim = self.claims[self.like]
        return replace(claim, absolute=0.0) if self._chooses else claim


def refuse_mixed_up(x: TensorSpec, y: TensorSpec, *, antialias: bool) -> None:
    """Raises a ContractError for what torch 2.13 computes wrongly: an antialiased column of a single channel."""
    wrongly = antialias and x.dim("C") == 1 and y.dim("W") == 1
    expected = "a width of 2 px or more, or several channels"
    refuse_unless(not wrongly, "is mixed up by torch 2.13 where it becomes 1 px wide", expected=expected, got=x)
