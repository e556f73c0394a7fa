"""pack_detections: all of a detection in one row of one tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.detect import _samples
from onnxprep.steps.detect._detections import common, numbers, refuse_unless_rows, with_zero
from onnxprep.tensor import Array, Tensor, TensorSpec


class PackDetections(Step):
    """``detections[n, i] = x1, y1, x2, y2, score, class`` for i below ``counts[n]``.

    ``fixed`` has a row for every place, zeros where there is no detection. ``variable`` has a row per detection only,
    image by image, with the number of its image before the box.

    Input: boxes, float32 [N, K, 4], scores, float32 [N, K], classes, int64 [N, K], and counts, int64 [N].
    Output: detections, float32: [N, K, 6] if fixed, [n, 7] if variable; and the counts.
    Rounds: classes and numbers of images to float32, which holds them up to 2^24.
    Source: NumPy's indexing.
    Raises: ContractError where the tensors are not these, of equally many images and places. No detection at all gives
        zeros, or no rows.
    """

    operation: ClassVar[str] = "pack_detections"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "concatenate, indexing")}
    inputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "classes", "counts")
    outputs: ClassVar[tuple[str, ...]] = ("detections", "counts")

    layout: Literal["fixed", "variable"] = parameter(
        "fixed: [N, K, 6], a row for every place; variable: [n, 7], a row per detection, its image first", "fixed"
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The counts are those that come."""
        boxes, scores, classes, counts = inputs
        refuse_unless_rows(boxes, "boxes", "float32", "N, K, 4", last=4)
        refuse_unless_rows(scores, "scores", "float32", "N, K")
        refuse_unless_rows(classes, "classes", "int64", "N, K")
        refuse_unless_rows(counts, "counts", "int64", "N")
        n = common("images", [(spec, 0) for spec in inputs])
        k = common("places", [(spec, 1) for spec in inputs[:3]])
        spans = [with_zero(spec.range) for spec in inputs[:3]]
        low, high = (None if None in spans else pick(s[i] for s in spans if s) for i, pick in enumerate((min, max)))
        span = None if self.layout == "variable" or low is None or high is None else (low, high)
        shape = (n, k, 6) if self.layout == "fixed" else (None, 7)
        return TensorSpec("float32", shape, None, None, span), TensorSpec("int64", (n,), None, None, counts.range)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Concat; then zeros, or only the rows that count."""
        boxes, scores, classes, counts = inputs
        scores, classes = (op.Unsqueeze(x, axes=[2]) for x in (scores, op.Cast(classes, to="float32")))
        rows = op.Concat(boxes, scores, classes, axis=2)
        slot = op.Unsqueeze(numbers(op, op.Shape(rows, start=1, end=2)), axes=[0])
        there = op.Less(slot, op.Unsqueeze(counts, axes=[1]))
        if self.layout == "fixed":
            return op.Where(op.Unsqueeze(there, axes=[2]), rows, op.float32(0.0)), counts
        found = op.Transpose(op.NonZero(there), perm=[1, 0])
        image = op.Cast(op.Slice(found, op.int64([0]), op.int64([1]), op.int64([1])), to="float32")
        return op.Concat(image, op.GatherND(rows, found), axis=1), counts

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """NumPy, image by image."""
        boxes, scores, classes, counts = (tensor.array for tensor in inputs)
        fixed = np.zeros((*scores.shape, 6), np.float32)
        found = [np.zeros((0, 7), np.float32)]
        for i, count in enumerate(counts):
            fixed[i, :count, :4], fixed[i, :count, 4] = boxes[i, :count], scores[i, :count]
            fixed[i, :count, 5] = classes[i, :count]
            found.append(np.insert(fixed[i, :count], 0, np.float32(i), axis=1))
        return fixed if self.layout == "fixed" else np.concatenate(found), counts

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Several images, one, none; no places; all of them taken, none of them."""
        for layout in ("fixed", "variable"):
            for seed, (n, k, counts) in enumerate(
                ((3, 9, (0, 9)), (1, 5, (5, 5)), (2, 4, (0, 0)), (0, 3, (0, 3)), (2, 0, (0, 0)), (1, 1, (0, 1)))
            ):
                yield cls._case(layout, n, k, counts, seed)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any number of images and places."""
        n, k = int(rng.integers(0, 5)), int(rng.integers(0, largest + 1))
        return cls._case(str(rng.choice(["fixed", "variable"])), n, k, (0, k), int(rng.integers(2**31)))

    @classmethod
    def _case(cls, layout: str, n: int, k: int, counts: tuple[int, int], seed: int) -> Case:
        classes = Sample(TensorSpec("int64", (n, k), None, None, (-1.0, 90.0)), seed)
        count = Sample(TensorSpec("int64", (n,), None, None, (float(counts[0]), float(counts[1]))), seed)
        return Case({"layout": layout}, (_samples.boxes(n, k, seed), _samples.scores((n, k), seed), classes, count))
