"""resize like Keras on TensorFlow: the kernels of tf.image.resize, in float32."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter, random_sides, refuse_unless, wrong
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.resize._floats.aspect import cropped_to_aspect, padded_to_aspect
from onnxprep.steps.image.resize._floats.float32 import Float32
from onnxprep.steps.image.resize._floats.sums import Finish, as_is, to_bytes
from onnxprep.steps.image.resize._floats.tensorflow import resample
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.tensor import Array, Tensor, TensorSpec, from_layout

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5")


class ResizeKeras(Resizing):
    """``y = sum of w * x`` over both axes in float32, one tap after the other; uint8 is rounded and clipped at the end.

    ``nearest`` takes ``x[floor((i + 0.5) * scale)]``; ``bilinear`` interpolates between the columns, then between the
    rows around ``(i + 0.5) * scale - 0.5``; ``bicubic`` (a = -0.5, weights from a table of 1025) and, with
    ``antialias``, the filters as wide as the reduction sum the rows first; ``area`` sums the columns first. ``lanczos``
    filters are the same with and without ``antialias`` but for their width. Only what a following crop keeps is
    computed.

    Input: image, uint8 or float32 (finite), any number of channels; all images of a call have the same H and W.
    Output: the same dtype, layout and colour. tf.image.resize itself gives float32: put `to_dtype` before for that.
    Rounds: uint8, once, half to even; every float32 operation by itself.
    Source: Keras 3.15, layers/preprocessing/image_preprocessing/resizing.py; TensorFlow 2.21, core/kernels/image.
    Raises: ContractError where the tensor is no image of these dtypes, a side would become 0, or a uint8 image is to be
        filled with a fraction.
    """

    operation: ClassVar[str] = "resize"
    claims: ClassVar = {
        "keras": Claim(
            "tensorflow",
            ">=2.21,<3",
            "keras.layers.Resizing",
            note="Keras 3 on TensorFlow's CPU kernels, called eagerly; x86-64 Linux wheels, glibc 2.28 or later for lanczos",
        )
    }
    dtypes: ClassVar[tuple[str, ...]] = ("uint8", "float32")
    overshooting: ClassVar[tuple[str, ...]] = ("bicubic", "lanczos3", "lanczos5")

    interpolation: Literal["nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"] = parameter(
        "the filter, by TensorFlow's name"
    )
    antialias: bool = parameter("whether filters grow with the reduction; of no effect on nearest and area", False)
    crop_to_aspect_ratio: bool = parameter("whether the middle of the size's proportions is cut out first", False)
    pad_to_aspect_ratio: bool = parameter("whether the image is first padded to about the size's proportions", False)
    fill: float = parameter("what pad_to_aspect_ratio pads with, 0..255", 0.0, ge=0, le=255)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name in ("crop_to_aspect_ratio", "pad_to_aspect_ratio"):
            if getattr(self, name) and not isinstance(self.size, tuple):
                raise wrong(f"{name} needs an exact size", expected="size: [height, width]")
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise wrong("crop_to_aspect_ratio and pad_to_aspect_ratio are both true", expected="one of them at most")
        return self

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule where it can be told; sums of float32 may leave the range of the input."""
        (x,) = inputs
        (y,) = super().infer(x)
        whole = x.dtype != "uint8" or not self.pad_to_aspect_ratio or float(self.fill).is_integer()
        refuse_unless(whole, f"cannot fill with {self.fill:g}", expected="a whole number for uint8", got=x)
        if self.pad_to_aspect_ratio and y.range is not None:
            y = replace(y, range=(min(y.range[0], self.fill), max(y.range[1], self.fill)))
        return (y if x.dtype == "uint8" or not self._is_sum() else replace(y, range=None),)

    def _is_sum(self) -> bool:
        return self.interpolation != "nearest" and (self.interpolation != "bilinear" or self.antialias)

    def resample(self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes) -> Value:  # noqa: ARG002
        """By TensorFlow's kernel, on what the aspect ratio leaves."""
        a = Float32(op)
        if self.crop_to_aspect_ratio:
            x, sides = cropped_to_aspect(a, op, x, geometry, a.quotient)
            geometry = replace(geometry, sides=sides)
        elif self.pad_to_aspect_ratio:
            x, sides = padded_to_aspect(a, op, x, geometry, self.fill)
            geometry = replace(geometry, sides=sides)
        finish: Finish = partial(to_bytes, op) if x.spec.dtype == "uint8" else as_is
        return resample(op, x, geometry, self.interpolation, finish, antialias=self.antialias)

    def oracle(self, *inputs: Tensor) -> Array:
        """Keras' layer on the TensorFlow backend."""
        (x,) = inputs
        sides = lengths(*(int(x.spec.dim(letter)) for letter in "HW"))  # type: ignore[arg-type]  # a Tensor's are ints
        height, width = Arithmetic().two_ints(self.resized(Arithmetic(), sides)) or (0, 0)  # Keras has no size rules
        layer = keras_layers().Resizing(
            height,
            width,
            interpolation=self.interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_value=int(self.fill) if x.spec.dtype == "uint8" else self.fill,
            data_format="channels_last",
        )
        layout = "NHWC" if "N" in str(x.spec.layout) else "HWC"
        return from_layout(np.asarray(layer(x.in_layout(layout))), layout, str(x.spec.layout))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every filter in both dtypes, up and down; one pixel, tall images, every layout, the aspect ratio kept."""
        down, up = {"size": [11, 17]}, {"size": [20, 13]}
        for i, interpolation in enumerate(_INTERPOLATIONS):
            yield _case("uint8", (1, 23, 31, 3), {**down, "interpolation": interpolation}, i)
            yield _case("float32", (2, 9, 5, 3), {**up, "interpolation": interpolation, "antialias": True}, i)
        for i, interpolation in enumerate(("bilinear", "bicubic", "lanczos5")):
            smaller = {"size": [7, 3], "interpolation": interpolation, "antialias": True}
            yield _case("uint8", (2, 3, 41, 12), smaller, i, "NCHW")
        yield _case("uint8", (1, 33, 40, 3), {"size": [1, 1], "interpolation": "area"}, 1)
        yield _case("float32", (1, 1, 3), {"size": [3, 5], "interpolation": "bicubic"}, 2, "HWC")
        yield _case("float32", (4, 6, 7), {"size": [6, 7], "interpolation": "lanczos3"}, 3, "CHW", None)
        yield _case("uint8", (1, 37, 50, 3), {"size": 24, "interpolation": "bilinear"}, 4)
        for i, ratio in enumerate(("crop_to_aspect_ratio", "pad_to_aspect_ratio")):
            for dtype, interpolation in (("uint8", "bilinear"), ("float32", "area")):
                kept = {"size": [8, 13], "interpolation": interpolation, ratio: True, "fill": 7.0 * i}
                yield _case(dtype, (2, 21, 12, 3), kept, i)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any filter to any size; one in four is asked to keep the aspect ratio."""
        parameters: dict[str, Any] = {
            "size": random_sides(rng, largest),
            "interpolation": str(rng.choice(_INTERPOLATIONS)),
            "antialias": bool(rng.integers(2)),
        }
        if rng.random() < 0.25:
            parameters |= {str(rng.choice(["crop_to_aspect_ratio", "pad_to_aspect_ratio"])): True, "fill": 7.0}
        layout = str(rng.choice(["NHWC", "NCHW"]))
        spec = TensorSpec(str(rng.choice(cls.dtypes)), (1, 1, 1, 1), layout, None, (0.0, 255.0))
        height, width = random_sides(rng, largest)
        spec = spec.with_dims(N=int(rng.integers(1, 3)), C=3, H=height, W=width)
        return Case(parameters, (Sample(spec, int(rng.integers(2**31))),))


def _case(
    dtype: str, shape: tuple[int, ...], parameters: dict[str, Any], seed: int, layout: str = "NHWC",
    color: str | None = "RGB",
) -> Case:  # fmt: skip
    return Case(parameters, (Sample(TensorSpec(dtype, shape, layout, color, (0.0, 255.0)), seed),))


def keras_layers() -> Any:
    """``keras.layers`` on TensorFlow."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModuleNotFoundError("Keras runs on another backend here", name="tensorflow")
    return keras.layers
