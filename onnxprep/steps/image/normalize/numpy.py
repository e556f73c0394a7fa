"""normalize in NumPy: float32, float64 and what becomes of mixing them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter
from onnxprep.steps.image._per_channel import CLIP, IMAGENET, PerChannel, Std, column
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class NormalizeNumPy(PerChannel):
    """``y[c] = (x[c] - mean[c]) / std[c]`` of a float32 array, in the precision that mean and std have.

    ``float32``: they are float32 arrays (rounded first), and so is all the rest. ``float64``: they are float64 arrays, as
    ``np.array([0.485, 0.456, 0.406])`` is; ``(x - mean) / std`` then is float64, and is rounded to float32 at the end.
    ``float64_in_place``: they are float64 arrays, but ``x -= mean`` and ``x /= std`` round to float32 each, as in
    PaddleDetection. With ImageNet's numbers 65, 59 and 23 % of the
    values differ between the first and the second, the first and the third, and the second and the third.

    Input: image, float32.
    Output: float32, same layout, shape and colour.
    Rounds: float32 and float64_in_place to float32 after each of the two; float64 once, at the end. Half to even.
    Source: NumPy 2.4's promotion of dtypes, the same since 1.26.
    Raises: ContractError where the tensor is not a float32 image or has another number of channels.
    """

    operation: ClassVar[str] = "normalize"
    claims: ClassVar = {"numpy": Claim("numpy", ">=1.26", "(x - mean) / std")}

    std: Std = parameter("per channel, same unit; never 0", min_length=1)
    precision: Literal["float32", "float64", "float64_in_place"] = parameter(
        "dtype of the arrays mean and std; float64_in_place where x -= mean and x /= std round in between",
        "float32",
        added=True,
    )

    @property
    def _dtype(self) -> str:
        return "float32" if self.precision == "float32" else "float64"

    def arithmetic(self, x: np.float32) -> Array:
        """What becomes of a value in every channel."""
        mean, std = np.array(self.mean, self._dtype), np.array(self.std, self._dtype)
        shifted = x - mean
        if self.precision == "float64_in_place":
            shifted = shifted.astype(np.float32)
        return (shifted / std).astype(np.float32)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Sub, Div, with a Cast before and after each that is done in float64."""
        (x,) = inputs
        mean, std = (op.constant(column(values, self._dtype), self._dtype) for values in (self.mean, self.std))
        if self.precision == "float32":
            return op.Div(op.Sub(x, mean), std)
        # a pass that changes nothing: ONNX Runtime would merge this Cast with one to float32 before it
        shifted = op.Sub(op.Cast(_held(op, x), to="float64"), mean)
        if self.precision == "float64_in_place":
            shifted = op.Cast(_held(op, op.Cast(shifted, to="float32")), to="float64")
        return op.Cast(op.Div(shifted, std), to="float32")

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy, as it is written by hand."""
        mean, std = np.array(self.mean, self._dtype), np.array(self.std, self._dtype)

        def one(image: Array) -> Array:
            if self.precision != "float64_in_place":
                return ((image - mean) / std).astype(np.float32)
            image = image.copy()
            image -= mean
            image /= std
            return image

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def random(cls, rng: np.random.Generator, channels: int) -> dict[str, Any]:
        """Any precision."""
        names = ("float32", "float64", "float64_in_place")
        return {**super().random(rng, channels), "precision": names[rng.integers(3)]}

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Each precision with ImageNet's and CLIP's constants on planar and interleaved images, and a single channel."""
        for precision in ("float32", "float64", "float64_in_place"):
            for layout, shape in (("NCHW", (2, 3, 5, 7)), ("HWC", (4, 3, 3))):
                image = Sample(TensorSpec("float32", shape, layout, "RGB", (0.0, 1.0)), seed=1)
                yield Case({**IMAGENET, "precision": precision}, (image,))
            image = Sample(TensorSpec("float32", (3, 26, 25), "CHW", "RGB", (0.0, 1.0)), seed=2)
            yield Case({**CLIP, "precision": precision}, (image,))
        gray = Sample(TensorSpec("float32", (1, 1, 28, 28), "NCHW", "GRAY"))
        yield Case({"mean": [0.1307], "std": [0.3081]}, (gray,))


def _held(op: Ops, x: Value) -> Value:
    return op.Reshape(x, op.Shape(x))
