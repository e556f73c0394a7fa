"""pad like torchvision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field

from onnxprep.step import Case, Claim, Sample, parameter, random_sides, refuse_unless, wrong
from onnxprep.steps.image._borders import Border, Fill, Rule
from onnxprep.steps.image._padding import Padding, fill_for, longer, mirrors_once
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec

Pixels = Annotated[int, Field(ge=0, lt=2**24)]
_CORNERS = {1: (0, 0, 0, 0), 2: (0, 1, 0, 1), 4: (0, 1, 2, 3)}
"""How many numbers are given -> which of them is left, top, right, bottom."""


def _for_sides(padding: int | tuple[int, ...]) -> int | tuple[int, ...]:
    if isinstance(padding, tuple) and len(padding) not in _CORNERS:
        forms = "one, [left and right, top and bottom] or [left, top, right, bottom]"
        raise wrong(f"has {len(padding)} numbers", expected=forms)
    return padding


class Pad(Padding):
    """``y[i + top, j + left] = x[i, j]``; around it ``fill``, or what ``padding_mode`` makes of ``x``.

    edge repeats the outermost pixel, reflect mirrors without it (``dcb|abcd|cba``), symmetric with it
    (``cba|abcd|dcb``). CUDA has no Pad for uint8: ONNX Runtime then puts ``fill`` there on the CPU.

    Input: image, uint8 or float32.
    Output: the same dtype, layout and colour; H and W are longer by the padding.
    Rounds: never; ``fill`` is rounded to float32.
    Source: torchvision 0.28, transforms/functional.py and transforms/v2/functional/_geometry.py pad.
    Raises: ContractError where the tensor is no image, ``fill`` does not fit it, or more than the image is to be
        mirrored, which torchvision does with PIL images only. Where H and W are not known, running the graph fails in
        the Reshape of this step. torchvision-v1 takes a ``fill`` per channel for uint8 RGB and RGBA only.
    """

    operation: ClassVar[str] = "pad"
    claims: ClassVar = {
        "torchvision-v1": Claim("torchvision", ">=0.20", "transforms.functional.pad"),
        "torchvision-v2": Claim("torchvision", ">=0.20", "transforms.v2.functional.pad"),
    }

    padding: Annotated[Pixels | tuple[Pixels, ...], AfterValidator(_for_sides)] = parameter(
        "on every side, [left and right, top and bottom] or [left, top, right, bottom], px"
    )
    padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = parameter("what is put there", "constant")
    fill: Fill = parameter("where padding_mode is constant: one value, or one per channel", 0.0)

    def _sides(self) -> tuple[int, int, int, int]:
        given = (self.padding,) if isinstance(self.padding, int) else self.padding
        left, top, right, bottom = (given[i] for i in _CORNERS[len(given)])
        return left, top, right, bottom

    def border(self, a: Arithmetic, sides: Number) -> Border:  # noqa: ARG002
        """The same for every image."""
        left, top, right, bottom = self._sides()
        return Border(lengths(top, left), lengths(bottom, right))

    def rule(self) -> Rule:
        """The names of torchvision are NumPy's."""
        return self.padding_mode

    def fits(self, a: Arithmetic, sides: Number) -> Number:
        """No pixel is mirrored twice: torch refuses that."""
        return mirrors_once(a, sides, self.border(a, sides), self.padding_mode)

    def length(self, x: TensorSpec, axis: int) -> Dim:
        """An axis without padding keeps its symbol."""
        left, top, right, bottom = self._sides()
        return longer(x.dim("HW"[axis]), (top + bottom, left + right)[axis])

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W are longer; the range takes in the values around the image."""
        (x,) = inputs
        (y,) = super().infer(x)
        several = isinstance(self.fill, tuple)
        useful = self.padding_mode == "constant" or not several
        refuse_unless(useful, "has no use for a fill per channel", expected="padding_mode constant", got=x)
        refuse_unless(
            not several or self.like != "torchvision-v1" or (x.dtype == "uint8" and x.dim("C") in (3, 4)),
            "cannot fill per channel",
            expected="one value, or a uint8 image with 3 or 4 channels",
            got=x,
            hint="torchvision-v2 can",
        )
        return (y,)

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own pad: v1 on PIL images where they are uint8 with 1, 3 or 4 channels, else on tensors."""
        return each_image(inputs[0], "HWC", self._library)

    def _library(self, image: Array) -> Array:
        import torch

        given: Any = self.padding if isinstance(self.padding, int) else list(self.padding)
        fill: Any = fill_for(image, self.fill)
        fill = list(fill) if isinstance(self.fill, tuple) else fill[0]
        if self.like == "torchvision-v2":
            from torchvision.transforms.v2.functional import pad as pad_v2

            tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
            return pad_v2(tensor, given, fill, self.padding_mode).numpy().transpose(1, 2, 0)
        from torchvision.transforms.functional import pad as pad_v1

        if image.dtype == np.uint8 and image.shape[-1] in (1, 3, 4):
            from PIL import Image

            picture = Image.fromarray(image.squeeze(axis=2) if image.shape[-1] == 1 else image)
            padded = np.asarray(pad_v1(picture, given, fill, self.padding_mode))
            return padded.reshape(*padded.shape[:2], image.shape[-1])
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return pad_v1(tensor, given, fill, self.padding_mode).numpy().transpose(1, 2, 0)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every mode, every form of padding, an axis without any; fills per channel."""
        rgb = TensorSpec("uint8", (2, 5, 7, 3), "NHWC", "RGB", (0.0, 255.0))
        real = TensorSpec("float32", (2, 3, 6, 5), "NCHW", "RGB", (0.0, 1.0))
        for i, mode in enumerate(("constant", "edge", "reflect", "symmetric")):
            yield Case({"padding": [3, 1, 2, 4], "padding_mode": mode, "fill": 7.0}, (Sample(rgb, i),))
            yield Case({"padding": [0, 3], "padding_mode": mode, "fill": 0.3}, (Sample(real, i),))
            gray = TensorSpec("uint8", (1, 4, 6), "CHW", "GRAY", (0.0, 255.0))
            yield Case({"padding": 3, "padding_mode": mode, "fill": 255.0}, (Sample(gray, i),))
        yield Case({"padding": [2, 0, 0, 1], "fill": [123.0, 116.0, 103.0]}, (Sample(rgb, 5),))
        yield Case({"padding": 0}, (Sample(rgb, 6),))
        rgba = TensorSpec("uint8", (4, 3, 4), "HWC", "RGBA", (0.0, 255.0))
        yield Case({"padding": [1, 2, 0, 0], "fill": [1.0, 2.0, 3.0, 4.0]}, (Sample(rgba, 7),))
        yield Case({"padding": 1, "padding_mode": "edge"}, (Sample(rgb.with_dims(H=1, W=1), 8),))
        yield Case({"padding": [1, 2], "fill": [0.1, -2.0, 3.0]}, (Sample(real, 9),), ("torchvision-v2",))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Borders of up to 20 px."""
        height, width = random_sides(rng, largest)
        mode = str(rng.choice(["constant", "edge", "reflect", "symmetric"]))
        padding = [int(n) for n in rng.integers(0, 20, rng.choice([1, 2, 4]))]
        byte = bool(rng.random() < 0.5)
        fill: Any = [float(n) for n in rng.integers(0, 256, 3)]
        fill = fill if rng.random() < 0.5 and mode == "constant" and (byte or like == "torchvision-v2") else fill[0]
        dtype, span = ("uint8", (0.0, 255.0)) if byte else ("float32", (-1.0, 1.0))
        spec = TensorSpec(dtype, (height, width, 3), "HWC", "RGB", span)
        given = padding[0] if len(padding) == 1 else padding
        return Case({"padding": given, "padding_mode": mode, "fill": fill}, (Sample(spec, int(rng.integers(2**31))),))
