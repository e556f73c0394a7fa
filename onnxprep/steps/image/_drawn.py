"""Random images for the random cases of steps that work on any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxprep.step import Sample, random_sides
from onnxprep.tensor import CHANNELS, TensorSpec


def random_image(
    rng: np.random.Generator, largest: int, colors: Sequence[str] = ("RGB", "GRAY", "RGBA"), dtype: str = "uint8"
) -> Sample:
    """One image or two in any layout, of random sides; one in three bytes images has few values only."""
    height, width = random_sides(rng, largest)
    color, layout = str(rng.choice(list(colors))), str(rng.choice(["NCHW", "NHWC", "CHW", "HWC"]))
    dims = {"N": 2, "C": CHANNELS[color], "H": height, "W": width}
    span = (0.0, 255.0) if dtype == "uint8" else (0.0, 1.0)
    if dtype == "uint8" and rng.random() < 1 / 3:
        low = float(rng.integers(0, 250))
        span = (low, low + float(rng.integers(0, 5)))
    shape = tuple(dims[letter] for letter in layout)
    return Sample(TensorSpec(dtype, shape, layout, color, span), int(rng.integers(2**31)))
