"""box_blur like Pillow: a box whose radius need not be whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._bytes import on_pillow
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image._extended_box import Radius, blurred, pair, told
from onnxprep.tensor import Array, Tensor, TensorSpec


class BoxBlur(Step):
    """``y = (2**23 + e * x[i - r - 1] + w * sum x[i - r .. i + r] + e * x[i + r + 1]) >> 24``, along rows, then columns.

    r is the whole part of radius, ``w = 2**24 / (2 * radius + 1)`` in float32, cut to a whole number, ``e`` half of
    what is then missing to 2**24: pixels at the ends count in part. Beyond the edge lies the edge.

    Input: image, uint8, GRAY, RGB, BGR or RGBA.
    Output: the same.
    Rounds: twice, half up.
    Source: Pillow 13.0.0, src/libImaging/BoxBlur.c ImagingBoxBlur; ImageFilter.py BoxBlur.
    Raises: ContractError where the tensor is no uint8 image, or has neither 1, 3 nor 4 channels.
    """

    operation: ClassVar[str] = "box_blur"
    claims: ClassVar = {
        "pillow-12": Claim("Pillow", ">=12.2,<13", "ImageFilter.BoxBlur"),
        "pillow-13": Claim("Pillow", ">=13,<14", "ImageFilter.BoxBlur"),
    }
    inherits: ClassVar[bool] = False

    radius: Radius | tuple[Radius, Radius] = parameter("of the box or [vertical, horizontal], px, 0..500")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes."""
        return told(*inputs)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Band matrices in float64, where 24-bit weights times bytes are exact."""
        return blurred(op, inputs[0], pair(self.radius), 1, np.float32)

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own filter, image by image; it names the horizontal radius first."""
        from PIL import ImageFilter

        vertical, horizontal = pair(self.radius)
        return on_pillow(inputs[0], lambda picture: picture.filter(ImageFilter.BoxBlur((horizontal, vertical))))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Whole radii and others, images smaller than the box, one pixel."""
        rgb, gray = ("NHWC", (2, 9, 13, 3), "RGB"), ("CHW", (1, 20, 35), "GRAY")
        sizes: list[tuple[Any, tuple[str, tuple[int, ...], str]]] = [
            (2.0, rgb), (1.0, gray), (0.3, ("HWC", (6, 7, 4), "RGBA")), ([0.0, 2.5], rgb), ([8.0, 0.5], gray),
            (3.3, ("NCHW", (1, 3, 17, 33), "RGB")), (5.0, ("HWC", (1, 1, 3), "RGB")), (0.0, rgb),
            (20.0, ("CHW", (3, 40, 3), "BGR")),
        ]  # fmt: skip
        for i, (radius, (layout, shape, color)) in enumerate(sizes):
            yield Case({"radius": radius}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any radii, most of them small."""
        radii = [float(rng.choice([0, 1, 2, 5, *20 ** rng.uniform(-1, 1, 6)])) for _ in range(2)]
        return Case({"radius": radii if rng.random() < 0.5 else radii[0]}, (random_image(rng, largest),))
