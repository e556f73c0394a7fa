"""The end-to-end head of YOLOv10 and YOLO26: detections that need no NMS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import dims_of, part
from onnxprep.tensor import Array, Tensor, TensorSpec


class DecodeYolov10(Step):
    """Each row's x1, y1, x2, y2, score and class, put apart; the model has already chosen and sorted them.

    Put `filter_detections` behind it: the rows below the threshold are still there.

    Input: the model's output, float32 [N, K, 6 + E], best first: x1, y1, x2, y2 in px, score, class, E mask coefficients
        or keypoints.
    Output: boxes, float32 [N, K, 4], px of the model's image; scores, float32 [N, K]; classes, int64 [N, K]; extra,
        float32 [N, E, K], as `decode_keypoints` takes it.
    Rounds: never; the class is a whole number in the input, too, else it is cut.
    Source: Ultralytics 8.4.190, nn/modules/head.py Detect.postprocess and engine/results.py Boxes; 8.3.0 has the same.
    Raises: ContractError where the tensor is no float32 [N, K, 6 + E]. NaN stays in boxes and scores; the class of a NaN
        is any number. Where the number of columns is not known, running the graph fails on another one.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {"yolov10": Claim("ultralytics", ">=8.3", "engine.results.Boxes xyxy, conf, cls")}
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "classes", "extra")

    extra: bool = parameter("whether mask coefficients or keypoints follow the six numbers of each detection", False)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many rows as there are; how many classes there were, the head does not tell."""
        (x,) = inputs
        form = f"float32[N, K, {'6 + E' if self.extra else 6}]"
        n, k, columns = dims_of(x, form)
        if isinstance(columns, int):
            heads = isinstance(k, int) and 5 <= k < columns
            hint = "with masks or keypoints behind the class: `extra: true`" if columns > 6 else ""
            hint = "looks like a head that needs `nms`: `like: yolov8`" if heads else hint
            fits = columns >= 6 if self.extra else columns == 6
            refuse_unless(fits, f"has {columns} numbers per detection", expected=form, got=x, hint=hint)
        extra = (columns - 6 if isinstance(columns, int) else None) if self.extra else 0
        return (
            TensorSpec("float32", (n, k, 4), range=x.range),
            TensorSpec("float32", (n, k), range=x.range),
            TensorSpec("int64", (n, k)),
            TensorSpec("float32", (n, extra, k), range=x.range),
        )

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Six numbers are split, which fails on others where only the run can tell; a Cast cuts."""
        (x,) = inputs
        detection = part(op, x, 0, 6, 2) if self.extra else x
        boxes, scores, classes = op.Split(detection, split=(4, 1, 1), axis=2)
        extra = op.Transpose(part(op, x, 6, None if self.extra else 6, 2), perm=(0, 2, 1))
        return boxes, op.Squeeze(scores, axes=[2]), op.Squeeze(op.Cast(classes, to="int64"), axes=[2]), extra

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """Ultralytics' Boxes, image by image; as an int, like its names[int(c)]."""
        import torch
        from ultralytics.engine.results import Boxes

        x = torch.from_numpy(inputs[0].array)
        made = [Boxes(one[:, :6], (1, 1)) for one in x]
        n, k, _ = x.shape
        boxes = torch.stack([one.xyxy for one in made]) if n else torch.empty(0, k, 4)
        scores = torch.stack([one.conf for one in made]) if n else torch.empty(0, k)
        classes = torch.stack([one.cls.long() for one in made]) if n else torch.empty(0, k, dtype=torch.int64)
        return boxes.numpy(), scores.numpy(), classes.numpy(), x[..., 6:].transpose(1, 2).contiguous().numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Many rows, one, none; no image; masks and keypoints, or none where there could be some."""
        for seed, (e, shape) in enumerate(
            [(0, (2, 40)), (0, (1, 1)), (0, (3, 0)), (0, (0, 9)), (32, (2, 21)), (51, (1, 3))]
        ):
            rows = TensorSpec("float32", (*shape, 6 + e), None, None, (0.0, 640.0))
            for extra in (False, True) if e == 0 else (True,):
                yield Case({"extra": extra}, (Sample(rows, seed),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any number of rows and extra numbers."""
        extra, high = int(rng.choice([0, 0, 1, 32])), float(10.0 ** rng.uniform(0, 4))
        shape = (int(rng.integers(0, 4)), int(rng.integers(0, 2 * largest)), 6 + extra)
        rows = TensorSpec("float32", shape, None, None, (-high * float(rng.integers(2)), high))
        return Case({"extra": extra > 0}, (Sample(rows, int(rng.integers(2**31))),))
