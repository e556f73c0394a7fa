"""rescale by a factor that the user chooses: what the two backends of transformers do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._bytes import product
from onnxprep.steps.image.planar import Float32, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class RescaleScaled(Step):
    """``y = x * scale``: transformers-pil in float64, cast to float32; transformers-torchvision in float32.

    With ``offset`` 1 is then subtracted, in float32: the ``rescale_offset`` of EfficientNet's processor. Only for a
    processor that rescales without normalising, or, with transformers-pil, before ``normalize``: the torchvision
    backend fuses the two into other numbers (unless there is an offset), see ``rescale_normalize``.

    Input: image, uint8 or float32.
    Output: float32, same layout, shape and colour.
    Rounds: transformers-pil once, at the cast; transformers-torchvision the scale and the product; the subtraction.
        Half to even.
    Source: transformers 5.23, image_transforms.py rescale; image_processing_backends.py TorchvisionBackend.rescale;
        models/efficientnet, image_processing_efficientnet.py and image_processing_pil_efficientnet.py rescale.
    Raises: ContractError where the tensor is not a uint8 or float32 image.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {
        "transformers-pil": Claim("transformers", ">=5,<6", "image_transforms.rescale"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.rescale"),
    }

    scale: Float32 = parameter("factor; the libraries' rescale_factor", 1 / 255)
    offset: bool = parameter("whether 1 is subtracted; EfficientNet's rescale_offset", False, added=True)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; the range is scaled, in the arithmetic of the step."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        known = (0.0, 255.0) if x.range is None and x.dtype == "uint8" else x.range
        if known is None:
            return (replace(x, dtype="float32", range=None),)
        factor = self._factor()
        scaled = [np.float32(factor.dtype.type(end) * factor) for end in known]
        ends = sorted(float(end - np.float32(self.offset)) for end in scaled)
        return (replace(x, dtype="float32", range=(ends[0], ends[1])),)

    def _factor(self) -> np.float32 | np.float64:
        return np.float64(self.scale) if self.like == "transformers-pil" else np.float32(self.scale)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A product; one in float64 as a division in float32 where that gives every byte the same, as it does at 1/255."""
        (x,) = inputs
        if self.like != "transformers-pil":
            scaled = product(op, x, self.scale)
        elif x.spec.dtype == "uint8" and self._divides():
            scaled = op.Div(op.Cast(x, to="float32"), op.float32(1 / self.scale))
        else:
            scaled = op.Cast(op.Mul(op.Cast(x, to="float64"), op.float64(self.scale)), to="float32")
        return op.Sub(scaled, op.float32(1)) if self.offset else scaled

    def _divides(self) -> bool:
        """Whether ``x / fl32(1 / scale)`` in float32 is right for all 256 bytes."""
        if abs(self.scale) < 1e-30:
            return False
        exact = (np.arange(256) * np.float64(self.scale)).astype(np.float32)
        return bool((np.arange(256, dtype=np.float32) / np.float32(1 / self.scale) == exact).all())

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        (x,) = inputs
        if self.like == "transformers-pil":
            if self.offset:
                from transformers.models.efficientnet.image_processing_pil_efficientnet import (
                    EfficientNetImageProcessorPil,
                )

                return EfficientNetImageProcessorPil().rescale(x.array, self.scale, offset=True)
            from transformers.image_transforms import rescale

            return rescale(x.array, self.scale)
        import torch

        if self.offset:
            from transformers.models.efficientnet.image_processing_efficientnet import EfficientNetImageProcessor

            return EfficientNetImageProcessor().rescale(torch.from_numpy(x.array), self.scale, offset=True).numpy()
        from transformers.image_processing_backends import TorchvisionBackend

        return TorchvisionBackend.rescale(None, torch.from_numpy(x.array), self.scale).numpy()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every byte at 1/255, at Chameleon's factor and with EfficientNet's offset; a float image; a factor below 0."""
        image = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({}, (image,))
        yield Case({"scale": 0.0078}, (image,))
        yield Case({"scale": 1 / 127.5, "offset": True}, (image,))
        yield Case({"scale": 1 / 127.5}, (Sample(TensorSpec("float32", (2, 3, 5, 7), "NCHW", "RGB", (0.0, 255.0)), 2),))
        yield Case({"scale": -0.7}, (Sample(TensorSpec("float32", (4, 5, 3), "HWC", "BGR"), seed=3),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Every third time the factor of a case, else a random one."""
        case = super().draw(like, rng, largest)
        if rng.random() < 1 / 3:
            return case
        return Case({"scale": float(rng.uniform(-0.1, 0.1)), "offset": bool(rng.integers(2))}, case.inputs)
