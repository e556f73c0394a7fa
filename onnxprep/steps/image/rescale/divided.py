"""rescale by a division: what torchvision v1, timm and plain NumPy do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleDivided(Step):
    """``y = x / 255`` in float32.

    Input: image, uint8.
    Output: float32, same layout, shape and colour; 0..1.
    Rounds: once, half to even; ``x * (1 / 255)`` differs for 126 of the 256 bytes.
    Source: torchvision 0.28, transforms/functional.py to_tensor, also inside timm 1.0's data/transforms.py MaybeToTensor.
    Raises: ContractError where the tensor is not a uint8 image.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.to_tensor"),
        "timm": Claim("timm", ">=1.0,<2", "data.transforms.MaybeToTensor"),
        "numpy": Claim("numpy", ">=1.26", "x.astype(float32) / float32(255)"),
    }

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32, 0..1."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="bytes are rescaled; a float image already is, or `to_dtype` is missing")
        low, high = x.range or (0, 255)
        return (replace(x, dtype="float32", range=(float(np.float32(low) / 255), float(np.float32(high) / 255))),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Cast, Div."""
        (x,) = inputs
        return op.Div(op.Cast(x, to="float32"), op.float32(255))

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on HWC images."""
        (x,) = inputs
        if self.like == "numpy":
            return x.array.astype(np.float32) / np.float32(255)
        return each_image(x, "HWC", self._library)

    def _library(self, image: Array) -> Array:
        if self.like == "timm":
            from timm.data.transforms import MaybeToTensor

            return MaybeToTensor()(image).numpy().transpose(1, 2, 0)
        from torchvision.transforms.functional import to_tensor

        return to_tensor(image).numpy().transpose(1, 2, 0)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both layouts; 2 048 values show all 256 bytes."""
        yield Case({}, (Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1),))
        yield Case({}, (Sample(TensorSpec("uint8", (3, 5, 7), "CHW", "RGB", (0.0, 255.0)), seed=2),))
