"""five_crop: the corners and the middle of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from onnxprep.step import Case, Claim, Ops, Value
from onnxprep.steps.image._corners import CornerCrops
from onnxprep.tensor import Array, Tensor


class FiveCrop(CornerCrops):
    """``y[5 n + k]`` is crop k of image n: top left, top right, bottom left, bottom right, middle.

    The middle begins at ``round((H - h) / 2)``, half to even, and likewise in W. The order is that of torchvision's
    crops stacked per image and flattened, ``crops.view(-1, C, h, w)``; CHW becomes NCHW and HWC NHWC with N = 5.

    Input: image, uint8 or float32, at least as large as the crop.
    Output: the same dtype and colour; five times N, H and W = size.
    Rounds: never.
    Source: torchvision 0.28, transforms/functional.py and transforms/v2/functional/_geometry.py five_crop.
    Raises: ContractError where the tensor is no image, or H or W is known to be too small. Where they are not known,
        running the graph fails in a Reshape of this step.
    """

    operation: ClassVar[str] = "five_crop"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.five_crop"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.five_crop"),
    }
    crops: ClassVar[int] = 5

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Five Slices."""
        (x,) = inputs
        return self._along_batch(op, x, self._five(op, x, lambda start, _: start))

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        if self.like == "torchvision-v1":
            from torchvision.transforms import functional
        else:
            from torchvision.transforms.v2 import functional
        return self._stacked(inputs[0], functional.five_crop)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Even and odd differences, the whole image, one pixel."""
        yield from cls._cases([{}])
