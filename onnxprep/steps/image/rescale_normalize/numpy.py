"""rescale_normalize in NumPy's float64: what hand-written programs do to a uint8 array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter
from onnxprep.steps.image._bytes import look_up
from onnxprep.steps.image._per_channel import CLIP, IMAGENET, PerChannel, Std, images
from onnxprep.steps.image.planar import Float32, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleNormalizeNumPy(PerChannel):
    """``y[c] = float32((x[c] / divisor - mean[c]) / std[c])``, all of it in float64.

    ``image / 255.0`` of a uint8 array is float64, and stays it: this step. ``image.astype(np.float32) / 255.0`` is
    float32: `rescale` like numpy, then `normalize` like numpy, whose ``precision`` says what mean and std are.

    Input: image, uint8.
    Output: float32, same layout, shape and colour.
    Rounds: every operation in float64, then once to float32; half to even.
    Source: NumPy 2.4; every byte's answer is computed when the graph is written.
    Raises: ContractError where the tensor is not a uint8 image or has another number of channels.
    """

    operation: ClassVar[str] = "rescale_normalize"
    claims: ClassVar = {"numpy": Claim("numpy", ">=1.26", "((x / divisor - mean) / std).astype(float32)")}
    dtypes: ClassVar = ("uint8",)

    mean: tuple[Float32, ...] = parameter("per channel, of values divided by divisor (0..1)", min_length=1)
    std: Std = parameter("per channel, same unit; never 0", min_length=1)
    divisor: Annotated[Float32, Field(gt=0)] = parameter("1 where mean and std are those of 0..255", 255.0)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; the range is what becomes of its ends."""
        (given,) = super().infer(*inputs)
        low, high = inputs[0].range or (0, 255)
        ends = self._table()[:, [int(low), int(high)]]
        return (replace(given, range=(float(ends.min()), float(ends.max()))),)

    def arithmetic(self, x: np.float32) -> Array:
        """What becomes of a value in every channel."""
        return np.asarray(
            ((np.float64(x) / self.divisor - np.array(self.mean)) / np.array(self.std)).astype(np.float32)
        )

    def _table(self) -> Array:
        every = np.arange(256, dtype=np.float64) / self.divisor
        return ((every - np.array(self.mean)[:, None]) / np.array(self.std)[:, None]).astype(np.float32)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A table per channel: twice as fast as four passes in float64."""
        return look_up(op, inputs[0], self._table())

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy, as it is written by hand."""

        def one(image: Array) -> Array:
            return ((image / self.divisor - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes with the usual constants, those of 0..255, one and four channels."""
        of_bytes: dict[str, Any] = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "divisor": 1.0}
        for sample, parameters in zip(images(), (IMAGENET, CLIP, of_bytes, IMAGENET), strict=True):
            yield Case(parameters, (sample,))
        gray = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({"mean": [0.1307], "std": [0.3081], "divisor": 256.0}, (gray,))
        rgba = Sample(TensorSpec("uint8", (4, 5, 4), "HWC", "RGBA", (0.0, 255.0)), seed=2)
        yield Case({"mean": [0.1, 0.9, 0.5, 0.0], "std": [-0.3, 0.2, 1.0, 0.7]}, (rgba,))
