"""rescale_normalize of Keras: preprocess_input of keras.applications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.image._per_channel import column, images
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torch
_MEAN_BGR = (103.939, 116.779, 123.68)  # caffe


class RescaleNormalizeKeras(Step):
    """tf: ``y = x / 127.5 - 1``. torch: ``y[c] = (x[c] / 255 - mean[c]) / std[c]``. caffe: ``y[c] = x[2 - c] - mean[c]``.

    All in float32, with Keras' own numbers. caffe turns RGB into BGR. Which architecture takes which: caffe for
    resnet (v1) and vgg; tf for inception, inception_resnet, mobilenet (v1, v2), nasnet, resnet_v2 and xception; torch for
    densenet. The others (efficientnet, convnext, mobilenet_v3) have it inside the model.

    Input: image, uint8 or float32 (0..255); RGB for torch and caffe, of any colour for tf.
    Output: float32, same layout and shape; the same colour, for caffe BGR.
    Rounds: after every operation, half to even.
    Source: Keras 3.15, applications/imagenet_utils.py preprocess_input; of NumPy arrays and of TensorFlow tensors.
    Raises: ContractError where the tensor is not a uint8 or float32 image, or torch or caffe is to work on anything but RGB.
    """

    operation: ClassVar[str] = "rescale_normalize"
    claims: ClassVar = {
        "keras": Claim(
            "keras", ">=3,<4", "applications.imagenet_utils.preprocess_input",
            note="of NumPy arrays and TensorFlow tensors; XLA, which JAX uses, divides by multiplying",
        )
    }  # fmt: skip

    mode: Literal["caffe", "tf", "torch"] = parameter("the library's mode; the architecture decides")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """float32; caffe gives BGR; the range is what becomes of its ends."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", "float32", hint="put `to_dtype: {dtype: float32}` before it")
        if self.mode != "tf":
            hint = "`convert_color` to RGB before it" if x.color == "BGR" else "declare the colour of the input"
            refuse_unless(x.color == "RGB", f"{self.mode} works on RGB", expected="color RGB", got=x, hint=hint)
        known = (0.0, 255.0) if x.range is None and x.dtype == "uint8" else x.range
        color = "BGR" if self.mode == "caffe" else x.color
        if known is None:
            return (replace(x, dtype="float32", color=color, range=None),)
        ends = [self._arithmetic(np.float32(end)) for end in known]
        return (replace(x, dtype="float32", color=color, range=(float(np.min(ends)), float(np.max(ends)))),)

    def _arithmetic(self, x: np.float32) -> Array:
        if self.mode == "tf":
            return np.asarray(x / np.float32(127.5) - np.float32(1))
        if self.mode == "torch":
            return (x / np.float32(255) - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)
        return x - np.array(_MEAN_BGR, np.float32)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The channels change places while they are bytes."""
        (x,) = inputs
        if self.mode == "caffe":
            x = op.Gather(x, op.int64([2, 1, 0]), axis=x.spec.axis("C"))
            return op.Sub(_wide(op, x), op.float32(column(_MEAN_BGR, "float32")))
        if self.mode == "tf":
            return op.Sub(op.Div(_wide(op, x), op.float32(127.5)), op.float32(1))
        scaled = op.Div(_wide(op, x), op.float32(255))
        mean, std = (op.float32(column(values, "float32")) for values in (_MEAN, _STD))
        return op.Div(op.Sub(scaled, mean), std)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on HWC images; it changes the array it is given."""
        from keras.applications.imagenet_utils import preprocess_input

        def one(image: Array) -> Array:
            return preprocess_input(image.copy(), data_format="channels_last", mode=self.mode)

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every mode on all bytes and on float pixels, planar and interleaved; gray and RGBA for tf."""
        for mode in ("caffe", "tf", "torch"):
            for sample in (*images(), *images("float32")):
                if mode == "tf" or sample.spec.color == "RGB":
                    yield Case({"mode": mode}, (sample,))
        for layout, shape, color in (("NHWC", (1, 32, 64, 1), "GRAY"), ("HWC", (4, 5, 4), "RGBA")):
            yield Case({"mode": "tf"}, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=1),))


def _wide(op: Ops, x: Value) -> Value:
    return x if x.spec.dtype == "float32" else op.Cast(x, to="float32")
