"""What a step emits into, and what it takes and gives there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from onnxprep.tensor import Array, TensorSpec


@dataclass(frozen=True)
class Value:
    """A tensor of the graph that is being emitted; ``spec`` tells how it lies there (images planar)."""

    name: str
    spec: TensorSpec


@dataclass(frozen=True)
class Window:
    """The rectangle a crop keeps: first index and length per axis (H, W), int64 [2], inside the image.

    ``sizes`` repeats ``size`` as far as it is known when the graph is written. ``padding`` is what is then missing
    around it (top, left, bottom, right; int64 [4], px), or ``None`` where nothing can be missing.
    """

    start: Value
    size: Value
    sizes: tuple[int | None, int | None]
    padding: Value | None = None


@dataclass(frozen=True)
class Frame:
    """Where a geometric step has put an image: ``y = x * gain + offset`` for rows and columns (H, W), px.

    Attributes:
        in_size: height and width before the step, int64 [2].
        gain: float64 [2].
        offset: int64 [2].
    """

    in_size: Value
    gain: Value
    offset: Value


FRAME = ("in_size", "gain", "offset")
"""What a geometric step publishes as ``<name>.in_size`` and so on."""
FRAME_SPECS = (TensorSpec("int64", (2,)), TensorSpec("float64", (2,)), TensorSpec("int64", (2,)))


def frame_values(name: str) -> tuple[str, ...]:
    """What the values of the frame of a step of this name are called."""
    return tuple(f"{name}.{part}" for part in FRAME)


class Ops(Protocol):
    """What a step emits into. ``op.Add(a, b)`` adds a node at the model's opset and returns its typed output.

    Attributes are written as keywords; ``axes``, ``split`` and their kin are written the newest way and shimmed.
    ``outputs=n`` asks for n outputs and returns a tuple. A bare Python number is refused: ``op.float32(0.5)``.
    """

    opset: int

    def __getattr__(self, operator: str) -> Callable[..., Any]: ...

    def constant(self, value: Any, dtype: str) -> Value:
        """A constant tensor; equal constants of one step are one node."""
        ...

    def int64(self, value: Any) -> Value:
        """``constant(value, "int64")``."""
        ...

    def float32(self, value: Any) -> Value:
        """``constant(value, "float32")``."""
        ...

    def float64(self, value: Any) -> Value:
        """``constant(value, "float64")``."""
        ...

    def known(self, value: Value) -> Array | None:
        """The content of a constant; ``None`` for what is computed only when the graph runs."""
        ...

    def size(self, x: Value, letters: str) -> Value:
        """Lengths of named axes as int64 [len(letters)]; a constant where all are known."""
        ...

    def branch(self, condition: Value, then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        """If: both callables emit into a graph of their own and see everything outside."""
        ...

    def loop(self, count: Value, body: Callable[[Value], Value]) -> Value:
        """Loop: ``body`` gets the trip number (int64 scalar); the results are stacked along a new first axis."""
        ...

    def repeat(self, most: Value, state: Value, body: Callable[[Value], tuple[Value, Value, Value]]) -> Value:
        """Loop: ``body`` gets the state and gives whether to go on (bool scalar), the next state and a result.

        At least once, at most ``most`` times; the results are stacked along a new first axis.
        """
        ...
