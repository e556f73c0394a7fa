"""keypoints_from_heatmap: the place of the highest value of every heatmap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import part
from onnxprep.tensor import Array, Tensor, TensorSpec


class KeypointsFromHeatmap(Step):
    """``i = argmax(heatmap)`` over rows and columns, the first where several are highest; ``x, y = i % w, i // w``.

    Both are then multiplied by ``stride``, which makes px of the model's image of cells.

    Input: heatmaps, float32 [N, P, h, w], one for every point; with layout NCHW or without one.
    Output: keypoints, float32 [N, P, 2], x, y; scores, float32 [N, P], the highest values.
    Rounds: the product with ``stride``, to float32.
    Source: NumPy's argmax, as simple-baselines' get_max_preds uses it, without its zeros where no value is above 0.
    Raises: ContractError where the tensor is no float32 with four axes, or a heatmap is empty. A NaN counts as infinity,
        and is then the score.
    """

    operation: ClassVar[str] = "keypoints_from_heatmap"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "argmax, divmod")}
    inputs: ClassVar[tuple[str, ...]] = ("heatmaps",)
    outputs: ClassVar[tuple[str, ...]] = ("keypoints", "scores")

    stride: Annotated[float, Field(gt=0, le=65536)] = parameter("px of the model's image per cell of a heatmap", 1.0)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """A point for every heatmap."""
        (x,) = inputs
        fits = x.dtype == "float32" and x.rank in (4, None) and x.layout in ("NCHW", None)
        refuse_unless(fits, "is no set of heatmaps", expected="float32[N, P, h, w]", got=x)
        n, p, h, w = x.shape or (None,) * 4
        refuse_unless(0 not in (h, w), "has empty heatmaps", expected="float32[N, P, h, w]", got=x)
        longest = max(h, w) if isinstance(h, int) and isinstance(w, int) else None
        span = None if longest is None else (0.0, float(np.float32(longest - 1) * np.float32(self.stride)))
        return TensorSpec("float32", (n, p, 2), range=span), TensorSpec("float32", (n, p), range=x.range)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """ArgMax over a flat heatmap, Mod and Div."""
        (x,) = inputs
        shape = op.Shape(x)
        kept, w = part(op, shape, 0, 2, 0), part(op, shape, 3, 4, 0)
        cells = op.Mul(part(op, shape, 2, 3, 0), w)
        flat = op.Reshape(x, op.Concat(kept, cells, axis=0))
        known = op.Where(op.IsNaN(flat), op.float32(float("inf")), flat)  # ArgMax passes over NaN
        # of an empty batch ONNX Runtime 1.31's ArgMax keeps the whole axis: the Slice makes it one long
        best = part(op, op.ArgMax(known, axis=2, keepdims=1), 0, 1, 2)
        scores = op.Squeeze(op.GatherElements(flat, best, axis=2), axes=[2])
        places = op.Cast(op.Concat(op.Mod(best, w), op.Div(best, w), axis=2), to="float32")
        return places if self.stride == 1 else op.Mul(places, op.float32(self.stride)), scores

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """NumPy."""
        x = inputs[0].array
        flat = x.reshape(*x.shape[:2], -1) if x.size else np.zeros((*x.shape[:2], 1), np.float32)
        y, x_ = np.divmod(flat.argmax(-1), x.shape[3])
        return np.stack([x_, y], -1).astype(np.float32) * np.float32(self.stride), flat.max(-1)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """COCO's 17 points, ties, one cell, one row, one column, a stride; no point."""
        for seed, (shape, span, stride) in enumerate(
            [
                ((2, 17, 16, 12), None, 4.0), ((1, 3, 5, 7), (0.0, 0.0), 1.0), ((3, 2, 1, 1), (-1.0, 1.0), 1.0),
                ((1, 4, 1, 9), None, 0.3), ((1, 4, 8, 1), None, 1.0), ((1, 0, 4, 4), None, 2.0),
            ]
        ):  # fmt: skip
            yield Case({"stride": stride}, (Sample(TensorSpec("float32", shape, None, None, span), seed),))
        yield Case({}, (Sample(TensorSpec("float32", (2, 5, 6, 9), "NCHW"), 9),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any number of points, any sides."""
        shape = (int(rng.integers(0, 4)), int(rng.integers(0, 20)), *(int(n) for n in rng.integers(1, largest, 2)))
        heatmaps = TensorSpec("float32", shape, None, None, (0.0, 1.0) if rng.random() < 0.5 else None)
        return Case({"stride": float(rng.choice([1.0, 4.0, 8.0, 3.7]))}, (Sample(heatmaps, int(rng.integers(2**31))),))
