"""What the versions of cv2.warpAffine share: parameters, the inverse of the matrix, reading four neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Ops, Sample, Step, Value, parameter, random_sides, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import Side, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_CHANNELS = (1, 3, 4)


class Warping(Step):
    """The base; a version says where an output reads and how it mixes what it finds there."""

    inputs: ClassVar[tuple[str, ...]] = ("image", "matrix")
    inherits: ClassVar[bool] = False
    geometric: ClassVar[bool] = True
    planar: ClassVar[bool] = False

    size: tuple[Side, Side] = parameter("[height, width] of the result, px")
    interpolation: Literal["nearest", "bilinear"] = parameter("cv2.INTER_NEAREST or INTER_LINEAR")
    padding_mode: Literal["constant", "replicate"] = parameter(
        "what lies around the image: `fill` or its outermost pixels, cv2.BORDER_CONSTANT or BORDER_REPLICATE",
        "constant",
    )
    fill: int = parameter(
        "value of all channels around the image where `padding_mode` is constant, 0..255", 0, ge=0, le=255
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are the size; the range takes in ``fill``."""
        x, matrix = inputs
        refuse_unless_image(x, "uint8", hint="warp before `rescale` and `to_dtype`")
        refuse_unless(x.dim("C") in _CHANNELS, "works on GRAY, RGB and RGBA", expected="C = 1, 3 or 4", got=x)
        refuse_unless(0 not in (x.dim("H"), x.dim("W")), "has a side of 0", expected="sides of at least 1 px", got=x)
        dims = matrix.shape or ()
        fits = len(dims) == 2 and all(d == n or not isinstance(d, int) for d, n in zip(dims, (2, 3), strict=True))
        refuse_unless(
            fits and matrix.dtype == "float64",
            "is no affine matrix",
            expected="float64[2, 3], from the input's pixels to the result's",
            got=matrix,
        )
        y = x.with_dims(H=self.size[0], W=self.size[1])
        if x.range is None or self.padding_mode == "replicate":
            return (y,)
        return (replace(y, range=(min(x.range[0], self.fill), max(x.range[1], self.fill))),)

    def places(self, op: Ops, inverse: tuple[Value, ...]) -> tuple[Value, Value, Value, Value]:
        """(top, left) of the four pixels each output reads, whole numbers, and how far below and behind it lies."""
        raise NotImplementedError

    def mixed(self, op: Ops, pixels: tuple[Value, ...], down: Value, along: Value) -> Value:
        """The four pixels, uint8 [..., h * w] (top left, top right, bottom left, bottom right), as one."""
        raise NotImplementedError

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Whatever lies around the image is put around it: one pixel is enough, places further out read that."""
        image, matrix = inputs
        x, layout = image, str(image.spec.layout)
        batched = layout[0] == "N"
        wanted = "NHWC" if batched else "HWC"
        if layout != wanted:
            x = op.Transpose(x, perm=[layout.index(letter) for letter in wanted])
        a, ring = Arithmetic(op), int(self.padding_mode == "constant")
        if ring:
            pads = [0, 1, 1, 0] if batched else [1, 1, 0]
            x = op.Pad(x, op.int64(pads * 2), op.constant(self.fill, "uint8"), mode="constant")
        sides = a.Add(a.size(image, "HW"), lengths(2 * ring))
        others = [a.size(image, letter) for letter in "NC" if letter in layout]
        flat = op.Reshape(x, a.value(a.join(*others[:-1], a.product(sides), others[-1])))
        top, left, down, along = self.places(op, _inverse(op, matrix))
        pixels = self._pixels(op, flat, sides, top, left, batched)
        if self.interpolation == "nearest":
            y = pixels[0]
        else:
            y = self.mixed(op, pixels, *(op.Reshape(part, op.int64([-1])) for part in (down, along)))
        return op.Reshape(y, a.value(a.join(*others, lengths(*self.size))))

    def _pixels(self, op: Ops, flat: Value, sides: Number, top: Value, left: Value, batched: bool) -> tuple[Value, ...]:
        """[N, C, h * w] each: taken with all channels at once, but laid so that weights are not spread over them."""
        a, ring = Arithmetic(op), int(self.padding_mode == "constant")
        height, width = (a.double(a.pick(sides, i)) for i in (0, 1))
        offsets = (0,) if self.interpolation == "nearest" else (0, 1)

        def inside(place: Value, length: Number, offset: int) -> Number:
            moved = a.Add(place, np.array(ring + offset, np.float64))
            return a.Max(a.Min(moved, a.Sub(length, np.array([1.0]))), np.array([0.0]))

        rows = [a.Mul(inside(top, height, offset), width) for offset in offsets]
        columns = [inside(left, width, offset) for offset in offsets]
        index = [op.Reshape(a.value(a.Add(row, column)), op.int64([-1])) for row in rows for column in columns]
        together = index[0] if len(index) == 1 else op.Concat(*index, axis=0)
        taken = op.Gather(flat, op.Cast(together, to="int64"), axis=-2)
        planar = op.Transpose(taken, perm=[0, 2, 1] if batched else [1, 0])
        size = self.size[0] * self.size[1]
        return (planar,) if len(index) == 1 else op.Split(planar, axis=-1, split=[size] * len(index))

    def oracle(self, *inputs: Tensor) -> Array:
        """cv2.warpAffine, image by image."""
        import cv2

        x, matrix = inputs
        flags = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR}[self.interpolation]
        border = {"constant": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}[self.padding_mode]
        size = (self.size[1], self.size[0])

        def one(image: Array) -> Array:
            made = cv2.warpAffine(
                image, matrix.array, size, flags=flags, borderMode=border, borderValue=(self.fill,) * 4
            )
            return np.asarray(made).reshape(*self.size, image.shape[2])

        if x.array.size == 0:
            return np.zeros([int(d) for d in self.infer(x.spec, matrix.spec)[0].shape or ()], np.uint8)  # type: ignore[arg-type]
        return each_image(x, "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Turned, mirrored, up and down; widths below, at and above a vector; one pixel."""
        forms = (
            ("NHWC", (23, 31), 3, 2, [17, 37]), ("HWC", (12, 9), 1, 1, [16, 16]), ("CHW", (9, 30), 4, 1, [5, 70]),
            ("NCHW", (15, 8), 3, 1, [31, 8]), ("HWC", (1, 1), 3, 1, [3, 5]), ("NHWC", (40, 50), 1, 3, [1, 1]),
        )  # fmt: skip
        for i, (layout, sides, channels, images, size) in enumerate(forms):
            for interpolation in ("bilinear", "nearest"):
                for border in ("constant", "replicate"):
                    if interpolation == "nearest" and i % 2:
                        continue
                    fill = 114 * (i % 2) if border == "constant" else 0
                    parameters = {"size": size, "interpolation": interpolation, "padding_mode": border, "fill": fill}
                    yield Case(parameters, _samples(layout, sides, channels, images, i))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any size, matrix, border and fill."""
        layout, channels = str(rng.choice(["NHWC", "HWC", "CHW", "NCHW"])), int(rng.choice(_CHANNELS))
        parameters = {
            "size": list(random_sides(rng, largest)),
            "interpolation": "nearest" if rng.random() < 0.25 else "bilinear",
            "padding_mode": str(rng.choice(["constant", "replicate"])),
            "fill": int(rng.choice([0, 114, 255])),
        }
        return Case(parameters, _samples(layout, random_sides(rng, largest), channels, 1, int(rng.integers(2**31))))


class Matrix(Sample):
    """Turned, scaled, a little sheared and moved."""

    def array(self) -> Array:
        """By the seed."""
        rng = np.random.default_rng(self.seed)
        turn, scale = rng.uniform(-np.pi, np.pi), rng.uniform(0.4, 2.5)
        linear = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        linear += rng.uniform(-0.1, 0.1, (2, 2))
        if self.seed % 3 == 0:  # axes stay axes
            linear = np.diag(rng.uniform(0.4, 2.5, 2))
        shift = -linear @ rng.uniform(0, 20, 2) + rng.uniform(0, 20, 2)
        return np.column_stack([linear, shift])


def _samples(layout: str, sides: tuple[int, int], channels: int, images: int, seed: int) -> tuple[Sample, ...]:
    lengths = {"N": images, "C": channels, "H": sides[0], "W": sides[1]}
    color = {1: "GRAY", 3: "RGB", 4: "RGBA"}[channels]
    image = TensorSpec("uint8", tuple(lengths[letter] for letter in layout), layout, color, (0.0, 255.0))
    return Sample(image, seed), Matrix(TensorSpec("float64", (2, 3)), seed)


def _inverse(op: Ops, matrix: Value) -> tuple[Value, ...]:
    """The way back, float64 [1] each, rounded as cv2 does (imgproc/src/imgwarp.cpp); 0 where there is none."""
    three = op.Concat(matrix, op.float64([[0.0, 0.0, 1.0]]), axis=0)
    flat = op.Reshape(op.Reshape(three, op.int64([3, 3])), op.int64([9]))  # fails where it is not [2, 3]
    a, b, c, d, e, f = op.Split(op.Slice(flat, op.int64([0]), op.int64([6])), split=[1] * 6)
    zero = op.float64([0.0])
    determinant = op.Sub(op.Mul(a, e), op.Mul(b, d))
    singular = op.Equal(determinant, zero)
    factor = op.Where(singular, zero, op.Reciprocal(op.Where(singular, op.float64([1.0]), determinant)))
    back = op.Neg(factor)
    a, b, d, e = op.Mul(e, factor), op.Mul(b, back), op.Mul(d, back), op.Mul(a, factor)
    x = op.Sub(op.Mul(op.Neg(a), c), op.Mul(b, f))
    y = op.Sub(op.Mul(op.Neg(d), c), op.Mul(e, f))
    return a, b, x, d, e, y
