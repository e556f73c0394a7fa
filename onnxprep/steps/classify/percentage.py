"""percentage: probabilities as people read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.steps.classify._drawn import MODERATE, random_scores
from onnxprep.tensor import Array, Tensor, TensorSpec

_DTYPES = ("float32", "float64")


class Percentage(Step):
    """``y = 100 * round(p, decimals + 2)``, as ``100 * p.round(3)`` is for one decimal; each operation rounded.

    Input: float32 or float64, any layout or none.
    Output: the same dtype, layout and shape.
    Rounds: ``p * 10**n``, half to even to a whole number, ``/ 10**n``, ``* 100``: each to the dtype.
    Source: NumPy's round; torch.round(decimals=) and Python's round on float64 give the same.
    Raises: ContractError where the tensor has another dtype. NaN stays NaN.
    """

    operation: ClassVar[str] = "percentage"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "100 * p.round(decimals + 2)")}

    decimals: Annotated[int, Field(ge=0, le=4)] = parameter("digits behind the point", 1)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """A hundred times the range."""
        (x,) = inputs
        refuse_unless(x.dtype in _DTYPES, f"does not work on {x.dtype}", expected=" or ".join(_DTYPES), got=x)
        span = None
        if x.range is not None:
            low, high = (float(self._rounded(np.array(end, x.dtype))) for end in x.range)
            span = (low, high)
        return (replace(x, color=None, range=span),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Mul, Round, Div, Mul."""
        (x,) = inputs
        scale = op.constant(10.0 ** (self.decimals + 2), x.spec.dtype)
        return op.Mul(op.Div(op.Round(op.Mul(x, scale)), scale), op.constant(100.0, x.spec.dtype))

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's round."""
        return self._rounded(inputs[0].array)

    def _rounded(self, x: Array) -> Any:
        return x.dtype.type(100) * np.round(x, self.decimals + 2)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Probabilities of both dtypes, every number of digits."""
        for decimals in range(5):
            for dtype in ("float32", "float64"):
                yield Case(
                    {"decimals": decimals}, (Sample(TensorSpec(dtype, (3, 999), "NC", None, (0.0, 1.0)), decimals),)
                )

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Numbers of any shape, probabilities and others."""
        sample, _ = random_scores(rng, largest, MODERATE, _DTYPES)
        return Case({"decimals": int(rng.integers(0, 5))}, (sample,))
