"""The likely repair where a value does not fit a model input."""

from __future__ import annotations

from onnxprep.spec.plan import Plan, PlannedStep
from onnxprep.tensor import NARROW, Dim, TensorSpec

_NUMBERS = ("uint8", "int8", "int32", "int64", "float16", "float32", "float64", *NARROW)
"""What ``to_dtype`` takes and gives."""


def hint_for(plan: Plan, step: PlannedStep | None, ours: TensorSpec, theirs: TensorSpec, axis: int | None) -> str:
    """What to write into the spec; an empty text where nothing is likely."""
    if ours.dtype != theirs.dtype:
        return _dtype(ours, theirs)
    if ours.rank != theirs.rank:
        return _rank(ours, theirs)
    return _layout(ours, theirs) or _channels(ours, theirs, axis) or _size(plan, step, ours, theirs, axis)


def _dtype(ours: TensorSpec, theirs: TensorSpec) -> str:
    """``to_dtype`` where it goes from the one to the other; it asks for a rounding from float to integer."""
    if theirs.dtype not in _NUMBERS or ours.dtype not in (*_NUMBERS, "bool"):
        return ""
    rounds = "float" in ours.dtype and "float" not in theirs.dtype
    cast = f"`to_dtype: {{dtype: {theirs.dtype}{', rounding: half_even' if rounds else ''}}}`"
    if theirs.dtype in ("float16", *NARROW) and ours.dtype in ("float64", "int32", "int64"):
        return f"add `to_dtype: {{dtype: float32}}` and behind it {cast}"
    if ours.dtype == "uint8" and "float" in theirs.dtype:
        return f"add `rescale` for values in 0..1, or {cast} for values in 0..255"
    return f"add {cast}"


def _rank(ours: TensorSpec, theirs: TensorSpec) -> str:
    if ours.layout in ("HWC", "CHW") and theirs.rank == 4:
        return f"`to_layout: {{layout: {_their_layout(theirs) or 'NCHW'}}}` adds the axis N"
    return ""


def _layout(ours: TensorSpec, theirs: TensorSpec) -> str:
    wanted = _their_layout(theirs)
    if ours.is_image and wanted and sorted(wanted) == sorted(str(ours.layout)) and wanted != ours.layout:
        return f"add `to_layout: {{layout: {wanted}}}` as the last step"
    return ""


def _their_layout(theirs: TensorSpec) -> str:
    """NCHW or NHWC, where exactly one of the two axes has a length that channels have."""
    if theirs.shape is None or len(theirs.shape) != 4:
        return ""
    first, last = (theirs.shape[axis] in (1, 3, 4) for axis in (1, 3))
    return "" if first == last else "NCHW" if first else "NHWC"


def _channels(ours: TensorSpec, theirs: TensorSpec, axis: int | None) -> str:
    if axis is None or not ours.is_image or axis != ours.axis("C"):
        return ""
    pair = (ours.dim("C"), (theirs.shape or ())[axis])
    return {
        (1, 3): "add `gray_to_rgb`",
        (3, 1): "no step makes gray of colour: declare the input as GRAY, with one channel",
        (4, 3): "add `drop_alpha`",
    }.get(pair, "")  # type: ignore[arg-type]  # other pairs are simply not found


def _size(plan: Plan, step: PlannedStep | None, ours: TensorSpec, theirs: TensorSpec, axis: int | None) -> str:
    if axis is None or theirs.shape is None or ours.shape is None:
        return ""
    letter = ours.layout[axis] if ours.layout else ""
    if letter in ("H", "W") and ours.is_image:
        height, width = (theirs.shape[ours.axis(side)] for side in "HW")
        if 0 in (height, width):
            return f"the model wants {_shown(height)} x {_shown(width)} pixels: is its input declared rightly?"
        sizing = _sizing(plan, step)
        where = f"{sizing.path} ({sizing.name})" if sizing else "the size of the input"
        return f"the model wants {_shown(height)} x {_shown(width)} (height x width): change {where}"
    if (letter == "N" or axis == 0) and theirs.shape[axis]:
        return f"the model has a fixed batch of {theirs.shape[axis]}: declare the input's first axis as N, or as {theirs.shape[axis]}"
    return ""


def _shown(length: Dim) -> str:
    return "any" if length is None else str(length)


def _sizing(plan: Plan, step: PlannedStep | None) -> PlannedStep | None:
    """The last step up to ``step`` that changes height or width."""
    if step is None:
        return None
    before = [other for other in plan.side(step.side) if other.index <= step.index]
    for other in reversed(before):
        given, gives = other.given[:1], other.gives[:1]
        if given and gives and any(given[0].dim(side) != gives[0].dim(side) for side in "HW"):
            return other
    return None
