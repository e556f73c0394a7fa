"""Spec -> plan: which tensor enters and leaves every step, worked out before any graph exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from onnxprep.step import Step
from onnxprep.tensor import TensorSpec

Side = Literal["pre", "post"]
Values = Mapping[str, TensorSpec]
"""Value name -> its logical tensor."""


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives: tensor name -> description (no layouts, a model does not declare them)."""

    inputs: Values
    outputs: Values


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

    @property
    def path(self) -> str:
        """Where the step stands in the document."""
        return f"{'preprocess' if self.side == 'pre' else 'postprocess'}[{self.index}]"


@dataclass(frozen=True)
class Plan:
    """Everything the graph needs to know.

    Attributes:
        steps: the baked steps of both sides, in order.
        values: every value: graph inputs, what steps make, what the model gives.
        inputs: the spec's graph inputs, in order.
        feeds: model input -> the value that feeds it.
        gives: value -> the model output that it is.
        outputs: the graph's outputs, in order; each is a value.
        kept: model inputs that nothing feeds; they stay graph inputs.
    """

    steps: tuple[PlannedStep, ...]
    values: Values
    inputs: tuple[str, ...]
    feeds: Mapping[str, str]
    gives: Mapping[str, str]
    outputs: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def side(self, side: Side) -> tuple[PlannedStep, ...]:
        """The steps before or after the model."""
        return tuple(step for step in self.steps if step.side == side)
