"""filter_detections: the detections above a threshold, of heads that need no suppression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect import _samples
from onnxprep.steps.detect._detections import (
    DETECTIONS,
    common,
    detections,
    in_fixed_width,
    longest,
    refuse_unless_rows,
    sorted_by_score,
    take_rows,
)
from onnxprep.steps.detect._library import in_ports
from onnxprep.tensor import Array, Tensor, TensorSpec


class FilterDetections(Step):
    """What has ``score > score_threshold``, or ``>=``, the first ``max_detections`` of it.

    For DETR and RT-DETR, where transformers compares with >, and for the end-to-end heads of YOLO, where Ultralytics
    does and keeps the first 300.

    Input: boxes, float32 [N, K, 4], scores, float32 [N, K], and classes, int64 [N, K]. NaN is never above.
    Output: boxes, scores, classes, counts and indices, [N, max_detections, ...]; what is missing has box and score 0,
        class and index -1.
    Rounds: the threshold to float32, once: float32(0.3) lies above 0.3.
    Source: torch 2.13; transformers 5.23, image_processing_detr.py post_process_object_detection; Ultralytics 8.4.190,
        utils/nms.py, end to end.
    Raises: ContractError where the tensors are not boxes, scores and classes of equally many images and candidates. No
        detection at all gives counts of 0.
    """

    operation: ClassVar[str] = "filter_detections"
    claims: ClassVar = {"": Claim("torch", ">=2.4", "gt, ge, nonzero; sort, stable")}
    inputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "classes")
    outputs: ClassVar[tuple[str, ...]] = DETECTIONS

    score_threshold: float = parameter("scores must be above it")
    max_detections: int = parameter("how many of an image are kept at most", gt=0, le=100_000)
    compare: Literal[">", ">="] = parameter("whether the threshold itself is below or above", ">")
    order: Literal["given", "best_first"] = parameter(
        "of the detections: as they come, or by score, equal ones as they come", "given"
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many rows as there may be detections."""
        boxes, scores, classes = inputs
        refuse_unless_rows(boxes, "boxes", "float32", "N, K, 4", last=4)
        refuse_unless_rows(scores, "scores", "float32", "N, K")
        refuse_unless_rows(classes, "classes", "int64", "N, K")
        fits = abs(self.score_threshold) <= float(np.finfo(np.float32).max)
        refuse_unless(fits, f"cannot reach {self.score_threshold:g}", expected="a threshold within float32", got=scores)
        n = common("images", [(spec, 0) for spec in inputs])
        candidates = common("candidates", [(spec, 1) for spec in inputs])
        told = list(detections(boxes, scores, (n, self.max_detections), (None, candidates)))
        if classes.range is not None:
            told[2] = replace(told[2], range=(min(classes.range[0], -1.0), max(classes.range[1], -1.0)))
        return tuple(told)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """NonZero finds them image by image; sorted, they are first put into their order."""
        boxes, scores, classes = inputs
        compare = op.Greater if self.compare == ">" else op.GreaterOrEqual
        above, n = compare(scores, op.float32(self.score_threshold)), op.Shape(scores, start=0, end=1)
        if self.order == "given":
            k = op.Shape(scores, start=1, end=2)
            places = op.Range(op.int64(0), op.Squeeze(k, axes=[0]), op.int64(1))
            indices = op.Expand(op.Unsqueeze(places, axes=[0]), op.Shape(scores))
        else:
            never = op.float32(float("-inf"))
            scores, indices = sorted_by_score(op, op.Where(above, scores, never), longest(op, above), n)
            boxes, classes = take_rows(op, boxes, indices), op.GatherElements(classes, indices, axis=1)
            above = op.Greater(scores, never)
        found = op.NonZero(above)
        image, place = (op.Gather(found, op.int64(i), axis=0) for i in range(2))
        sources = (
            (boxes, np.zeros((1, 4))), (scores, np.zeros(1)), (classes, np.full(1, -1)), (indices, np.full(1, -1)),
        )  # fmt: skip
        counts, boxes, scores, classes, indices = in_fixed_width(op, n, image, place, self.max_detections, sources)
        return boxes, scores, classes, counts, indices

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """torch, image by image."""
        import torch

        made = []
        for boxes, scores, classes in zip(*(torch.from_numpy(tensor.array) for tensor in inputs), strict=True):
            above = scores > self.score_threshold if self.compare == ">" else scores >= self.score_threshold
            index = above.nonzero()[:, 0]
            if self.order == "best_first":
                index = index[scores[index].sort(descending=True, stable=True).indices]
            made.append((boxes[index].numpy(), scores[index].numpy(), classes[index].numpy(), index.numpy()))
        return in_ports(made, self.max_detections)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """As they come and sorted, ties, the threshold met, all, none, none at all; fewer than asked for, and more."""
        listed: tuple[tuple[dict[str, Any], int, int], ...] = (
            ({}, 2, 20),
            ({"order": "best_first"}, 2, 20),
            ({"order": "best_first", "max_detections": 4}, 3, 20),
            ({"max_detections": 4}, 3, 20),
            ({"compare": ">="}, 2, 20),
            ({"score_threshold": -1.0}, 2, 9),
            ({"score_threshold": 1.0}, 2, 9),
            ({"score_threshold": 1.0, "order": "best_first"}, 2, 9),
            ({}, 0, 3),
            ({"order": "best_first"}, 0, 3),
            ({}, 2, 0),
            ({"order": "best_first"}, 2, 0),
            ({}, 1, 1),
        )
        for seed, (more, n, k) in enumerate(listed):
            yield cls._case({"score_threshold": 0.3, "max_detections": 30} | more, n, k, seed)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random parameters for any number of candidates."""
        parameters = {
            "score_threshold": float(rng.choice([0.0, 0.1, 0.3, 0.5, 0.7])),
            "max_detections": int(rng.choice([1, 5, 100])),
            "compare": str(rng.choice([">", ">="])),
            "order": str(rng.choice(["given", "best_first"])),
        }
        n, k, seed = int(rng.integers(1, 4)), int(rng.integers(1, largest + 1)), int(rng.integers(2**31))
        return cls._case(parameters, n, k, seed)

    @classmethod
    def _case(cls, parameters: dict[str, Any], n: int, k: int, seed: int) -> Case:
        classes = Sample(TensorSpec("int64", (n, k), None, None, (0.0, 6.0)), seed)
        return Case(parameters, (_samples.boxes(n, k, seed), _samples.scores((n, k), seed), classes))
