"""The likely repair where a value does not fit a model input."""

from __future__ import annotations

from onnxprep.spec.lint import is_fraction, span_of
from onnxprep.spec.plan import Plan, PlannedStep
from onnxprep.tensor import NARROW, Dim, TensorSpec

_NUMBERS = ("uint8", "int8", "int32", "int64", "float16", "float32", "float64", *NARROW)
"""What ``to_dtype`` takes and gives."""
_SCALING = ("rescale", "normalize", "rescale_normalize")
_LESS_128 = (
    "`to_dtype: {dtype: float32}`, `normalize` with mean 128 and std 1, `to_dtype: {dtype: int8, rounding: half_even}`"
)


def hint_for(plan: Plan, step: PlannedStep | None, ours: TensorSpec, theirs: TensorSpec, axis: int | None) -> str:
    """What to write into the spec; an empty text where nothing is likely."""
    if ours.dtype != theirs.dtype:
        return _scaled(plan, step, ours, theirs) or _dtype(ours, theirs)
    if ours.rank != theirs.rank:
        return _rank(ours, theirs)
    return _layout(ours, theirs) or _channels(ours, theirs, axis) or _size(plan, step, ours, theirs, axis)


def _scaled(plan: Plan, step: PlannedStep | None, ours: TensorSpec, theirs: TensorSpec) -> str:
    """Where a model of integers is given what was scaled for a model of floats: a cast would keep next to nothing."""
    if ours.dtype == "uint8" and theirs.dtype == "int8" and ours.range is not None and ours.range[1] > 127:
        return f"the model takes int8, usually the pixels less 128: {_LESS_128}"
    if "int" not in theirs.dtype or not is_fraction(ours):
        return ""
    names = [other.step.operation for other in _before(plan, step) if other.step.operation in _SCALING]
    less = f", as int8 usually less 128: {_LESS_128}" if theirs.dtype == "int8" else ""
    if names:
        return (
            f"leave out {' and '.join(f'`{name}`' for name in dict.fromkeys(names))}: the model takes the pixels{less}"
        )
    return f"the model takes integers, and this is {span_of(ours)}: declare the pixels instead"


def _before(plan: Plan, step: PlannedStep | None) -> list[PlannedStep]:
    """The steps that the outputs of ``step`` came through, in order, itself the last."""
    wanted, found = set(step.outputs if step else ()), []
    for other in reversed(plan.steps):
        if wanted & set(other.outputs):
            wanted |= set(other.inputs)
            found.append(other)
    return found[::-1]


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
    gray = "add `to_grayscale`, like the library of the training, where the image is still uint8 (before `rescale`)"
    return {
        (1, 3): "add `gray_to_rgb`",
        (3, 1): f"{gray}, or declare the input as GRAY, with one channel",
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
