"""What the heads of DETR and RT-DETR share: two inputs, one box per query, and transformers' processors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from onnxprep.step import Sample, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import dims_of, either, same
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec


def dims_of_queries(logits: TensorSpec, boxes: TensorSpec, expected: str) -> tuple[Dim, Dim, Dim]:
    """N, K and the number of logits per query.

    Raises:
        ContractError: the two are not what such a head gives, or not of as many queries.
    """
    n, k, classes = dims_of(logits, expected)
    others, queries, four = dims_of(boxes, "float32[N, K, 4]")
    swapped = "boxes and logits are swapped: `inputs: [logits, pred_boxes]`"
    hint = swapped if classes == 4 else ""
    refuse_unless(same(four, 4), f"has {four} numbers per box", expected="float32[N, K, 4]", got=boxes, hint=hint)
    fits = same(n, others) and same(k, queries)
    refuse_unless(fits, "has other queries than the logits", expected=f"float32[{n}, {k}, 4]", got=boxes)
    return either(n, others), either(k, queries), classes


def queries(n: int, k: int, classes: int, seed: int, span: tuple[float, float] | None = None) -> tuple[Sample, ...]:
    """Logits and boxes of a head."""
    logits = TensorSpec("float32", (n, k, classes), None, None, span)
    return Sample(logits, seed), Sample(TensorSpec("float32", (n, k, 4), None, None, (0.0, 1.0)), seed + 1)


def processed(processor: Any, logits: Tensor, boxes: Tensor, **options: Any) -> tuple[Array, ...]:
    """What a processor's post_process_object_detection makes of a batch, with a threshold that nothing is below."""
    import torch

    outputs = SimpleNamespace(logits=torch.from_numpy(logits.array), pred_boxes=torch.from_numpy(boxes.array))
    made = processor.post_process_object_detection(outputs, threshold=-1.0, **options)
    n, k = logits.array.shape[:2]
    if not made:
        return np.empty((n, k, 4), np.float32), np.empty((n, k), np.float32), np.empty((n, k), np.int64)
    return tuple(np.stack([one[name].numpy() for one in made]) for name in ("boxes", "scores", "labels"))
