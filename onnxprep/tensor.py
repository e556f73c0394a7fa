"""What flows between steps: the description of a tensor, and a tensor with its description."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Dim = int | str | None
"""One axis' length: known, a symbol shared with other axes, or unknown."""

Array = npt.NDArray[Any]

DType = Literal[
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "float32", "float64", "bfloat16", "string",
]  # fmt: skip
DTYPES: tuple[str, ...] = get_args(DType)
NARROW = ("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
"""Floats that NumPy knows through ml_dtypes; each of their numbers is a float32."""

Color = Literal["RGB", "BGR", "RGBA", "GRAY"]
COLORS: tuple[str, ...] = get_args(Color)
CHANNELS = {"RGB": 3, "BGR": 3, "RGBA": 4, "GRAY": 1}
"""Length of the C axis for each colour."""

_PLANAR = {"NHWC": "NCHW", "HWC": "CHW"}


@dataclass(frozen=True)
class TensorSpec:
    """One edge of the pipeline: everything known about a tensor but its bytes.

    Attributes:
        dtype: NumPy spelling, ``"uint8"``; text is ``"string"``.
        shape: one dim per axis; ``None`` where even the rank is unknown.
        layout: one letter per axis, ``"NHWC"``; ``None`` where the axes have no names.
        color: what the C axis holds; ``None`` where that is unknown or no longer a colour.
        range: lowest and highest value that can occur, ``(0.0, 255.0)``; ``None`` where unknown.
    """

    dtype: str
    shape: tuple[Dim, ...] | None = None
    layout: str | None = None
    color: str | None = None
    range: tuple[float, float] | None = None

    @property
    def rank(self) -> int | None:
        """Number of axes, ``None`` where unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def is_image(self) -> bool:
        """Whether the axes C, H and W are all named."""
        return self.layout is not None and {"C", "H", "W"} <= set(self.layout)

    def axis(self, letter: str) -> int:
        """Position of a named axis. The caller has checked that it exists."""
        return str(self.layout).index(letter)

    def dim(self, letter: str) -> Dim:
        """Length of a named axis; ``None`` where it is unknown or no axis has that name."""
        if self.layout is None or self.shape is None or letter not in self.layout:
            return None
        return self.shape[self.axis(letter)]

    def with_dims(self, **lengths: Dim) -> TensorSpec:
        """The same tensor with other lengths on some named axes."""
        shape = list(self.shape or ())
        for letter, length in lengths.items():
            shape[self.axis(letter)] = length
        return replace(self, shape=tuple(shape))

    def in_layout(self, layout: str) -> TensorSpec:
        """The same tensor with its named axes in another order; an axis N that is new has length 1."""
        lengths = dict(zip(self.layout or "", self.shape or (), strict=True))
        return replace(self, layout=layout, shape=tuple(lengths.get(letter, 1) for letter in layout))

    def planar(self) -> TensorSpec:
        """The tensor as it lies in the graph: images are NCHW or CHW there, everything else is as it is."""
        return self.in_layout(_PLANAR[self.layout]) if self.layout in _PLANAR else self

    def __str__(self) -> str:
        dims = "..." if self.shape is None else ", ".join("?" if d is None else str(d) for d in self.shape)
        span = None if self.range is None else f"{self.range[0]:g}..{self.range[1]:g}"
        return " ".join(part for part in (f"{self.dtype}[{dims}]", self.layout, self.color, span) if part)


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array together with its description: what oracles take."""

    array: Array
    spec: TensorSpec

    def in_layout(self, layout: str) -> Array:
        """The array with its named axes in the order of ``layout``; contiguous."""
        order = [self.spec.axis(letter) for letter in layout]
        return np.ascontiguousarray(self.array.transpose(order))


def dtype_name(array: Array) -> str:
    """NumPy spelling of an array's dtype; text is ``"string"``."""
    return "string" if array.dtype.kind in "OUS" else str(array.dtype.name)


def from_layout(array: Array, layout: str, wanted: str) -> Array:
    """``array`` whose axes are ``layout``, with its axes in the order ``wanted``; contiguous."""
    return np.ascontiguousarray(array.transpose([layout.index(letter) for letter in wanted]))
