"""rescale by a factor that the user chooses: what the two backends of transformers do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image.planar import Float32, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleScaled(Step):
    """``y = x * scale``: transformers-pil in float64, cast to float32; transformers-torchvision in float32.

    Only for a processor that rescales without normalising, or, with transformers-pil, before ``normalize``: the
    torchvision backend fuses the two into other numbers.

    Input: image, uint8 or float32.
    Output: float32, same layout, shape and colour.
    Rounds: transformers-pil once, at the cast; transformers-torchvision the scale and the product. Half to even.
    Source: transformers 5.23, image_transforms.py rescale; image_processing_backends.py TorchvisionBackend.rescale.
    Raises: ContractError where the tensor is not a uint8 or float32 image.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {
        "transformers-pil": Claim("transformers", ">=5,<6", "image_transforms.rescale"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.rescale"),
    }

    scale: Float32 = parameter("factor; the libraries' rescale_factor", 1 / 255)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; the range is scaled, in the arithmetic of the step."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype` before it")
        known = (0.0, 255.0) if x.range is None and x.dtype == "uint8" else x.range
        if known is None:
            return (replace(x, dtype="float32", range=None),)
        factor = self._factor()
        ends = sorted(float(np.float32(factor.dtype.type(end) * factor)) for end in known)
        return (replace(x, dtype="float32", range=(ends[0], ends[1])),)

    def _factor(self) -> np.float32 | np.float64:
        return np.float64(self.scale) if self.like == "transformers-pil" else np.float32(self.scale)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Cast, Mul and, from float64, Cast."""
        (x,) = inputs
        dtype = self._factor().dtype.name
        wide = x if x.spec.dtype == dtype else op.Cast(x, to=dtype)
        product = op.Mul(wide, op.constant(self.scale, dtype))
        return op.Cast(product, to="float32") if dtype == "float64" else product

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        (x,) = inputs
        if self.like == "transformers-pil":
            from transformers.image_transforms import rescale

            return rescale(x.array, self.scale)
        import torch
        from transformers.image_processing_backends import TorchvisionBackend

        return TorchvisionBackend.rescale(None, torch.from_numpy(x.array), self.scale).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every byte at 1/255 and at Chameleon's factor; a float image; a factor below 0."""
        image = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({}, (image,))
        yield Case({"scale": 0.0078}, (image,))
        yield Case({"scale": 1 / 127.5}, (Sample(TensorSpec("float32", (2, 3, 5, 7), "NCHW", "RGB", (0.0, 255.0)), 2),))
        yield Case({"scale": -0.7}, (Sample(TensorSpec("float32", (4, 5, 3), "HWC", "BGR"), seed=3),))
