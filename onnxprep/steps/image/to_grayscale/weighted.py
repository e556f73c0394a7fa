"""to_grayscale of torchvision, on tensors: float32 weights, added one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._color import planes, refuse_unless_color, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.steps.image.to_grayscale.fixed_point import SHAPES
from onnxprep.tensor import Array, Tensor, TensorSpec

_RED, _GREEN, _BLUE = np.array([0.2989, 0.587, 0.114], np.float32)


class ToGrayscaleWeighted(Step):
    """``y = 0.2989 R + 0.587 G + 0.114 B`` in float32, from left to right; for uint8 the fraction is cut off.

    torchvision-v1 rounds every product and sum, torchvision-v2 each product together with the sum it goes into (fused
    multiply-add): 21 of the 16777216 colours differ. On PIL images both do what the families of Pillow do.

    Input: image, uint8 or float32, RGB.
    Output: the same dtype and layout; GRAY, or RGB of three equal channels.
    Rounds: torchvision-v1 five times, torchvision-v2 three times, half to even; uint8 then towards 0.
    Source: torchvision 0.28, transforms/_functional_tensor.py and transforms/v2/functional/_color.py rgb_to_grayscale.
    Raises: ContractError where the tensor is no image of these dtypes or is not RGB.
    """

    operation: ClassVar[str] = "to_grayscale"
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.rgb_to_grayscale"),
        "torchvision-v2": Claim(
            "torchvision",
            ">=0.20",
            "transforms.v2.functional.rgb_to_grayscale",
            note="float32: every byte / 255; of other numbers one in 10^8 may be rounded twice and be 1 ulp off",
        ),
    }
    inherits: ClassVar[bool] = False

    num_output_channels: Literal[1, 3] = parameter("1, or 3 for three equal channels", 1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """One or three channels; the weights sum up to 0.9999, so the range takes in 0."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        refuse_unless_color(x, "RGB")
        span = None if x.range is None else (min(x.range[0], 0.0), max(x.range[1], 0.0))
        color = "GRAY" if self.num_output_channels == 1 else "RGB"
        return (replace(x.with_dims(C=self.num_output_channels), color=color, range=span),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Plane by plane."""
        (x,) = inputs
        whole = x.spec.dtype == "uint8"
        red, green, blue = (op.Cast(plane, to="float32") if whole else plane for plane in planes(op, x, 3))
        y = op.Mul(red, op.float32(_RED))
        if self.like == "torchvision-v1":
            y = op.Add(y, op.Mul(green, op.float32(_GREEN)))
            y = op.Add(y, op.Mul(blue, op.float32(_BLUE)))
        else:
            y = _fused(op, blue, _BLUE, _fused(op, green, _GREEN, y))
        if whole:
            # the Clip keeps ONNX Runtime from merging the Cast to float32 with this one
            y = op.Cast(op.Clip(y, op.float32(0), op.float32(255)), to="uint8")
        return y if self.num_output_channels == 1 else together(op, [y, y, y], x)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on CHW tensors."""
        import torch

        if self.like == "torchvision-v1":
            from torchvision.transforms import functional
        else:
            from torchvision.transforms.v2 import functional

        def one(image: Array) -> Any:
            return functional.rgb_to_grayscale(torch.from_numpy(image), self.num_output_channels).numpy()

        return each_image(inputs[0], "CHW", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Bytes and floats, one and three channels out, all layouts, one pixel."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            for dtype, high in (("uint8", 255.0), ("float32", 1.0)):
                image = TensorSpec(dtype, shape, layout, "RGB", (0.0, high))
                yield Case({"num_output_channels": 1 + 2 * (i % 2)}, (Sample(image, seed=i),))
        yield Case({}, (Sample(TensorSpec("float32", (3, 5, 6), "CHW", "RGB"), seed=8),))


def _fused(op: Ops, x: Value, factor: float, y: Value) -> Value:
    """``x * factor + y``, rounded once: the product is exact in float64."""
    product = op.Mul(op.Cast(x, to="float64"), op.float64(float(factor)))
    return op.Cast(op.Add(op.Cast(y, to="float64"), product), to="float32")
