"""decode_keypoints: the keypoints that YOLO-pose found with each detection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import either, part, same
from onnxprep.tensor import Array, Tensor, TensorSpec


class DecodeKeypoints(Step):
    """``keypoints[n, d] = extra[n, :, indices[n, d]]`` as P rows of ``dimensions`` numbers; 0 where there is none.

    The network has already put them into px and their confidence through a sigmoid.

    Input: extra, float32 [N, P * dimensions, K], as `decode_boxes` gives it; indices, int64 or int32 [N, D], as `nms`
        gives them: below 0 is no detection.
    Output: keypoints, float32 [N, D, P, dimensions]: x, y in px of the model's image, and with three dimensions the
        confidence, 0..1.
    Rounds: never.
    Source: Ultralytics 8.4.190, models/yolo/pose/predict.py construct_result before scale_coords.
    Raises: ContractError where the tensors are not of these shapes. With no detections (D = 0) the answer is empty; an
        index of K or more fails when the graph runs. NaN stays where it is.
    """

    operation: ClassVar[str] = "decode_keypoints"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "take along the candidates, reshape")}
    inputs: ClassVar[tuple[str, ...]] = ("extra", "indices")
    outputs: ClassVar[tuple[str, ...]] = ("keypoints",)

    dimensions: int = parameter("numbers per point, 2: x, y; 3: x, y, confidence", 3, ge=2, le=3)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """A row of keypoints for every index."""
        extra, indices = inputs
        form = f"float32[N, {self.dimensions} * P, K]"
        fits = extra.dtype == "float32" and extra.rank in (3, None) and not extra.is_image
        refuse_unless(fits, "is not what a head gives besides boxes and scores", expected=form, got=extra)
        n, rows, _ = extra.shape or (None, None, None)
        hint = "does `decode_boxes` know how many `classes` there are?" if rows == 0 else ""
        points = rows / self.dimensions if isinstance(rows, int) else None
        whole = points is None or (points >= 1 and points == int(points))
        refuse_unless(whole, f"has {rows} rows, no points of {self.dimensions}", expected=form, got=extra, hint=hint)
        fits = indices.dtype in ("int64", "int32") and indices.rank in (2, None)
        refuse_unless(fits, "are no indices", expected="int64[N, D]", got=indices)
        others, d = indices.shape or (None, None)
        refuse_unless(same(n, others), "are of other images", expected=f"int64[{n}, D]", got=indices)
        span = None if extra.range is None else (min(0.0, extra.range[0]), max(0.0, extra.range[1]))
        shape = (either(n, others), d, None if points is None else int(points), self.dimensions)
        return (TensorSpec("float32", shape, range=span),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """One more candidate of zeros stands for none; the rows are gathered, then transposed."""
        extra, indices = inputs
        padded = op.Pad(extra, op.int64([0, 0, 0, 0, 0, 1]), op.float32(0.0), mode="constant")
        n, rows, k = (part(op, op.Shape(extra), i, i + 1, 0) for i in range(3))
        index = op.Cast(indices, to="int64")
        index = op.Where(op.Less(index, op.int64([0])), k, index)
        d = part(op, op.Shape(index), 1, 2, 0)
        every = op.Expand(op.Unsqueeze(index, axes=[1]), op.Concat(n, rows, d, axis=0))
        chosen = op.Transpose(op.GatherElements(padded, every, axis=2), perm=(0, 2, 1))
        numbers = op.int64([self.dimensions])
        return op.Reshape(chosen, op.Concat(n, d, op.Div(rows, numbers), numbers, axis=0))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy, image by image."""
        extra, indices = (tensor.array for tensor in inputs)
        made = np.zeros((*indices.shape, extra.shape[1] // self.dimensions, self.dimensions), np.float32)
        for i, (columns, chosen) in enumerate(zip(extra, indices, strict=True)):
            for d, index in enumerate(chosen):
                if index >= 0:
                    made[i, d] = columns[:, index].reshape(-1, self.dimensions)
        return made

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """COCO's 17 points, two numbers per point, one detection, none; no candidate; no image."""
        for seed, (n, points, dimensions, k, d) in enumerate(
            [(2, 17, 3, 21, 5), (1, 4, 2, 9, 1), (3, 1, 2, 2, 4), (1, 5, 3, 6, 0), (0, 17, 3, 21, 5), (1, 4, 3, 0, 3)]
        ):
            yield _case(n, points, dimensions, k, d, seed)
        extra = TensorSpec("float32", (2, 12, 3), None, None, (5.0, 9.0))
        indices = Sample(TensorSpec("int32", (2, 6), None, None, (-1.0, 2.0)), 4)
        for dimensions in (2, 3):
            yield Case({"dimensions": dimensions}, (Sample(extra, 3), indices))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any numbers of points, candidates and detections."""
        n, d = int(rng.integers(0, 4)), int(rng.integers(0, largest))
        points, k = int(rng.integers(1, 30)), int(rng.integers(1, 2 * largest))
        return _case(n, points, int(rng.integers(2, 4)), k, d, int(rng.integers(2**31)))


def _case(n: int, points: int, dimensions: int, k: int, d: int, seed: int) -> Case:
    extra = Sample(TensorSpec("float32", (n, points * dimensions, k), None, None, (-20.0, 700.0)), seed)
    indices = Sample(TensorSpec("int64", (n, d), None, None, (-1.0, float(k - 1))), seed + 1)
    return Case({"dimensions": dimensions}, (extra, indices))
