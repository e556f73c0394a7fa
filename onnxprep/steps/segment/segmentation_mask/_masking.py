"""What the families of segmentation_mask share: the class of a pixel, and the way back to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from onnxprep.errors import ContractError
from onnxprep.step import Ops, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import Float32, Side
from onnxprep.steps.segment._bilinear import Bilinear, interpolated
from onnxprep.steps.segment._undo import cut, put_back, undone
from onnxprep.tensor import TensorSpec

Class = Annotated[int, Field(ge=0, le=255)]
"""What a mask may be filled with."""


class Masking(Step):
    """The base of all families; each says how it resizes.

    Class variables:
        undoes: the only operations that its library undoes; empty where a crop is undone, too.
    """

    inherits: ClassVar[bool] = False
    undoes: ClassVar[tuple[str, ...]] = ()

    frame: str | None = parameter(
        "name of the step before the model whose output the maps show: the mask is brought back to the picture",
        None,
        min_length=1,
    )
    size: Side | tuple[Side, Side] | None = parameter(
        "instead of `frame`: the side of a square or [height, width], px; without both as large as the maps", None
    )
    threshold: Float32 | None = parameter(
        "for one map: the mask is 1 where it is larger; of what enters, logits or probabilities", None
    )
    dtype: Literal["uint8", "int64"] | None = parameter(
        "of the mask; without it uint8 for at most 256 classes, else int64", None
    )

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.frame is not None and self.size is not None:
            raise wrong("is given beside `frame`", at="size", expected="one of them")
        return self

    @property
    def _outside(self) -> int:
        fill: int = getattr(self, "fill", 0)
        return fill

    @property
    def bilinear(self) -> bool:
        """Whether maps are resized before the class is chosen, else the classes."""
        return False

    def nearest(self, a: Arithmetic, op: Ops, length: Number, resized: Number) -> Number:
        """Which of ``length`` each of ``resized`` is; int64 [1] each, the result [resized]."""
        raise NotImplementedError

    def undoing(self, steps: Sequence[Step]) -> Self:
        """The same, knowing what to undo."""
        if not steps:
            expected = "a step whose output lies elsewhere than the picture, or one behind it"
            hint = "where nothing moves pixels, no `frame` is needed: the maps have a `size`"
            raise ContractError("has no resize, letterbox, crop or pad before it", expected=expected, hint=hint)
        others = [step.operation for step in steps if self.undoes and step.operation not in self.undoes]
        if others:
            hint, got = "`like: torch` undoes them all", ", ".join(others)
            raise ContractError(f"is no frame like {self.like}", expected=", ".join(self.undoes), got=got, hint=hint)
        return self.knowing(steps)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """One class per pixel."""
        x = inputs[0]
        expected = "float32[N, C, H, W], or NHWC"
        fits = x.dtype == "float32" and x.rank == 4 and x.layout in (None, "NCHW", "NHWC")
        refuse_unless(fits, "is not maps", expected=expected, got=x)
        x = TensorSpec(x.dtype, x.shape, x.layout or "NCHW")
        classes = x.dim("C")
        hint = "give the model's output a fixed number of channels"
        refuse_unless(
            isinstance(classes, int), "has an unknown number of classes", expected="C known", got=x, hint=hint
        )
        refuse_unless(0 not in (x.dim("H"), x.dim("W"), classes), "is empty", expected="sides of 1 px or more", got=x)
        count = int(classes or 0)
        if self.threshold is None:
            hint = "one map needs a `threshold`"
            refuse_unless(count > 1, "has one class only", expected="C of 2 or more", got=x, hint=hint)
        else:
            refuse_unless(count == 1, "cannot be compared with one threshold", expected="C = 1", got=x)
        dtype = self._dtype(count)
        fits = dtype == "int64" or count <= 256
        refuse_unless(fits, "has more classes than uint8 has numbers", expected="`dtype: int64`", got=x)
        height, width = self._sides() or (x.dim("H"), x.dim("W"))
        height, width = (None, None) if self.frame else (height, width)
        most = max(count - 1, 1) if not self.frame else max(count - 1, 1, self._outside)
        return (TensorSpec(dtype, (x.dim("N"), height, width), "NHW", None, (0.0, float(most))),)

    def _dtype(self, classes: int) -> str:
        return self.dtype or ("uint8" if classes <= 256 else "int64")

    def _sides(self) -> tuple[int, int] | None:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Maps are resized a few rows at a time, of which only the classes are kept."""
        maps, *told = inputs
        spec = maps.spec if maps.spec.layout else TensorSpec("float32", maps.spec.shape, "NCHW")
        x, a = Value(maps.name, spec), Arithmetic(op)
        if not told:
            sides = self._sides()
            return self._chosen(op, x) if sides is None else self._resized(op, a, x, lengths(*sides))
        steps, is_mask = undone(op, self._undone, told[-3]), not self.bilinear
        y = self._chosen(op, x) if is_mask else x
        pending = (x.spec.dim("H"), x.spec.dim("W")) != steps[0].sizes
        for step in steps:
            if step.pads or step.crops:
                if step.crops and not is_mask:  # where a part is missing there are no maps to go on with
                    y = self._resized(op, a, y, step.size) if pending else self._chosen(op, y)
                    is_mask = True
                elif pending:
                    y = self._picked(op, a, y, step.size) if is_mask else interpolated(op, y, step.size)
                y, pending = put_back(op, cut(op, y, step), step, self._outside), False
            pending = pending or step.resizes
        picture = steps[-1].in_size
        if is_mask:
            return self._picked(op, a, y, picture) if pending else y
        return self._resized(op, a, y, picture) if pending else self._chosen(op, y)

    def _chosen(self, op: Ops, x: Value, axis: int = 1) -> Value:
        """[N, H, W]: the class of every pixel of NCHW."""
        dtype = self._dtype(int(x.spec.dim("C") or 0)) if x.spec.layout else self._dtype(0)
        if self.threshold is None:
            made = op.Cast(op.ArgMax(x, axis=axis, keepdims=0), to=dtype)
        else:
            larger = op.Greater(x, op.float32(np.float32(self.threshold)))
            made = op.Cast(op.Squeeze(larger, axes=[axis]), to=dtype)
        return Value(made.name, TensorSpec(dtype, made.spec.shape))

    def _resized(self, op: Ops, a: Arithmetic, x: Value, size: Number) -> Value:
        """The classes, of the size; from maps."""
        if not self.bilinear:
            return self._picked(op, a, self._chosen(op, x), size)
        classes = int(x.spec.dim("C") or 0)
        rows = Bilinear(op, x, size, lambda y: self._row(op, y, classes)).value()
        made = op.Transpose(rows, perm=[1, 0, 2])
        return Value(made.name, TensorSpec(made.spec.dtype, (None, None, None)))

    def _row(self, op: Ops, rows: Value, classes: int) -> Value:
        """[rows, N, W] of [rows, N, C, W]."""
        named = Value(rows.name, TensorSpec("float32", (None, classes, None, None), "NCHW"))
        return self._chosen(op, named, axis=2)

    def _picked(self, op: Ops, a: Arithmetic, mask: Value, size: Number) -> Value:
        """Of a mask [N, h, w] the nearest."""
        shape = op.Shape(mask)
        sides = op.Slice(shape, op.int64([1]), op.int64([3]), op.int64([0]))
        known = (mask.spec.shape or (None,) * 3)[1:]
        old: Number = lengths(*map(int, known)) if all(isinstance(n, int) for n in known) else sides  # type: ignore[arg-type]  # ints
        for i in (0, 1):
            places = self.nearest(a, op, a.pick(old, i), a.pick(size, i))
            mask = op.Gather(mask, a.value(places), axis=i + 1)
        return mask
