"""nms like ultralytics: non_max_suppression of its YOLO models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.detect import _samples
from onnxprep.steps.detect._library import in_ports
from onnxprep.steps.detect.nms._candidates import Nms, boxes_passing, matched, of_best_class, of_every_class
from onnxprep.steps.detect.nms._suppress import floor32, together
from onnxprep.tensor import Array, Tensor

_OFFSET = 7680.0  # max_wh


class NmsUltralytics(Nms):
    """Boxes whose IoU with a better one of their class is above ``iou_threshold`` go.

    A candidate is a box with its best class (the first of equal ones), or with ``multi_label`` with every class, whose
    score is above ``score_threshold``. Best first, equal ones in the order of the boxes, then of the classes. Classes
    are kept apart by adding ``7680 * class`` to their corners in float32, which rounds them. A box without area, or
    with corners in the wrong order, neither suppresses nor is suppressed. Only what comes after
    ``xywh2xyxy`` is done here: boxes come as corners.

    Input: boxes, float32 [N, K, 4], and scores, float32 [N, C, K]. NaN is never above the threshold, and other
        classes of that box may be missed, where the library drops the box; a box with a NaN corner suppresses nothing
        and is not suppressed.
    Output: boxes, scores, classes, counts and indices, [N, max_detections, ...], best first; what is missing has box
        and score 0, class and index -1.
    Rounds: moved corners, areas and IoU, to float32; ``score_threshold`` to float32, ``iou_threshold`` not at all.
    Source: Ultralytics 8.4.190, utils/nms.py non_max_suppression; torchvision 0.28, ops/nms.
    Raises: ContractError where the tensors are not boxes and scores of equally many images and candidates.
        Where their numbers are not known, running the graph fails in a Reshape. No candidate at all gives counts of 0.
    """

    operation: ClassVar[str] = "nms"
    claims: ClassVar = {
        "ultralytics": Claim(
            "ultralytics",
            ">=8.4,<8.5",
            "utils.nms.non_max_suppression",
            note="on the CPU, with torchvision. Beyond `max_candidates` torch sorts equal scores in no order that is "
            "documented, and here the first ones stay; the time limit of the library is none here",
        )
    }

    score_threshold: float = parameter("scores must be above it, 0 to 1", ge=0, le=1)
    iou_threshold: float = parameter("IoU above which the worse box goes, 0 to 1", ge=0, le=1)
    max_detections: int = parameter("how many of an image are kept at most", 300, gt=0, le=100_000)
    multi_label: bool = parameter("whether a box may be found as several classes", False)
    class_agnostic: bool = parameter("whether boxes of different classes suppress each other", False)
    max_candidates: int = parameter("how many of the best candidates of an image are looked at", 30_000, gt=0, lt=2**24)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Few candidates first: TopK of as many as there are, then everything else on these."""
        boxes, scores = matched(op, *inputs)
        if self.multi_label:
            passing = boxes_passing(op, boxes, scores, self.score_threshold, class_first=False)
            found = of_every_class(op, passing, self.max_candidates)
        else:
            known = (scores.spec.shape or (None,) * 3)[2]
            most = None if isinstance(known, int) and known <= self.max_candidates else self.max_candidates
            found = of_best_class(op, boxes, scores, self.score_threshold, most)
        moved = found.boxes
        if not self.class_agnostic:
            offset = op.Mul(op.Cast(found.classes, to="float32"), op.float32(_OFFSET))
            moved = op.Add(moved, op.Unsqueeze(offset, axes=[2]))
        return together(op, found, moved, floor32(self.iou_threshold), self.max_detections)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """non_max_suppression, on the corners as they are, which it would make of centre and size."""
        import torch
        import torchvision
        from ultralytics.utils import nms

        if not torchvision.extension._has_ops():  # noqa: SLF001  # nothing public tells
            raise ModuleNotFoundError("torchvision without its compiled operators")
        boxes, scores = (torch.from_numpy(tensor.array) for tensor in inputs)
        given = torch.cat((boxes.transpose(1, 2), scores), 1)
        if given.shape[2] == 6:  # an end-to-end head, thinks the library: one more that is no candidate
            given = torch.nn.functional.pad(given, (0, 1))
        library, nms.xywh2xyxy = nms.xywh2xyxy, lambda corners: corners
        try:
            rows, kept = nms.non_max_suppression(
                given, self.score_threshold, self.iou_threshold, None, self.class_agnostic, self.multi_label,
                self.max_detections, nc=scores.shape[1], max_time_img=1e9, max_nms=self.max_candidates, return_idxs=True,
            )  # fmt: skip
        finally:
            nms.xywh2xyxy = library
        found = ((*np.split(row.numpy(), [4, 5], 1), k.numpy().reshape(-1)) for row, k in zip(rows, kept, strict=True))
        return in_ports(((box, score[:, 0], c[:, 0], k) for box, score, c, k in found), self.max_detections)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Ties on a grid, boxes anywhere, one class, agnostic, several labels, few kept, none found, no candidates."""
        base: dict[str, Any] = {"score_threshold": 0.3, "iou_threshold": 0.5}
        yield Case(base, (_samples.boxes(2, 30, 1), _samples.scores((2, 3, 30), 1)))
        yield Case(base, (_samples.boxes(1, 40, 2, grid=0, span=500), _samples.scores((1, 4, 40), 2, levels=0)))
        listed: tuple[tuple[dict[str, Any], int, int, int], ...] = (
            ({"class_agnostic": True}, 3, 2, 20),
            ({"multi_label": True}, 2, 3, 20),
            ({"multi_label": True, "class_agnostic": True, "max_detections": 7}, 2, 3, 20),
            ({"multi_label": True}, 1, 1, 12),
            ({"max_detections": 1}, 2, 5, 9),
            ({"max_candidates": 20_000, "iou_threshold": 0.7}, 1, 1, 50),
            ({"iou_threshold": 0.0}, 1, 2, 25),
            ({"score_threshold": 0.9}, 2, 20, 30),
            ({"score_threshold": 0.9, "multi_label": True}, 1, 12, 20),
            ({}, 2, 20, 0),
            ({}, 0, 20, 3),
            ({"score_threshold": 1.0}, 2, 3, 8),
            ({}, 1, 2, 1),
            ({}, 0, 2, 3),
            ({"multi_label": True}, 0, 2, 3),
            ({}, 2, 2, 0),
            ({"multi_label": True}, 2, 2, 0),
        )
        for seed, (more, n, c, k) in enumerate(listed):
            yield Case(base | more, (_samples.boxes(n, k, seed), _samples.scores((n, c, k), seed)))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random numbers of images, classes and boxes, on grids or not."""
        parameters = {
            "score_threshold": float(rng.choice([0.0, 0.1, 0.25, 0.3, 0.5, 0.9])),
            "iou_threshold": float(rng.choice([0.0, 0.1, 0.3, 0.45, 0.5, 0.6, 0.7, 1.0, rng.random()])),
            "max_detections": int(rng.choice([1, 5, 300])),
            "multi_label": bool(rng.random() < 0.4),
            "class_agnostic": bool(rng.random() < 0.3),
        }
        return Case(parameters, _samples.random(rng, largest))
