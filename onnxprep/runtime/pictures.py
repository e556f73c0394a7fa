"""A file from the command line as the input a spec declares."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxprep.errors import UsageError
from onnxprep.runtime.files import read_array, read_bytes
from onnxprep.spec.document import Spec
from onnxprep.tensor import Array, TensorSpec

_MODES = {"RGB": "RGB", "BGR": "RGB", "RGBA": "RGBA", "GRAY": "L"}
"""Pillow's mode for each colour; BGR is turned round afterwards."""


def read_input(path: Path, name: str, spec: Spec) -> Mapping[str, Any]:
    """What a pipeline is called with for a file: an array for ``.npy``, bytes for a declared decoder, else a picture.

    Raises:
        UsageError: the file cannot be read, or is not what the input takes.
    """
    if path.suffix.lower() == ".npy":
        return {name: read_array(path)}
    decoder = next(
        (entry for entry in spec.preprocess if entry.where == "caller" and name in (entry.outputs or ())), None
    )
    if decoder is not None and decoder.inputs:
        return {decoder.inputs[0]: read_bytes(path)}
    return {name: picture(path, spec.inputs[name])}


def golden_inputs(files: Sequence[str], spec: Spec) -> dict[str, Array]:
    """Graph inputs from ``FILE`` or ``NAME=FILE``; a plain file is for the spec's only input.

    Raises:
        UsageError: it cannot be told which input a file is for, or the file is not what it takes.
    """
    found: dict[str, Array] = {}
    for item in files:
        name, path = named(item, list(spec.inputs))
        values = read_input(path, name, spec)
        entry = next((e for e in spec.preprocess if e.where == "caller" and name in (e.outputs or ())), None)
        run = getattr(entry.step, "run", None) if entry is not None else None
        if entry is not None and name not in values:
            if run is None:
                raise UsageError(f"only the caller can run `{entry.operation}`", at=item, expected="a .npy array")
            found[name] = with_batch(np.asarray(run(*values.values())), spec.inputs[name])
        else:
            found[name] = values[name]
    return found


def named(item: str, names: list[str]) -> tuple[str, Path]:
    """``NAME=FILE``, or ``FILE`` where there is one name only.

    Raises:
        UsageError: neither.
    """
    name, equals, file = item.partition("=")
    if equals and name in names:
        return name, Path(file)
    if len(names) != 1:
        raise UsageError("cannot be told which input it is for", at=item, expected=f"NAME=FILE with {', '.join(names)}")
    return names[0], Path(item)


def with_batch(array: Array, declared: TensorSpec) -> Array:
    """The array with an axis N of length 1 in front, where the input has one and the array does not."""
    layout = declared.layout or ""
    return array[None] if layout.startswith("N") and array.ndim == len(layout) - 1 else array


def decodes_itself(path: Path, name: str, spec: Spec) -> bool:
    """Whether ``read_input`` would decode a picture by a rule that the spec does not hold."""
    declared = any(entry.where == "caller" and name in (entry.outputs or ()) for entry in spec.preprocess)
    return path.suffix.lower() != ".npy" and not declared


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
        with Image.open(io.BytesIO(data)) as opened:
            pixels = np.asarray(opened.convert(mode))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        raise UsageError("is not a picture", at=str(path), expected="PNG, JPEG, WebP ... or a .npy array") from None
    return pixels if pixels.ndim == 3 else pixels[..., None]
