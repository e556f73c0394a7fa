"""rescale by a multiplication: what torchvision v2 does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image._bytes import product
from onnxprep.steps.image.planar import refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleMultiplied(Step):
    """``y = x * fl32(1 / 255)`` in float32.

    Input: image, uint8.
    Output: float32, same layout, shape and colour; 0..1.
    Rounds: once, half to even, after a factor that is itself rounded; ``x / 255`` differs for 126 of the 256 bytes.
    Source: torchvision 0.28, transforms/v2/functional/_misc.py to_dtype_image with scale=True.
    Raises: ContractError where the tensor is not a uint8 image.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.to_dtype(x, float32, scale=True)")
    }

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32, 0..1."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="bytes are rescaled; a float image already is, or `to_dtype` is missing")
        low, high = (float(np.float32(end) * np.float32(1 / 255)) for end in x.range or (0, 255))
        return (replace(x, dtype="float32", range=(low, high)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """One product."""
        (x,) = inputs
        return product(op, x, 1 / 255)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        (x,) = inputs
        import torch
        from torchvision.transforms.v2.functional import to_dtype

        return to_dtype(torch.from_numpy(x.array), torch.float32, scale=True).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both layouts; 2 048 values show all 256 bytes."""
        yield Case({}, (Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1),))
        yield Case({}, (Sample(TensorSpec("uint8", (3, 5, 7), "CHW", "RGB", (0.0, 255.0)), seed=2),))
