"""An image in any layout seen as one of NHWC, without a copy."""

from __future__ import annotations

from dataclasses import dataclass

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths


@dataclass(frozen=True)
class Image:
    """uint8 [images, H, W, channels]; planar images are [N * C, H, W, 1]. ``images``, ``channels``: int64 [1]."""

    x: Value
    images: Number
    channels: Number


def as_image(op: Ops, x: Value) -> Image:
    """An image that lies in any layout."""
    a, one = Arithmetic(op), lengths(1)
    match x.spec.layout:
        case "NHWC":
            return Image(x, a.size(x, "N"), a.size(x, "C"))
        case "HWC":
            return Image(op.Unsqueeze(x, axes=[0]), one, a.size(x, "C"))
        case "CHW":
            return Image(op.Unsqueeze(x, axes=[3]), a.size(x, "C"), one)
    flat = op.Reshape(x, a.value(a.join(lengths(-1), a.size(x, "HW"), one)))
    return Image(flat, a.Mul(a.size(x, "N"), a.size(x, "C")), one)
