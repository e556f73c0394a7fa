"""The head of torchvision's SSD and SSDlite: corrections of default boxes, a softmax over the classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.detect.decode_boxes._anchors import (
    Maps,
    PerMap,
    Positive,
    Sides,
    Weights,
    decoded,
    decoded_by_torchvision,
    default_boxes,
    dims_of_anchored,
    heads,
    of_torchvision,
)
from onnxprep.steps.detect.decode_boxes._heads import part
from onnxprep.tensor import Array, Tensor, TensorSpec

_PerMap = Annotated[tuple[Positive, ...], Field(max_length=17)]


class DecodeSsd(Step):
    """``cx = dx * wa + cxa``, ``w = exp(min(dw, log(62.5))) * wa``, y alike; ``x1 = cx - w / 2``, clipped to the image.

    The anchors, cxa, wa, are those of torchvision's DefaultBoxGenerator for an image of one size; they are constants of
    the graph. Scores are ``softmax(logits)`` without its first class, the background: class 0 here is torchvision's 1.
    torchvision then keeps the 400 best of each class (SSDlite: 300) before its NMS; here all stay.

    Input: bbox_regression, float32 [N, K, 4], and cls_logits, float32 [N, K, 1 + C]: what the head gives, map after map,
        row after row, the boxes of a cell behind each other.
    Output: boxes, float32 [N, K, 4], px of the model's image; scores, float32 [N, C, K].
    Rounds: after every operation.
    Source: torchvision 0.28, models/detection/anchor_utils.py DefaultBoxGenerator, _utils.py BoxCoder.decode_single,
        ops/boxes.py clip_boxes_to_image, ssd.py postprocess_detections.
    Raises: ContractError where the tensors are not float32 of these shapes, or K is not the number of anchors. The boxes
        of NaN are NaN or at an edge of the image.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {
        "torchvision-ssd": Claim(
            "torchvision",
            ">=0.19",
            "SSD.postprocess_detections before it selects",
            absolute=5e-4,
            note="px of boxes, through exp: 3.1e-5 at most on 300 x 300 px, 4.9e-4 on 4000 x 4000, which is where the claim "
            "ends; scores are within 1e-6, anchors equal",
        )
    }
    inputs: ClassVar[tuple[str, ...]] = ("bbox_regression", "cls_logits")
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores")

    image_size: Sides = parameter("height and width of the model's image, px")
    feature_maps: Maps = parameter("height and width of each feature map, the finest first")
    aspect_ratios: PerMap = parameter("of each feature map: ratios besides 1, each for a wide and a tall box")
    scales: _PerMap | None = parameter(
        "sides of the boxes of each feature map as a share of the image's, and one more; left out, they are evenly spread "
        "from `min_ratio` to `max_ratio`",
        None,
    )
    min_ratio: Positive = parameter("the first of evenly spread scales", 0.15)
    max_ratio: Positive = parameter("the last of evenly spread scales", 0.9)
    steps: _PerMap | None = parameter(
        "px from one cell of each feature map to the next; left out, the image divided by the feature map", None
    )
    clip_anchors: bool = parameter("whether the sides of an anchor end at those of the image", True)
    weights: Weights = parameter("what dx, dy, dw and dh are divided by", (10.0, 10.0, 5.0, 5.0))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        maps = len(self.feature_maps)
        for name, wanted in (("aspect_ratios", maps), ("scales", maps + 1), ("steps", maps)):
            given = getattr(self, name)
            if given is not None and len(given) != wanted:
                told = f"{wanted}, one for each feature map{' and one more' * (name == 'scales')}"
                raise wrong(f"has {len(given)} entries", at=name, expected=told)
        return self

    def _scales(self) -> tuple[float, ...]:
        maps, span = len(self.feature_maps), self.max_ratio - self.min_ratio
        if self.scales is not None:
            return self.scales
        if maps == 1:
            return self.min_ratio, self.max_ratio
        return (*(self.min_ratio + span * k / (maps - 1.0) for k in range(maps)), 1.0)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many boxes as anchors, one class less than logits."""
        each = zip(self.feature_maps, self.aspect_ratios, strict=True)
        k = sum(math.prod(maps) * (2 + 2 * len(ratios)) for maps, ratios in each)
        n, c = dims_of_anchored(inputs[0], inputs[1], k, "1 + C")
        two = not isinstance(c, int) or c >= 2
        refuse_unless(two, "has no class besides the background", expected=f"float32[N, {k}, 1 + C]", got=inputs[1])
        classes = c - 1 if isinstance(c, int) else None
        span = (0.0, float(max(self.image_size)))
        return TensorSpec("float32", (n, k, 4), range=span), TensorSpec("float32", (n, classes, k), range=(0.0, 1.0))

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Softmax over classes that lie side by side, then transposed."""
        deltas, logits = inputs
        anchors = default_boxes(
            self.image_size, self.feature_maps, self.aspect_ratios, self._scales(), self.steps, clip=self.clip_anchors
        )
        boxes = decoded(op, deltas, anchors, self.weights, self.image_size)
        return boxes, op.Transpose(part(op, op.Softmax(logits, axis=-1), 1, None, 2), perm=(0, 2, 1))

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """The generator, coder and clipping of torchvision."""
        import torch
        from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

        ratios, scales, steps = ([list(one) for one in self.aspect_ratios], self.scales, self.steps)
        generator = DefaultBoxGenerator(
            ratios, self.min_ratio, self.max_ratio, list(scales) if scales else None, list(steps) if steps else None,
            self.clip_anchors,
        )  # fmt: skip
        anchors = of_torchvision(generator, self.image_size, self.feature_maps)
        boxes = decoded_by_torchvision(inputs[0].array, anchors, self.weights, self.image_size)
        scores = torch.from_numpy(inputs[1].array).softmax(-1)[..., 1:]
        return boxes, scores.transpose(1, 2).contiguous().numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Like SSD300 and like SSDlite, smaller; one map; no image; every parameter."""
        base: dict[str, Any] = {"image_size": [60, 60], "feature_maps": [[4, 4], [3, 3], [2, 2]]}
        base["aspect_ratios"] = [[2.0], [2.0, 3.0], [2.0]]
        k = 16 * 4 + 9 * 6 + 4 * 4
        others: list[dict[str, Any]] = [
                {"scales": [0.07, 0.15, 0.51, 1.05], "steps": [8.0, 16.0, 32.0]}, {}, {"min_ratio": 0.2, "max_ratio": 0.95},
                {"scales": [0.07, 0.15, 1.51, 1.05], "clip_anchors": False}, {"scales": [0.07, 0.15, 1.51, 1.05]},
                {"image_size": [57, 91], "feature_maps": [[2, 8], [3, 3], [1, 4]]}, {"weights": [1.0, 2.0, 1.0, 3.0]},
                {"aspect_ratios": [[0.4], [2.5, 3.0], [2.0]]},
        ]  # fmt: skip
        for seed, more in enumerate(others):
            yield Case({**base, **more}, heads(1 + seed % 2, k, 2 + seed % 3, seed, 5.0))
        yield Case(base, heads(0, k, 4, 20))
        yield Case({"image_size": [9, 9], "feature_maps": [[2, 1]], "aspect_ratios": [[]]}, heads(2, 4, 3, 21))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any image, feature maps, ratios, scales, steps and weights."""
        size, most = [int(n) for n in rng.integers(8, 6 * largest, 2)], max(4, largest // 14)
        maps = [
            [int(rng.integers(1, max(2, min(most, side // 4)))) for side in size] for _ in range(rng.integers(1, 5))
        ]
        ratios = [[float(n) for n in rng.uniform(0.2, 4, rng.integers(0, 3))] for _ in maps]
        scales = [float(n) for n in rng.uniform(0.01, 1.2, len(maps) + 1)] if rng.random() < 0.5 else None
        steps = [float(n) for n in rng.integers(4, 100, len(maps))] if rng.random() < 0.5 else None
        low, high = (float(n) for n in rng.uniform(0.05, 1, 2))
        given = {"image_size": size, "feature_maps": maps, "aspect_ratios": ratios, "scales": scales, "steps": steps}
        given |= {"min_ratio": low, "max_ratio": high, "clip_anchors": bool(rng.random() < 0.7)}
        k = sum(h * w * (2 + 2 * len(one)) for (h, w), one in zip(maps, ratios, strict=True))
        n, c = int(rng.integers(0, 3)), int(rng.integers(2, 6))
        return Case(given, heads(n, k, c, int(rng.integers(2**31)), 8.0))
