"""The three feature maps of YOLOv5, as its convolutions leave them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Step, Value, parameter, refuse_unless
from onnxprep.steps.detect.decode_boxes._feature_maps import ANCHORS, case_of, cells_of
from onnxprep.steps.detect.decode_boxes._heads import corners, either, part, same
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

_Px = Annotated[float, Field(gt=0, le=65536)]
_Pairs = Annotated[tuple[tuple[_Px, _Px], ...], Field(min_length=1, max_length=32)]


class DecodeYolov5Raw(Step):
    """``s = sigmoid(x)``; ``cx = (2 s + column - 0.5) * stride``, ``w = (2 s)**2 * anchor``; ``score = s_obj * s_class``.

    For exports that end at the convolutions, as accelerators' do. The order of the candidates is YOLOv5's: map after map,
    anchor after anchor, row after row. Everything else is as for `yolov5`.

    Input: p3, p4 and p5, float32 [N, A * (5 + C), h, w] or [N, A, h, w, 5 + C], the finest first.
    Output: boxes, float32 [N, K, 4], px of the model's image, not clipped; scores, float32 [N, C, K].
    Rounds: after every operation.
    Source: YOLOv5 7.0, models/yolo.py Detect.forward, utils/general.py xywh2xyxy.
    Raises: ContractError where the tensors are not float32 of these shapes, or their channels no multiple of 5 + C.
    """

    operation: ClassVar[str] = "decode_boxes"
    claims: ClassVar = {
        "yolov5-raw": Claim(
            "yolov5",
            ">=7,<8",
            "models.yolo.Detect.forward, utils.general.xywh2xyxy",
            absolute=1e-3,
            note="px of boxes, through the sigmoid: 2.5e-4 at most on 640 x 640 px; scores are within 1e-6",
        )
    }
    inputs: ClassVar[tuple[str, ...]] = ("p3", "p4", "p5")
    outputs: ClassVar[tuple[str, ...]] = ("boxes", "scores")

    anchors: tuple[_Pairs, _Pairs, _Pairs] = parameter("width and height of the anchors of p3, p4 and p5, px")
    strides: tuple[_Px, _Px, _Px] = parameter("px of the model's image per cell of p3, p4 and p5", (8.0, 16.0, 32.0))

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """K where every side is known."""
        n: Dim = None
        columns: Dim = None
        k: int | None = 0
        for x, anchors in zip(inputs, self.anchors, strict=True):
            count = len(anchors)
            form = f"float32[N, {count} * (5 + C), h, w] or float32[N, {count}, h, w, 5 + C]"
            fits = x.dtype == "float32" and x.rank in (4, 5) and x.layout in (None, "NCHW")
            refuse_unless(fits, "is no feature map of YOLOv5", expected=form, got=x)
            images, channels, *sides = x.shape or ()
            if x.rank == 5:
                per_anchor = same(channels, count)
                refuse_unless(per_anchor, f"has {channels} anchors instead of {count}", expected=form, got=x)
                channels = sides.pop()
            else:
                whole = not isinstance(channels, int) or channels % count == 0
                hint = f"`anchors` has {count} of them for this map"
                refuse_unless(whole, f"has {channels} channels for {count} anchors", expected=form, got=x, hint=hint)
                channels = channels // count if isinstance(channels, int) else None
            enough = not isinstance(channels, int) or channels > 5
            refuse_unless(
                enough, f"has {channels} numbers per anchor", expected=form, got=x, hint="6 or more are needed"
            )
            alike = same(n, images) and same(columns, channels)
            refuse_unless(alike, "has other images or classes than the map before", expected=form, got=x)
            n, columns = either(images, n), either(channels, columns)
            known = [side for side in sides if isinstance(side, int)]
            k = k + count * known[0] * known[1] if k is not None and len(known) == 2 else None
        classes = columns - 5 if isinstance(columns, int) else None
        return TensorSpec("float32", (n, k, 4)), TensorSpec("float32", (n, classes, k), range=(0.0, 1.0))

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Each map with its rows first, then its anchors, then its cells."""
        boxes, scores = [], []
        for x, anchors, stride in zip(inputs, self.anchors, self.strides, strict=True):
            shape, count = op.Shape(x), op.int64([len(anchors)])
            n, *others = (part(op, shape, i, i + 1, 0) for i in range(x.spec.rank or 0))
            h, w = others[1:3]
            cells = op.Mul(h, w)
            if x.spec.rank == 5:
                rows = others[3]
                split = op.Reshape(op.Transpose(x, perm=(0, 4, 1, 2, 3)), op.Concat(n, rows, count, cells, axis=0))
            else:
                rows = op.Div(others[0], count)
                split = op.Transpose(op.Reshape(x, op.Concat(n, count, rows, cells, axis=0)), perm=(0, 2, 1, 3))
            s = op.Sigmoid(split)  # [N, 5 + C, A, h * w]
            twice = op.Mul(part(op, s, 0, 4, 1), op.float32(2.0))
            centre = op.Add(part(op, twice, 0, 2, 1), op.Sub(cells_of(op, cells, w), op.float32(0.5)))
            grown = part(op, twice, 2, 4, 1)
            size = op.Mul(op.Mul(grown, grown), op.float32(np.array(anchors, np.float32).T[None, :, :, None]))
            found = corners(op, op.Mul(centre, op.float32(stride)), size, 1)
            likely = op.Mul(part(op, s, 5, None, 1), part(op, s, 4, 5, 1))
            k = op.Mul(count, cells)
            boxes.append(op.Reshape(found, op.Concat(n, op.int64([4]), k, axis=0)))
            scores.append(op.Reshape(likely, op.Concat(n, op.Sub(rows, op.int64([5])), k, axis=0)))
        return op.Transpose(op.Concat(*boxes, axis=2), perm=(0, 2, 1)), op.Concat(*scores, axis=2)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """YOLOv5's own head with convolutions that change nothing; score and corners as in its NMS."""
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports are old
            from yolov5.models.yolo import Detect
            from yolov5.utils.general import xywh2xyxy

        maps = [torch.from_numpy(tensor.array) for tensor in inputs]
        maps = [m.permute(0, 1, 4, 2, 3).flatten(1, 2) if m.ndim == 5 else m for m in maps]
        strides = torch.tensor(self.strides)
        columns = maps[0].shape[1] // len(self.anchors[0])
        flat = [[n / s for pair in pairs for n in pair] for pairs, s in zip(self.anchors, self.strides, strict=True)]
        head = Detect(columns - 5, flat, [1, 1, 1]).eval()
        head.m = torch.nn.ModuleList(torch.nn.Identity() for _ in maps)
        head.stride, head.export = strides, True
        (x,) = head(maps)
        return xywh2xyxy(x[..., :4]).numpy(), (x[..., 5:] * x[..., 4:5]).transpose(1, 2).contiguous().numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """YOLOv5's anchors on both forms, one anchor, other strides; one class; no image."""
        for seed, (n, c, sides, five) in enumerate(
            [
                (2, 3, (4, 6), False),
                (2, 3, (4, 6), True),
                (1, 1, (2, 2), False),
                (0, 2, (4, 4), True),
                (1, 80, (1, 1), False),
            ]
        ):
            yield case_of(n, c, sides, ANCHORS, (8.0, 16.0, 32.0), seed, five=five)
        wide = tuple(tuple((w + 1.5, h) for w, h in pairs) for pairs in ANCHORS)
        yield case_of(1, 2, (4, 4), wide, (4.0, 12.0, 32.0), 9)
        yield case_of(3, 2, (5, 3), tuple(pairs[:1] for pairs in ANCHORS), (8.0, 16.0, 32.0), 10, five=True)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any sides, numbers of classes and anchors."""
        count, most = int(rng.integers(1, 4)), max(2, largest // 8)
        n, c, h, w = (int(rng.integers(low, high)) for low, high in ((0, 3), (1, 6), (1, most), (1, most)))
        anchors = tuple(tuple((float(a), float(b)) for a, b in rng.uniform(5, 400, (count, 2))) for _ in range(3))
        seed = int(rng.integers(2**31))
        return case_of(n, c, (h, w), anchors, (8.0, 16.0, 32.0), seed, five=bool(rng.random() < 0.5))
