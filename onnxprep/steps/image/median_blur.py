"""median_blur: the middle one of the pixels in a square around every pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, reduce
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter
from onnxprep.steps.image._blurs import Blur
from onnxprep.steps.image._borders import extended
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_Row = Callable[[], Value]
"""A value that is emitted only when it is asked for, and once."""


class _Order:
    """Networks of Min and Max over whole images; what no result needs is never emitted."""

    def __init__(self, op: Ops) -> None:
        self._op = op

    def low(self, a: _Row, b: _Row) -> _Row:
        return cache(lambda: self._op.Min(a(), b()))

    def high(self, a: _Row, b: _Row) -> _Row:
        return cache(lambda: self._op.Max(a(), b()))

    def sort(self, rows: Sequence[_Row]) -> list[_Row]:
        """By merging halves."""
        half = len(rows) // 2
        return self.merge(self.sort(rows[:half]), self.sort(rows[half:])) if half else list(rows)

    def merge(self, a: Sequence[_Row], b: Sequence[_Row]) -> list[_Row]:
        """Two sorted lists into one: Batcher's odd-even merge."""
        if not a or not b:
            return [*a, *b]
        if len(a) == len(b) == 1:
            return [self.low(a[0], b[0]), self.high(a[0], b[0])]
        (first, *even), odd = self.merge(a[::2], b[::2]), self.merge(a[1::2], b[1::2])
        pairs = [row for o, e in zip(odd, even, strict=False) for row in (self.low(o, e), self.high(o, e))]
        return [first, *pairs, *odd[len(even) :], *even[len(odd) :]]

    def pick(self, a: Sequence[_Row], b: Sequence[_Row], number: int) -> _Row:
        """The element of that number of two sorted lists together: the least of all that have so many below them."""
        most = [b[number]] if number < len(b) else []
        most += [self.high(a[i], b[number - 1 - i]) for i in range(len(a)) if 0 <= number - 1 - i < len(b)]
        most += [a[number]] if number < len(a) else []
        return reduce(self.low, most)


class MedianBlur(Blur):
    """``y = median(x[i - r .. i + r, j - r .. j + r])``, channel by channel, ``r = kernel_size // 2``.

    Beyond the edge lies the edge.

    Input: image, uint8, 1, 3 or 4 channels.
    Output: the same.
    Rounds: never.
    Source: OpenCV 5.0.0, modules/imgproc/src/median_blur.simd.hpp; Pillow 13.0.0, src/libImaging/RankFilter.c and
        ImageFilter.py MedianFilter.
    Raises: ContractError where the tensor is no uint8 image, or has another number of channels.
    """

    operation: ClassVar[str] = "median_blur"
    claims: ClassVar = {
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "medianBlur"),
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "medianBlur"),
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageFilter.MedianFilter"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageFilter.MedianFilter"),
    }

    kernel_size: Literal[3, 5] = parameter("side of the square whose middle value is taken, px: 3 or 5")

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Columns are sorted once for all the squares they are in, neighbours merged, the middle one picked."""
        (x,), side, axis = inputs, self.kernel_size, len(inputs[0].spec.shape or ()) - 2
        size, reach, order = Arithmetic(op).size(x, "HW"), (side // 2, side // 2), _Order(op)
        for i in range(2):
            x = extended(op, x, Arithmetic(op).pick(size, i), axis + i, reach, "edge")
        x = op.Cast(x, to="float32")  # ONNX Runtime 1.20 has no Min of bytes, and CUDA has none
        column = order.sort([_shifted(op, cache(lambda: x), axis, i, side) for i in range(side)])
        if side == 3:
            low, middle, high = ([_shifted(op, row, axis + 1, i, 3) for i in range(3)] for row in column)
            lowest = order.high(order.high(low[0], low[1]), low[2])
            highest = order.low(order.low(high[0], high[1]), high[2])
            return op.Cast(order.sort([lowest, order.sort(middle)[1], highest])[1](), to="uint8")
        both = order.merge(
            [_shifted(op, row, axis + 1, 0, 2) for row in column], [_shifted(op, row, axis + 1, 1, 2) for row in column]
        )
        last = [_shifted(op, row, axis + 1, 4, 5) for row in column]
        three = order.merge([_shifted(op, row, axis + 1, 2, 4) for row in both], last)
        return op.Cast(order.pick([_shifted(op, row, axis + 1, 0, 4) for row in both], three, 12)(), to="uint8")

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own, image by image."""
        (x,) = inputs
        if self.like.startswith("pillow"):
            from PIL import ImageFilter

            return on_pillow(x, lambda picture: picture.filter(ImageFilter.MedianFilter(self.kernel_size)))
        import cv2

        return each_image(
            x, "HWC", lambda image: np.asarray(cv2.medianBlur(image, self.kernel_size)).reshape(image.shape)
        )

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both sizes on every layout, images smaller than the square, one pixel."""
        drawn: list[tuple[Any, tuple[str, tuple[int, ...], str]]] = [
            (3, ("NHWC", (2, 9, 13, 3), "RGB")), (5, ("NHWC", (2, 9, 13, 3), "RGB")), (3, ("CHW", (1, 20, 35), "GRAY")),
            (5, ("NCHW", (1, 3, 17, 18), "BGR")), (3, ("HWC", (6, 7, 4), "RGBA")), (5, ("HWC", (1, 1, 3), "RGB")),
            (3, ("CHW", (3, 1, 2), "RGB")), (5, ("CHW", (1, 3, 2), "GRAY")),
        ]  # fmt: skip
        for i, (size, (layout, shape, color)) in enumerate(drawn):
            yield Case(
                {"kernel_size": size}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=i),)
            )

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Both sizes."""
        return Case({"kernel_size": int(rng.choice([3, 5]))}, (random_image(rng, largest),))


def _shifted(op: Ops, row: _Row, axis: int, by: int, of: int) -> _Row:
    """Without the first ``by`` positions and the last ``of - 1 - by``: what lies ``by`` further on."""
    end = op.int64([by - of + 1 if by < of - 1 else 2**31])
    return cache(lambda: op.Slice(row(), op.int64([by]), end, op.int64([axis])))
