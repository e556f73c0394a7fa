"""drop_alpha: forget how opaque the pixels are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class DropAlpha(Step):
    """``y[c] = x[c]`` for the first three channels: the alpha is dropped, nothing is blended with a background.

    What is transparent keeps the colour that happens to be stored there. `composite_alpha` lays the image over a colour,
    as transformers does with PIL images (white) and as programs do with Pillow's ``paste`` and ``alpha_composite``.

    Input: image, uint8 or float32, RGBA.
    Output: the same dtype and layout, RGB.
    Rounds: never.
    Source: Pillow 13, Image.convert("RGB") of an RGBA image; for float32, which Pillow has not, NumPy's ``x[..., :3]``.
    Raises: ContractError where the tensor is no image or is not RGBA.
    """

    operation: ClassVar[str] = "drop_alpha"
    claims: ClassVar = {"": Claim("Pillow", ">=12,<14", 'Image.convert("RGB")')}

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Three channels, RGB."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        refuse_unless(x.color == "RGBA", "has no alpha channel", expected="RGBA", got=x)
        refuse_unless(x.dim("C") in (4, None), "has another number of channels", expected="C = 4", got=x)
        return (replace(x.with_dims(C=3), color="RGB"),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Slice."""
        (x,) = inputs
        return op.Slice(x, op.int64([0]), op.int64([3]), op.int64([x.spec.axis("C")]))

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow on bytes."""
        (x,) = inputs
        if x.spec.dtype != "uint8":
            return each_image(x, "HWC", lambda image: image[..., :3])
        from PIL import Image

        return each_image(x, "HWC", lambda image: np.asarray(Image.fromarray(image).convert("RGB")))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Bytes and floats, both layouts."""
        yield Case({}, (Sample(TensorSpec("uint8", (2, 5, 4, 4), "NHWC", "RGBA", (0.0, 255.0)), seed=1),))
        yield Case({}, (Sample(TensorSpec("uint8", (4, 1, 1), "CHW", "RGBA", (0.0, 255.0)), seed=2),))
        yield Case({}, (Sample(TensorSpec("float32", (1, 4, 3, 2), "NCHW", "RGBA", (0.0, 1.0)), seed=3),))
