"""denormalize of Keras: the layer Normalization with invert=True."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.image.planar import Float32
from onnxprep.steps.regress.denormalize._targets import Targets, as_many, by_rows
from onnxprep.tensor import Array, Tensor


class DenormalizeKeras(Targets):
    """``y = mean + x * max(sqrt(variance), 1e-7)`` in float32, mean and variance rounded to it first.

    Input: float32, any layout or none; with several numbers the targets lie on the last axis.
    Output: float32, same layout and shape.
    Rounds: after every operation, half to even.
    Source: Keras 3.15, layers/preprocessing/normalization.py, invert=True, with TensorFlow behind it.
    Raises: ContractError where the tensor is not float32 or has another number of targets. NaN stays NaN.
    """

    operation: ClassVar[str] = "denormalize"
    claims: ClassVar = {
        "keras": Claim("keras", ">=3,<4", "layers.Normalization(invert=True)", note="with TensorFlow behind it")
    }

    mean: tuple[Float32, ...] = parameter("of the targets, in their unit: one, or one per target", min_length=1)
    variance: Annotated[tuple[Annotated[Float32, Field(ge=0)], ...], AfterValidator(as_many)] = parameter(
        "of the targets: the square of a standard deviation", min_length=1
    )

    def numbers(self) -> tuple[Array, Array]:
        """Mean and the factor; a square root is correctly rounded everywhere."""
        factor = np.maximum(np.sqrt(np.array(self.variance, np.float32)), np.float32(1e-7))
        return np.array(self.mean, np.float32), factor

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Mul, Add."""
        mean, factor = (op.float32(n if len(n) > 1 else n[0]) for n in self.numbers())
        return op.Add(mean, op.Mul(inputs[0], factor))

    def oracle(self, *inputs: Tensor) -> Array:
        """The layer itself."""
        from keras.layers import Normalization

        layer = Normalization(
            axis=-1 if len(self.mean) > 1 else None,
            mean=self.mean if len(self.mean) > 1 else self.mean[0],
            variance=self.variance if len(self.mean) > 1 else self.variance[0],
            invert=True,
        )
        return by_rows(inputs[0].array, lambda rows: np.asarray(layer(rows)))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One target and three, a variance of 0, and one pair of numbers for four targets."""
        for k, (mean, variance) in enumerate((([33.7], [12.25]), ([0.1, -40.0, 1e6], [0.3, 17.0, 0.0]))):
            for sample in cls.samples(len(mean), 10 * k):
                yield Case({"mean": mean, "variance": variance}, (sample,))
        yield Case({"mean": [0.1], "variance": [0.7]}, (cls.samples(4, 90)[0],))

    @classmethod
    def random(cls, rng: np.random.Generator, targets: int) -> dict[str, list[float]]:
        """Any unit."""
        std = 10 ** rng.uniform(-4, 5, targets)
        return {"mean": (rng.normal(0, 3, targets) * std).tolist(), "variance": (std * std).tolist()}
