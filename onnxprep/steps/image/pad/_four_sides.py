"""What pad is for the libraries that are told top, bottom, left and right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Sample, parameter, random_sides
from onnxprep.steps.image._borders import Border, Fill
from onnxprep.steps.image._padding import Padding, longer
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.tensor import Dim, TensorSpec

Pixels = Annotated[int, Field(ge=0, lt=2**24)]


class FourSides(Padding):
    """The same border for every image."""

    top: Pixels = parameter("rows above, px", 0)
    bottom: Pixels = parameter("rows below, px", 0)
    left: Pixels = parameter("columns to the left, px", 0)
    right: Pixels = parameter("columns to the right, px", 0)
    fill: Fill = parameter("of a constant border: one value, or one per channel", 0.0)

    def border(self, a: Arithmetic, sides: Number) -> Border:  # noqa: ARG002
        """As the parameters say."""
        return Border(lengths(self.top, self.left), lengths(self.bottom, self.right))

    def length(self, x: TensorSpec, axis: int) -> Dim:
        """An axis without a border keeps its symbol."""
        return longer(x.dim("HW"[axis]), (self.top + self.bottom, self.left + self.right)[axis])


def cases(modes: tuple[str, ...]) -> Iterator[Case]:
    """Every border, more than the image is long, one pixel, an axis without a border; fills per channel."""
    rgb = TensorSpec("uint8", (2, 5, 7, 3), "NHWC", "RGB", (0.0, 255.0))
    real = TensorSpec("float32", (1, 6, 5), "CHW", "GRAY", (0.0, 1.0))
    for i, mode in enumerate(modes):
        four = {"top": 1, "bottom": 4, "left": 3, "right": 2, "padding_mode": mode, "fill": 114.0}
        yield Case(four, (Sample(rgb, i),))
        long = {"top": 17, "bottom": 13, "left": 0, "right": 23, "padding_mode": mode, "fill": 0.3}
        yield Case(long, (Sample(real, i),))
        yield Case({"top": 3, "right": 3, "padding_mode": mode}, (Sample(rgb.with_dims(H=1, W=1), i),))
    several = {"left": 2, "right": 1, "padding_mode": modes[0], "fill": [123.0, 116.0, 103.0]}
    yield Case(several, (Sample(rgb, 7),))
    yield Case({**several, "fill": [0.5, -1.0, 2.0]}, (Sample(_real(4, 3), 8),))


def _real(height: int, width: int) -> TensorSpec:
    return TensorSpec("float32", (height, width, 3), "HWC", "RGB", (-1.0, 1.0))


def draw(modes: tuple[str, ...], rng: np.random.Generator, largest: int) -> Case:
    """A random case with borders of up to 40 px."""
    height, width = random_sides(rng, largest)
    fill: Any = [float(n) for n in rng.integers(0, 256, 3)]
    four = {side: int(rng.integers(0, 40)) for side in ("top", "bottom", "left", "right")}
    byte = TensorSpec("uint8", (height, width, 3), "HWC", "RGB", (0.0, 255.0))
    spec = byte if rng.random() < 0.5 else _real(height, width)
    given = {**four, "padding_mode": str(rng.choice(modes)), "fill": fill if rng.random() < 0.5 else fill[0]}
    return Case(given, (Sample(spec, int(rng.integers(2**31))),))
