"""pad_to_multiple like Hugging Face's image processors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Sample, parameter, random_sides
from onnxprep.steps.image._borders import Border, Rule
from onnxprep.steps.image._padding import Padding, mirrors_once, random_rgb
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import Side, each_image
from onnxprep.tensor import Array, Tensor, TensorSpec


class PadToMultiple(Padding):
    """``y[i + top, j + left] = x[i, j]``, H and W the next multiples, by one of three rules.

    vitmatte: zeros at the bottom and right. dpt: zeros, top = (h - H) // 2, left = (w - W) // 2. swin2sr: the image
    mirrored with its last pixel (``abcd|dcb``) at the bottom and right, and a whole multiple more where H or W is one
    already. CUDA has no Pad for uint8: ONNX Runtime then puts zeros there on the CPU.

    Input: image, uint8 or float32.
    Output: the same dtype, layout and colour; H and W are multiples.
    Rounds: never.
    Source: transformers 5.23, models/vitmatte and models/dpt pad_image, models/swin2sr pad.
    Raises: ContractError where the tensor is no image, or transformers-torchvision is to mirror more than the image.
        Where H and W are not known, running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "pad_to_multiple"
    claims: ClassVar = {
        "transformers-pil": Claim(
            "transformers", ">=5,<6", "VitMatteImageProcessorPil.pad_image, DPT's, Swin2SR's pad"
        ),
        "transformers-torchvision": Claim(
            "transformers", ">=5,<6", "VitMatteImageProcessor._pad_image, DPT's, Swin2SR's pad"
        ),
    }

    multiple: Side = parameter("of what H and W are multiples (size_divisor), px")
    processor: Literal["vitmatte", "dpt", "swin2sr"] = parameter("whose rule: where the pixels go, and which")

    def border(self, a: Arithmetic, sides: Number) -> Border:
        """Up to the next multiple."""
        if self.processor == "swin2sr":
            missing = a.Sub(lengths(self.multiple), a.Mod(sides, lengths(self.multiple)))
        else:
            missing = a.Mod(a.Sub(lengths(0), sides), lengths(self.multiple))
        before = a.Div(missing, lengths(2)) if self.processor == "dpt" else lengths(0, 0)
        return Border(before, a.Sub(missing, before))

    def rule(self) -> Rule:
        """Zeros, or the image itself."""
        return "symmetric" if self.processor == "swin2sr" else "constant"

    def fits(self, a: Arithmetic, sides: Number) -> Number:
        """No pixel is mirrored twice by torchvision; NumPy does that."""
        once = self.like == "transformers-torchvision"
        return mirrors_once(a, sides, self.border(a, sides), self.rule() if once else "constant")

    def oracle(self, *inputs: Tensor) -> Array:
        """The processors' own methods."""
        return each_image(inputs[0], "CHW", self._library)

    def _library(self, image: Array) -> Array:
        pil = self.like == "transformers-pil"
        if pil:
            from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil as Dpt
            from transformers.models.swin2sr.image_processing_pil_swin2sr import Swin2SRImageProcessorPil as Swin2sr
            from transformers.models.vitmatte.image_processing_pil_vitmatte import VitMatteImageProcessorPil as Vitmatte

            given: Any = image
        else:
            import torch
            from transformers.models.dpt.image_processing_dpt import DPTImageProcessor as Dpt
            from transformers.models.swin2sr.image_processing_swin2sr import Swin2SRImageProcessor as Swin2sr
            from transformers.models.vitmatte.image_processing_vitmatte import VitMatteImageProcessor as Vitmatte

            given = torch.from_numpy(image)
        if self.processor == "swin2sr":
            return np.asarray(Swin2sr.pad(None, given, None, self.multiple))
        if self.processor == "dpt":
            return np.asarray(Dpt.pad_image(None, given, self.multiple))
        pad = Vitmatte.pad_image if pil else Vitmatte._pad_image  # noqa: SLF001  # the library's own
        return np.asarray(pad(None, given, self.multiple))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every rule on sides that are multiples and sides that are not."""
        for i, processor in enumerate(("vitmatte", "dpt", "swin2sr")):
            rgb = TensorSpec("uint8", (2, 5, 7, 3), "NHWC", "RGB", (0.0, 255.0))
            real = TensorSpec("float32", (1, 1, 12, 9), "NCHW", "GRAY", (0.0, 1.0))
            for multiple, sample in ((4, rgb), (3, real), (5, rgb), (1, rgb), (6, real), (2, rgb.with_dims(H=1, W=1))):
                yield Case({"multiple": multiple, "processor": processor}, (Sample(sample, i),))
        short = TensorSpec("uint8", (3, 2, 30), "CHW", "RGB", (0.0, 255.0))
        yield Case({"multiple": 32, "processor": "swin2sr"}, (Sample(short, 9),), ("transformers-pil",))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Multiples of up to 48 px."""
        height, width = random_sides(rng, largest)
        processor = str(rng.choice(["vitmatte", "dpt", "swin2sr"]))
        sample = random_rgb(rng, height, width)
        return Case({"multiple": int(rng.integers(1, 49)), "processor": processor}, (sample,))
