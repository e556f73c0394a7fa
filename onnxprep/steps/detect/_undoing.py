"""What scale_boxes and scale_keypoints share: coordinates taken back through every step that moved pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from onnxprep.errors import ContractError
from onnxprep.step import Frame, Ops, Step, Value, parameter


class Undoing(Step):
    """The base: which step they lie in, what is undone, and where they end."""

    frame: str = parameter("name of the step before the model in whose output they lie", min_length=1)
    clip: bool = parameter("whether they end at the edges of the picture", True)

    def undoing(self, steps: Sequence[Step]) -> Self:
        """The same, knowing what to undo."""
        for step in steps:
            ways = [like for like in step.ways_back if like in self.claims]
            if step.ways_back and self.like not in ways:
                problem = f"leads through a {step.operation}, which releases of its library undo differently"
                hint = f"`like: {ways[0]}` is the newest release's way"
                raise ContractError(problem, expected=f"like: {' or '.join(ways)}", hint=hint)
        return self.knowing(steps)

    @staticmethod
    def frames(told: Sequence[Value]) -> list[Frame]:
        """What ``emit`` is told behind its own inputs, step by step."""
        return [Frame(*told[k : k + 3]) for k in range(0, len(told), 3)]

    def back(self, op: Ops, x: Value, frames: Sequence[Frame], axes: Sequence[int]) -> Value:
        """Every step undone with its own formula."""
        for step, frame in zip(self._undone, frames, strict=True):
            x = step.undo(op, x, step.way_back(op, frame, self.like), axes)
        return x

    def clipped(self, op: Ops, x: Value, frames: Sequence[Frame], axes: Sequence[int]) -> Value:
        """With ``clip``: in 0..width and 0..height of the picture."""
        if not self.clip:
            return x
        inside: Value = op.Min(op.Max(x, op.float32(0.0)), picture(op, frames, axes))
        return inside


def picture(op: Ops, frames: Sequence[Frame], axes: Sequence[int]) -> Value:
    """Height and width of the graph's input, float32, one for each of ``axes``."""
    sides: Value = op.Gather(op.Cast(frames[-1].in_size, to="float32"), op.int64(list(axes)))
    return sides
