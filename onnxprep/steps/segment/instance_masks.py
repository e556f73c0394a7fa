"""instance_masks: a mask for every detection, from prototypes that are the same for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.segment._instance_cases import cases, draw
from onnxprep.steps.segment._instances import STRIDE, at_prototypes, found, resized, to_input, to_picture
from onnxprep.steps.segment._undo import undone
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

_RANKS = {"protos": 4, "extra": 3, "indices": 2, "boxes": 3}
_NOTE = (
    "as far as the logits are the same: torch multiplies matrices of less than four rows in another order than ONNX "
    "Runtime, and a logit within 5e-6 of 0 may then end up on its other side (none of 7 million pixels did); small "
    "outputs torch interpolates in another order, too. Ultralytics takes every letterbox for one in the middle, scaled up: "
    "of another one it is undone here as it was made"
)


class InstanceMasks(Step):
    """``y[n, m, i, j] = sum over d of extra[n, d, indices[n, m]] * protos[n, d, i, j] > 0`` inside ``boxes[n, m]``.

    A pixel is inside where ``x1 <= j < x2`` and ``y1 <= i < y2``. At the prototypes' size boxes are a quarter as large;
    for the input of the model the sums are interpolated to four times the size, as torch's bilinear does it; for the
    picture they are interpolated to 1, 2 or 4 times the size, such that the border of the letterbox is whole pixels,
    which are cut off, and then to the size of the picture.

    Input: protos, float32 [N, D, h, w]; extra, float32 [N, D, K]; indices, int64 [N, M], -1 where there is no
        detection; boxes, float32 [N, M, 4], px of the model's input, or of the picture where that is the resolution.
    Output: masks, uint8 [N, M, H, W] of 0 and 1; those of no detection are empty. Rows behind the last detection of
        all images are left out with ``rows: found``, but for one.
    Rounds: as torch does, but for the order of the sums.
    Source: Ultralytics 8.4, utils/ops.py process_mask, process_mask_native, scale_masks, crop_mask.
    Raises: ContractError where the tensors do not fit each other, or ``frame`` is no letterbox before the model. No
        detections give empty masks; NaN in a box gives any mask.
    """

    operation: ClassVar[str] = "instance_masks"
    claims: ClassVar = {
        "ultralytics": Claim("ultralytics", ">=8.4.190,<8.5", "utils.ops.process_mask, process_mask_native", note=_NOTE)
    }
    inputs: ClassVar[tuple[str, ...]] = ("protos", "extra", "indices", "boxes")
    outputs: ClassVar[tuple[str, ...]] = ("masks",)

    resolution: Literal["protos", "input", "picture"] = parameter(
        "as large as the prototypes, four times as large (the input of the model), or as the picture by `frame`"
    )
    frame: str | None = parameter(
        "name of the letterbox before the model, for the resolution of the picture", None, min_length=1
    )
    rows: Literal["all", "found"] = parameter(
        "all: a mask for every row of the boxes; found: as many as the image with most detections needs", "all"
    )

    @model_validator(mode="after")
    def _framed(self) -> Self:
        if (self.frame is not None) != (self.resolution == "picture"):
            problem = (
                "is missing" if self.frame is None else f"does nothing for the resolution of the {self.resolution}"
            )
            raise wrong(problem, at="frame", expected="a letterbox, for `resolution: picture` only")
        return self

    def undoing(self, steps: Sequence[Step]) -> Self:
        """The same, knowing the letterbox."""
        operations = [step.operation for step in steps]
        if operations != ["letterbox"]:
            got = ", ".join(operations) or "no such step"
            raise ContractError("is no frame of a letterbox alone", expected="letterbox", got=got)
        return self.knowing(steps)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many masks as boxes, or fewer."""
        protos, extra, indices, boxes = inputs[:4]
        for x, (name, rank) in zip(inputs, _RANKS.items(), strict=False):
            dtype = "int64" if name == "indices" else "float32"
            expected = f"{dtype} of {rank} axes"
            refuse_unless(x.dtype == dtype and x.rank == rank, f"is given other {name}", expected=expected, got=x)
            known = all(dim != 0 or axis == 0 for axis, dim in enumerate(x.shape or ()))
            refuse_unless(known, f"is given empty {name}", expected="no axis but the first of length 0", got=x)
        same = (
            (extra, 0, protos, 0),
            (extra, 1, protos, 1),
            (indices, 0, protos, 0),
            (boxes, 0, protos, 0),
            (boxes, 1, indices, 1),
        )
        for x, i, y, k in same:
            one, other = (x.shape or ())[i], (y.shape or ())[k]
            fits = one == other or not (isinstance(one, int) and isinstance(other, int))
            refuse_unless(
                fits, "is given tensors that do not fit each other", expected=f"{other} along axis {i}", got=x
            )
        four = (boxes.shape or ())[2]
        refuse_unless(four == 4 or not isinstance(four, int), "is given other boxes", expected="[N, M, 4]", got=boxes)
        batch, _, *sides = protos.shape or ()
        many = (indices.shape or ())[1] if self.rows == "all" else None
        return (TensorSpec("uint8", (batch, many, *map(self._side, sides)), None, None, (0.0, 1.0)),)

    def _side(self, side: Dim) -> Dim:
        if self.resolution == "protos":
            return side
        return side * STRIDE if self.resolution == "input" and isinstance(side, int) else None

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Rows behind the last detection are not computed."""
        protos, extra, indices, boxes, *told = inputs
        these = found(op, protos, extra, indices, boxes)
        if self.resolution == "protos":
            masks = at_prototypes(op, these)
        elif self.resolution == "input":
            masks = resized(op, these, to_input(op, these))
        else:
            (letterbox,) = undone(op, self._undone, told[0])
            masks = resized(op, these, to_picture(op, these, letterbox))
        sides = op.Slice(op.Shape(masks), op.int64([1]), op.int64([3]), op.int64([0]))
        masks = op.Reshape(masks, op.Concat(these.batch, these.used, sides, axis=0))
        masks = op.Slice(masks, op.int64([0]), op.Shape(indices, start=0, end=1), op.int64([0]))
        if self.rows == "found":
            return masks
        missing = op.Sub(op.Shape(indices, start=1, end=2), these.used)
        zeros, two = op.int64([0] * 5), op.int64([0, 0])
        return op.Pad(masks, op.Concat(zeros, missing, two, axis=0), op.constant(0, "uint8"), mode="constant")

    def oracle(self, *inputs: Tensor) -> Array:
        """Ultralytics' own functions, image by image, on the rows that are detections."""
        import torch
        from ultralytics.utils import ops

        protos, extra, indices, boxes, *told = (tensor.array for tensor in inputs)
        shape = tuple(STRIDE * side for side in protos.shape[2:])
        size = {"protos": protos.shape[2:], "input": shape, "picture": told[0].tolist() if told else shape}[
            self.resolution
        ]
        many = indices.shape[1] if self.rows == "all" else max(1, *(_last(row) for row in indices), 1)
        masks = np.zeros((len(protos), many, *size), np.uint8)
        for n, row in enumerate(indices):
            rows = np.flatnonzero(row >= 0)
            given = [torch.from_numpy(x) for x in (protos[n], extra[n][:, row[rows]].T.copy(), boxes[n][rows])]
            if self.resolution == "picture":
                made = ops.process_mask_native(*given, tuple(size))
            else:
                made = ops.process_mask(*given, shape, upsample=self.resolution == "input")
            masks[n, rows] = made.numpy()
        return masks

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every resolution, all rows or those that are found, none at all."""
        return cases()

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any sides, up to 12 detections."""
        return draw(rng, largest)


def _last(row: Array) -> int:
    rows = np.flatnonzero(row >= 0)
    return int(rows[-1]) + 1 if len(rows) else 0
