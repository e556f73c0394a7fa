"""depth_to_original like torch's interpolate, and like the transformers processors that call it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, parameter
from onnxprep.steps.dense.depth_to_original._depth import Depth
from onnxprep.steps.segment._placed import Pair, Placed
from onnxprep.tensor import Array

_NOTE = "finite values; on x86-64 with AVX2, where torch fuses multiplications and additions"


class DepthToOriginal(Depth):
    """``y = interpolate(x, size)``, ``align_corners=False``, bicubic with a = -0.75, every rounding as torch's CPU kernels.

    With ``frame`` every geometric step back to the graph's input is undone, the last one first: the map is resized to
    the output of a letterbox or pad, and what it has put around the image is cut off (for a resize behind a pad:
    ZoeDepth's post-processing); resizes one after the other are one. ``normalize``: the bytes of
    ``(y - min) / (max - min) * 255``, cut, per map; 0 where all is the same.

    Input: depth, float32 [N, H, W] or [N, 1, H, W].
    Output: float32, with ``normalize`` uint8, [N, H, W].
    Rounds: as torch does, fused where it fuses; bytes are cut.
    Source: torch 2.13, aten/src/ATen/native/UpSample.h, cpu/UpSampleKernel.cpp; transformers 5.23,
        models/zoedepth/image_processing_zoedepth.py, pipelines/depth_estimation.py.
    Raises: ContractError where the tensor is no float32 depth, or ``frame`` is no step before the model or leads
        through one that is no resize, letterbox or pad. NaN spreads to what is interpolated from it.
    """

    operation: ClassVar[str] = "depth_to_original"
    claims: ClassVar = {"torch": Claim("torch", ">=2.13,<3", "nn.functional.interpolate", note=_NOTE)}
    undoes: ClassVar[tuple[str, ...]] = ("resize", "letterbox", "pad", "pad_to_size", "pad_to_multiple")

    interpolation: Literal["bilinear", "bicubic"] = parameter("the filter, by torch's mode")

    @property
    def filter(self) -> str:
        """By the parameter."""
        return self.interpolation

    def library(self, x: Array, way: list[Placed], size: Pair) -> Array:
        """Torch's function around slices."""
        for place in way:
            if place.step.operation != "resize":
                x = self._interpolated(x, place.after)
                (top, left), (height, width) = place.first, place.inner
                x = x[:, top : top + height, left : left + width]
        return self._interpolated(x, size)

    def _interpolated(self, x: Array, size: Pair) -> Array:
        import torch

        maps = torch.from_numpy(np.ascontiguousarray(x))[:, None]
        made: Array = torch.nn.functional.interpolate(maps, tuple(size), mode=self.interpolation)[:, 0].numpy()
        return made

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both filters."""
        for case in super().cases():
            for interpolation in ("bilinear", "bicubic"):
                yield replace(case, parameters={**case.parameters, "interpolation": interpolation})

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any filter."""
        case = super().draw(like, rng, largest)
        interpolation = str(rng.choice(["bilinear", "bicubic"]))
        return replace(case, parameters={**case.parameters, "interpolation": interpolation})


class TransformersDepth(Depth):
    """As ``torch``, bicubic: DPT's processor, which Depth Anything uses too, resizes straight to the picture.

    Input: depth, float32 [N, H, W] or [N, 1, H, W].
    Output: float32, with ``normalize`` uint8, [N, H, W].
    Rounds: as torch does, fused where it fuses; bytes are cut.
    Source: transformers 5.23, models/dpt/image_processing_dpt.py post_process_depth_estimation.
    Raises: as ``torch``; also where ``frame`` leads through anything but resizes.
    """

    operation: ClassVar[str] = "depth_to_original"
    claims: ClassVar = {
        "transformers-torchvision": Claim(
            "transformers", ">=5,<6", "DPTImageProcessor.post_process_depth_estimation", note=_NOTE
        )
    }
    undoes: ClassVar[tuple[str, ...]] = ("resize",)

    def library(self, x: Array, way: list[Placed], size: Pair) -> Array:  # noqa: ARG002
        """The processor's own function, which drops axes of length 1."""
        from types import SimpleNamespace

        import torch
        from transformers import DPTImageProcessor

        outputs: Any = SimpleNamespace(predicted_depth=torch.from_numpy(np.ascontiguousarray(x)))
        made = DPTImageProcessor().post_process_depth_estimation(outputs, target_sizes=[tuple(size)] * len(x))
        return np.stack([one["predicted_depth"].numpy().reshape(size) for one in made])
