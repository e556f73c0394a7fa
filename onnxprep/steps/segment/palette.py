"""palette: a colour for every class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec

Byte = Annotated[int, Field(ge=0, le=255)]
Colour = tuple[Byte, Byte, Byte]


class Palette(Step):
    """``y[n, i, j] = colors[x[n, i, j]]``, ``outside`` where x is none of their indices.

    voc is the palette of PASCAL VOC: of 256 colours number k has the bits 0, 3, 6 of k as the highest three of red,
    from above, 1, 4, 7 as those of green, 2 and 5 as those of blue.

    Input: mask, uint8 or int64, [N, H, W] or [H, W].
    Output: image, uint8, RGB, NHWC or HWC.
    Rounds: never.
    Source: Pillow 13.0, src/libImaging/Convert.c p2rgb; the VOC development kit, VOClabelcolormap.m.
    Raises: ContractError where the tensor is no mask.
    """

    operation: ClassVar[str] = "palette"
    claims: ClassVar = {"": Claim("Pillow", ">=12.2,<14", 'Image.putpalette, Image.convert("RGB")')}

    colors: Literal["voc"] | Annotated[tuple[Colour, ...], Field(min_length=1, max_length=65_536)] = parameter(
        "[red, green, blue] per class, 0..255, or voc"
    )
    outside: Colour = parameter("the colour of what is no index", (0, 0, 0))

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Three channels behind the pixels."""
        (x,) = inputs
        fits = x.dtype in ("uint8", "int64") and x.rank in (2, 3) and x.layout in (None, "NHW", "HW")
        refuse_unless(fits, "is not a mask", expected="uint8 or int64, [N, H, W] or [H, W]", got=x, hint="`argmax`?")
        layout = "NHWC" if x.rank == 3 else "HWC"
        return (TensorSpec("uint8", (*(x.shape or ()), 3), layout, "RGB", (0.0, 255.0)),)

    def _table(self) -> list[Colour]:
        return _voc() if isinstance(self.colors, str) else list(self.colors)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """One Gather per channel, from a table whose last row is ``outside``."""
        (x,) = inputs
        table = self._table()[: 256 if x.spec.dtype == "uint8" else None]
        known = len(table)
        if x.spec.dtype == "uint8":
            index = op.Cast(x, to="int32")
            table += [self.outside] * (256 - known)
        else:
            inside = op.And(op.Less(x, op.int64(known)), op.Not(op.Less(x, op.int64(0))))
            index = op.Where(inside, x, op.int64(known))
            table.append(self.outside)
        axis = (x.spec.rank or 3) - 2
        planes = [op.Gather(op.constant([color[c] for color in table], "uint8"), index, axis=0) for c in range(3)]
        return op.Concat(*(op.Unsqueeze(plane, axes=[axis]) for plane in planes), axis=axis)

    def oracle(self, *inputs: Tensor) -> Array:
        """Pillow's own, mask by mask; what no byte can tell is looked up apart."""
        from PIL import Image

        x = inputs[0].array
        colors = _bits() if self.colors == "voc" else [list(color) for color in self.colors]
        bytes_, rest = np.where((x >= 0) & (x < 256), x, 0).astype(np.uint8), np.argwhere((x < 0) | (x >= 256))
        flat = [value for color in (colors + [list(self.outside)] * 256)[:256] for value in color]

        def one(mask: Array) -> Array:
            image = Image.fromarray(mask)
            image.putpalette(flat)
            return np.asarray(image.convert("RGB"))

        masks = bytes_.reshape(-1, *x.shape[-2:])
        made = np.stack([one(mask) for mask in masks]) if masks.size else np.zeros((*masks.shape, 3), np.uint8)
        made = made.reshape(*x.shape, 3)
        for place in map(tuple, rest):
            k = int(x[place])
            made[place] = colors[k] if 0 <= k < len(colors) else self.outside
        return made

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """All of both palettes, indices outside, both dtypes and ranks; one pixel."""
        few = [[0, 0, 0], [255, 1, 2], [7, 128, 254]]
        voc = Sample(TensorSpec("uint8", (2, 16, 31), "NHW", None, (0.0, 255.0)), 1)
        yield Case({"colors": "voc"}, (voc,))
        yield Case({"colors": few}, (voc,))
        yield Case({"colors": few, "outside": [9, 8, 7]}, (voc,))
        yield Case({"colors": few}, (Sample(TensorSpec("int64", (5, 9), "HW", None, (-2.0, 4.0)), 2),))
        yield Case({"colors": "voc"}, (Sample(TensorSpec("int64", (1, 40, 40), "NHW", None, (-9.0, 300.0)), 3),))
        many = [[k % 256, k // 256, 3] for k in range(300)]
        yield Case({"colors": many}, (Sample(TensorSpec("int64", (1, 20, 20), "NHW", None, (0.0, 310.0)), 4),))
        yield Case({"colors": many}, (Sample(TensorSpec("uint8", (1, 1), "HW", None, (0.0, 255.0)), 5),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any colours, any mask."""
        shape = tuple(int(side) for side in rng.integers(1, largest, 2))
        spec = TensorSpec(str(rng.choice(["uint8", "int64"])), shape, "HW", None, (0.0, 255.0))
        colors = rng.integers(0, 256, (int(rng.integers(1, 300)), 3)).tolist()
        parameters = {"colors": colors, "outside": rng.integers(0, 256, 3).tolist()}
        return Case(parameters, (Sample(spec, int(rng.integers(2**31))),))


def _voc() -> list[Colour]:
    bits = [[(k >> n) & 1 for n in range(8)] for k in range(256)]
    weights = ((0, 3, 6), (1, 4, 7), (2, 5))
    red, green, blue = ([sum(b[n] << (7 - i) for i, n in enumerate(places)) for b in bits] for places in weights)
    return list(zip(red, green, blue, strict=True))


def _bits() -> list[list[int]]:
    """As VOClabelcolormap.m writes it down."""
    colors = []
    for number in range(256):
        k, r, g, b = number, 0, 0, 0
        for j in range(8):
            r |= ((k >> 0) & 1) << (7 - j)
            g |= ((k >> 1) & 1) << (7 - j)
            b |= ((k >> 2) & 1) << (7 - j)
            k >>= 3
        colors.append([r, g, b])
    return colors
