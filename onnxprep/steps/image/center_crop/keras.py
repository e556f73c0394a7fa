"""center_crop like Keras: an image that is too small is resized instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, Window, parameter, random_sides
from onnxprep.steps.image.arithmetic import lengths
from onnxprep.steps.image.planar import Side, at_least, cut, known_size, refuse_unless_image
from onnxprep.steps.image.resize._floats.aspect import cropped_to_aspect
from onnxprep.steps.image.resize._floats.float32 import Float32
from onnxprep.steps.image.resize._floats.sums import as_is
from onnxprep.steps.image.resize._floats.tensorflow import resample
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize.keras import keras_layers
from onnxprep.tensor import Array, Tensor, TensorSpec, from_layout


class CenterCropKeras(Step):
    """``y = x[top : top + h, left : left + w]`` with ``top = (H - h) // 2`` and ``left = (W - w) // 2``, as float32.

    Where a side is too short, the largest part of the crop's proportions in the middle is resized to the crop:
    ``bilinear`` as in `resize` like keras.

    Input: image, uint8 or float32 (finite), any number of channels.
    Output: float32 in the same range, layout and colour; H, W = size.
    Rounds: never where it crops; every float32 operation of the resize by itself.
    Source: Keras 3.15, layers/preprocessing/image_preprocessing/center_crop.py, utils/image_utils.py smart_resize.
    Raises: ContractError where the tensor is no image of these dtypes.
    """

    operation: ClassVar[str] = "center_crop"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {
        "keras": Claim(
            "tensorflow",
            ">=2.21,<3",
            "keras.layers.CenterCrop",
            note="Keras 3 on TensorFlow's CPU kernels, called eagerly; x86-64 Linux wheels",
        )
    }

    size: Side | tuple[Side, Side] = parameter("of the crop: the side of a square or [height, width], px")

    @property
    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are the size, the dtype is float32."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        return (replace(x.with_dims(H=self._sides[0], W=self._sides[1]), dtype="float32"),)

    def _fits(self, least: tuple[int, int]) -> bool:
        return all(length >= side for length, side in zip(least, self._sides, strict=True))

    def window(self, op: Ops, size: Value, at_least: tuple[int, int]) -> Window | None:
        """The middle, where it is certain to lie inside."""
        if not self._fits(at_least):
            return None
        a = Float32(op)
        start = a.Div(a.Sub(size, lengths(*self._sides)), lengths(2))
        return Window(a.value(start), op.int64(self._sides), self._sides)

    def pad_window(self, op: Ops, kept: Value, window: Window) -> Value:  # noqa: ARG002
        """Nothing is missing; float32 like everything that Keras crops."""
        return _float32(op, kept)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A slice or a resize; an If where only the run can tell."""
        (x,) = inputs
        inside = [length >= side for length, side in zip(at_least(x.spec), self._sides, strict=True)]
        if all(inside):
            return self._cropped(op, x)
        if any(isinstance(x.spec.dim(letter), int) and not fits for letter, fits in zip("HW", inside, strict=True)):
            return self._resized(op, x)
        short = op.Cast(op.Less(op.size(x, "HW"), op.int64(self._sides)), to="int32")
        fits = op.Equal(op.ReduceMax(short, keepdims=0), op.constant(0, "int32"))
        return op.branch(fits, lambda: self._cropped(op, x), lambda: self._resized(op, x))

    def _cropped(self, op: Ops, x: Value) -> Value:
        a = Float32(op)
        start = a.Div(a.Sub(a.size(x, "HW"), lengths(*self._sides)), lengths(2))
        whole = known_size(x.spec) == self._sides
        kept = x if whole else cut(op, x, a.value(start), a.value(a.Add(start, lengths(*self._sides))))
        return _float32(op, kept)

    def _resized(self, op: Ops, x: Value) -> Value:
        a, size = Float32(op), lengths(*self._sides)
        part, sides = cropped_to_aspect(a, op, x, Geometry(a.size(x, "HW"), size, lengths(0, 0), size), a.ratio)
        return resample(op, part, Geometry(sides, size, lengths(0, 0), size), "bilinear", as_is)

    def oracle(self, *inputs: Tensor) -> Array:
        """Keras' layer on the TensorFlow backend."""
        (x,) = inputs
        layer = keras_layers().CenterCrop(*self._sides, data_format="channels_last")
        layout = "NHWC" if "N" in str(x.spec.layout) else "HWC"
        return from_layout(np.asarray(layer(x.in_layout(layout))), layout, str(x.spec.layout))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Larger by 0 to 5 px, too small on one side or both, one pixel; both dtypes, every layout."""
        sides: list[tuple[Any, int, int]] = [
            (4, 5, 7),
            ([6, 5], 11, 6),
            (7, 4, 8),
            ([5, 8], 2, 3),
            (3, 1, 1),
            (6, 6, 6),
        ]
        for i, (size, height, width) in enumerate(sides):
            image = TensorSpec("uint8", (2, height, width, 3), "NHWC", "RGB", (0.0, 255.0))
            yield Case({"size": size}, (Sample(image, seed=i),))
            planar = TensorSpec("float32", (1, height, width), "CHW", "GRAY", (0.0, 1.0))
            yield Case({"size": size}, (Sample(planar, seed=i),))
        yield Case({"size": [9, 4]}, (Sample(TensorSpec("uint8", (2, 3, 5, 23), "NCHW", "BGR", (0.0, 255.0)), 7),))
        yield Case({"size": [4, 9]}, (Sample(TensorSpec("float32", (23, 5, 2), "HWC"), seed=8),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any size of the crop."""
        case = super().draw(like, rng, largest)
        return Case({"size": random_sides(rng, largest)}, case.inputs)


def _float32(op: Ops, x: Value) -> Value:
    return x if x.spec.dtype == "float32" else op.Cast(x, to="float32")
