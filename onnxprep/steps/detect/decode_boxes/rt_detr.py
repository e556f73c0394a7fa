"""The heads of RT-DETR, Deformable DETR and their kin: a sigmoid for each class of each query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import model_validator

from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, wrong
from onnxprep.steps.detect.decode_boxes._heads import corners, part
from onnxprep.steps.detect.decode_boxes._queries import dims_of_queries, processed, queries
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

_NOTE = (
    "scores; boxes and classes are equal, but where the sigmoids of two logits round to one number: then the larger logit "
    "comes first here, and torch.topk's order is unspecified"
)
_RT, _DEFORMABLE = "transformers-rt-detr", "transformers-deformable-detr"


class DecodeRtDetr(Step):
    """The K best of all logits of an image, best first; ``class = i % C``, ``query = i // C``, ``score = sigmoid``.

    transformers-rt-detr: RT-DETR, RT-DETRv2, D-FINE, DEIM and RF-DETR, which keep as many as there are queries.
    transformers-deformable-detr: Deformable DETR, Conditional DETR and LW-DETR, where transformers keeps ``top_k: 100``
    unless told otherwise. Of equal logits the lower index comes first. A query may give several detections. Put
    `filter_detections` behind it, and `scale_boxes` with `coordinates: normalized`.

    Input: logits, float32 [N, Q, C]; pred_boxes, float32 [N, Q, 4], cx, cy, w, h in 0..1 of the model's image.
    Output: boxes, float32 [N, K, 4], x1, y1, x2, y2 in 0..1, not clipped; scores, float32 [N, K]; classes, int64 [N, K].
    Rounds: after every operation.
    Source: transformers 5.23, image_processing_rt_detr.py and image_processing_deformable_detr.py
        post_process_object_detection.
    Raises: ContractError where the tensors are not float32 of these shapes, or of different Q. NaN logits have no place
        in the order.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {
        like: Claim("transformers", ">=5,<6", f"{name}.post_process_object_detection", absolute=1e-6, note=_NOTE)
        for like, name in ((_RT, "RTDetrImageProcessor"), (_DEFORMABLE, "DeformableDetrImageProcessor"))
    }
    inputs: ClassVar[tuple[str, ...]] = ("logits", "pred_boxes")
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "classes")

    top_k: int | None = parameter(
        "how many detections per image, 1 or more; left out, as many as queries", None, gt=0, lt=2**31
    )

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.like == _DEFORMABLE and self.top_k is None:
            raise wrong("is missing", at="top_k", expected="how many detections are kept; transformers keeps 100")
        return self

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """K is known where Q and C are, or where ``top_k`` is sure to be reached."""
        n, q, classes = dims_of_queries(inputs[0], inputs[1], "float32[N, Q, C]")
        k: Dim = q if self.top_k is None else None
        if isinstance(q, int) and isinstance(classes, int):
            k = min(self.top_k or q, q * classes)
        span = (0.0, float(classes - 1)) if isinstance(classes, int) and classes else None
        return (
            TensorSpec("float32", (n, k, 4)),
            TensorSpec("float32", (n, k), range=(0.0, 1.0)),
            TensorSpec("int64", (n, k), range=span),
        )

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """TopK on logits: the last bits of a sigmoid are each library's own."""
        logits, boxes = inputs
        shape = op.Shape(logits)
        n, q, c = (op.Slice(shape, op.int64([i]), op.int64([i + 1]), op.int64([0])) for i in range(3))
        flat = op.Reshape(logits, op.Concat(n, op.Mul(q, c), axis=0))
        # on no rows at all ONNX Runtime before 1.31 dies in TopK
        more = op.Pad(flat, op.int64([0, 0, 1, 0]), op.float32(0.0), mode="constant")
        k = q if self.top_k is None else op.Min(op.int64([self.top_k]), op.Mul(q, c))
        best, index = (
            op.Slice(found, op.int64([0]), n, op.int64([0])) for found in op.TopK(more, k, axis=1, outputs=2)
        )
        query = op.Unsqueeze(op.Div(index, c), axes=[2])
        rows = op.Expand(query, op.Concat(n, k, op.int64([4]), axis=0))
        chosen = op.GatherElements(boxes, rows, axis=1)
        centre, size = part(op, chosen, 0, 2, 2), part(op, chosen, 2, 4, 2)
        return corners(op, centre, size, 2), op.Sigmoid(best), op.Mod(index, c)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """The image processor's own method, with a threshold that nothing is below."""
        import transformers

        if self.like == _DEFORMABLE:
            return processed(transformers.DeformableDetrImageProcessor(), *inputs, top_k=self.top_k)
        made = processed(transformers.RTDetrImageProcessor(), *inputs)
        return tuple(one[:, : self.top_k] for one in made)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """COCO's 80 classes, one class; no image; fewer and more than queries, and than there are logits."""
        rt: Any = ((2, 30, 80, None), (1, 1, 1, None), (3, 7, 5, 5), (0, 9, 4, None), (0, 9, 4, 3), (1, 20, 1, 20))
        # Deformable DETR's processor fails on no images
        more: Any = ((2, 30, 80, 100), (1, 1, 1, 100), (3, 7, 5, 1), (1, 20, 1, 7), (2, 5, 3, 15))
        for like, sets in ((_RT, rt), (_DEFORMABLE, more)):
            for seed, (n, q, c, top_k) in enumerate(sets):
                yield Case({"top_k": top_k}, queries(n, q, c, seed, (-8.0, 0.0)), (like,))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any number of queries and classes; logits that lie apart as floats do, so that sigmoids do, too."""
        n, q, c = int(rng.integers(1, 4)), int(rng.integers(1, min(30, largest))), int(rng.integers(1, 12))
        top_k = int(rng.integers(1, 2 * q)) if like == _DEFORMABLE else None
        return Case({"top_k": top_k}, queries(n, q, c, int(rng.integers(2**31)), (-8.0, 0.0)))
