"""composite_alpha: an image that is transparent in places, laid over one colour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter
from onnxprep.steps.image._color import planes, refuse_unless_color, together
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_Level = Annotated[int, Field(ge=0, le=255)]
_WHITE = (255, 255, 255)


class _OverColor(Step):
    """``y[c] = (a x[c] + (255 - a) background[c]) / 255``, rounded to the nearest; a is the fourth channel."""

    inherits: ClassVar[bool] = False

    @property
    def _under(self) -> tuple[int, int, int]:
        return _WHITE

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Three channels, RGB; the range takes in the background."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put it before `rescale`")
        refuse_unless_color(x, "RGBA")
        span = None if x.range is None else (min(x.range[0], *self._under), max(x.range[1], *self._under))
        return (replace(x.with_dims(C=3), color="RGB", range=span),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """``(x - background) (a / 255) + background + 1/2``: 1 / 510 or more from where Cast cuts; its error is 1e-4."""
        (x,) = inputs
        *colors, alpha = (op.Cast(plane, to="float32") for plane in planes(op, x, 4))
        share = op.Mul(alpha, op.float32(np.float32(1) / np.float32(255)))

        def over(color: Value, under: int) -> Value:
            mixed = op.Mul(op.Sub(color, op.float32(under)), share)
            return op.Cast(op.Add(mixed, op.float32(under + 0.5)), to="uint8")

        return together(op, [over(color, under) for color, under in zip(colors, self._under, strict=True)], x)

    @classmethod
    def _cases(cls, parameters: list[dict[str, Any]]) -> Iterator[Case]:
        for i, given in enumerate(parameters):
            for layout, shape in (
                ("NHWC", (2, 5, 7, 4)),
                ("HWC", (1, 1, 4)),
                ("CHW", (4, 9, 3)),
                ("NCHW", (1, 4, 6, 4)),
            ):
                yield Case(given, (Sample(TensorSpec("uint8", shape, layout, "RGBA", (0.0, 255.0)), seed=i),))


class CompositeAlpha(_OverColor):
    """``t = a x[c] + (255 - a) background[c] + 128``, ``y[c] = (t + (t >> 8)) >> 8``: ``t / 255`` to the nearest.

    Pillow's two ways give the same: ``paste`` with the image as its own mask, and ``alpha_composite`` on an opaque
    background. ``Image.convert("RGB")`` instead drops the alpha: that is `drop_alpha`.

    Input: image, uint8, RGBA.
    Output: uint8, same layout, RGB.
    Rounds: once, to the nearest; there are no ties.
    Source: Pillow 13.0, src/libImaging/ImagingUtils.h BLEND and AlphaComposite.c.
    Raises: ContractError where the tensor is no uint8 image or is not RGBA.
    """

    operation: ClassVar[str] = "composite_alpha"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", "Image.paste(image, mask=image) and Image.alpha_composite"),
        "pillow-12": Claim("Pillow", ">=12.2,<13", "Image.paste(image, mask=image) and Image.alpha_composite"),
    }

    background: tuple[_Level, _Level, _Level] = parameter("[red, green, blue] behind the image, 0..255")

    @property
    def _under(self) -> tuple[int, int, int]:
        return self.background

    def oracle(self, *inputs: Tensor) -> Array:
        """Both of Pillow's functions, which have to agree."""
        from PIL import Image

        def one(image: Array) -> Array:
            over = Image.fromarray(image)
            pasted = Image.new("RGB", over.size, self.background)
            pasted.paste(over, mask=over)
            opaque = Image.new("RGBA", over.size, (*self.background, 255))
            composed = np.asarray(Image.alpha_composite(opaque, over).convert("RGB"))
            np.testing.assert_array_equal(np.asarray(pasted), composed)
            return composed

        return each_image(inputs[0], "HWC", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """White, black and a colour, all layouts."""
        yield from cls._cases([{"background": list(under)} for under in (_WHITE, (0, 0, 0), (104, 117, 123))])

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any background."""
        case = super().draw(like, rng, largest)
        return replace(case, parameters={"background": rng.integers(0, 256, 3).tolist()})


class CompositeAlphaWhite(_OverColor):
    """``t = a x[c] + (255 - a) 255 + 128``, ``y[c] = (t + (t >> 8)) >> 8``: always over white, as PIL images are.

    Input: image, uint8, RGBA, as Pillow decodes it; an RGBA array is blended in float32 by the torchvision backend.
    Output: uint8, same layout, RGB.
    Rounds: once, to the nearest; there are no ties.
    Source: transformers 5.23, image_transforms.py convert_to_rgb of a PIL image, in both backends.
    Raises: ContractError where the tensor is no uint8 image or is not RGBA.
    """

    operation: ClassVar[str] = "composite_alpha"
    claims: ClassVar = {
        "transformers-pil": Claim("transformers", ">=5,<6", "image_transforms.convert_to_rgb of a PIL image"),
        "transformers-torchvision": Claim("transformers", ">=5,<6", "image_transforms.convert_to_rgb of a PIL image"),
    }

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's own function on PIL images."""
        from PIL import Image
        from transformers.image_transforms import convert_to_rgb

        return each_image(inputs[0], "HWC", lambda image: convert_to_rgb(Image.fromarray(image), return_numpy=True))

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All layouts, twice."""
        yield from cls._cases([{}, {}])
