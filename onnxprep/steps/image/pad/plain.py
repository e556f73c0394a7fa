"""pad like NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from onnxprep.step import Case, Claim, parameter
from onnxprep.steps.image._borders import Rule
from onnxprep.steps.image.pad._four_sides import FourSides, cases, draw
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor

_Mode = Literal["constant", "edge", "reflect", "symmetric", "wrap"]


class PadNumpy(FourSides):
    """``y[i + top, j + left] = x[i, j]``; around it ``fill``, or what ``padding_mode`` makes of ``x``.

    edge ``aaa|abcd|ddd``, reflect ``dcb|abcd|cba``, symmetric ``cba|abcd|dcb``, wrap ``bcd|abcd|abc``, as often as
    the border needs it. CUDA has no Pad for uint8: ONNX Runtime then puts ``fill`` there on the CPU.

    Input: image, uint8 or float32.
    Output: the same dtype, layout and colour; H and W are longer by the border.
    Rounds: never; ``fill`` is rounded to float32.
    Source: NumPy 2.4, lib/_arraypad_impl.py pad.
    Raises: ContractError where the tensor is no image or ``fill`` does not fit it.
    """

    operation: ClassVar[str] = "pad"
    claims: ClassVar = {"numpy": Claim("numpy", ">=2", "pad")}

    padding_mode: _Mode = parameter("what is put there, by NumPy's name", "constant")

    def rule(self) -> Rule:
        """NumPy's names are ours."""
        return self.padding_mode

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's own function, channel by channel."""

        def plane(image: Array, value: float) -> Array:
            border = ((self.top, self.bottom), (self.left, self.right))
            given: dict[str, Any] = {"constant_values": value} if self.padding_mode == "constant" else {}
            return np.pad(image, border, mode=self.padding_mode, **given)

        def one(image: Array) -> Array:
            values = self.fill if isinstance(self.fill, tuple) else (self.fill,) * len(image)
            return np.stack([plane(c, value) for c, value in zip(image, values, strict=True)])

        return each_image(inputs[0], "CHW", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every mode, more than the image is long, one pixel, an axis without a border; fills per channel."""
        yield from cases(get_args(_Mode))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random borders of up to 40 px."""
        return draw(get_args(_Mode), rng, largest)
