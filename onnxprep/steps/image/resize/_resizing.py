"""What every family of resize shares: the size, what is refused, and computing only what a crop behind it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Frame, Ops, Step, Value, parameter, random_sides, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize.sizes import Size, at_least, resized
from onnxprep.tensor import TensorSpec


class Resizing(Step):
    """The base of all families; each adds its filters and says how they are computed.

    Class variables:
        dtypes: what images may hold.
        overshooting: the filters with negative weights, whose results leave the range of the image.
    """

    inherits: ClassVar[bool] = False
    planar: ClassVar[bool] = False
    geometric: ClassVar[bool] = True
    dtypes: ClassVar[tuple[str, ...]] = ("uint8",)
    overshooting: ClassVar[tuple[str, ...]] = ("bicubic", "lanczos", "lanczos4")

    size: Size = parameter("[height, width], 256 for the shorter edge, or a rule with its lengths; px")

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:
        """The wanted outputs of ``x``, which lies as it comes (NHWC, HWC, NCHW, CHW); planar.

        ``sizes`` repeats ``geometry.count`` as far as it is known when the graph is written.
        """
        raise NotImplementedError

    def resized(self, a: Arithmetic, sides: Number) -> Number:
        """(h, w) for an image of ``sides``, int64 [2]."""
        return resized(self.size, a, sides)

    def at_least(self) -> tuple[int, int]:
        """What (h, w) are at least, whatever the image."""
        return at_least(self.size)

    def channels_alike(self, x: TensorSpec) -> bool:  # noqa: ARG002
        """Every channel is resized by itself."""
        return True

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule where it can be told; negative weights may leave the range of the input."""
        (x,) = inputs
        hint = (
            "resize before `rescale` and `to_dtype`"
            if self.dtypes == ("uint8",)
            else "put `to_dtype: {dtype: float32}` before it"
        )
        refuse_unless_image(x, *self.dtypes, hint=hint)
        sides = "sides of at least 1 px"
        refuse_unless(0 not in (x.dim("H"), x.dim("W")), "has a side of 0", expected=sides, got=x)
        height, width = self._dims(x)
        refuse_unless(0 not in (height, width), "would get a side of 0", expected=sides, got=x)
        return (replace(x.with_dims(H=height, W=width), range=self._range(x)),)

    def _range(self, x: TensorSpec) -> tuple[float, float] | None:
        if x.range is None or getattr(self, "interpolation", "") not in self.overshooting:
            return x.range
        return (0.0, 255.0) if x.dtype == "uint8" else None

    def _dims(self, x: TensorSpec) -> tuple[int | None, int | None]:
        known = Arithmetic().two_ints(self.resized(Arithmetic(), lengths(1, 1))) if self._is_fixed() else None
        height, width = x.dim("H"), x.dim("W")
        if known is None and isinstance(height, int) and isinstance(width, int):
            known = Arithmetic().two_ints(self.resized(Arithmetic(), lengths(height, width)))
        return known or (None, None)

    def _is_fixed(self) -> bool:
        return isinstance(self.size, tuple)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The whole image."""
        (x,) = inputs
        a = Arithmetic(op)
        sides = a.size(x, "HW")
        new = self.resized(a, sides)
        sizes = a.two_ints(new) or (None, None)
        return self._planar(x, self.resample(op, x, Geometry(sides, new, lengths(0, 0), new), sizes), sizes)

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:
        """The new length over the old one."""
        a = Arithmetic(op)
        new = self.resized(a, size)
        return a.value(a.ratio(new, size)), op.int64([0, 0]), a.value(new)

    def undo(self, op: Ops, x: Value, frame: Frame, axes: Sequence[int]) -> Value:
        """As torchvision resizes boxes: ``x * (float32(old) / float32(new))``."""
        a = Arithmetic(op)
        old = a.double(frame.in_size)
        new = a.Round(a.Mul(old, frame.gain))  # the quotient is within half a unit of it: exactly the length
        ratio = a.value(a.Div(a.single(old), a.single(new)))
        moved: Value = op.Mul(x, op.Gather(ratio, op.int64(list(axes))))
        return moved

    def emit_window(self, op: Ops, x: Value, crop: Step) -> Value | None:
        """Only what the crop keeps."""
        a = Arithmetic(op)
        sides = a.size(x, "HW")
        new = self.resized(a, sides)
        window = crop.window(op, a.value(new), a.two_ints(new) or self.at_least())
        if window is None:
            return None
        kept = self.resample(op, x, Geometry(sides, new, window.start, window.size), window.sizes)
        return crop.pad_window(op, self._planar(x, kept, window.sizes), window)

    @staticmethod
    def _planar(x: Value, y: Value, sizes: Sizes) -> Value:
        return Value(y.name, x.spec.planar().with_dims(H=sizes[0], W=sizes[1]))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A case's parameters on an image of random sides; two times in three a random [height, width]."""
        case = super().draw(like, rng, largest)
        if rng.random() < 1 / 3 or "size" not in case.parameters:
            return case
        height, width = random_sides(rng, largest)
        return Case({**case.parameters, "size": [height, width]}, case.inputs, case.like)
