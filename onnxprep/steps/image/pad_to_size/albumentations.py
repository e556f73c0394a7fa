"""pad_to_size like albumentations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, parameter, random_sides
from onnxprep.steps.image._borders import FROM_OPENCV
from onnxprep.steps.image._pad_if_needed import POSITIONS, PadIfNeeded, placements, samples
from onnxprep.steps.image._padding import random_rgb
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import Side


class PadToSizeIfNeeded(PadIfNeeded):
    """``y[i + top, j + left] = x[i, j]`` where H or W is shorter than the size; a longer one stays as it is.

    center: top = (h - H) // 2. Around the image: ``fill``, replicate ``aaa|abcd|ddd``, reflect ``cba|abcd|dcb``,
    reflect_101 ``dcb|abcd|cba`` or wrap ``bcd|abcd|abc``, as often as needed. CUDA has no Pad for uint8: ONNX Runtime
    then puts ``fill`` there on the CPU.

    Input: image, uint8 or float32; at most 4 channels.
    Output: the same dtype, layout and colour; H and W are at least the size.
    Rounds: never; ``fill`` is rounded to float32.
    Source: albumentations 2.0.8, augmentations/geometric/pad.py PadIfNeeded; its border is OpenCV's.
    Raises: ContractError where the tensor is no image, has more than 4 channels, or ``fill`` does not fit it.
    """

    operation: ClassVar[str] = "pad_to_size"
    claims: ClassVar = {"albumentations": Claim("albumentations", ">=2,<3", "PadIfNeeded(min_height, min_width)")}

    size: Side | tuple[Side, Side] = parameter("what H and W are at least: one length or [height, width], px")

    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def missing(self, a: Arithmetic, sides: Number) -> Number:
        """Up to the size."""
        return a.Max(a.Sub(lengths(*self._sides()), sides), lengths(0))

    def needed(self) -> dict[str, int | None]:
        """The size."""
        return dict(zip(("min_height", "min_width"), self._sides(), strict=True))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every position and border; sides that are longer and shorter than the size."""
        several, real, pixel, gray = samples()
        for i, position in enumerate(POSITIONS):
            mode = list(FROM_OPENCV)[i]
            for sample in (several, real):
                yield Case({"size": 8, "position": position, "padding_mode": mode, "fill": 7.0}, (sample,))
            yield Case({"size": [6, 9], "position": position, "fill": 255.0}, (gray,))
            yield Case({"size": [6, 4], "padding_mode": mode}, (pixel,))
        yield Case({"size": [8, 6], "fill": [122.0, 116.0, 104.0]}, (several,))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Sizes of the order of the image."""
        height, width = random_sides(rng, largest)
        size = [max(1, n + int(rng.integers(-8, 24))) for n in (height, width)]
        sample = random_rgb(rng, height, width)
        return Case({"size": size, **placements(rng)}, (sample,))
