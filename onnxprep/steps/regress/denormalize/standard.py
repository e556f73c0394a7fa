"""denormalize with a mean and a standard deviation, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.image.planar import Float32
from onnxprep.steps.regress.denormalize._targets import Targets, as_many, by_rows
from onnxprep.tensor import Array, Tensor


class Denormalize(Targets):
    """``y = x * std + mean`` in float32, mean and std rounded to float32 first; one number, or one per target.

    Input: float32, any layout or none; with several numbers the targets lie on the last axis.
    Output: float32, same layout and shape.
    Rounds: after the multiplication and after the addition, half to even; they are not fused.
    Source: scikit-learn 1.9, preprocessing/_data.py StandardScaler.inverse_transform (mean is its mean_, std its scale_);
        older releases keep both in float64 and give other last bits; NumPy's multiply and add.
    Raises: ContractError where the tensor is not float32 or has another number of targets. NaN stays NaN.
    """

    operation: ClassVar[str] = "denormalize"
    claims: ClassVar = {
        "": Claim("numpy", ">=1.26", "x * std + mean"),
        "sklearn": Claim(
            "scikit-learn", ">=1.9,<2", "preprocessing.StandardScaler.inverse_transform",
            note="which refuses infinities and empty batches",
        ),
    }  # fmt: skip

    mean: tuple[Float32, ...] = parameter("of the targets, in their unit: one, or one per target", min_length=1)
    std: Annotated[tuple[Float32, ...], AfterValidator(as_many)] = parameter(
        "standard deviation of the targets, same unit", min_length=1
    )

    def numbers(self) -> tuple[Array, Array]:
        """Mean and std, float32."""
        return np.array(self.mean, np.float32), np.array(self.std, np.float32)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Mul, Add; a single number has no axis, so that targets without one keep none."""
        mean, std = (op.float32(n if len(n) > 1 else n[0]) for n in self.numbers())
        return op.Add(op.Mul(inputs[0], std), mean)

    def oracle(self, *inputs: Tensor) -> Array:
        """The fitted scaler, or NumPy."""
        x = inputs[0].array
        mean, std = np.array(self.mean), np.array(self.std)
        if self.like == "":
            return np.asarray(x * std.astype(np.float32) + mean.astype(np.float32), np.float32).reshape(x.shape)
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        scaler.mean_, scaler.scale_ = mean, std
        targets = x.shape[-1] if x.ndim else 1
        if len(mean) < targets:
            scaler.mean_, scaler.scale_ = np.repeat(mean, targets), np.repeat(std, targets)
        return by_rows(x, scaler.inverse_transform)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One target and three, a std of 0, and one pair of numbers for four targets."""
        for k, (mean, std) in enumerate(
            (([33.7], [12.25]), ([0.1, -40.0, 1e6], [0.3, 17.0, 3e5]), ([5.0, 2.0], [0, 0.7]))
        ):
            for sample in cls.samples(len(mean), 10 * k):
                yield Case({"mean": mean, "std": [float(n) for n in std]}, (sample,))
        yield Case({"mean": [0.1], "std": [0.7]}, (cls.samples(4, 90)[0],))

    @classmethod
    def random(cls, rng: np.random.Generator, targets: int) -> dict[str, list[float]]:
        """Any unit."""
        std = 10 ** rng.uniform(-4, 5, targets)
        return {"mean": (rng.normal(0, 3, targets) * std).tolist(), "std": std.tolist()}
