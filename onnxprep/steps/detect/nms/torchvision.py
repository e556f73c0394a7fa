"""nms like torchvision: the selection at the end of its detectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.detect import _samples
from onnxprep.steps.detect._detections import sorted_by_score
from onnxprep.steps.detect._library import in_ports
from onnxprep.steps.detect.nms._candidates import (
    NEVER,
    Candidates,
    Nms,
    Passing,
    boxes_passing,
    matched,
    of_every_class,
)
from onnxprep.steps.detect.nms._suppress import by_class, floor32, prepared, together
from onnxprep.tensor import Array, Tensor


class NmsTorchvision(Nms):
    """Boxes whose IoU with a better one of their class is above ``iou_threshold`` go.

    A candidate is every pair of a class and a box whose score is above ``score_threshold``, with
    ``candidates_per_class`` the best ones of each class. Best first, equal ones in the order of the classes, then of
    the boxes. ``coordinate_trick`` keeps classes apart by adding ``class * (1 + largest corner of any candidate)`` to
    their corners in float32, which rounds them; ``per_class`` takes each class by itself; ``class_agnostic`` all
    together. On the CPU torchvision's batched_nms takes the first for up to 1000 candidates of an image, and always in
    what it exports. A box without area, or with corners in the wrong order, neither suppresses nor is suppressed.

    Input: boxes, float32 [N, K, 4], and scores, float32 [N, C, K], without background. NaN is never above the
        threshold, and other classes of that box may be missed; a box with a NaN corner suppresses nothing and is not
        suppressed (with ``coordinate_trick`` corners have to be finite).
    Output: boxes, scores, classes, counts and indices, [N, max_detections, ...], best first; what is missing has box
        and score 0, class and index -1.
    Rounds: moved corners, areas and IoU, to float32; ``score_threshold`` to float32, ``iou_threshold`` not at all.
    Source: torchvision 0.28, ops/boxes.py _batched_nms_coordinate_trick and _batched_nms_vanilla,
        models/detection/ssd.py postprocess_detections.
    Raises: ContractError where the tensors are not boxes and scores of equally many images and candidates.
        Where their numbers are not known, running the graph fails in a Reshape. No candidate at all gives counts of 0.
    """

    operation: ClassVar[str] = "nms"
    claims: ClassVar = {
        "torchvision": Claim(
            "torchvision",
            ">=0.28,<0.29",
            "ops.nms, ops.boxes.batched_nms",
            note="on the CPU. torch's topk (`candidates_per_class`) and its sort of what `per_class` keeps leave the "
            "order of equal scores open; here it is that of the classes, then of the boxes",
        )
    }

    score_threshold: float = parameter("scores must be above it", gt=-1e38, lt=1e38)
    iou_threshold: float = parameter("IoU above which the worse box goes, 0 to 1", ge=0, le=1)
    max_detections: int = parameter("how many of an image are kept at most", gt=0, le=100_000)
    strategy: Literal["coordinate_trick", "per_class", "class_agnostic"] = parameter(
        "how classes are kept apart, if they are: by moved corners, one by one, or not at all"
    )
    candidates_per_class: int | None = parameter(
        "how many of the best of each class are looked at; all where left out", None, gt=0, lt=2**24
    )

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Boxes that pass for any class, then pairs, sorted, then suppression."""
        boxes, scores = matched(op, *inputs)
        passing = boxes_passing(op, boxes, scores, self.score_threshold, class_first=True)
        if self.candidates_per_class is not None:
            passing = _best_of_class(op, passing, self.candidates_per_class)
        found = of_every_class(op, passing, None)
        limit, width = floor32(self.iou_threshold), self.max_detections
        if self.strategy == "per_class":
            return by_class(op, passing, found, prepared(op, passing.boxes), limit, width, width)
        moved = _apart(op, found) if self.strategy == "coordinate_trick" else found.boxes
        return together(op, found, moved, limit, width)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """As SSD's postprocess_detections does it for one image, with torchvision's own suppression."""
        import torch
        import torchvision
        from torchvision.ops import boxes as library

        if not torchvision.extension._has_ops():  # noqa: SLF001  # nothing public tells
            raise ModuleNotFoundError("torchvision without its compiled operators")
        strategies = {
            "coordinate_trick": library._batched_nms_coordinate_trick,  # noqa: SLF001
            "per_class": library._batched_nms_vanilla,  # noqa: SLF001
            "class_agnostic": lambda boxes, scores, _, threshold: library.nms(boxes, scores, threshold),
        }  # fmt: skip
        made = []
        for corners, of_classes in zip(*(torch.from_numpy(tensor.array) for tensor in inputs), strict=True):
            found = []
            for c, score in enumerate(of_classes):
                above = torch.where(score > self.score_threshold)[0]
                if self.candidates_per_class is not None:
                    above = above[score[above].topk(min(self.candidates_per_class, len(above))).indices]
                found.append(torch.stack((above, torch.full_like(above, c))))
            box, which = torch.cat(found, 1)
            kept = strategies[self.strategy](corners[box], of_classes[which, box], which, self.iou_threshold)
            box, which = box[kept], which[kept]
            made.append((corners[box].numpy(), of_classes[which, box].numpy(), which.numpy(), box.numpy()))
        return in_ports(made, self.max_detections)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """The three strategies, with ties and without; of each class a few; none found, no candidates, no images."""
        for seed, strategy in enumerate(("coordinate_trick", "per_class", "class_agnostic")):
            base = {"score_threshold": 0.3, "iou_threshold": 0.5, "max_detections": 20, "strategy": strategy}
            k = 5 if strategy == "per_class" else 20  # of up to 16 torch's sort keeps the order
            yield Case(base, (_samples.boxes(2, k, seed), _samples.scores((2, 3, k), seed)))
            for more, n, c, k in (
                ({"iou_threshold": 0.3, "max_detections": 100}, 1, 4, 40),
                ({"candidates_per_class": 5}, 2, 3, 30),
                ({"score_threshold": 0.9}, 1, 20, 30),
                ({"score_threshold": -1.0, "max_detections": 3}, 2, 5, 9),
                ({"score_threshold": 1.0}, 2, 3, 8),
                ({}, 0, 2, 3),
                ({}, 2, 2, 0),
            ):
                yield Case({**base, **more}, (_samples.boxes(n, k, seed), _samples.scores((n, c, k), seed, levels=0)))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random numbers of images, classes and boxes, on grids or not; no ties where the library leaves them open."""
        strategy = str(rng.choice(["coordinate_trick", "per_class", "class_agnostic"]))
        per_class = int(rng.integers(1, 20)) if rng.random() < 0.3 else None
        parameters = {
            "score_threshold": float(rng.choice([0.0, 0.1, 0.25, 0.3, 0.5, 0.9])),
            "iou_threshold": float(rng.choice([0.0, 0.1, 0.3, 0.45, 0.5, 0.6, 0.7, 1.0, rng.random()])),
            "max_detections": int(rng.choice([1, 5, 300])),
            "strategy": strategy,
            "candidates_per_class": per_class,
        }
        open_ties = strategy == "per_class" or per_class is not None
        return Case(parameters, _samples.random(rng, largest, unique=open_ties))


def _best_of_class(op: Ops, passing: Passing, most: int) -> Passing:
    """The others of each class are no candidates any more."""
    n, k = op.Shape(passing.scores, start=0, end=1), op.Shape(passing.scores, start=2, end=3)
    held, place = sorted_by_score(op, passing.scores, op.Min(k, op.int64([most])), n)
    none = op.Expand(op.float32(NEVER), op.Shape(passing.scores))
    return replace(passing, scores=op.ScatterElements(none, place, held, axis=2))


def _apart(op: Ops, found: Candidates) -> Value:
    """Corners moved by class * (1 + largest corner of the image's candidates)."""
    corners = op.Where(op.Unsqueeze(found.alive, axes=[2]), found.boxes, op.float32(NEVER))
    one_more = op.Pad(corners, op.int64([0, 0, 0, 0, 1, 0]), op.float32(NEVER), mode="constant")  # never of no rows
    largest = op.ReduceMax(one_more, axes=[1, 2], keepdims=1)
    classes = op.Unsqueeze(op.Cast(found.classes, to="float32"), axes=[2])
    # of no candidate at all the largest is minus infinity: the offsets are NaN, but nothing is there to be moved
    moved: Value = op.Add(found.boxes, op.Mul(classes, op.Add(largest, op.float32(1.0))))
    return moved
