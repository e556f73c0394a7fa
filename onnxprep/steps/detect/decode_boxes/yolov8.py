"""The head of YOLOv8 and all since that need NMS, as Ultralytics exports it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import corners, dims_of, part, scores_of
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

_MOST_EXTRA = 1024
"""Mask coefficients, keypoints and angles together; known heads have 32, 51 and 1."""


class DecodeYolov8(Step):
    """``x1 = cx - w / 2``, ``x2 = cx + w / 2``, y alike; scores and what follows them are passed on.

    For YOLOv8, v9, 11 and 12, and for v10 and 26 exported without their end-to-end head. Ultralytics' network has
    already put the sigmoid on the scores.

    Input: the model's output, float32 [N, 4 + C + E, K]: cx, cy, w, h in px, C scores, E mask coefficients or keypoints.
    Output: boxes, float32 [N, K, 4], px of the model's image, not clipped; scores, float32 [N, C, K]; extra, float32
        [N, E, K].
    Rounds: after every operation, half to even.
    Source: Ultralytics 8.4.190, utils/nms.py non_max_suppression and utils/ops.py xywh2xyxy; 8.3.0 has the same.
    Raises: ContractError where the tensor is no float32 [N, 4 + C + E, K], has fewer rows than ``classes`` needs or lies
        the other way round; where the rows are not known, running the graph fails on fewer in a Reshape. NaN stays where
        it is; with no candidates (K = 0) everything is empty.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {"yolov8": Claim("ultralytics", ">=8.3", "utils.ops.xywh2xyxy as in non_max_suppression")}
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "extra")

    classes: int | None = parameter(
        "how many classes there are, 1 or more; left out, every row behind the box is one", None, gt=0
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """K stays a symbol; C and E follow from the rows."""
        (x,) = inputs
        form = f"float32[N, {'4 + C' if self.classes is None else 4 + self.classes}, K]"
        n, rows, k = dims_of(x, form)
        if isinstance(rows, int):
            self._refuse_rows(x, rows, k, form)
        classes: Dim = self.classes or (rows - 4 if isinstance(rows, int) else None)
        extra = 0 if self.classes is None else rows - 4 - self.classes if isinstance(rows, int) else None
        return (
            TensorSpec("float32", (n, k, 4)),
            TensorSpec("float32", (n, classes, k), range=x.range),
            TensorSpec("float32", (n, extra, k), range=x.range),
        )

    def _refuse_rows(self, x: TensorSpec, rows: int, k: Dim, form: str) -> None:
        turned = isinstance(k, int) and k < rows
        least = 4 + (self.classes or 1)
        if self.classes is None:
            hint = "is it transposed? export it as Ultralytics does; if it has that many classes, say `classes`"
            refuse_unless(not turned, f"has {rows} rows for {k} candidates", expected=form, got=x, hint=hint)
        hint = f"`classes: {rows - 4}` would fit" if rows > 4 else ""
        refuse_unless(
            rows >= least, f"has {rows} rows, which is too few", expected=f"{least} rows or more", got=x, hint=hint
        )
        many = turned and rows - least > _MOST_EXTRA
        hint = "is it transposed? export it as Ultralytics does"
        refuse_unless(not many, f"has {rows} rows for {k} candidates", expected=form, got=x, hint=hint)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Along the rows, where K numbers lie side by side; only the boxes are transposed."""
        (x,) = inputs
        boxes = corners(op, part(op, x, 0, 2, 1), part(op, x, 2, 4, 1), axis=1)
        last = None if self.classes is None else 4 + self.classes
        extra = part(op, x, 2**62 if last is None else last, None, 1)
        known = x.spec.shape is not None and isinstance(x.spec.shape[1], int)
        return op.Transpose(boxes, perm=(0, 2, 1)), scores_of(op, x, 4, self.classes, known=known), extra

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """As the first lines of non_max_suppression: transposed, then xywh2xyxy."""
        import torch
        from ultralytics.utils.ops import xywh2xyxy

        prediction = torch.from_numpy(inputs[0].array)
        classes = self.classes or prediction.shape[1] - 4
        boxes = xywh2xyxy(prediction.transpose(-1, -2)[..., :4])
        _, scores, extra = prediction.split((4, classes, prediction.shape[1] - 4 - classes), 1)
        return boxes.contiguous().numpy(), scores.contiguous().numpy(), extra.contiguous().numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """80 classes, one class; masks, keypoints; no image, no candidate."""
        sets: tuple[tuple[dict[str, int], tuple[int, int, int]], ...] = (
            ({}, (2, 9, 42)), ({}, (1, 84, 85)), ({}, (1, 5, 21)), ({}, (0, 84, 105)), ({"classes": 3}, (3, 7, 0)),
            ({"classes": 1}, (1, 56, 21)), ({"classes": 2}, (3, 38, 7)), ({"classes": 80}, (2, 84, 5)),
            ({"classes": 80}, (1, 116, 9)), ({"classes": 3}, (1, 7, 1)), ({"classes": 3}, (0, 9, 50)),
        )  # fmt: skip
        for seed, (parameters, shape) in enumerate(sets):
            yield Case(parameters, (Sample(TensorSpec("float32", shape, None, None, (0.0, 640.0)), seed),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any number of classes, extra rows and candidates; few where little is to be recorded."""
        n, classes, k = (int(rng.integers(low, high)) for low, high in ((0, 4), (1, largest), (0, 2 * largest)))
        extra = int(rng.choice([0, 1, 32, 51])) if largest > 50 else int(rng.integers(0, 4))
        named = bool(extra) or k < 4 + classes or rng.random() < 0.3
        high = float(10.0 ** rng.uniform(-2, 4))
        head = TensorSpec("float32", (n, 4 + classes + extra, k), None, None, (-high * float(rng.integers(2)), high))
        return Case({"classes": classes} if named else {}, (Sample(head, int(rng.integers(2**31))),))
