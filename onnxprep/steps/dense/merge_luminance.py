"""merge_luminance: a colour picture from the brightness a model gives and the colours of the picture that came in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, catalogue, parameter, random_sides, refuse_unless
from onnxprep.steps.image._color import refuse_unless_color
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.tensor import Array, Tensor, TensorSpec


class MergeLuminance(Step):
    """``y = rgb(luminance, resize(cb), resize(cr))``: cb and cr are those of ``image``, resized as large as luminance is.

    What super-resolution of the brightness alone ends with: ``rgb_to_ycbcr``, ``resize`` and ``ycbcr_to_rgb`` of Pillow.

    Input: luminance, uint8, GRAY; image, uint8, RGB, of the same layout and number.
    Output: image, uint8, RGB, as large as luminance.
    Rounds: as those three steps.
    Source: Pillow 13.0, src/libImaging/ConvertYCbCr.c, Resample.c; PyTorch's tutorial on super-resolution and ONNX.
    Raises: ContractError where the tensors are no such images or do not fit each other.
    """

    operation: ClassVar[str] = "merge_luminance"
    claims: ClassVar = {
        like: Claim("Pillow", versions, "Image.convert, Image.resize, Image.merge", note="x86-64 wheels")
        for like, versions in (("pillow-13", ">=13,<14"), ("pillow-12", ">=12.2,<13"))
    }
    inputs: ClassVar[tuple[str, ...]] = ("luminance", "image")
    inherits: ClassVar[bool] = False

    interpolation: Literal["bilinear", "bicubic", "lanczos"] = parameter("the filter of the colours", "bicubic")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Three channels."""
        luminance, image = inputs
        for x, color in ((luminance, "GRAY"), (image, "RGB")):
            refuse_unless_image(x, "uint8", hint="`image_output` gives bytes")
            refuse_unless_color(x, color)
            sides = "sides of at least 1 px"
            refuse_unless(0 not in (x.dim("H"), x.dim("W")), "has a side of 0", expected=sides, got=x)
        same = luminance.layout == image.layout
        refuse_unless(same, "lies another way than the image", expected=f"layout {image.layout}", got=luminance)
        ones = [x.dim("N") for x in inputs]
        fits = ones[0] == ones[1] or not all(isinstance(n, int) for n in ones)
        refuse_unless(fits, "is another number of images", expected=f"N = {ones[1]}", got=luminance)
        return (replace(luminance.with_dims(C=3), color="RGB", range=(0.0, 255.0)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The three steps, on what each of them needs."""
        luminance, image = inputs
        a, axis = Arithmetic(op), image.spec.axis("C")
        colors = self._step("rgb_to_ycbcr").emit(op, image)
        chroma = op.Slice(colors, op.int64([1]), op.int64([3]), op.int64([axis]))
        old, new = a.size(image, "HW"), a.size(luminance, "HW")
        sizes = a.two_ints(new) or (None, None)
        resize = self._step("resize", size=(1, 1), interpolation=self.interpolation)
        if not isinstance(resize, Resizing):
            raise TypeError("resize has no resample")
        spec = replace(image.spec.with_dims(C=2), color=None)
        larger = resize.resample(op, Value(chroma.name, spec), Geometry(old, new, lengths(0, 0), new), sizes)
        merged = op.Concat(luminance, larger, axis=axis)
        named = Value(merged.name, replace(luminance.spec.with_dims(C=3), color=None))
        made = self._step("ycbcr_to_rgb").emit(op, named)
        return made if isinstance(made, Value) else made[0]

    def _step(self, operation: str, **parameters: object) -> Step:
        return catalogue()[operation][self.like].model_validate({"like": self.like, **parameters})

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own functions, in the order of PyTorch's tutorial."""
        from PIL import Image

        luminance, image = inputs
        layout = "HWC" if "N" not in str(image.spec.layout) else "NHWC"
        flag = Image.Resampling[self.interpolation.upper()]

        def one(gray: Array, rgb: Array) -> Array:
            y = Image.fromarray(np.ascontiguousarray(gray[..., 0]))
            _, cb, cr = Image.fromarray(np.ascontiguousarray(rgb)).convert("YCbCr").split()
            return np.asarray(
                Image.merge("YCbCr", (y, cb.resize(y.size, flag), cr.resize(y.size, flag))).convert("RGB")
            )

        grays, colors = luminance.in_layout(layout), image.in_layout(layout)
        if layout == "HWC":
            return self._back(one(grays, colors), str(image.spec.layout))
        made = [one(gray, rgb) for gray, rgb in zip(grays, colors, strict=True)]
        shape = (0, *grays.shape[1:3], 3)
        return self._back(np.stack(made) if made else np.zeros(shape, np.uint8), str(image.spec.layout))

    @staticmethod
    def _back(x: Array, layout: str) -> Array:
        return np.moveaxis(x, -1, layout.index("C"))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Up by whole numbers and others, down, not at all; every filter and layout."""
        ways = [("bicubic", "NHWC", (18, 21)), ("bilinear", "NCHW", (13, 8)), ("lanczos", "HWC", (27, 21))]
        ways += [("bicubic", "CHW", (9, 7)), ("bicubic", "NHWC", (3, 50)), ("bicubic", "HWC", (1, 1))]
        for seed, (interpolation, layout, size) in enumerate(ways):
            yield _case(interpolation, layout, (9, 7), size, seed)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any sides."""
        interpolation, layout = str(rng.choice(["bilinear", "bicubic", "lanczos"])), str(rng.choice(["NHWC", "CHW"]))
        sides = random_sides(rng, largest // 2), random_sides(rng, largest)
        return _case(interpolation, layout, *sides, int(rng.integers(2**31)))


def _case(interpolation: str, layout: str, old: tuple[int, int], new: tuple[int, int], seed: int) -> Case:
    def sample(color: str, channels: int, size: tuple[int, int]) -> Sample:
        dims = {"N": 2, "H": size[0], "W": size[1], "C": channels}
        shape = tuple(dims[letter] for letter in layout)
        return Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed + channels)

    return Case({"interpolation": interpolation}, (sample("GRAY", 1, new), sample("RGB", 3, old)))
