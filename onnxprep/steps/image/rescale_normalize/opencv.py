"""rescale_normalize of OpenCV: cv2.dnn.blobFromImage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Sample, parameter
from onnxprep.steps.image._per_channel import PerChannel, images
from onnxprep.steps.image.planar import Float32, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_FUNCTION = "dnn.blobFromImage"


class RescaleNormalizeOpenCV(PerChannel):
    """``y[c] = (x[c] - mean[c]) * scale`` in float32.

    blobFromImage without a size, a crop or swapRB: `resize`, `crop` and `convert_color` before this step are those
    (with swapRB OpenCV takes ``mean`` in the swapped order, too), `to_layout` behind it is its NCHW.

    Input: image, uint8 or float32, 1 to 4 channels.
    Output: float32, same layout, shape and colour.
    Rounds: mean and scale to float32, the subtraction and the product; half to even.
    Source: OpenCV 5.0 and 4.14, modules/dnn/src/dnn_utils.cpp blobFromImages.
    Raises: ContractError where the tensor is not a uint8 or float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "rescale_normalize"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", _FUNCTION),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", _FUNCTION),
    }
    dtypes: ClassVar = ("uint8", "float32")
    multiplies: ClassVar = True

    mean: tuple[Float32, ...] = parameter(
        "per channel, in the unit and the order of the input", min_length=1, max_length=4
    )
    scale: Float32 = parameter("factor behind the subtraction; scalefactor", 1.0)

    def numbers(self) -> tuple[Array, Array]:
        """Mean and scale."""
        return np.array(self.mean, np.float32), np.array([self.scale], np.float32)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on HWC images."""
        import cv2

        def one(image: Array) -> Array:
            blob = cv2.dnn.blobFromImage(image, self.scale, (0, 0), self.mean, swapRB=False, crop=False)
            return blob[0].transpose(1, 2, 0)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def random(cls, rng: np.random.Generator, channels: int) -> dict[str, Any]:
        """Means of pixels, factors of both signs."""
        return {"mean": rng.uniform(0, 255, channels).tolist(), "scale": float(rng.uniform(-0.1, 0.1))}

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All bytes with the constants of published models, float pixels, one and four channels."""
        caffe: dict[str, Any] = {"mean": [104.0, 117.0, 123.0]}
        yolo: dict[str, Any] = {"mean": [0.0, 0.0, 0.0], "scale": 1 / 255}
        mobilenet = {"mean": [127.5, 127.5, 127.5], "scale": 1 / 127.5}
        imagenet = {"mean": [123.675, 116.28, 103.53], "scale": 0.017}
        for sample, parameters in zip(images(), (imagenet, yolo, caffe, mobilenet), strict=True):
            yield Case(parameters, (sample,))
        for sample in list(images("float32"))[:2]:
            yield Case(imagenet, (sample,))
        gray = Sample(TensorSpec("uint8", (1, 32, 64, 1), "NHWC", "GRAY", (0.0, 255.0)), seed=1)
        yield Case({"mean": [33.3], "scale": 0.0078}, (gray,))
        rgba = Sample(TensorSpec("uint8", (4, 5, 4), "HWC", "RGBA", (0.0, 255.0)), seed=2)
        yield Case({"mean": [1.5, 99.9, -20.0, 255.0], "scale": -0.37}, (rgba,))
