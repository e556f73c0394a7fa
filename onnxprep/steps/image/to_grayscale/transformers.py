"""to_grayscale of transformers (SuperPoint): three equal channels, unless they were equal before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value
from onnxprep.steps.image._color import planes, refuse_unless_color, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.steps.image.to_grayscale.fixed_point import SHAPES
from onnxprep.tensor import Array, Tensor, TensorSpec

_WEIGHTS = np.array([0.2989, 0.587, 0.114], np.float32)


class ToGrayscaleTransformers(Step):
    """``y[c] = 0.2989 R + 0.587 G + 0.114 B`` in float32, from left to right, for all three c.

    An image whose three channels are equal in every pixel stays as it is: it is not darkened by the weights, which sum
    up to 0.9999. The torchvision backend converts bytes before `rescale`, as the family torchvision-v2 does.

    Input: image, float32, RGB.
    Output: float32, same layout, RGB of three equal channels.
    Rounds: five times, half to even; not at all for an image of equal channels.
    Source: transformers 5.23, models/superpoint/image_processing_pil_superpoint.py convert_to_grayscale.
    Raises: ContractError where the tensor is no float32 image or is not RGB.
    """

    operation: ClassVar[str] = "to_grayscale"
    claims: ClassVar = {
        "transformers-pil": Claim(
            "transformers", ">=5,<6", "models.superpoint.image_processing_pil_superpoint.convert_to_grayscale"
        ),
    }
    inherits: ClassVar[bool] = False

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The weights sum up to 0.9999, so the range takes in 0."""
        (x,) = inputs
        refuse_unless_image(x, "float32", hint="put `rescale` before it")
        refuse_unless_color(x, "RGB")
        span = None if x.range is None else (min(x.range[0], 0.0), max(x.range[1], 0.0))
        return (replace(x.with_dims(C=3), range=span),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Plane by plane; the smallest of all comparisons says whether an image has equal channels."""
        (x,) = inputs
        red, green, blue = planes(op, x, 3)
        weighted = [op.Mul(plane, op.float32(w)) for plane, w in zip((red, green, blue), _WEIGHTS, strict=True)]
        gray = op.Add(op.Add(weighted[0], weighted[1]), weighted[2])
        equal = op.Cast(op.And(op.Equal(red, green), op.Equal(green, blue)), to="int32")
        axis = x.spec.axis("C")
        unchanged = op.Cast(op.ReduceMin(equal, axes=[axis, axis + 1, axis + 2], keepdims=1), to="bool")
        y = op.Where(unchanged, red, gray)
        return together(op, [y, y, y], x)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on CHW images."""
        from transformers.models.superpoint.image_processing_pil_superpoint import convert_to_grayscale

        return each_image(inputs[0], "CHW", convert_to_grayscale)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts; one pixel; images of equal channels."""
        for i, (layout, shape) in enumerate(SHAPES.items()):
            for span in ((0.0, 1.0), (0.7, 0.7)):
                yield Case({}, (Sample(TensorSpec("float32", shape, layout, "RGB", span), seed=i),))
