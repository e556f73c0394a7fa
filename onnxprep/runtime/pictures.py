"""A picture file as the pixels that a spec declares, where the spec itself does not say how to decode."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np

from onnxprep.errors import UsageError
from onnxprep.runtime.files import read_bytes
from onnxprep.steps.image.decode_image import quiet, safe_formats
from onnxprep.tensor import Array, TensorSpec

_MODES = {"RGB": "RGB", "BGR": "RGB", "RGBA": "RGBA", "GRAY": "L"}
"""Pillow's mode for each colour; BGR is turned round afterwards."""


def picture(path: Path, declared: TensorSpec) -> Array:
    """A picture through Pillow, in the colour and layout that are declared; alpha dropped, no EXIF rotation.

    Raises:
        UsageError: Pillow is not installed, the file is no picture, or the input takes no picture.
    """
    if declared.dtype != "uint8" or not declared.is_image:
        raise UsageError("a picture does not fit the input", at=str(path), expected=f"a .npy array, {declared}")
    pixels = _decoded(path, _MODES[declared.color or "RGB"])
    if declared.color == "BGR":
        pixels = pixels[..., ::-1]
    layout = str(declared.layout)
    order = ["HWC".index(letter) for letter in layout if letter in "HWC"]
    return np.ascontiguousarray(pixels.transpose(order))[None if layout.startswith("N") else ...]


def _decoded(path: Path, mode: str) -> Array:
    data = read_bytes(path)
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # an extra
    except ImportError:
        raise UsageError("reading pictures needs Pillow", at=str(path), hint="pip install 'onnxprep[images]'") from None
    try:
        with quiet(), Image.open(io.BytesIO(data), formats=safe_formats()) as opened:
            if opened.mode.startswith(("I", "F")):  # converting them would cut, not scale
                expected = "8 bits per channel, or a .npy array"
                raise UsageError("holds more than 8 bits per channel", at=str(path), expected=expected, got=opened.mode)
            pixels = np.asarray(opened.convert(mode))
    except Image.DecompressionBombError:
        most = f"at most {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, or a .npy array"
        raise UsageError("is too large a picture", at=str(path), expected=most) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, struct.error):
        raise UsageError("is not a picture", at=str(path), expected="PNG, JPEG, WebP ... or a .npy array") from None
    return pixels if pixels.ndim == 3 else pixels[..., None]
