"""segmentation_mask like torch: logits interpolated, or classes taken, by torch.nn.functional.interpolate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, parameter
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._floats.float32 import Float32
from onnxprep.steps.image.resize._floats.torch import nearest
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.segment.segmentation_mask import _library
from onnxprep.steps.segment.segmentation_mask._cases import cases, draw, interpolated, with_fill
from onnxprep.steps.segment.segmentation_mask._masking import Class, Masking
from onnxprep.tensor import Array, Tensor

_NOTE = (
    "finite maps, contiguous or a rectangle of more than one pixel cut out of contiguous ones; on x86-64 with AVX2, "
    "where torch fuses multiplications and additions; torch with a single thread computes large maps of three classes "
    "in another order, and a pixel whose best two classes differ in the last bit may get the other one"
)


class _TorchMask(Masking):
    """Classes are resized by torch."""

    def nearest(self, a: Arithmetic, op: Ops, length: Number, resized: Number) -> Number:  # noqa: ARG002
        """``min(floor(i * scale), length - 1)``."""
        return nearest(Float32(op), Geometry(length, resized, lengths(0), resized), None)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own functions."""
        return _library.masked(self, inputs, _library.torch_nearest, maps_first=self.bilinear)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any maps, any steps."""
        ways = list(cls.ways(iter([draw(like, rng, largest)])))
        return ways[rng.integers(len(ways))]

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both kernels of torch; up, down, one pixel; every kind of step to undo."""
        return cls.ways(cases())

    @classmethod
    def ways(cls, cases: Iterator[Case]) -> Iterator[Case]:
        """The cases with what else the family knows."""
        return interpolated(cases)


class SegmentationMask(_TorchMask):
    """``y[n, i, j] = argmax over c of x[n, c, i, j]``, the first of equal ones; with ``threshold`` ``x[n, 0, i, j] > t``.

    bilinear resizes the maps before (``align_corners=False``, every rounding as torch's CPU kernels have it), nearest
    the classes afterwards: ``x[floor(i * scale)]``, scale = length / new length in float32; argmax of nearest maps is
    the same. With ``frame`` every geometric step back to the graph's input is undone, the last one first: maps are
    resized to the output of a letterbox, pad or crop, and what it has put around the image is cut off, rows from
    offset to offset + max(round(length * gain), 1); resizes one after the other are one. What a crop has cut off is
    ``fill``; from there on classes are resized, by nearest.

    Input: maps, float32 [N, C, H, W] (or NHWC), one per class or, with ``threshold``, one.
    Output: mask, uint8 or int64 [N, H, W].
    Rounds: as torch does, fused where it fuses.
    Source: torch 2.13, aten/src/ATen/native/cpu/UpSampleKernel.cpp.
    Raises: ContractError where the tensor is no float32 maps of a known number of classes, or ``frame`` is no step
        before the model or leads through one that cannot be undone. NaN: the class is then not defined.
    """

    operation: ClassVar[str] = "segmentation_mask"
    claims: ClassVar = {"torch": Claim("torch", ">=2.13,<3", "nn.functional.interpolate, argmax", note=_NOTE)}

    interpolation: Literal["bilinear", "nearest"] = parameter("bilinear of the maps, or nearest of the classes")
    fill: Class = parameter("with `frame`: the class of what a crop before the model has cut off", 0)

    @property
    def bilinear(self) -> bool:
        """By the parameter."""
        return self.interpolation == "bilinear"

    @classmethod
    def ways(cls, cases: Iterator[Case]) -> Iterator[Case]:
        """Both filters."""
        return with_fill(interpolated(cases))


class UltralyticsMask(_TorchMask):
    """As ``torch``: maps are resized to the input of the model, the border of the letterbox is cut off, then resized.

    Input: maps, float32 [N, C, H, W] (or NHWC), one per class or, with ``threshold``, one.
    Output: mask, uint8 or int64 [N, H, W].
    Rounds: as torch does, fused where it fuses.
    Source: Ultralytics 8.4, utils/ops.py scale_masks, models/yolo/semantic/predict.py.
    Raises: as ``torch``; also where ``frame`` leads through anything but a letterbox.
    """

    operation: ClassVar[str] = "segmentation_mask"
    claims: ClassVar = {
        "ultralytics": Claim("ultralytics", ">=8.4.190,<8.5", "utils.ops.scale_masks, then argmax", note=_NOTE)
    }
    undoes: ClassVar[tuple[str, ...]] = ("letterbox",)

    interpolation: Literal["bilinear", "nearest"] = parameter("bilinear of the maps, or nearest of the classes")

    @property
    def bilinear(self) -> bool:
        """By the parameter."""
        return self.interpolation == "bilinear"


class TransformersMask(_TorchMask):
    """As ``torch``, bilinear: maps are resized straight to the picture.

    Input: maps, float32 [N, C, H, W] (or NHWC), one per class or, with ``threshold``, one.
    Output: mask, uint8 or int64 [N, H, W].
    Rounds: as torch does, fused where it fuses.
    Source: transformers 5.23, models/segformer/image_processing_segformer.py post_process_semantic_segmentation.
    Raises: as ``torch``; also where ``frame`` leads through anything but resizes.
    """

    operation: ClassVar[str] = "segmentation_mask"
    claims: ClassVar = {
        "transformers-torchvision": Claim(
            "transformers", ">=5,<6", "SegformerImageProcessor.post_process_semantic_segmentation", note=_NOTE
        )
    }
    undoes: ClassVar[tuple[str, ...]] = ("resize",)

    @property
    def bilinear(self) -> bool:
        """Always."""
        return True

    @classmethod
    def ways(cls, cases: Iterator[Case]) -> Iterator[Case]:
        """Nothing else."""
        return cases
