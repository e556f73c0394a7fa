"""adjust_gamma: a power of every pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, parameter
from onnxprep.steps.image._bytes import EVERY, ByteToByte, cases_of, on_pillow, on_torch
from onnxprep.tensor import Array, Tensor, TensorSpec

_ULPS = 2  # torch's pow of float32 is at most 1 away from the true value; its x * x * x may be 2 away


class AdjustGamma(ByteToByte):
    """``y = trunc(255.999 * min(gain * (x / 255) ** gamma, 1))``.

    torchvision-v1 and torchvision-v2 are what torchvision does to tensors: float32, ``x / 255`` as in `rescale` of the
    family. pillow-13 is what it does to Pillow's images: float64, and ``min(..., 255)`` comes last.

    Input: image, uint8, GRAY or RGB.
    Output: the same.
    Rounds: every operation, half to even; then towards 0. About one gamma in 130 puts a pixel of a tensor so close to a
        whole number that the last bit of torch's pow decides, which is not the same on every CPU: that one is refused.
    Source: torchvision 0.28, transforms/_functional_tensor.py, transforms/_functional_pil.py and
        transforms/v2/functional/_color.py adjust_gamma.
    Raises: ContractError where the tensor is not a uint8 image, has neither 1 nor 3 channels, or the last bit of torch's pow
        decides.
    """

    operation: ClassVar[str] = "adjust_gamma"
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.adjust_gamma"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.adjust_gamma"),
        "pillow-13": Claim("torchvision", ">=0.20", "transforms.functional.adjust_gamma", note="of Pillow's images"),
    }
    inherits: ClassVar[bool] = False

    gamma: Annotated[float, Field(ge=0, le=100)] = parameter("exponent; above 1 darker, below 1 brighter; 0..100")
    gain: Annotated[float, Field(ge=0, le=1000)] = parameter("factor of the power, 0..1000", 1.0)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes and their range."""
        told = super().infer(*inputs)
        if self.like != "pillow-13":
            below, above = (self._of_tensors(ulps) for ulps in (-_ULPS, _ULPS))
            if (below != above).any():
                raise ContractError(
                    "cannot be told from outside torch: for one byte the last bit of its pow decides",
                    expected=f"a gamma or gain other than {self.gamma!r} and {self.gain!r}",
                    got=f"byte {int(np.argmax(below != above))}",
                    hint="run torchvision on all 256 bytes and give the result to `lookup_table`",
                )
        return told

    def table(self) -> Array:
        """What becomes of every byte."""
        if self.like != "pillow-13":
            return self._of_tensors()
        powers = [255.999 * self.gain * pow(byte / 255.0, self.gamma) for byte in range(256)]
        return np.minimum(np.array(powers), 255).astype(np.uint8)

    def _of_tensors(self, ulps: int = 0) -> Array:
        """The same with every power off by some units in the last place."""
        scale = np.float32(1 / 255)
        x = EVERY.astype(np.float32)
        x = x / np.float32(255) if self.like == "torchvision-v1" else x * scale
        power = np.power(x.astype(np.float64), np.float64(np.float32(self.gamma))).astype(np.float32)
        power = power + ulps * np.spacing(power)
        if self.gain != 1 or self.like == "torchvision-v1":
            power = np.clip(power * np.float32(self.gain), np.float32(0), np.float32(1))
        return (power * np.float32(255.999)).astype(np.uint8)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function, image by image."""
        (x,) = inputs
        if self.like == "torchvision-v2":
            from torchvision.transforms.v2.functional import adjust_gamma
        else:
            from torchvision.transforms.functional import adjust_gamma
        on_images = on_pillow if self.like == "pillow-13" else on_torch
        return on_images(x, lambda image: adjust_gamma(image, self.gamma, self.gain))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Darker, brighter, unchanged, a gain of both kinds, and a gamma of 0."""
        pairs = ((2.2, 1.0), (1 / 2.2, 1.0), (1.0, 1.0), (1.5, 0.7), (0.8, 1.9), (0.0, 1.0), (2.0, 1.0))
        yield from cases_of(*({"gamma": gamma, "gain": gain} for gamma, gain in pairs))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A random gamma; every other time with a gain."""
        case, gain = super().draw(like, rng, largest), float(rng.uniform(0.3, 2)) if rng.integers(2) else 1.0
        return Case({"gamma": float(rng.uniform(0, 4)), "gain": gain}, case.inputs)
