"""Arrays as text: how a golden holds them, and how two of them are compared."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxprep.errors import ParityError
from onnxprep.tensor import NARROW, Array, dtype_name

_MAX_BYTES = 2**30


def digest(array: Array) -> str:
    """sha256 of dtype, shape and content, little-endian, in C order; texts by their JSON."""
    found = hashlib.sha256(json.dumps([dtype_name(array), list(array.shape)]).encode() + b"\n")
    found.update(_content(array))
    return found.hexdigest()


def packed(array: Array) -> dict[str, Any]:
    """The array as JSON values: numbers deflated in base64, texts as they are."""
    written: dict[str, Any] = {"dtype": dtype_name(array), "shape": list(array.shape), "sha256": digest(array)}
    if written["dtype"] == "string":
        return written | {"text": [str(item) for item in array.ravel()]}
    return written | {"zlib": base64.b64encode(zlib.compress(_content(array), 9)).decode("ascii")}


def inflated_bytes(written: Mapping[str, Any]) -> int:
    """What the numbers of a packed array take, as its shape says; 0 for texts, which are not deflated.

    Raises:
        ValueError, TypeError, KeyError, OverflowError: the text is damaged.
    """
    if "zlib" not in written:
        return 0
    return max(0, math.prod(int(n) for n in written["shape"])) * np.dtype(str(written["dtype"])).itemsize


def unpacked(written: Mapping[str, Any], at: str) -> Array:
    """The array again; no more is inflated than its shape says.

    Raises:
        ParityError: the text is damaged, or does not match its own digest.
    """
    try:
        shape = tuple(int(n) for n in written["shape"])
        array = _texts(written, shape) if written["dtype"] == "string" else _numbers(written, shape)
    except (KeyError, TypeError, ValueError, OverflowError, SyntaxError, binascii.Error, zlib.error) as error:
        raise ParityError(
            "cannot be read", at=at, got=str(error)[:120], hint="the file was changed or damaged"
        ) from None
    if digest(array) != written.get("sha256"):
        raise ParityError("does not match its own digest", at=at, hint="the file was changed or damaged")
    return array


def _texts(written: Mapping[str, Any], shape: tuple[int, ...]) -> Array:
    return np.array([str(item) for item in written["text"]], dtype=object).reshape(shape)


def _numbers(written: Mapping[str, Any], shape: tuple[int, ...]) -> Array:
    dtype = np.dtype(str(written["dtype"]))
    size = math.prod(shape) * dtype.itemsize
    if not (dtype.kind in "biuf" or _is_narrow(dtype)) or min(shape, default=0) < 0 or size > _MAX_BYTES:
        raise ValueError(f"{dtype} {shape}")
    inflate = zlib.decompressobj()
    content = inflate.decompress(base64.b64decode(written["zlib"], validate=True), max(size, 1))
    if len(content) != size or not inflate.eof or inflate.unused_data:
        raise ValueError(f"the content is not {size} bytes long")
    return np.frombuffer(content, _little(dtype)).astype(dtype).reshape(shape)


def _is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether it is a float that NumPy knows through ml_dtypes."""
    return dtype.name in NARROW


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if _is_narrow(dtype) else dtype.newbyteorder("<")  # those have one byte order, this machine's


def _content(array: Array) -> bytes | memoryview:
    """The bytes, not copied where they lie as they are wanted."""
    if dtype_name(array) == "string":
        return json.dumps([str(item) for item in array.ravel()]).encode()
    return np.ascontiguousarray(array, dtype=_little(array.dtype)).reshape(-1).view(np.uint8).data


def first_difference(got: Array, expected: Array, tolerance: float = 0.0) -> str:
    """Where the two differ first, and by what; ``""`` where they are equal.

    Floats count as equal bit for bit (NaN equals NaN), or with a tolerance where their difference is within it.
    """
    if dtype_name(got) != dtype_name(expected) or got.shape != expected.shape:
        return f"{dtype_name(got)}{list(got.shape)} instead of {dtype_name(expected)}{list(expected.shape)}"
    if _is_narrow(got.dtype):
        got, expected = (array.astype(np.float32) for array in (got, expected))  # exact
    differing = _differing(got, expected, tolerance)
    count = int(np.count_nonzero(differing))
    if not count:
        return ""
    index = tuple(int(i) for i in np.argwhere(differing)[0])
    a, b = got[index], expected[index]
    largest = _largest(got[differing], expected[differing])
    return f"index {list(index)}: {a!s} instead of {b!s}; {count} of {got.size} values differ{largest}"


def _largest(got: Array, expected: Array) -> str:
    if got.dtype.kind not in "iuf" or len(got) == 1:
        return ""
    with np.errstate(invalid="ignore"):
        return f", by {float(np.abs(got.astype(np.float64) - expected.astype(np.float64)).max()):.3g} at most"


def _differing(got: Array, expected: Array, tolerance: float) -> Array:
    if got.dtype.kind != "f":
        return np.asarray(got != expected)
    bits = f"u{got.dtype.itemsize}"
    native = got.dtype.newbyteorder("=")  # values are compared, whatever order their bytes have
    a, b = (np.ascontiguousarray(array, native).view(bits).reshape(array.shape) for array in (got, expected))
    differing = np.asarray(a != b)
    differing &= ~(np.isnan(got) & np.isnan(expected))
    if tolerance:
        with np.errstate(invalid="ignore"):
            differing &= ~(np.abs(got.astype(np.float64) - expected.astype(np.float64)) <= tolerance)
    return np.asarray(differing)
