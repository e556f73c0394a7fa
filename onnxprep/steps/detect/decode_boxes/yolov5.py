"""The head of YOLOv5 as its repository exports it: objectness times class."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect.decode_boxes._heads import corners, dims_of, part, scores_of
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

_MOST_COLUMNS = 2048
"""More numbers than that per candidate are the candidates themselves."""


class DecodeYolov5(Step):
    """``score = objectness * class score``, ``extra`` alike; ``x1 = cx - w / 2``, ``x2 = cx + w / 2``, y alike.

    That it multiplies mask coefficients, too, is how YOLOv5 does it.
    YOLOv5 looks for candidates above its threshold by their objectness alone before it multiplies; a score above the
    threshold has such an objectness, for class scores end at 1. The YOLOv5u models of Ultralytics are `yolov8`.

    Input: the model's output, float32 [N, K, 5 + C + E]: cx, cy, w, h in px, objectness, C class scores, E mask
        coefficients.
    Output: boxes, float32 [N, K, 4], px of the model's image, not clipped; scores, float32 [N, C, K]; extra, float32
        [N, E, K].
    Rounds: after every operation, half to even.
    Source: YOLOv5 7.0, utils/general.py non_max_suppression and xywh2xyxy.
    Raises: ContractError where the tensor is no float32 [N, K, 5 + C + E], has fewer columns than ``classes`` needs or
        lies the other way round; where the columns are not known, running the graph fails on fewer in a Reshape. NaN
        stays where it is; with no candidates (K = 0) everything is empty.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {
        "yolov5": Claim(
            "yolov5",
            ">=7,<8",
            "utils.general non_max_suppression, xywh2xyxy",
            note="the repository ultralytics/yolov5 as a package",
        )
    }
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores", "extra")

    classes: int | None = parameter(
        "how many classes there are, 1 or more; left out, every column behind the objectness is one", None, gt=0
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """K stays a symbol; C and E follow from the columns."""
        (x,) = inputs
        form = f"float32[N, K, {'5 + C' if self.classes is None else 5 + self.classes}]"
        n, k, columns = dims_of(x, form)
        least = 5 + (self.classes or 1)
        if isinstance(columns, int):
            self._refuse_columns(x, columns, k, form)
        classes: Dim = self.classes or (columns - 5 if isinstance(columns, int) else None)
        extra = 0 if self.classes is None else columns - least if isinstance(columns, int) else None
        return (
            TensorSpec("float32", (n, k, 4)),
            TensorSpec("float32", (n, classes, k)),
            TensorSpec("float32", (n, extra, k)),
        )

    def _refuse_columns(self, x: TensorSpec, columns: int, k: Dim, form: str) -> None:
        least = 5 + (self.classes or 1)
        turned = isinstance(k, int) and 5 <= k < columns and (self.classes is None or columns > _MOST_COLUMNS)
        hint = "is it a newer head, [N, 4 + C, K]? `like: yolov8`; if there are so many classes, say `classes`"
        problem = f"has {columns} numbers for each of {k} candidates"
        refuse_unless(not turned, problem, expected=form, got=x, hint=hint)
        few = f"has {columns} numbers per candidate"
        hint = f"`classes: {columns - 5}` would fit" if columns > 5 else ""
        refuse_unless(columns >= least, few, expected=f"{least} or more", got=x, hint=hint)

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Transposed first, so that K numbers lie side by side."""
        x = op.Transpose(inputs[0], perm=(0, 2, 1))
        boxes = corners(op, part(op, x, 0, 2, 1), part(op, x, 2, 4, 1), axis=1)
        last = None if self.classes is None else 5 + self.classes
        objectness, start = part(op, x, 4, 5, 1), 2**62 if last is None else last
        known = inputs[0].spec.shape is not None and isinstance(inputs[0].spec.shape[2], int)
        scores = op.Mul(scores_of(op, x, 5, self.classes, known=known), objectness)
        extra = op.Mul(part(op, x, start, None, 1), objectness)
        return op.Transpose(boxes, perm=(0, 2, 1)), scores, extra

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """The lines of non_max_suppression before it chooses: conf = obj_conf * cls_conf, then its xywh2xyxy."""
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports are old
            from yolov5.utils.general import xywh2xyxy

        x = torch.from_numpy(inputs[0].array.copy())
        classes = self.classes or x.shape[2] - 5
        x[..., 5:] *= x[..., 4:5]
        _, scores, extra = x.split((5, classes, x.shape[2] - 5 - classes), 2)
        both = (part.transpose(1, 2).contiguous().numpy() for part in (scores, extra))
        return xywh2xyxy(x[..., :4]).numpy(), *both

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """80 classes, one class; masks; no image, no candidate."""
        sets: tuple[tuple[dict[str, int], tuple[int, int, int]], ...] = (
            ({}, (2, 63, 9)), ({}, (1, 86, 85)), ({}, (1, 63, 6)), ({}, (0, 85, 9)), ({"classes": 3}, (3, 0, 8)),
            ({"classes": 1}, (1, 63, 38)), ({"classes": 2}, (3, 7, 39)), ({"classes": 80}, (2, 5, 85)),
            ({"classes": 4}, (0, 50, 12)), ({"classes": 3}, (1, 1, 8)),
        )  # fmt: skip
        for seed, (parameters, shape) in enumerate(sets):
            yield Case(parameters, (Sample(TensorSpec("float32", shape, None, None, (0.0, 64.0)), seed),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any number of classes, masks and candidates; few where little is to be recorded."""
        n, classes, k = (int(rng.integers(low, high)) for low, high in ((0, 4), (1, largest), (0, 2 * largest)))
        extra = int(rng.choice([0, 0, 32])) if largest > 50 else int(rng.integers(0, 4))
        named = bool(extra) or k < 5 + classes or rng.random() < 0.3
        high = float(10.0 ** rng.uniform(-2, 3))
        head = TensorSpec("float32", (n, k, 5 + classes + extra), None, None, (-high * float(rng.integers(2)), high))
        return Case({"classes": classes} if named else {}, (Sample(head, int(rng.integers(2**31))),))
