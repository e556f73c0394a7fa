"""sigmoid: each score by itself to a probability."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Value
from onnxprep.steps.classify._probabilities import Probabilities
from onnxprep.tensor import Array, TensorSpec


class Sigmoid(Probabilities):
    """``y = 1 / (1 + exp(-x / t))``: several classes may be true at once, or there is only one.

    Two classes with one score: ``[sigmoid, {threshold: {value: 0.5}}, {labels: {names: [no, yes]}}]``. A threshold on the
    scores finds the same, ``sigmoid(x) > 0.5`` where ``x > 0`` and ``sigmoid(x) > p`` where ``x > log(p / (1 - p))``, but
    for scores so close to it that their probability is rounded to it: within 2e-7 of 0 it is 0.5.

    Input: float32, any layout or none.
    Output: float32, same layout and shape; 0..1.
    Rounds: in every operation; with ``precision: float64`` once more at the end.
    Source: torch 2.13, torch.sigmoid; for float64 the formula in NumPy.
    Raises: ContractError where the tensor is not float32. NaN gives NaN, infinities 0 and 1.
    """

    operation: ClassVar[str] = "sigmoid"
    claims: ClassVar = {
        "": Claim(
            "torch",
            ">=2.4",
            "sigmoid",
            absolute=1e-6,
            note="precision float64: NumPy in float64, within 1 ulp",
        )
    }
    formula: ClassVar[str] = "1 / (1 + exp(-x)) in float64"

    def applied(self, op: Ops, x: Value) -> Value:
        """Sigmoid; in float64 its parts, which are the formula's."""
        if x.spec.dtype == "float32":
            y: Value = op.Sigmoid(x)
            return y
        one = op.float64(1.0)
        whole: Value = op.Div(one, op.Add(one, op.Exp(op.Neg(x))))
        return whole

    def in_numpy(self, x: Array) -> Array:
        """The exp of a large number is infinity, and 1 over it 0."""
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-x)))

    def in_torch(self, x: Any) -> Any:
        """torch.sigmoid."""
        return x.sigmoid()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Moderate and large scores, an image of scores, one number, a temperature."""
        for precision in ("float32", "float64"):
            for spec in (
                TensorSpec("float32", (2, 1000), "NC", None, (-9.0, 9.0)),
                TensorSpec("float32", (2, 2, 7, 5), "NCHW", None, (-90.0, 90.0)),
                TensorSpec("float32", ()),
            ):
                yield Case({"precision": precision}, (Sample(spec, seed=1),))
            warm = Sample(TensorSpec("float32", (3, 20), "NC", None, (-9.0, 9.0)), 6)
            yield Case({"precision": precision, "temperature": 0.25}, (warm,))
