"""Where libraries put an image, in Python's own numbers: what oracles of steps that undo others go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnxprep.step import Step

Pair = tuple[int, int]


@dataclass(frozen=True)
class Placed:
    """Of one geometric step: the image's size before, the size and the first pixel of what it becomes, the output's."""

    step: Step
    before: Pair
    inner: Pair
    first: Pair
    after: Pair


def placed(steps: tuple[Step, ...], picture: Any) -> list[Placed]:
    """The steps, the last one first."""
    size = (int(picture[0]), int(picture[1]))
    found: list[Placed] = []
    for step in reversed(steps):
        found.append(_one(step, size))
        size = found[-1].after
    return found[::-1]


def _one(step: Any, size: Pair) -> Placed:
    h, w = size
    match step.operation:
        case "letterbox":
            return _letterbox(step, h, w)
        case "resize":
            new = step.size if not isinstance(step.size, int) else _shorter(step.size, h, w)
            return Placed(step, size, tuple(new), (0, 0), tuple(new))
        case "crop":
            return Placed(step, size, size, (-step.top, -step.left), (step.height, step.width))
        case "center_crop":
            side = step.size if not isinstance(step.size, int) else (step.size, step.size)
            first = (_middle(h, side[0]), _middle(w, side[1]))
            return Placed(step, size, size, first, side)
        case "pad":
            left, top, right, bottom = step.padding
            return Placed(step, size, size, (top, left), (h + top + bottom, w + left + right))
    raise NotImplementedError(step.operation)


def _shorter(edge: int, h: int, w: int) -> Pair:
    return (int(edge * h / w), edge) if h > w else (edge, int(edge * w / h))


def _middle(side: int, crop: int) -> int:
    """As torchvision rounds its center_crop."""
    return (crop - side) // 2 if side < crop else -round((side - crop) / 2.0)


def _letterbox(step: Any, h: int, w: int) -> Placed:
    """LetterBox of Ultralytics."""
    new = (step.size, step.size) if isinstance(step.size, int) else step.size
    r = min(new[0] / h, new[1] / w)
    r = r if step.scaleup else min(r, 1.0)
    inner = new if step.scale_fill else (max(round(h * r), 1), max(round(w * r), 1))
    border = [(n - i) % step.stride if step.auto else n - i for n, i in zip(new, inner, strict=True)]
    first = tuple(round(d / 2 - 0.1) if step.center else 0 for d in border)
    return Placed(step, (h, w), inner, (first[0], first[1]), (inner[0] + border[0], inner[1] + border[1]))
