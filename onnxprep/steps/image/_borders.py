"""What every padding step shares: pixels around a planar image, by any rule libraries have for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from onnxprep.step import Ops, Value
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import Float32
from onnxprep.tensor import Array

Fill = Float32 | tuple[Float32, ...]
"""One value for all channels, or one for each."""

Rule = Literal["constant", "edge", "reflect", "symmetric", "wrap"]
"""NumPy's names: for ``abcd`` reflect gives ``dcb|abcd|cba`` and symmetric ``dcba|abcd|dcba``."""


OpencvRule = Literal["reflect_101", "reflect", "replicate"]
"""OpenCV's names of those that its filters know."""

FROM_OPENCV: Mapping[str, Rule] = {
    "constant": "constant", "replicate": "edge", "reflect": "symmetric", "reflect_101": "reflect", "wrap": "wrap",
}  # fmt: skip


@dataclass(frozen=True)
class Border:
    """How many pixels are put before and after (H, W), int64 [2] each."""

    before: Number
    after: Number

    def is_none(self, a: Arithmetic) -> bool:
        """Whether it is certain that nothing is added."""
        known = a.known(self.before), a.known(self.after)
        return known[0] is not None and known[1] is not None and not (known[0].any() or known[1].any())

    def sides(self, a: Arithmetic, sides: Number) -> Number:
        """The lengths with the border."""
        return a.Add(a.Add(self.before, sides), self.after)


def refuse_at_run(op: Ops, x: Value, fits: Number) -> Value:
    """An image in any layout; a Reshape that copies nothing makes the run fail where H or W does not fit, bool [2]."""
    a = Arithmetic(op)
    known = a.known(fits)
    if known is not None and known.all():
        return x
    longer = a.Add(a.size(x, "HW"), lengths(1))  # another number of pixels: no Reshape can do that
    shape = a.Where(fits, lengths(0), longer)  # 0: as it is
    dims = {"H": a.pick(shape, 0), "W": a.pick(shape, 1)}
    others = lengths(0)
    wanted = a.join(*(dims.get(letter, others) for letter in str(x.spec.layout)))
    return Value(op.Reshape(x, a.value(wanted)).name, x.spec)


def surround(op: Ops, x: Value, border: Border, rule: Rule, fill: Fill = 0.0) -> Value:
    """A planar image with the border around it."""
    a = Arithmetic(op)
    if border.is_none(a):
        return x
    if rule != "constant":
        return _repeated(a, op, x, border, rule)
    values = fill if isinstance(fill, tuple) else (fill,)
    if len(set(values)) > 1:
        return _framed(a, op, x, border, values)
    others = lengths(*[0] * (len(x.spec.shape or ()) - 2))
    pads = a.value(a.join(others, border.before, others, border.after))
    return op.Pad(x, pads, op.constant(_exact(values[0], x.spec.dtype), x.spec.dtype), mode="constant")


def _exact(value: Any, dtype: str) -> Array:
    return np.asarray(value).astype(dtype)


def _framed(a: Arithmetic, op: Ops, x: Value, border: Border, fill: tuple[float, ...]) -> Value:
    """A value per channel, which Pad cannot: columns, then rows, of constants that are expanded."""
    values = op.constant(_exact(fill, x.spec.dtype).reshape(-1, 1, 1), x.spec.dtype)
    batch, sides = ((a.size(x, "N"),) if len(x.spec.shape or ()) == 4 else ()), a.size(x, "HW")
    height, width = a.pick(sides, 0), a.pick(border.sides(a, sides), 1)

    def columns(_: Value, n: Number, __: Number) -> Value:
        return op.Expand(values, a.value(a.join(*batch, lengths(len(fill)), height, n)))

    def rows(_: Value, n: Number, __: Number) -> Value:
        return op.Expand(values, a.value(a.join(*batch, lengths(len(fill)), n, width)))

    x = _between(a, op, x, border, 1, columns, sides)
    return _between(a, op, x, border, 0, rows, sides)


def _repeated(a: Arithmetic, op: Ops, x: Value, border: Border, rule: Rule) -> Value:
    """Only the border is gathered: columns first, so that rows are then copied whole.

    ONNX's Pad has edge and reflect too, but reflects no more than once, and on CUDA takes no bytes.
    """
    sides = a.size(x, "HW")

    def part(axis: int) -> Strip:
        def gathered(y: Value, n: Number, start: Number) -> Value:
            places = inside(a, a.Add(a.count_to(n), start), a.pick(sides, axis), rule)
            return op.Gather(y, a.value(places), axis=axis - 2)

        return gathered

    for axis in (1, 0):
        x = _between(a, op, x, border, axis, part(axis), sides)
    return x


Strip = Callable[[Value, Number, Number], Value]
"""(image, how many, first place outside of it) -> so many rows or columns."""


def _between(a: Arithmetic, op: Ops, x: Value, border: Border, axis: int, strip: Strip, sides: Number) -> Value:
    before, after = a.pick(border.before, axis), a.pick(border.after, axis)
    parts = [x]
    if not _is_zero(a, before):
        parts.insert(0, strip(x, before, a.Sub(lengths(0), before)))
    if not _is_zero(a, after):
        parts.append(strip(x, after, a.pick(sides, axis)))
    return op.Concat(*parts, axis=axis - 2) if len(parts) > 1 else x


def _is_zero(a: Arithmetic, n: Number) -> bool:
    known = a.known(n)
    return known is not None and not known.any()


def inside(a: Arithmetic, places: Number, length: Number, rule: Rule) -> Number:
    """Which pixel of an axis stands at a place outside of it; NumPy's and OpenCV's rules reflect as often as needed."""
    last = a.Sub(length, lengths(1))
    if rule == "edge":
        return a.Max(a.Min(places, last), lengths(0))
    if rule == "wrap":
        return a.Mod(places, a.Max(length, lengths(1)))
    period = a.Mul(last if rule == "reflect" else length, lengths(2))
    turned = period if rule == "reflect" else a.Sub(period, lengths(1))
    place = a.Mod(places, a.Max(period, lengths(1)))
    return a.Min(place, a.Sub(turned, place))


def extended(op: Ops, x: Value, length: Number, axis: int, by: tuple[int, int], rule: Rule) -> Value:
    """``x`` with that many more positions before and after on one axis; only those are gathered, the rest is copied."""
    a = Arithmetic(op)
    before = inside(a, np.arange(-by[0], 0), length, rule)
    after = inside(a, a.Add(length, np.arange(by[1])), length, rule)
    parts = [op.Gather(x, a.value(before), axis=axis)] if by[0] else []
    parts += [x, *([op.Gather(x, a.value(after), axis=axis)] if by[1] else [])]
    return op.Concat(*parts, axis=axis) if len(parts) > 1 else x
