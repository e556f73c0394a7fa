"""pad_to_size like Hugging Face's image processors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Sample, Value, parameter, random_sides, wrong
from onnxprep.steps.image._borders import Border, Fill
from onnxprep.steps.image._padding import Padding, fill_for, random_rgb
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.pad_to_size._mask import mask
from onnxprep.steps.image.planar import Side, known_size
from onnxprep.tensor import Array, Dim, Tensor, TensorSpec, from_layout


def _square_is_centred(position: str, info: ValidationInfo) -> str:
    if info.data.get("size") == "square" and position != "center":
        raise wrong("is no place for a square", expected="`center`", hint="no image processor pads squares otherwise")
    return position


class PadToSize(Padding):
    """``image[i + top, j + left] = x[i, j]``, ``fill`` around it; mask is 1 where x is and 0 around it.

    top_left: top = left = 0. center: top = (h - H) // 2, left = (w - W) // 2. The size ``square`` is
    [max(H, W), max(H, W)]. One ``fill`` is for all channels. The processors that pad up to a size pad with 0, the
    center ones too; another ``fill`` replaces just what they pad. CUDA has no Pad for uint8: ONNX Runtime then pads
    on the CPU.

    Input: image, uint8 or float32, not larger than the size.
    Output: image: the same dtype, layout and colour, H and W = size. mask: int64 of 0 and 1, NHW or HW.
    Rounds: never; ``fill`` is rounded to float32.
    Source: transformers 5.23, image_processing_backends.py pad; models/donut pad_image (center); models/llava
        pad_to_square, which pads the channels behind the first with 0 if it is given one number.
    Raises: ContractError where the tensor is no image, ``fill`` does not fit it, or it is larger than the size. Where
        H and W are not known, running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "pad_to_size"
    claims: ClassVar = {
        "transformers-pil": Claim("transformers", ">=5,<6", "PilBackend.pad"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "TorchvisionBackend.pad"),
    }
    outputs: ClassVar[tuple[str, ...]] = ("image", "mask")

    size: Side | tuple[Side, Side] | Literal["square"] = parameter(
        "side of a square or [height, width], px; `square`: the longer side of the image"
    )
    position: Annotated[Literal["top_left", "center"], AfterValidator(_square_is_centred)] = parameter(
        "where the image lies in the result; `center` for a `square`", "top_left", validate_default=True
    )
    fill: Fill = parameter("value around the image: one, or one per channel", 0.0)

    def _new(self, a: Arithmetic, sides: Number) -> Number:
        if isinstance(self.size, str):
            return a.most(sides)
        return lengths(self.size, self.size) if isinstance(self.size, int) else lengths(*self.size)

    def border(self, a: Arithmetic, sides: Number) -> Border:
        """What is missing: at the bottom and right, or half of it on each side."""
        missing = a.Max(a.Sub(self._new(a, sides), sides), lengths(0))
        before = a.Div(missing, lengths(2)) if self.position == "center" else lengths(0, 0)
        return Border(before, a.Sub(missing, before))

    def fits(self, a: Arithmetic, sides: Number) -> Number:
        """The processors raise where the image is larger."""
        if isinstance(self.size, str):
            return np.array([True, True])
        return a.Not(a.Less(self._new(a, sides), sides))

    def misfit(self) -> tuple[str, str]:
        """Told with the size."""
        height, width = np.broadcast_to(np.asarray(self.size), 2)
        return "is larger than the size", f"H of at most {height} px, W of at most {width} px"

    def length(self, x: TensorSpec, axis: int) -> Dim:
        """The size; of a square where both sides are known."""
        known = known_size(x)
        if isinstance(self.size, str) and known is None:
            return None
        return int(np.broadcast_to(np.asarray(self._new(Arithmetic(), lengths(*known or (0, 0)))), 2)[axis])

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The padded image and its mask."""
        (x,) = inputs
        (image,) = super().infer(x)
        letters = "NHW" if "N" in str(x.layout) else "HW"
        return image, TensorSpec("int64", tuple(image.dim(letter) for letter in letters), letters, None, (0.0, 1.0))

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """Pad; the mask is the product of a row and a column."""
        (x,) = inputs
        a = Arithmetic(op)
        sides = a.size(x, "HW")
        return self.padded(op, x), mask(op, x, self.border(a, sides), sides)

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """The processors' own methods; fills that they do not have replace the zeros outside of the mask."""
        (x,) = inputs
        single = "N" not in str(x.spec.layout)
        pairs = [self._one(image) for image in (x.in_layout("CHW")[None] if single else x.in_layout("NCHW"))]
        images, masks = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        padded = from_layout(images, "NCHW", str(x.spec.layout) if not single else f"N{x.spec.layout}")
        return (padded[0], masks[0]) if single else (padded, masks)

    def _one(self, image: Array) -> tuple[Array, Array]:
        fill = fill_for(image.transpose(1, 2, 0), self.fill)
        if self.size == "square":
            ones = np.ones_like(image[:1])
            return self._library(image, fill)[0], self._library(ones, (0,))[0][0].astype(np.int64)
        if self.position == "center":
            padded, inside = self._library(image)[0], self._library(np.ones_like(image))[0][0].astype(np.int64)
        else:
            padded, inside = self._library(image, fill[:1])
            if len(set(fill)) == 1:
                return padded, inside
        return np.where(inside, padded, np.array(fill, image.dtype)[:, None, None]), inside

    def _library(self, image: Array, fill: tuple[Any, ...] = ()) -> Any:
        """The padded image, and where the library gives one, the mask."""
        from transformers.image_utils import SizeDict

        if self.like == "transformers-pil":
            from transformers.image_processing_backends import PilBackend as Backend
            from transformers.models.donut.image_processing_pil_donut import DonutImageProcessorPil as Donut
            from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil as Llava

            given: Any = image
        else:
            import torch
            from transformers.image_processing_backends import TorchvisionBackend as Backend
            from transformers.models.donut.image_processing_donut import DonutImageProcessor as Donut
            from transformers.models.llava.image_processing_llava import LlavaImageProcessor as Llava

            given = torch.from_numpy(image)
        if isinstance(self.size, str):
            return (np.asarray(Llava.pad_to_square(None, given, fill)),)
        height, width = (self.size, self.size) if isinstance(self.size, int) else self.size
        size = SizeDict(height=height, width=width)
        if self.position == "center":
            return (np.asarray(Donut.pad_image(None, given, size)),)
        (padded,), (inside,) = Backend.pad(None, [given], size, fill[0], return_mask=True)
        return np.asarray(padded), np.asarray(inside)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Nothing, one side or both sides missing, by odd numbers; squares; a value per channel."""
        rgb = TensorSpec("uint8", (2, 5, 7, 3), "NHWC", "RGB", (0.0, 255.0))
        real = TensorSpec("float32", (3, 6, 5), "CHW", "RGB", (0.0, 1.0))
        for i, (size, fill) in enumerate([(8, 0.0), ([8, 12], 114.0), ([5, 9], [9.0, 8.0, 7.0]), ([5, 7], 1.0)]):
            for position in ("top_left", "center"):
                yield Case({"size": size, "position": position, "fill": fill}, (Sample(rgb, i),))
        for position in ("top_left", "center"):
            yield Case({"size": [9, 8], "position": position, "fill": -0.7}, (Sample(real, 5),))
        for i, sides in enumerate([(5, 8), (9, 4), (6, 6), (1, 1), (1, 4)]):
            square = {"size": "square", "position": "center", "fill": [122.0, 116.0, 104.0]}
            yield Case(square, (Sample(rgb.with_dims(H=sides[0], W=sides[1]), i),))
        gray = TensorSpec("float32", (2, 1, 3, 6), "NCHW", "GRAY", (0.0, 1.0))
        yield Case({"size": "square", "position": "center", "fill": 0.5}, (Sample(gray, 6),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Sizes of up to 12 px more, or squares."""
        height, width = random_sides(rng, largest)
        square = rng.random() < 0.3
        size: Any = "square" if square else [n + int(rng.integers(0, 13)) for n in (height, width)]
        fill = [float(n) for n in rng.integers(0, 256, 3)]
        given = {"size": size, "position": "center" if square or rng.random() < 0.5 else "top_left"}
        sample = random_rgb(rng, height, width)
        return Case({**given, "fill": fill if rng.random() < 0.5 else fill[0]}, (sample,))
