"""Spec -> plan: which tensor enters and leaves every step, worked out before any graph exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from onnxprep.step import Step
from onnxprep.tensor import TensorSpec

Side = Literal["pre", "post"]


@dataclass(frozen=True)
class PlannedStep:
    """One baked step with its tensors. ``index`` counts the entries of its side from 0, as paths in errors do."""

    side: Side
    index: int
    name: str
    step: Step
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: tuple[TensorSpec, ...]
    gives: tuple[TensorSpec, ...]

    @property
    def prefix(self) -> str:
        """What the names of the step's nodes begin with."""
        return f"onnxprep/{self.side}.{self.index}.{self.name}"


Values = Mapping[str, TensorSpec]
"""Value name -> its logical tensor."""
