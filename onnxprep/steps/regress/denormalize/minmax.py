"""denormalize as scikit-learn's MinMaxScaler does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Value, parameter, wrong
from onnxprep.steps.regress.denormalize._targets import Targets, as_many, by_rows
from onnxprep.tensor import Array, Tensor


def _divides(scale: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
    for i, value in enumerate(scale):
        if value == 0:
            raise wrong("is 0", at=f"[{i}]", expected="a non-zero number: scale_ of the fitted scaler")
    return as_many(scale, info)


class DenormalizeMinMax(Targets):
    """``y = (x - min) / scale``: each operation in float64, its result rounded to float32; min and scale stay float64.

    Input: float32, any layout or none; with several numbers the targets lie on the last axis.
    Output: float32, same layout and shape.
    Rounds: to float64 and then to float32, after the subtraction and again after the division.
    Source: scikit-learn 1.9, preprocessing/_data.py MinMaxScaler.inverse_transform (min is its min_, not data_min_, and
        scale its scale_), which works in place on float32.
    Raises: ContractError where the tensor is not float32 or has another number of targets. NaN stays NaN.
    """

    operation: ClassVar[str] = "denormalize"
    claims: ClassVar = {
        "sklearn-minmax": Claim(
            "scikit-learn", ">=1.9,<2", "preprocessing.MinMaxScaler.inverse_transform",
            note="which refuses infinities and empty batches",
        )
    }  # fmt: skip

    min: tuple[float, ...] = parameter("min_ of the fitted scaler: one, or one per target", min_length=1)
    scale: Annotated[tuple[float, ...], AfterValidator(_divides)] = parameter(
        "scale_ of the fitted scaler; never 0", min_length=1
    )

    def numbers(self) -> tuple[Array, Array]:
        """min_ and scale_, float64."""
        return np.array(self.min), np.array(self.scale)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Sub and Div, each between two Casts."""
        low, scale = (op.float64(n if len(n) > 1 else n[0]) for n in self.numbers())
        moved = op.Cast(op.Sub(op.Cast(inputs[0], to="float64"), low), to="float32")
        return op.Cast(op.Div(op.Cast(moved, to="float64"), scale), to="float32")

    def oracle(self, *inputs: Tensor) -> Array:
        """The fitted scaler."""
        from sklearn.preprocessing import MinMaxScaler

        scaler = MinMaxScaler()
        scaler.min_, scaler.scale_ = np.array(self.min), np.array(self.scale)
        return by_rows(inputs[0].array, scaler.inverse_transform)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One target and three, and one pair of numbers for four targets."""
        for k, (low, scale) in enumerate((([-0.3], [0.013]), ([0.1, -40.0, 3.0], [0.3, 1e-4, -17.0]))):
            for sample in cls.samples(len(low), 10 * k):
                yield Case({"min": low, "scale": scale}, (sample,))
        yield Case({"min": [0.1], "scale": [0.7]}, (cls.samples(4, 90)[0],))

    @classmethod
    def random(cls, rng: np.random.Generator, targets: int) -> dict[str, list[float]]:
        """What fitting gives for data of any unit."""
        scale = 10 ** rng.uniform(-6, 4, targets)
        return {"min": (-rng.normal(0, 3, targets) * scale).tolist(), "scale": scale.tolist()}
