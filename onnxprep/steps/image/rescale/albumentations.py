"""rescale of albumentations: its ToFloat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._per_channel import images
from onnxprep.steps.image.planar import Float32, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleAlbumentations(Step):
    """``y = x / max_value`` in float32.

    Input: image, uint8; a float32 image is what the library returns as it is, whatever max_value says.
    Output: float32, same layout, shape and colour.
    Rounds: once, half to even, after a divisor that is itself rounded.
    Source: albumentations 2.0.8, augmentations/pixel/transforms.py ToFloat; albucore 0.0.24, functions.py to_float.
    Raises: ContractError where the tensor is not a uint8 image.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {"albumentations": Claim("albumentations", ">=2.0,<3", "ToFloat")}

    max_value: Annotated[Float32, Field(gt=1e-30)] = parameter("what becomes 1", 255.0)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; the range is divided."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="bytes are rescaled; a float image already is, or `to_dtype` is missing")
        low, high = (float(np.float32(end) / np.float32(self.max_value)) for end in x.range or (0, 255))
        return (replace(x, dtype="float32", range=(low, high)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Cast, Div."""
        return op.Div(op.Cast(inputs[0], to="float32"), op.float32(self.max_value))

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own transform on HWC images."""
        from albumentations import ToFloat

        transform = ToFloat(self.max_value)
        return each_image(inputs[0], "HWC", lambda image: transform(image=image)["image"].reshape(image.shape))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes at three divisors, one and four channels."""
        for sample, value in zip(images(), (255.0, 254.0, 0.7, 255.0), strict=True):
            yield Case({"max_value": value}, (sample,))
        for layout, shape, color in (("NHWC", (1, 32, 64, 1), "GRAY"), ("HWC", (4, 5, 4), "RGBA")):
            yield Case({}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=1),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Every third time the divisor of a case, else a random one."""
        case = super().draw(like, rng, largest)
        return case if rng.random() < 1 / 3 else Case({"max_value": float(rng.uniform(1, 300))}, case.inputs)
