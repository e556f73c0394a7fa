"""The base of all steps that put pixels around an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image._borders import Border, Fill, Rule, refuse_at_run, surround
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import Array, Dim, TensorSpec


class Padding(Step):
    """Says what is refused, what comes out, and emits; a step adds how many pixels are put where."""

    geometric: ClassVar[bool] = True

    def border(self, a: Arithmetic, sides: Number) -> Border:
        """How much is put around an image of ``sides``, int64 [2]."""
        raise NotImplementedError

    def rule(self) -> Rule:
        """What is put there."""
        return "constant"

    def values(self) -> Fill:
        """The values of a constant border."""
        fill: Fill = getattr(self, "fill", 0.0)
        return fill

    def fits(self, a: Arithmetic, sides: Number) -> Number:  # noqa: ARG002
        """Whether H and W are such that the library does it, bool [2]."""
        return np.array([True, True])

    def misfit(self) -> tuple[str, str]:
        """What is wrong where they are not, and what was expected."""
        return "mirrors more than there is", "a border that is shorter than the image"

    def length(self, x: TensorSpec, axis: int) -> Dim:
        """H or W of the result; here that of a rule which looks at each of them by itself."""
        length = x.dim("HW"[axis])
        if not isinstance(length, int):
            return None
        a, both = Arithmetic(), lengths(length, length)
        return int(np.asarray(self.border(a, both).sides(a, both))[axis])

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are longer; the range takes in the values around the image."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        constant = self.rule() == "constant"
        for axis, letter in enumerate("HW"):
            length = x.dim(letter)
            if isinstance(length, int):
                refuse_unless(constant or length > 0, "has a side of 0", expected="sides of at least 1 px", got=x)
                fits = np.asarray(self.fits(Arithmetic(), lengths(length, length)))[axis]
                problem, expected = self.misfit()
                refuse_unless(bool(fits), problem, expected=expected, got=x)
        y = x.with_dims(H=self.length(x, 0), W=self.length(x, 1))
        refuse_unfit_fill(x, self.values())
        if not constant:
            return (y,)
        same = (y.dim("H"), y.dim("W")) == (x.dim("H"), x.dim("W")) and None not in (x.dim("H"), x.dim("W"))
        return (y if same else with_fill(y, self.values()),)

    def emit(self, op: Ops, *inputs: Value) -> Value | tuple[Value, ...]:
        """The image with its border."""
        (x,) = inputs
        return self.padded(op, x)

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:
        """What is put before the image."""
        a = Arithmetic(op)
        border = self.border(a, size)
        return op.float64([1.0, 1.0]), a.value(border.before), a.value(border.sides(a, size))

    def padded(self, op: Ops, x: Value) -> Value:
        """The border; before it, where H and W are not known, what makes the run fail on sizes that do not fit."""
        a = Arithmetic(op)
        sides = a.size(x, "HW")
        x = refuse_at_run(op, x, self.fits(a, sides))
        return surround(op, x, self.border(a, sides), self.rule(), self.values())


def longer(length: Dim, added: int) -> Dim:
    """A length by so much more; unchanged, even a symbol, where nothing is added."""
    return length if not added else length + added if isinstance(length, int) else None


def mirrors_once(a: Arithmetic, sides: Number, border: Border, rule: Rule) -> Number:
    """Whether reflect and symmetric need no pixel twice, bool [2]: what torch refuses otherwise."""
    if rule not in ("reflect", "symmetric"):
        return np.array([True, True])
    longest = a.Max(border.before, border.after)
    missing = a.Less(sides, a.Add(longest, lengths(1 if rule == "reflect" else 0)))
    return a.Not(a.And(missing, a.Greater(longest, lengths(0))))


def refuse_more_channels(x: TensorSpec) -> None:
    """Raises a ContractError where OpenCV's copyMakeBorder has no value for every channel."""
    channels = x.dim("C")
    fits = not isinstance(channels, int) or 0 < channels <= 4
    refuse_unless(fits, "has too many channels", expected="C of 1 to 4", got=x)


def refuse_unfit_fill(x: TensorSpec, fill: Fill) -> None:
    """Raises a ContractError where the values do not fit the dtype or the channels of the image."""
    values = fill if isinstance(fill, tuple) else (fill,)
    if isinstance(fill, tuple):
        fits = not isinstance(x.dim("C"), int) or x.dim("C") == len(fill)
        refuse_unless(fits, f"cannot fill with {len(fill)} values", expected="one value, or one per channel", got=x)
    byte = all(float(value).is_integer() and 0 <= value <= 255 for value in values)
    given = ", ".join(f"{value:g}" for value in values)
    refuse_unless(
        x.dtype != "uint8" or byte, f"cannot fill with {given}", expected="whole numbers of 0..255 for uint8", got=x
    )


def with_fill(x: TensorSpec, fill: Fill) -> TensorSpec:
    """The range takes in the values around the image."""
    if x.range is None:
        return x
    values = [float(np.float32(value)) for value in (fill if isinstance(fill, tuple) else (fill,))]
    return replace(x, range=(min(x.range[0], *values), max(x.range[1], *values)))


def fill_for(image: Array, fill: Fill) -> tuple[Any, ...]:
    """``fill`` per channel of an HWC image, as Python numbers of its dtype."""
    values = fill if isinstance(fill, tuple) else (fill,) * image.shape[-1]
    return tuple(int(value) if image.dtype == np.uint8 else value for value in values)


def random_rgb(rng: np.random.Generator, height: int, width: int) -> Sample:
    """One image of bytes, or of floats around 0."""
    dtype, span = ("uint8", (0.0, 255.0)) if rng.random() < 0.5 else ("float32", (-1.0, 1.0))
    return Sample(TensorSpec(dtype, (height, width, 3), "HWC", "RGB", span), int(rng.integers(2**31)))
