"""The heads of DETR and its kin with a class for "no object"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Step, Value, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import corners, part
from onnxprep.steps.detect.decode_boxes._queries import dims_of_queries, processed, queries
from onnxprep.tensor import Array, Tensor, TensorSpec


class DecodeDetr(Step):
    """``p = softmax(logits)`` without its last class; ``score, class = max, argmax(p)``; ``x1 = cx - w / 2`` and so on.

    For DETR, YOLOS and Table Transformer. Every query gives one detection, in the
    order of the queries: put `filter_detections` behind it, and `scale_boxes` with `coordinates: normalized`.

    Input: logits, float32 [N, K, C + 1], the last class is "no object"; pred_boxes, float32 [N, K, 4], cx, cy, w, h in
        0..1 of the model's image.
    Output: boxes, float32 [N, K, 4], x1, y1, x2, y2 in 0..1, not clipped; scores, float32 [N, K]; classes, int64 [N, K].
    Rounds: after every operation.
    Source: transformers 5.23, image_processing_detr.py post_process_object_detection.
    Raises: ContractError where the tensors are not float32 of these shapes, or of different K. A NaN among the logits
        makes the score NaN and the class any one.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {
        "transformers-detr": Claim(
            "transformers",
            ">=5,<6",
            "DetrImageProcessor.post_process_object_detection",
            absolute=1e-6,
            note="scores; boxes and classes are equal, but where two probabilities are within the last bits of each other",
        )
    }
    inputs: ClassVar[tuple[str, ...]] = ("logits", "pred_boxes")
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "classes")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The classes are those before the last."""
        logits, boxes = inputs
        n, k, classes = dims_of_queries(logits, boxes, "float32[N, K, C + 1]")
        two = not isinstance(classes, int) or classes >= 2
        refuse_unless(two, "has no class besides `no object`", expected="float32[N, K, C + 1]", got=logits)
        span = (0.0, float(classes - 2)) if isinstance(classes, int) else None
        return (
            TensorSpec("float32", (n, k, 4)),
            TensorSpec("float32", (n, k), range=(0.0, 1.0)),
            TensorSpec("int64", (n, k), range=span),
        )

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Softmax; of equal probabilities the lower class, as torch.max."""
        logits, boxes = inputs
        p = part(op, op.Softmax(logits, axis=-1), 0, -1, 2)
        # of an empty batch ONNX Runtime 1.31's ArgMax keeps the whole axis: the Slice makes it one long
        best = part(op, op.ArgMax(p, axis=2, keepdims=1), 0, 1, 2)
        scores = op.GatherElements(p, best, axis=2)
        centre, size = part(op, boxes, 0, 2, 2), part(op, boxes, 2, 4, 2)
        return corners(op, centre, size, 2), op.Squeeze(scores, axes=[2]), op.Squeeze(best, axes=[2])

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """The image processor's own method, with a threshold that nothing is below."""
        from transformers import DetrImageProcessor

        return processed(DetrImageProcessor(), *inputs)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """COCO's 91 classes, one class; no image, no query; ties."""
        for seed, (n, k, c, span) in enumerate(
            [
                (2, 30, 92, None), (1, 1, 2, (-9.0, 9.0)), (3, 7, 5, (0.0, 0.0)), (0, 9, 4, None), (2, 0, 4, None),
                (1, 10, 12, (-60.0, 60.0)),
            ]
        ):  # fmt: skip
            yield Case({}, queries(n, k, c, seed, span))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any number of queries and classes."""
        n, k, c = int(rng.integers(0, 4)), int(rng.integers(1, largest)), int(rng.integers(2, largest))
        high = float(10.0 ** rng.uniform(-1, 1.5))
        return Case({}, queries(n, k, c, int(rng.integers(2**31)), (-high, high)))
