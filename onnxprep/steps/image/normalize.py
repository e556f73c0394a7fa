"""normalize: subtract a mean and divide by a standard deviation, per channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless, wrong
from onnxprep.tensor import Array, Tensor, TensorSpec, from_layout


def _no_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    for i, value in enumerate(values):
        if value == 0:
            raise wrong(
                "is 0", at=f"[{i}]", expected="a non-zero number", hint="ImageNet's std is [0.229, 0.224, 0.225]"
            )
    return values


class Normalize(Step):
    """``y[c] = (x[c] - mean[c]) / std[c]`` in float32, mean and std rounded to float32 first.

    Input: float32, any layout with an axis C.
    Output: float32, same layout and shape.
    Rounds: twice, after the subtraction and after the division, half to even.
    Source: torchvision 0.28, transforms/_functional_tensor.py normalize; transforms/v2/functional/_misc.py normalize.
    Raises: ContractError where the tensor is not float32 or has another number of channels.
    """

    operation: ClassVar[str] = "normalize"
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.normalize"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.normalize"),
        "numpy": Claim("numpy", ">=1.26", "(x - mean) / std in float32"),
    }

    mean: tuple[float, ...] = parameter("per channel, in the unit of the input (0..1 after rescale)", min_length=1)
    std: Annotated[tuple[float, ...], AfterValidator(_no_zero)] = parameter(
        "per channel, same unit; never 0", min_length=1
    )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Keeps dtype, layout, shape and colour; the range is what becomes of its ends."""
        (x,) = inputs
        hint = "put `rescale` before it" if x.dtype == "uint8" else "put `to_dtype` before it"
        refuse_unless(x.dtype == "float32", "needs float32", expected="float32", got=x, hint=hint)
        named = x.layout is not None and "C" in x.layout and x.rank == len(x.layout)
        refuse_unless(named, "needs an axis C", expected="a layout with C, such as NCHW", got=x)
        refuse_unless(
            len(self.mean) == len(self.std),
            "has not as many std as mean",
            expected=f"{len(self.mean)} std",
            got=x,
            hint="one mean and one std per channel",
        )
        refuse_unless(
            x.dim("C") in (None, len(self.mean)) or isinstance(x.dim("C"), str),
            "has another number of channels",
            expected=f"C = {len(self.mean)}, one per mean and std",
            got=x,
        )
        return (replace(x, range=self._range(x.range)),)

    def _range(self, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given is None:
            return None
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        ends = [(np.float32(end) - mean) / std for end in given]
        return float(np.min(ends)), float(np.max(ends))

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Sub, Div: never a multiplication by 1/std, which differs in 31 % of the values."""
        (x,) = inputs
        mean, std = (op.float32(self._column(values, x.spec)) for values in (self.mean, self.std))
        return op.Div(op.Sub(x, mean), std)  # type: ignore[no-any-return]

    def _column(self, values: tuple[float, ...], spec: TensorSpec) -> Array:
        after = len(str(spec.layout)) - spec.axis("C") - 1
        return np.array(values, np.float32).reshape(-1, *[1] * after)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on CHW images."""
        (x,) = inputs
        layout = str(x.spec.layout)
        planar = layout.replace("C", "").replace("HW", "CHW")
        image = x.in_layout(planar)
        if self.like == "numpy":
            last = layout.replace("C", "") + "C"
            mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
            return from_layout((x.in_layout(last) - mean) / std, last, layout)
        import torch

        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import normalize
        else:
            from torchvision.transforms.v2.functional import normalize
        result = normalize(torch.from_numpy(image), list(self.mean), list(self.std)).numpy()
        return from_layout(result, planar, layout)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """ImageNet's constants on planar and interleaved images, and a single channel."""
        imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        for layout, shape in (("NCHW", (2, 3, 5, 7)), ("HWC", (4, 3, 3))):
            yield Case(imagenet, (Sample(TensorSpec("float32", shape, layout, "RGB", (0.0, 1.0)), seed=1),))
        yield Case(
            {"mean": [0.1307], "std": [0.3081]}, (Sample(TensorSpec("float32", (1, 1, 28, 28), "NCHW", "GRAY")),)
        )
