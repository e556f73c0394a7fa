"""nms like tensorflow: tf.image.combined_non_max_suppression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.detect import _samples
from onnxprep.steps.detect._library import in_ports
from onnxprep.steps.detect.nms._candidates import Nms, boxes_passing, matched, of_every_class
from onnxprep.steps.detect.nms._suppress import by_class
from onnxprep.tensor import Array, Tensor, TensorSpec


class NmsTensorflow(Nms):
    """Boxes whose IoU with a better one of their class is above ``iou_threshold`` go, each class by itself.

    A candidate is every pair of a class and a box whose score is above ``score_threshold``. At most
    ``max_detections_per_class`` of a class are left, and the best ``max_detections`` of all. Equal scores come in the
    order of the classes, then of the boxes. Corners in the wrong order are put right; a box without area neither
    suppresses nor is suppressed. Boxes are x1, y1, x2, y2, where TensorFlow has y first.

    Input: boxes, float32 [N, K, 4], and scores, float32 [N, C, K], which TensorFlow takes as [N, K, C]. NaN is never
        above the threshold, and other classes of that box may be missed; corners have to be finite.
    Output: boxes, scores, classes, counts and indices, [N, max_detections, ...], best first; what is missing has box
        and score 0, class and index -1. With ``clip_boxes`` corners are put into 0..1.
    Rounds: areas, IoU and both thresholds, to float32.
    Source: TensorFlow 2.21, core/kernels/image/non_max_suppression_op.cc.
    Raises: ContractError where the tensors are not boxes and scores of equally many images and candidates.
        Where their numbers are not known, running the graph fails in a Reshape. No candidate at all gives counts of 0.
    """

    operation: ClassVar[str] = "nms"
    claims: ClassVar = {
        "tensorflow": Claim(
            "tensorflow",
            ">=2.21,<3",
            "image.combined_non_max_suppression",
            note="where no two scores are equal: the library takes equal ones in the order of a heap",
        )
    }

    score_threshold: float = parameter("scores must be above it", gt=-1e38, lt=1e38)
    iou_threshold: float = parameter("IoU above which the worse box goes, 0 to 1", ge=0, le=1)
    max_detections_per_class: int = parameter("how many of a class are kept at most", gt=0, le=100_000)
    max_detections: int = parameter("how many of an image are kept at most", gt=0, le=100_000)
    clip_boxes: bool = parameter("whether corners are put into 0..1, as TensorFlow does by default")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Clipped boxes are in 0..1."""
        boxes, *others = super().infer(*inputs)
        return (replace(boxes, range=(0.0, 1.0)) if self.clip_boxes else boxes, *others)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """The operator's own classes, and its own arithmetic, which is TensorFlow's."""
        boxes, scores = matched(op, *inputs)
        passing = boxes_passing(op, boxes, scores, self.score_threshold, class_first=True)
        found, limit = of_every_class(op, passing, None), float(np.float32(self.iou_threshold))
        most, width = min(self.max_detections_per_class, self.max_detections), self.max_detections
        boxes, *others = by_class(op, passing, found, passing.boxes, limit, most, width)
        return (op.Clip(boxes, op.float32(0.0), op.float32(1.0)) if self.clip_boxes else boxes, *others)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """TensorFlow's function; the index is that of the first box with this score."""
        import tensorflow as tf

        made, nothing = [], (np.zeros((0, 4)), *(np.zeros(0),) * 3)
        for boxes, scores in zip(*(tensor.array for tensor in inputs), strict=True):
            if not len(boxes):
                made.append(nothing)
                continue
            found = tf.image.combined_non_max_suppression(
                boxes[None, :, None, [1, 0, 3, 2]], scores.T[None], self.max_detections_per_class, self.max_detections,
                self.iou_threshold, self.score_threshold, clip_boxes=self.clip_boxes,
            )  # fmt: skip
            corner, score, which, count = (part.numpy()[0] for part in found)
            rows = (np.flatnonzero(scores[int(c)] == s)[0] for c, s in zip(which[:count], score[:count], strict=True))
            made.append((corner[:count, [1, 0, 3, 2]], score[:count], which[:count], np.array(list(rows))))
        return in_ports(made, self.max_detections)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Boxes on a grid and not, few of a class, few of all, clipped, many classes, none found, no candidates."""
        base: dict[str, Any] = {
            "score_threshold": 0.3,
            "iou_threshold": 0.5,
            "max_detections_per_class": 50,
            "max_detections": 20,
        }
        listed: tuple[tuple[dict[str, Any], int, int, int], ...] = (
            ({}, 2, 3, 30),
            ({"iou_threshold": 0.1}, 1, 2, 40),
            ({"max_detections_per_class": 2}, 2, 3, 20),
            ({"max_detections_per_class": 30, "max_detections": 4}, 3, 3, 20),
            ({"score_threshold": 0.9}, 1, 20, 30),
            ({"clip_boxes": True}, 2, 3, 30),
            ({"iou_threshold": 0.0}, 1, 2, 25),
            ({"iou_threshold": 0.3, "score_threshold": -1.0}, 1, 2, 9),
            ({"score_threshold": 1.0}, 2, 3, 8),
            ({}, 0, 2, 3),
            ({}, 2, 2, 0),
        )
        for seed, (more, n, c, k) in enumerate(listed):
            clipped = {"clip_boxes": False} | more
            boxes = _samples.boxes(n, k, seed, grid=1 / 16 if clipped["clip_boxes"] else 1.0, span=1.0 + 15 * seed)
            yield Case(base | clipped, (boxes, _samples.scores((n, c, k), seed, levels=0)))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random numbers of images, classes and boxes, on grids or not; no two scores alike."""
        parameters = {
            "score_threshold": float(rng.choice([0.0, 0.1, 0.25, 0.3, 0.5, 0.9])),
            "iou_threshold": float(rng.choice([0.0, 0.1, 0.3, 0.45, 0.5, 0.6, 0.7, 1.0, rng.random()])),
            "max_detections_per_class": int(rng.choice([1, 5, 300])),
            "max_detections": int(rng.choice([1, 20, 300])),
            "clip_boxes": bool(rng.random() < 0.3),
        }
        return Case(parameters, _samples.random(rng, largest, unique=True))
