"""rescale of OpenCV: cv2.dnn.blobFromImage without a mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image._bytes import product
from onnxprep.steps.image._per_channel import images
from onnxprep.steps.image.planar import Float32, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_FUNCTION = "dnn.blobFromImage"


class RescaleOpenCV(Step):
    """``y = x * scale`` in float32: blobFromImage without a mean, which `rescale_normalize` has.

    Input: image, uint8 or float32, 1 to 4 channels.
    Output: float32, same layout, shape and colour.
    Rounds: the scale and the product, half to even.
    Source: OpenCV 5.0 and 4.14, modules/dnn/src/dnn_utils.cpp blobFromImages.
    Raises: ContractError where the tensor is not a uint8 or float32 image or has more than 4 channels.
    """

    operation: ClassVar[str] = "rescale"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", _FUNCTION),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", _FUNCTION),
    }

    scale: Float32 = parameter("factor; scalefactor", 1 / 255)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; the range is scaled."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        refuse_unless(x.dim("C") in (1, 2, 3, 4, None), "has too many channels", expected="C = 1 to 4", got=x)
        known = (0.0, 255.0) if x.range is None and x.dtype == "uint8" else x.range
        if known is None:
            return (replace(x, dtype="float32", range=None),)
        ends = sorted(float(np.float32(end) * np.float32(self.scale)) for end in known)
        return (replace(x, dtype="float32", range=(ends[0], ends[1])),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """One product."""
        return product(op, inputs[0], self.scale)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on HWC images."""
        import cv2

        def one(image: Array) -> Array:
            blob = cv2.dnn.blobFromImage(image, self.scale, (0, 0), swapRB=False, crop=False)
            return blob[0].transpose(1, 2, 0)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes at the usual scales, float pixels, one and four channels."""
        for sample, scale in zip(images(), (1 / 255, 0.017, 1 / 127.5, -0.3), strict=True):
            yield Case({"scale": scale}, (sample,))
        for sample in list(images("float32"))[:2]:
            yield Case({}, (sample,))
        for layout, shape, color in (("NHWC", (1, 32, 64, 1), "GRAY"), ("HWC", (4, 5, 4), "RGBA")):
            yield Case({"scale": 0.0078}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=1),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Every third time the factor of a case, else a random one."""
        case = super().draw(like, rng, largest)
        return case if rng.random() < 1 / 3 else Case({"scale": float(rng.uniform(-0.1, 0.1))}, case.inputs)
