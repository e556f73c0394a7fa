"""Files at the edge: models and arrays in, models out in one move."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
from onnx import ModelProto

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph.parse import parse
from onnxprep.tensor import Array


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(reason.lower(), at=str(path), expected="a readable file") from None


def read_model(path: Path) -> tuple[ModelProto, bytes]:
    """A model without its external data, and the file's bytes.

    Raises:
        UsageError: it cannot be read.
        ContractError: it is not an ONNX model.
    """
    data = read_bytes(path)
    try:
        return parse(data), data
    except ContractError as error:
        raise error.inside(str(path)) from None


def check_output(out: Path, inputs: list[Path], *, force: bool) -> None:
    """Refuses an output that is an input, that exists, or whose folder does not.

    Raises:
        UsageError: as said.
    """
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise UsageError("is the input too", at=str(out), expected="another path: inputs are never overwritten")
    if out.is_dir():
        raise UsageError("is a folder", at=str(out), expected="the path of a file")
    if out.exists() and not force:
        raise UsageError("exists", at=str(out), expected="a path that is free", hint="--force overwrites it")
    if not out.parent.is_dir():
        raise UsageError("there is no such folder", at=str(out.parent), expected="a folder to write to")


class Draft:
    """A file that appears whole under its name or not at all; leaving the block without ``keep`` removes it."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f".{out.name}.{os.getpid()}.part")
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Adds to the draft."""
        self._do(lambda: self._append(data))

    def keep(self) -> None:
        """Gives the draft its name, in one move."""
        self._do(self._rename)

    def _rename(self) -> None:
        self.path.replace(self._out)

    def _append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(reason, at=str(self._out), expected="a file that can be written") from None


def read_array(path: Path) -> Array:
    """The array in a .npy file; its header is checked against the file's size before anything is allocated.

    Raises:
        UsageError: it is not one.
    """
    data = read_bytes(path)
    stream = io.BytesIO(data)
    try:
        major, _ = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(stream)
    except (ValueError, EOFError) as error:
        raise UsageError(f"is not a .npy file: {str(error)[:100]}", at=str(path)) from None
    if dtype.hasobject:
        raise UsageError("holds Python objects", at=str(path), expected="numbers")
    if len(data) - stream.tell() != math.prod(shape) * dtype.itemsize:
        raise UsageError("is cut short or longer than its header says", at=str(path))
    array = np.frombuffer(data, dtype, offset=stream.tell())
    return np.array(array.reshape(shape, order="F" if fortran else "C"))
