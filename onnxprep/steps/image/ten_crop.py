"""ten_crop: the corners and the middle of an image and of its mirror image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, Value, parameter
from onnxprep.steps.image._corners import CornerCrops
from onnxprep.steps.image._mirror import backwards, columns, rows
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.tensor import Array, Tensor


class TenCrop(CornerCrops):
    """``y[10 n + k]`` is crop k of image n: the five of `five_crop`, then the same five of the mirror image.

    The mirror image is flipped left to right, with ``vertical_flip`` upside down. The order is that of torchvision's
    crops stacked per image and flattened, ``crops.view(-1, C, h, w)``; CHW becomes NCHW and HWC NHWC with N = 10.

    Input: image, uint8 or float32, at least as large as the crop.
    Output: the same dtype and colour; ten times N, H and W = size.
    Rounds: never.
    Source: torchvision 0.28, transforms/functional.py and transforms/v2/functional/_geometry.py ten_crop.
    Raises: ContractError where the tensor is no image, or H or W is known to be too small. Where they are not known,
        running the graph fails in a Reshape of this step.
    """

    operation: ClassVar[str] = "ten_crop"
    geometric: ClassVar[bool] = True
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.ten_crop"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.ten_crop"),
    }
    crops: ClassVar[int] = 10

    vertical_flip: bool = parameter("whether the mirror image is upside down instead of left to right", False)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Ten Slices; only what they keep is mirrored."""
        (x,) = inputs
        a, axis = Arithmetic(op), 0 if self.vertical_flip else 1

        def from_the_other_side(start: Number, room: Number) -> Number:
            return a.Where(np.arange(2) == axis, a.Sub(room, start), start)

        order = backwards(a, lengths(self._sides[axis]))
        mirrored = (rows if self.vertical_flip else columns)(op, self._five(op, x, from_the_other_side), order)
        both = op.Concat(self._five(op, x, lambda start, _: start), mirrored, axis=x.spec.axis("C"))
        return self._along_batch(op, x, both)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function."""
        if self.like == "torchvision-v1":
            from torchvision.transforms import functional
        else:
            from torchvision.transforms.v2 import functional
        return self._stacked(inputs[0], functional.ten_crop, self.vertical_flip)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both mirror images, even and odd differences, the whole image, one pixel."""
        yield from cls._cases([{}, {"vertical_flip": True}])
