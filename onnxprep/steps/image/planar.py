"""What the steps on images share: which layouts are images, cutting a rectangle, calling a library image by image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Ops, Value, refuse_unless, wrong
from onnxprep.tensor import DTYPES, Array, Tensor, TensorSpec, from_layout

LAYOUTS = ("NCHW", "NHWC", "CHW", "HWC")
NUMBERS = tuple(dtype for dtype in DTYPES if dtype not in ("string", "bfloat16", "bool"))


Side = Annotated[int, Field(gt=0, le=65_536)]
"""A length in px; no decoder gives longer ones, and tables for them would not fit the memory."""


def _in_float32(value: float) -> float:
    if abs(value) > float(np.finfo(np.float32).max):
        raise wrong("is beyond float32", expected="a number of at most 3.4e38")
    return value


Float32 = Annotated[float, AfterValidator(_in_float32)]
"""A parameter that is rounded to float32."""


def refuse_unless_image(x: TensorSpec, *dtypes: str, hint: str = "") -> None:
    """Raises a ContractError unless ``x`` is an image (a batch or a single one) of one of the dtypes."""
    known = x.layout in LAYOUTS and x.rank == len(str(x.layout))
    refuse_unless(known, "needs an image", expected=f"layout {', '.join(LAYOUTS)}", got=x)
    refuse_unless(x.dtype in dtypes, f"does not work on {x.dtype}", expected=" or ".join(dtypes), got=x, hint=hint)


def at_least(x: TensorSpec) -> tuple[int, int]:
    """What H and W are at least: themselves where they are known, else 0."""
    height, width = (d if isinstance(d, int) else 0 for d in (x.dim("H"), x.dim("W")))
    return height, width


def known_size(x: TensorSpec) -> tuple[int, int] | None:
    """H and W where both are known."""
    height, width = x.dim("H"), x.dim("W")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


def in_planes(op: Ops, x: Value) -> Value:
    """An image that lies in its own layout, planar."""
    spec = x.spec.planar()
    if spec.layout == x.spec.layout:
        return x
    return Value(op.Transpose(x, perm=[x.spec.axis(letter) for letter in str(spec.layout)]).name, spec)


def cut(op: Ops, x: Value, start: Value, end: Value) -> Value:
    """The rows and columns of a planar image from ``start`` to before ``end`` (int64 [2]: H, W)."""
    rank = len(x.spec.shape or ())
    kept = op.Slice(x, start, end, op.int64([rank - 2, rank - 1]))
    return Value(kept.name, replace(x.spec, shape=kept.spec.shape))


def refuse_smaller(op: Ops, cropped: Value, size: tuple[int, int]) -> Value:
    """A Reshape that copies nothing and makes the run fail where Slice has silently given less than ``size``."""
    others = [0] * (len(cropped.spec.shape or ()) - 2)  # 0: as it is
    return op.Reshape(cropped, op.int64([*others, *size]))


def each_image(x: Tensor, layout: str, function: Callable[[Array], Array]) -> Array:
    """``function`` on every single image as HWC or CHW (``layout``), the results in the layout of ``x`` again."""
    own = str(x.spec.layout)
    if "N" not in own:
        return from_layout(function(x.in_layout(layout)), layout, own)
    return from_layout(np.stack([function(image) for image in x.in_layout(f"N{layout}")]), f"N{layout}", own)
