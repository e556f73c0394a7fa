"""The mistakes that serving code makes, planted into steps of the catalogue: the conformance suite catches every one.

``python tests/test_planted_mistakes.py`` prints the list: which mistake, where, and which case caught it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import conformance
import numpy as np
import pytest
from conformance import Subject

from onnxprep.numerics.taps import tap_table
from onnxprep.step import Ops, Step, Value, catalogue
from onnxprep.steps.image.planar import in_planes
from onnxprep.tensor import Array


class Miswritten:
    """An ``Ops`` that writes some operators in another way."""

    def __init__(self, op: Any, **instead: Callable[..., Any]) -> None:
        self._op, self._instead = op, instead

    def __getattr__(self, name: str) -> Any:
        if name in self._instead:
            return lambda *inputs, **attributes: self._instead[name](self._op, *inputs, **attributes)
        return getattr(self._op, name)

    def branch(self, condition: Value, then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        return self._op.branch(condition, then, otherwise)


def rewritten(**instead: Callable[..., Any]) -> Callable[[type[Step]], type[Step]]:
    """A step whose emission goes through ``Miswritten``."""

    def plant(step_class: type[Step]) -> type[Step]:
        class Planted(step_class):  # type: ignore[valid-type,misc]
            __doc__ = step_class.__doc__

            def emit(self, op: Any, *inputs: Value) -> Any:
                return super().emit(Miswritten(op, **instead), *inputs)

        return Planted

    return plant


def changed(**methods: Callable[..., Any]) -> Callable[[type[Step]], type[Step]]:
    """A step with other methods."""

    def plant(step_class: type[Step]) -> type[Step]:
        return type("Planted", (step_class,), {"__doc__": step_class.__doc__, **methods})

    return plant


# the mistakes -----------------------------------------------------------------------------------------------------


def floor(op: Any, x: Value) -> Value:
    return op.Floor(x)


def times_reciprocal(op: Any, a: Value, b: Value) -> Value:
    known = op.known(b)
    if known is None or known.dtype.kind != "f":
        return op.Div(a, b)
    return op.Mul(a, op.constant(known.dtype.type(1) / known, known.dtype.name))


def half_to_even(op: Any, x: Value, scale: Value, *zero: Value, **attributes: Any) -> Value:
    """QuantizeLinear by a scale just below a power of two rounds half up; by the power itself, half to even."""
    nearest = np.exp2(np.round(np.log2(op.known(scale)))).astype(np.float32)
    return op.QuantizeLinear(x, op.float32(nearest), *zero, **attributes)


def reversed_channels(self: Step, op: Any, *inputs: Value) -> Value:
    y = super(type(self), self).emit(op, *inputs)
    assert isinstance(y, Value)
    return op.Gather(y, op.int64([2, 1, 0]), axis=len(y.spec.shape or ()) - 3) if y.spec.dim("C") == 3 else y


def by_reciprocal(self: Step, op: Any, x: Value) -> Value:
    floats = x if x.spec.dtype == "float32" else op.Cast(x, to="float32")
    return op.Mul(floats, op.float32(np.float32(1) / np.float32(255)))


def never(self: Any, a: Any, geometry: Any) -> Array:
    return np.array([False])


def sides_swapped(self: Any, a: Any, sides: Any) -> Any:
    made = super(type(self), self).resized(a, sides)
    return a.join(a.pick(made, 1), a.pick(made, 0))


def dense(length: int, new: int, interpolation: str) -> Array:
    taps = tap_table(length, new, interpolation)
    matrix = np.zeros((new, length))
    for row, (first, last) in enumerate(zip(taps.first, taps.last, strict=True)):
        matrix[row, first:last] = taps.weights[row, : last - first] / 2.0**22
    return matrix


def unrounded_between(self: Any, op: Ops, x: Value, geometry: Any, sizes: Any) -> Value:
    """Both passes in float64, rounded once at the end."""
    planes = in_planes(op, x)
    if self.interpolation == "nearest" or not all(isinstance(d, int) for d in planes.spec.shape or ()) or None in sizes:
        pytest.skip("planted into filters, for known sides")
    (height, width), (h, w) = (planes.spec.shape or ())[-2:], sizes
    across = op.MatMul(op.Cast(planes, to="float64"), op.float64(dense(width, w, self.interpolation).T))
    both = op.MatMul(op.float64(dense(height, h, self.interpolation)), across)
    whole = op.Clip(op.Floor(op.Add(both, op.float64(0.5))), op.float64(0.0), op.float64(255.0))
    return op.Cast(whole, to="uint8")


Plant = Callable[[type[Step]], type[Step]]
MISTAKES: dict[str, tuple[str, str, Plant]] = {
    "floor for round: where a crop begins": ("center_crop", "torchvision-v1", rewritten(Round=floor)),
    "floor for round: a cast to bytes": ("to_dtype", "", rewritten(Round=floor)),
    "* 1/255 for / 255": ("rescale", "numpy", changed(emit=by_reciprocal)),
    "* 1/std for / std": ("normalize", "numpy", rewritten(Div=times_reciprocal)),
    "half to even for half up": ("resize", "pillow-13", rewritten(QuantizeLinear=half_to_even)),
    "no rounding between the passes": ("resize", "pillow-13", changed(resample=unrounded_between)),
    "BGR for RGB": ("resize", "pillow-13", changed(emit=reversed_channels)),
    "H and W swapped": ("resize", "pillow-13", changed(resized=sides_swapped)),
    "the other Pillow's order of passes": ("resize", "pillow-13", changed(_vertical_first=never)),
}  # fmt: skip


def caught(name: str) -> Iterator[str]:
    """The cases in which the suite sees the mistake."""
    operation, like, plant = MISTAKES[name]
    planted = plant(catalogue()[operation][like])
    for subject in conformance.subjects_of(planted, like):
        try:
            conformance.check_graph_equals_oracle(subject)
        except (AssertionError, *conformance.UNKNOWN_OPSET) as error:
            yield f"{told(subject)}: {' '.join(str(error).split())[:160]}"
        except pytest.skip.Exception:
            continue


def told(subject: Subject) -> str:
    return f"case {subject.number} {subject.case.parameters}"


@pytest.mark.parametrize("name", MISTAKES)
def test_is_caught(name: str):
    operation, like, _ = MISTAKES[name]
    honest = catalogue()[operation][like]
    assert next(caught(name), None), f"nothing in the suite sees {name!r} planted into {operation} like {like!r}"
    conformance.check_graph_equals_oracle(conformance.subjects_of(honest, like)[0])


if __name__ == "__main__":
    for mistake, (operation, like, _) in MISTAKES.items():
        found = list(caught(mistake))
        print(
            f"{mistake}\n    planted into {operation} like {like or '-'}, seen in {len(found)} cases; first {found[0]}"
        )
