"""The head of torchvision's RetinaNet: corrections of anchors, a sigmoid for each class."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import model_validator

from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, wrong
from onnxprep.steps.detect.decode_boxes._anchors import (
    Maps,
    PerMap,
    Sides,
    Weights,
    decoded,
    decoded_by_torchvision,
    dims_of_anchored,
    grid_anchors,
    heads,
    of_torchvision,
)
from onnxprep.tensor import Array, Tensor, TensorSpec

_SIZES = tuple(
    (x, float(int(x * 2 ** (1 / 3))), float(int(x * 2 ** (2 / 3)))) for x in (32.0, 64.0, 128.0, 256.0, 512.0)
)
_RATIOS = ((0.5, 1.0, 2.0),) * 5


class DecodeRetinanet(Step):
    """``cx = dx * wa + cxa``, ``w = exp(min(dw, log(62.5))) * wa``, y alike; ``x1 = cx - w / 2``, clipped to the image.

    The anchors, cxa, wa, are those of torchvision's AnchorGenerator for an image of one size; they are constants of the
    graph. Scores are ``sigmoid(logits)``. torchvision then keeps the 1000 best of each feature map before its NMS; here
    all stay.

    Input: bbox_regression, float32 [N, K, 4], and cls_logits, float32 [N, K, C]: what the head gives, map after map, row
        after row, the anchors of a cell behind each other.
    Output: boxes, float32 [N, K, 4], px of the model's image; scores, float32 [N, C, K].
    Rounds: after every operation.
    Source: torchvision 0.28, models/detection/anchor_utils.py AnchorGenerator, _utils.py BoxCoder.decode_single,
        ops/boxes.py clip_boxes_to_image, retinanet.py postprocess_detections.
    Raises: ContractError where the tensors are not float32 of these shapes, or K is not the number of anchors. The boxes
        of NaN are NaN or at an edge of the image.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {
        "torchvision-retinanet": Claim(
            "torchvision",
            ">=0.19",
            "RetinaNet.postprocess_detections before it selects",
            absolute=1e-3,
            note="px of boxes, through exp: 2.5e-4 at most on 800 x 1333 px; scores are within 1e-6, anchors equal",
        )
    }
    inputs: ClassVar[tuple[str, ...]] = ("bbox_regression", "cls_logits")
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores")

    image_size: Sides = parameter("height and width of the model's image, px; padding included")
    feature_maps: Maps = parameter("height and width of each feature map, the finest first")
    sizes: PerMap = parameter("sides of the anchors of each feature map, px", _SIZES)
    aspect_ratios: PerMap = parameter("height / width of the anchors of each feature map", _RATIOS)
    weights: Weights = parameter("what dx, dy, dw and dh are divided by", (1.0, 1.0, 1.0, 1.0))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("sizes", "aspect_ratios"):
            if len(getattr(self, name)) != len(self.feature_maps):
                told = f"{len(self.feature_maps)}, one for each feature map"
                raise wrong(f"has {len(getattr(self, name))} entries", at=name, expected=told)
        return self

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many boxes as anchors."""
        each = zip(self.feature_maps, self.sizes, self.aspect_ratios, strict=True)
        k = sum(math.prod(maps) * len(sizes) * len(ratios) for maps, sizes, ratios in each)
        n, c = dims_of_anchored(inputs[0], inputs[1], k, "C")
        span = (0.0, float(max(self.image_size)))
        return TensorSpec("float32", (n, k, 4), range=span), TensorSpec("float32", (n, c, k), range=(0.0, 1.0))

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Along the anchors, where K numbers lie side by side."""
        deltas, logits = inputs
        anchors = grid_anchors(self.image_size, self.feature_maps, self.sizes, self.aspect_ratios)
        boxes = decoded(op, deltas, anchors, self.weights, self.image_size)
        return boxes, op.Sigmoid(op.Transpose(logits, perm=(0, 2, 1)))

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """The generator, coder and clipping of torchvision."""
        import torch
        from torchvision.models.detection.anchor_utils import AnchorGenerator

        anchors = of_torchvision(AnchorGenerator(self.sizes, self.aspect_ratios), self.image_size, self.feature_maps)
        boxes = decoded_by_torchvision(inputs[0].array, anchors, self.weights, self.image_size)
        return boxes, torch.sigmoid(torch.from_numpy(inputs[1].array)).transpose(1, 2).contiguous().numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """The anchors of torchvision's models; few sizes; sides that strides do not divide; weights; no image."""
        maps = [[(64 >> k) // 8 or 1] * 2 for k in range(5)]
        base: dict[str, Any] = {"image_size": [64, 64], "feature_maps": maps}
        k = 9 * sum(a * b for a, b in maps)
        for seed, n in enumerate((2, 0)):
            yield Case(base, heads(n, k, 3, seed))
        few = {"image_size": [100, 75], "feature_maps": [[7, 5], [4, 3]], "sizes": [[10.0, 21.5], [70.0]]}
        few["aspect_ratios"] = [[0.3, 1.0], [1.0, 2.0, 3.1]]
        yield Case(few, heads(1, 140 + 36, 1, 5))
        other = {"sizes": [[10.0, 22.0], [69.0]], "aspect_ratios": [[0.4, 1.0], [1.5, 2.0, 0.2]]}
        yield Case({**few, **other}, heads(1, 176, 2, 9))
        yield Case({**few, "feature_maps": [[5, 7], [3, 4]]}, heads(1, 176, 2, 8))
        yield Case({**few, "weights": [10.0, 9.0, 5.0, 3.0]}, heads(3, 176, 2, 6, 20.0))
        yield Case(
            {**few, "feature_maps": [[1, 1], [1, 1]], "aspect_ratios": [[1.0, 0.5], [2.0]]}, heads(1, 5, 2, 7, 8.0)
        )

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any image, feature maps, sizes, ratios and weights."""
        given, k = drawn(rng, largest)
        return Case(given, heads(int(rng.integers(0, 3)), k, int(rng.integers(1, 5)), int(rng.integers(2**31)), 2.0))


def drawn(rng: np.random.Generator, largest: int) -> tuple[dict[str, Any], int]:
    """Parameters, and how many anchors they make."""
    size, most = [int(n) for n in rng.integers(8, 6 * largest, 2)], max(3, largest // 14)
    maps = [[int(rng.integers(1, max(2, min(most, side // 4)))) for side in size] for _ in range(rng.integers(1, 4))]
    sizes = [[float(n) for n in rng.uniform(4, 2 * largest, rng.integers(1, 4))] for _ in maps]
    ratios = [[float(n) for n in rng.uniform(0.2, 4, rng.integers(1, 4))] for _ in maps]
    weights = [float(w) for w in rng.choice([1.0, 5.0, 10.0], 4)] if rng.random() < 0.5 else [1.0] * 4
    k = sum(h * w * len(s) * len(r) for (h, w), s, r in zip(maps, sizes, ratios, strict=True))
    given = {"image_size": size, "feature_maps": maps, "sizes": sizes, "aspect_ratios": ratios, "weights": weights}
    return given, k
