"""segmentation_mask whose classes are resized by OpenCV or Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from onnxprep.step import Case, Claim, Ops, parameter
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize._nearest import indices
from onnxprep.steps.segment.segmentation_mask import _library
from onnxprep.steps.segment.segmentation_mask._cases import cases, draw, with_fill
from onnxprep.steps.segment.segmentation_mask._masking import Class, Masking
from onnxprep.tensor import Array, Tensor


class SegmentationMaskNearest(Masking):
    """``y = resize(argmax over c of x)``, the first of equal ones; with ``threshold`` ``x > t`` of the only map.

    Classes are resized by nearest neighbour: OpenCV takes ``floor(i * (1 / (new / length)))`` in float64, Pillow
    ``floor(i)``, i a running sum of length / new length that starts at half of it. With ``frame`` every geometric step
    back to the graph's input is undone, the last one first, as with ``torch``.

    Input: maps, float32 [N, C, H, W] (or NHWC), one per class or, with ``threshold``, one.
    Output: mask, uint8 or int64 [N, H, W].
    Rounds: never.
    Source: OpenCV 5.0 and 4.14, imgproc/src/resize.cpp; Pillow 13.0.0, src/libImaging/Geometry.c ImagingScaleAffine.
    Raises: ContractError where the tensor is no float32 maps of a known number of classes, or ``frame`` is no step
        before the model or leads through one that cannot be undone. NaN: the class is then not defined.
    """

    operation: ClassVar[str] = "segmentation_mask"
    claims: ClassVar = {
        "opencv-5": Claim("opencv-python-headless", ">=5,<6", "resize with INTER_NEAREST"),
        "opencv-4": Claim("opencv-python-headless", ">=4.8,<5", "resize with INTER_NEAREST"),
        "pillow-13": Claim("Pillow", ">=13,<14", "Image.resize with NEAREST"),
    }

    fill: Class = parameter("with `frame`: the class of what a crop before the model has cut off", 0)

    def nearest(self, a: Arithmetic, op: Ops, length: Number, resized: Number) -> Number:
        """By the library."""
        if self.like.startswith("pillow"):
            return indices(op, Geometry(length, resized, lengths(0), resized))
        scale = a.Reciprocal(a.ratio(resized, length))  # of a rounded number, not length / resized
        at = a.integer(a.Floor(a.Mul(a.double(a.count_to(resized)), scale)))
        return a.Min(at, a.Sub(length, lengths(1)))

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own resize of classes that NumPy chose."""
        resize = _library.pillow_nearest if self.like.startswith("pillow") else _library.opencv_nearest
        return _library.masked(self, inputs, resize, maps_first=False)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Up, down, one pixel; every kind of step to undo."""
        return with_fill(cases())

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any maps, any steps."""
        return next(with_fill(iter([draw(like, rng, largest)])))
