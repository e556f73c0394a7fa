"""pad_to_multiple like albumentations."""

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


class PadToMultipleIfNeeded(PadIfNeeded):
    """``y[i + top, j + left] = x[i, j]``, H and W the next multiples.

    center: top = (h - H) // 2. Around the image: ``fill``, replicate ``aaa|abcd|ddd``, reflect ``cba|abcd|dcb``,
    reflect_101 ``dcb|abcd|cba`` or wrap ``bcd|abcd|abc``, as often as needed. CUDA has no Pad for uint8: ONNX Runtime
    then puts ``fill`` there on the CPU.

    Input: image, uint8 or float32; at most 4 channels.
    Output: the same dtype, layout and colour; H and W are multiples.
    Rounds: never; ``fill`` is rounded to float32.
    Source: albumentations 2.0.8, augmentations/geometric/pad.py PadIfNeeded; its border is OpenCV's.
    Raises: ContractError where the tensor is no image, has more than 4 channels, or ``fill`` does not fit it.
    """

    operation: ClassVar[str] = "pad_to_multiple"
    claims: ClassVar = {
        "albumentations": Claim("albumentations", ">=2,<3", "PadIfNeeded(pad_height_divisor, pad_width_divisor)")
    }

    multiple: Side | tuple[Side, Side] = parameter("of what H and W are multiples: one length or [height, width], px")

    def _sides(self) -> tuple[int, int]:
        return (self.multiple, self.multiple) if isinstance(self.multiple, int) else self.multiple

    def missing(self, a: Arithmetic, sides: Number) -> Number:
        """Up to the next multiple."""
        return a.Mod(a.Sub(lengths(0), sides), lengths(*self._sides()))

    def needed(self) -> dict[str, int | None]:
        """The divisors."""
        divisors = dict(zip(("pad_height_divisor", "pad_width_divisor"), self._sides(), strict=True))
        return {"min_height": None, "min_width": None, **divisors}

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every position and border; sides that are multiples and sides that are not."""
        several, real, pixel, gray = samples()
        for i, position in enumerate(POSITIONS):
            mode = list(FROM_OPENCV)[i]
            for sample in (several, real):
                yield Case({"multiple": 8, "position": position, "padding_mode": mode, "fill": 7.0}, (sample,))
            yield Case({"multiple": [6, 4], "position": position, "fill": 255.0}, (gray,))
            yield Case({"multiple": [4, 7], "padding_mode": mode}, (pixel,))
        yield Case({"multiple": [5, 16], "fill": [122.0, 116.0, 104.0]}, (several,))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Multiples of up to 48 px."""
        height, width = random_sides(rng, largest)
        multiple = [int(n) for n in rng.integers(1, 49, 2)]
        sample = random_rgb(rng, height, width)
        return Case({"multiple": multiple, **placements(rng)}, (sample,))
