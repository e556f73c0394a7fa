"""What the steps on scores share: an axis that a tensor of unknown rank may have."""

from __future__ import annotations

from onnxprep.step import refuse_unless
from onnxprep.tensor import Dim, TensorSpec


def refuse_unless_axis(x: TensorSpec, axis: int) -> None:
    """Raises a ContractError where ``x`` is known not to have ``axis``, or does not lie as it is counted."""
    planar = x.planar().layout
    refuse_unless(
        x.layout == planar, "counts other axes", expected=f"layout {planar}", got=x, hint="put `to_layout` before it"
    )
    rank = x.rank
    expected = f"{axis + 1 if axis >= 0 else -axis} axes or more"
    refuse_unless(rank is None or -rank <= axis < rank, f"has no axis {axis}", expected=expected, got=x)


def length(x: TensorSpec, axis: int) -> Dim:
    """Number of elements along ``axis``, as far as it is known."""
    return None if x.shape is None else x.shape[axis]


def with_length(x: TensorSpec, axis: int, dim: Dim) -> TensorSpec:
    """``x`` with another number of elements along ``axis``; what the elements meant is gone."""
    if x.shape is None:
        return TensorSpec(x.dtype, None, None, None, x.range)
    shape = list(x.shape)
    shape[axis] = dim
    return TensorSpec(x.dtype, tuple(shape), x.layout, None, x.range)


def without(x: TensorSpec, axis: int) -> TensorSpec:
    """``x`` with ``axis`` removed."""
    if x.shape is None:
        return TensorSpec(x.dtype, None, None, None, x.range)
    kept = [i for i in range(len(x.shape)) if i != axis % len(x.shape)]
    layout = None if x.layout is None else "".join(x.layout[i] for i in kept)
    return TensorSpec(x.dtype, tuple(x.shape[i] for i in kept), layout, None, x.range)


def span_of_indices(classes: Dim) -> tuple[float, float] | None:
    """What an index into ``classes`` can be."""
    return (0.0, float(classes - 1)) if isinstance(classes, int) and classes > 0 else None
