"""gaussian_blur like torchvision on bytes: one product per pixel of the kernel, in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image._drawn import random_image
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.gaussian_blur._torch_weights import weights_v1, weights_v2
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_NOTE = (
    "in float32, whose sums depend on the processor: with one kernel in 50 (v1), or on a GPU, a mean that lies half way "
    "between two bytes may go to the other one"
)
_Side = Annotated[int, Field(gt=0, le=31)]
_Sigma = Annotated[float, Field(ge=0.05, le=100)]


def _odd(size: Any) -> Any:
    for side in (size,) if isinstance(size, int) else size:
        if side % 2 == 0:
            raise wrong(f"is {side}", expected="an odd number")
    return size


class GaussianBlur(Step):
    """``y = round(sum k[i, j] * x[.. + i, .. + j])``, every product and sum fused in float32, row by row of the kernel.

    ``k`` is the outer product of two rows of weights ``exp(-d**2 / (2 * sigma**2))`` whose sum is 1, computed in
    float32 (v2: as a softmax). Without sigma it is ``0.15 * size + 0.35``. Beyond the edge the image is reflected
    around the last pixel, once: both sides must be larger than half the kernel.

    Input: image, uint8, 1, 3 or 4 channels.
    Output: the same.
    Rounds: once after each product and sum, then half to even.
    Source: torchvision 0.28, transforms/_functional_tensor.py and transforms/v2/functional/_misc.py gaussian_blur.
    Raises: ContractError where the tensor is no uint8 image, has another number of channels, or is too small; one of
        unknown size that is too small fails when it is run.
    """

    operation: ClassVar[str] = "gaussian_blur"
    claims: ClassVar = {
        "torchvision-v1": Claim(
            "torchvision", ">=0.20", "transforms.functional.gaussian_blur", absolute=1.0, note=_NOTE
        ),
        "torchvision-v2": Claim(
            "torchvision", ">=0.20", "transforms.v2.functional.gaussian_blur", absolute=1.0, note=_NOTE
        ),
    }
    inherits: ClassVar[bool] = False

    kernel_size: Annotated[_Side | tuple[_Side, _Side], AfterValidator(_odd)] = parameter(
        "side or [height, width], px, odd, at most 31; torchvision names the width first"
    )
    sigma: _Sigma | tuple[_Sigma, _Sigma] | None = parameter(
        "standard deviation or [vertical, horizontal], px, 0.05..100; left out: 0.15 * kernel_size + 0.35", None
    )

    @property
    def _sides(self) -> tuple[int, int]:
        return self.kernel_size if isinstance(self.kernel_size, tuple) else (self.kernel_size, self.kernel_size)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes: a mean stays in the range."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="blur before `rescale` or `to_dtype`")
        refuse_unless(x.dim("C") in (1, 3, 4), "has another number of channels", expected="C = 1, 3 or 4", got=x)
        for letter, side in zip("HW", self._sides, strict=True):
            length = x.dim(letter)
            large = not isinstance(length, int) or length > side // 2
            refuse_unless(large, "is too small to be reflected", expected=f"{letter} > {side // 2}", got=x)
        return (x,)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """One Conv over planes: with one channel ONNX Runtime adds in torch's order."""
        (x,), a, (height, width) = inputs, Arithmetic(op), self._sides
        rank, shape = len(x.spec.shape or ()), a.size(x, "NCHW" if x.spec.rank == 4 else "CHW")
        y = x
        for axis, letter, by in ((rank - 2, "H", height // 2), (rank - 1, "W", width // 2)):
            y = _reflected(op, y, a, axis, a.size(x, letter), by) if by else y
        planes = a.product(a.size(x, "NC" if rank == 4 else "C"))
        sides = a.Add(a.size(x, "HW"), lengths(height - 1, width - 1))
        y = op.Reshape(y, a.value(a.join(planes, lengths(1), sides)))
        y = op.Conv(op.Cast(y, to="float32"), op.float32(self._kernel()[None, None]))
        return op.Reshape(op.Cast(op.Round(y), to="uint8"), a.value(shape))

    def _kernel(self) -> Array:
        sigma = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        weights = weights_v1 if self.like == "torchvision-v1" else weights_v2
        rows, columns = (
            weights(side, side * 0.15 + 0.35 if s is None else s) for side, s in zip(self._sides, sigma, strict=True)
        )
        return np.asarray(rows[:, None] * columns)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on CHW tensors."""
        import torch

        if self.like == "torchvision-v1":
            from torchvision.transforms.functional import gaussian_blur
        else:
            from torchvision.transforms.v2.functional import gaussian_blur
        sigma = self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)
        given = None if self.sigma is None else [sigma[1], sigma[0]]

        def one(image: Array) -> Array:
            return np.asarray(gaussian_blur(torch.from_numpy(image), [*reversed(self._sides)], given).numpy())

        return each_image(inputs[0], "CHW", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Square kernels and others, sigma given and not, images as small as they may be."""
        rgb, gray = ("NHWC", (2, 9, 13, 3), "RGB"), ("CHW", (1, 20, 35), "GRAY")
        drawn: list[tuple[dict[str, Any], tuple[str, tuple[int, ...], str]]] = [
            ({"kernel_size": 5}, rgb), ({"kernel_size": 3, "sigma": 0.8}, gray),
            ({"kernel_size": [3, 7], "sigma": [0.5, 2.0]}, ("HWC", (6, 7, 4), "RGBA")), ({"kernel_size": 9}, gray),
            ({"kernel_size": [23, 1], "sigma": 4.0}, ("NCHW", (1, 3, 17, 33), "RGB")), ({"kernel_size": 1}, rgb),
            ({"kernel_size": 13, "sigma": 2.0}, ("HWC", (7, 8, 3), "BGR")),
        ]  # fmt: skip
        for i, (parameters, (layout, shape, color)) in enumerate(drawn):
            yield Case(parameters, (Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=i),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any kernel and sigma; few so large that the image is too small."""
        most = int(rng.choice([3, 5, 9, 15]))
        sides = [int(rng.integers(0, most + 1) // 2 * 2 + 1) for _ in range(2)]
        sigma = [float(rng.uniform(0.1, 4)) for _ in range(2)]
        given: Any = [None, sigma, sigma[0]][int(rng.integers(3))]
        square = rng.random() < 0.5
        return Case({"kernel_size": sides[0] if square else sides, "sigma": given}, (random_image(rng, largest),))


def _reflected(op: Ops, x: Value, a: Arithmetic, axis: int, length: Any, by: int) -> Value:
    """With ``by`` pixels before and after; fails where there are not so many, as torch does."""
    before, after = np.arange(by, 0, -1), a.Sub(a.Sub(length, lengths(2)), np.arange(by))
    parts = op.Gather(x, op.int64(before), axis=axis), op.Gather(x, a.value(after), axis=axis)
    joined: Value = op.Concat(parts[0], x, parts[1], axis=axis)
    return joined
