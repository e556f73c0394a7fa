"""rescale of Keras: the layer Rescaling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image._bytes import product
from onnxprep.steps.image._per_channel import column, images
from onnxprep.steps.image.planar import Float32, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_Numbers = Float32 | Annotated[tuple[Float32, ...], Field(min_length=1)]


class RescaleKeras(Step):
    """``y = x * scale + offset`` in float32, scale and offset rounded to it first; each one number or one per channel.

    Input: image, uint8 or float32.
    Output: float32, same layout, shape and colour.
    Rounds: the product and the sum, half to even; no fused multiply-add.
    Source: Keras 3.15, layers/preprocessing/rescaling.py, with TensorFlow behind it.
    Raises: ContractError where the tensor is not a uint8 or float32 image, or has another number of channels than there
        are numbers.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {"keras": Claim("keras", ">=3,<4", "layers.Rescaling")}

    scale: _Numbers = parameter("factor, or one per channel", 1 / 255)
    offset: _Numbers = parameter("what is added then, or one per channel", 0.0)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; the range is what becomes of its ends."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        for numbers in (self.scale, self.offset):
            if isinstance(numbers, tuple):
                refuse_unless(
                    x.dim("C") == len(numbers), "has another number of channels", expected=f"C = {len(numbers)}", got=x
                )
        known = (0.0, 255.0) if x.range is None and x.dtype == "uint8" else x.range
        if known is None:
            return (replace(x, dtype="float32", range=None),)
        scale, offset = (np.array(numbers, np.float32) for numbers in (self.scale, self.offset))
        ends = [np.float32(end) * scale + offset for end in known]
        return (replace(x, dtype="float32", range=(float(np.min(ends)), float(np.max(ends)))),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A product and a sum; adding nothing still turns -0 into 0, where there can be a -0."""
        (x,) = inputs
        if np.any(self.offset):
            return op.Add(self._scaled(op, x, 1), op.float32(column(self.offset, "float32")))
        if x.spec.dtype == "uint8" and np.all(np.array(self.scale) > 0):
            return self._scaled(op, x, 1)
        return op.Sub(op.float32(0), self._scaled(op, x, -1))  # ONNX Runtime would leave out an Add of 0

    def _scaled(self, op: Ops, x: Value, sign: int) -> Value:
        if not isinstance(self.scale, tuple):
            return product(op, x, sign * self.scale)
        wide = x if x.spec.dtype == "float32" else op.Cast(x, to="float32")
        return op.Mul(wide, op.float32(column(self.scale, "float32") * sign))

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own layer on HWC images."""
        from keras.layers import Rescaling

        layer = Rescaling(self.scale, self.offset)
        return each_image(inputs[0], "HWC", lambda image: np.asarray(layer(image[None])[0]))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes at the usual scales, numbers per channel, float pixels, one channel."""
        of_efficientnet = {"scale": [1 / 0.229**0.5, 1 / 0.224**0.5, 1 / 0.225**0.5]}
        each = {"scale": [-1.0, 0.3, 2.0], "offset": [0.5, -0.1, 7.7]}
        some: tuple[dict[str, Any], ...] = ({}, {"scale": 1 / 127.5, "offset": -1.0}, of_efficientnet, each)
        for parameters in some:
            yield Case(parameters, (next(images()),))
        for sample in list(images())[1:]:
            yield Case({"scale": 1 / 127.5, "offset": -1.0}, (sample,))
        others: tuple[dict[str, Any], ...] = (each, {}, {"offset": -0.5}, {"scale": -0.7})
        for sample, parameters in zip(images("float32"), others, strict=True):
            yield Case(parameters, (sample,))
        gray = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({"scale": 0.0078, "offset": 0.25}, (gray,))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Every third time the numbers of a case, else random ones: one for all channels, or one each."""
        case = super().draw(like, rng, largest)
        if rng.random() < 1 / 3:
            return case
        channels = int(case.inputs[0].spec.dim("C") or 0)
        scale, offset = (
            rng.uniform(-2, 2, channels).tolist() if rng.random() < 0.5 else float(rng.uniform(-2, 2)) for _ in range(2)
        )
        return Case({"scale": scale, "offset": offset}, case.inputs)
