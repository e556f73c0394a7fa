"""Arrays in .npy files, read without pickle; the header is believed only as far as the file's size bears it out."""

from __future__ import annotations

import io
import math
import tokenize
import warnings
from pathlib import Path

import numpy as np

from onnxprep.errors import UsageError
from onnxprep.runtime.files import read_bytes
from onnxprep.runtime.inputs import as_array
from onnxprep.tensor import Array

_KINDS = "biufcUS"
_LAST_CHARACTER = 0x10FFFF
# NumPy reads a header as a Python expression: a wrong one can fail in any of these ways
_WRONG_HEADERS = (
    ValueError, TypeError, KeyError, EOFError, OverflowError, SyntaxError, tokenize.TokenError, MemoryError,
    RecursionError,
)  # fmt: skip


def read_array(path: Path) -> Array:
    """The array in a .npy file, in this machine's byte order.

    Raises:
        UsageError: it is not one, or holds neither numbers nor text.
    """
    data = read_bytes(path)
    shape, fortran, dtype, start = _header(data, path)
    if dtype.hasobject:
        raise UsageError("holds Python objects", at=str(path), expected="numbers")
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise UsageError(f"holds {str(dtype)[:60]}", at=str(path), expected="numbers or text")
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        raise UsageError("is cut short or longer than its header says", at=str(path))
    try:
        array = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    except (ValueError, OverflowError) as error:
        raise UsageError(f"is not a .npy file: {str(error)[:100]}", at=str(path)) from None
    array = as_array(np.array(array), str(path))
    if array.dtype.kind == "U" and array.size and array.ravel().view(np.uint32).max() > _LAST_CHARACTER:
        raise UsageError("holds text that is none", at=str(path), expected="Unicode characters")
    return array


def _header(data: bytes, path: Path) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    """Shape, order, dtype and where the content begins."""
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old writers
            major, minor = np.lib.format.read_magic(stream)
            if (major, minor) not in ((1, 0), (2, 0), (3, 0)):
                raise ValueError(f"version {major}.{minor}")
            reader = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = reader(stream)
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError(f"the shape is {shape}")
    except _WRONG_HEADERS as error:
        why = str(error)[:100] or type(error).__name__
        raise UsageError(f"is not a .npy file: {why}", at=str(path)) from None
    return shape, fortran, dtype, stream.tell()
