"""Inputs to prove a spec on: the user's pictures, or some of our own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onnxprep.errors import UsageError
from onnxprep.runtime.given import GivenFiles
from onnxprep.spec.document import Spec
from onnxprep.step import Sample
from onnxprep.tensor import CHANNELS, DTYPES, Array, TensorSpec

SIDES = ((480, 640), (640, 427), (224, 224), (333, 257), (97, 131), (1080, 320), (31, 47), (256, 300))
"""(H, W) of our own images, px, where the spec does not fix them; some odd, some tall, some small."""

_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".npy"}


def from_folder(folder: Path, spec: Spec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, inputs) of every picture and .npy array in a folder.

    Raises:
        UsageError: there is no such folder, nothing in it, or a file that is no picture.
    """
    if not folder.is_dir():
        raise UsageError("is no folder", at=str(folder), expected="a folder of pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not paths:
        raise UsageError("holds no picture", at=str(folder), expected=", ".join(sorted(_PICTURES)))
    for path in paths:
        (inputs,) = GivenFiles((str(path),)).samples(spec, tuple(spec.inputs))
        if any(np.size(item) == 0 for item in inputs.values() if not isinstance(item, bytes)):
            raise UsageError("is empty", at=str(path), expected="at least one image of at least 1 px")
        yield path.name, inputs


def built_in(spec: Spec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(name, inputs): pictures with edges, slopes and noise, of several sizes; noise for everything else."""
    for seed, sides in enumerate(SIDES):
        lengths = {"N": 1, "H": sides[0], "W": sides[1]}
        inputs = {name: _input(tensor, lengths, seed) for name, tensor in spec.inputs.items()}
        shown = {tuple(array.shape) for array in inputs.values()}
        yield " ".join(str(list(shape)) for shape in sorted(shown)), inputs


SYNTHETIC = ((1, 97, 131), (3, 64, 48), (2, 333, 257))
"""(N, H, W) of what providers are compared on: batches, odd sizes, larger and smaller than most models take."""

_LARGEST = 2**26
"""Values of an input that are still made up."""


def synthetic(inputs: Mapping[str, TensorSpec]) -> Iterator[dict[str, Array]]:
    """Pictures and noise for a graph's inputs; an input of text, or one that is too large, is left out."""
    for seed, (batch, height, width) in enumerate(SYNTHETIC):
        lengths = {"N": batch, "H": height, "W": width}
        yield {name: _input(tensor, lengths, seed) for name, tensor in inputs.items() if _can_be_made(tensor)}


def _can_be_made(tensor: TensorSpec) -> bool:
    fixed = math.prod(d for d in tensor.shape or () if isinstance(d, int))
    return tensor.dtype in DTYPES and tensor.dtype not in ("string", "bfloat16") and fixed <= _LARGEST


def _input(tensor: TensorSpec, lengths: Mapping[str, int], seed: int) -> Array:
    if tensor.dtype == "string":
        raise UsageError("texts cannot be made up", at=str(tensor), expected="--images with .npy arrays")
    letters = tensor.layout or "?" * len(tensor.shape or ())
    channels = CHANNELS.get(str(tensor.color), 3)
    free = {**lengths, "C": channels}
    shape = tuple(
        d if isinstance(d, int) else free.get(letter, 1) for d, letter in zip(tensor.shape or (), letters, strict=True)
    )
    fixed = TensorSpec(tensor.dtype, shape, tensor.layout, tensor.color, tensor.range or _range(tensor))
    noise = Sample(fixed, seed).array()
    if not tensor.is_image or tensor.dtype not in ("uint8", "float32") or not noise.size:
        return noise
    return _scene(fixed, noise, seed)


def _range(tensor: TensorSpec) -> tuple[float, float] | None:
    return (0.0, 1.0) if tensor.is_image and tensor.dtype.startswith("float") else None


def _scene(spec: TensorSpec, noise: Array, seed: int) -> Array:
    """Slopes, a disc and stripes, with a little noise over them; white noise alone would hide what smooth parts show."""
    height, width = (int(spec.dim(letter) or 0) for letter in "HW")
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    tones = [x, y, (x + y) / 2, 1 - x]
    disc = (x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.05
    stripes = (np.floor(x * (13 + seed)) % 2 == 0) & (y > 0.6)
    planes = [np.where(disc, 1 - 0.2 * k, np.where(stripes, 0.05 * k, tones[k % 4])) for k in range(4)]
    channels = int(spec.dim("C") or 0)
    scene = np.stack([planes[k % 4] for k in range(channels)])
    order = ["CHW".index(letter) for letter in str(spec.layout) if letter != "N"]
    low, high = spec.range or (0.0, 255.0)
    mixed = 0.9 * (low + scene.transpose(order) * (high - low)) + 0.1 * noise
    return np.ascontiguousarray(np.clip(mixed, low, high)).astype(spec.dtype)
