"""nms like opencv: NMSBoxes and NMSBoxesBatched of cv2.dnn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.detect import _samples
from onnxprep.steps.detect._library import in_ports
from onnxprep.steps.detect.nms._candidates import Nms, matched, of_best_class
from onnxprep.steps.detect.nms._rectangles import greedy, largest_corner, rectangles
from onnxprep.steps.detect.nms._suppress import detected
from onnxprep.tensor import Array, Tensor


class NmsOpencv(Nms):
    """Boxes whose overlap with a better one of their class is above ``iou_threshold`` go.

    A candidate is a box with its best class (the first of equal ones), whose score is above ``score_threshold``; with
    ``top_k`` only the best ones. Best first, equal ones in the order of the boxes. Rectangles are corner and size in
    float64: x1, y1, x2 - x1, y2 - y1. Classes are kept apart by adding ``class * (1 + largest coordinate of all K
    boxes)`` to the corner. The overlap is ``1 - (1 - common / (areas - common))``, and 1 where both areas together are
    0 or less: of boxes without area in one class the best one is left. A Loop, one trip per detection.

    Input: boxes, float32 [N, K, 4], and scores, float32 [N, C, K]. NaN is never above the threshold, and other classes
        of that box may be missed; corners have to be finite.
    Output: boxes, scores, classes, counts and indices, [N, max_detections, ...], best first; what is missing has box
        and score 0, class and index -1.
    Rounds: rectangles, areas and overlap to float64, the last two subtractions' results and both thresholds to float32.
    Source: OpenCV 5.0, modules/dnn/src/nms.cpp and nms.inl.hpp; core/types.hpp, Rect_ and jaccardDistance.
    Raises: ContractError where the tensors are not boxes and scores of equally many images and candidates.
        Where their numbers are not known, running the graph fails in a Reshape. No candidate at all gives counts of 0.
    """

    operation: ClassVar[str] = "nms"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "dnn.NMSBoxes, dnn.NMSBoxesBatched", note="eta = 1"),
        "opencv-4": Claim("opencv-python-headless", ">=4.14,<5", "dnn.NMSBoxes, dnn.NMSBoxesBatched", note="eta = 1"),
    }

    score_threshold: float = parameter("scores must be above it, 0 or more", ge=0)
    iou_threshold: float = parameter("overlap above which the worse box goes, 0 to 1", ge=0, le=1)
    max_detections: int = parameter("how many of an image are kept at most", gt=0, le=100_000)
    class_agnostic: bool = parameter("whether boxes of different classes suppress each other: NMSBoxes")
    top_k: int = parameter("how many of the best candidates are looked at; 0 for all", 0, ge=0, lt=2**24)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """The candidates, sorted; then the best that is left, again and again."""
        boxes, scores = matched(op, *inputs)
        found = of_best_class(op, boxes, scores, self.score_threshold, self.top_k or None)
        corner, size = rectangles(op, found.boxes)
        if not self.class_agnostic:
            beyond = op.Add(largest_corner(op, *rectangles(op, boxes)), op.float64(1.0))
            corner = op.Add(corner, op.Mul(op.Cast(op.Unsqueeze(found.classes, axes=[1]), to="float64"), beyond))
        image, place = greedy(op, corner, size, found.alive, self.iou_threshold, self.max_detections)
        return detected(op, found, image, place, self.max_detections)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """cv2.dnn, image by image; the best class is NumPy's argmax."""
        import cv2

        made = []
        for boxes, scores in zip(*(tensor.array for tensor in inputs), strict=True):
            best, which, corners = scores.max(0, initial=0), scores.argmax(0), boxes.astype(np.float64)
            corners[:, 2:] -= corners[:, :2]
            given = [corners.tolist(), best.tolist()]
            more = (self.score_threshold, self.iou_threshold, 1.0, self.top_k)
            if not len(boxes):
                kept = ()
            elif self.class_agnostic:
                kept = cv2.dnn.NMSBoxes(*given, *more)
            else:
                kept = cv2.dnn.NMSBoxesBatched(*given, which.tolist(), *more)
            left = np.asarray(kept, np.int64).reshape(-1)
            made.append((boxes[left], best[left], which[left], left))
        return in_ports(made, self.max_detections)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Ties on a grid, boxes anywhere, agnostic, few looked at, few kept, none found, no candidates, no images."""
        base: dict[str, Any] = {
            "score_threshold": 0.3,
            "iou_threshold": 0.5,
            "max_detections": 20,
            "class_agnostic": False,
        }
        yield Case(base, (_samples.boxes(2, 30, 1), _samples.scores((2, 3, 30), 1)))
        yield Case(base, (_samples.boxes(1, 40, 2, grid=0, span=500), _samples.scores((1, 4, 40), 2, levels=0)))
        listed: tuple[tuple[dict[str, Any], int, int, int], ...] = (
            ({"class_agnostic": True}, 3, 2, 20),
            ({"top_k": 9, "max_detections": 60}, 2, 3, 30),
            ({"class_agnostic": True, "max_detections": 3, "top_k": 12}, 2, 3, 20),
            ({"score_threshold": 0.9}, 2, 20, 30),
            ({"iou_threshold": 0.0}, 1, 2, 25),
            ({"iou_threshold": 1.0}, 1, 2, 25),
            ({"score_threshold": 1.0}, 2, 3, 8),
            ({}, 1, 2, 1),
            ({}, 0, 2, 3),
            ({}, 2, 2, 0),
            ({"class_agnostic": True}, 2, 2, 0),
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
            "class_agnostic": bool(rng.random() < 0.4),
            "top_k": int(rng.choice([0, 0, 1, 10])),
        }
        return Case(parameters, _samples.random(rng, largest))
