"""Files at the edge: models in, models out in one move, and never over what was read."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from onnx import ModelProto

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph.parse import parse


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        UsageError: it cannot be read.
    """
    _check_name(path)
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(reason(error), at=str(path), expected="a readable file") from None


def is_file(path: Path) -> bool:
    """Whether there is a regular file, links followed.

    Raises:
        UsageError: no file can have this name.
    """
    _check_name(path)
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        raise UsageError(reason(error), at=str(path), expected="a readable file") from None


def reason(error: Exception) -> str:
    """What the system says, in lower case."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _check_name(path: Path) -> None:
    """ONNX Runtime takes paths as UTF-8 only; no system takes NUL."""
    if "\0" in str(path):
        raise UsageError("holds a NUL", at=str(path), expected="a path")
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError("is not UTF-8", at=str(path), expected="a path in UTF-8") from None


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


def check_output(out: Path, inputs: Iterable[Path], *, force: bool) -> None:
    """Refuses an output that is an input, that exists, that is no regular file, or whose folder does not exist.

    Args:
        out: what is to be written.
        inputs: every file that was read for it.
        force: whether a regular file may be replaced.

    Raises:
        UsageError: as said.
    """
    _check_name(out)
    if any(_same(out, path) for path in inputs):
        raise UsageError("is the input too", at=str(out), expected="another path: inputs are never overwritten")
    try:
        there, folder, regular, parent = os.path.lexists(out), out.is_dir(), out.is_file(), out.parent.is_dir()
    except (OSError, ValueError) as error:
        raise UsageError(reason(error), at=str(out), expected="a file that can be written") from None
    if folder:
        raise UsageError("is a folder", at=str(out), expected="the path of a file")
    if there and not regular:  # a pipe, a device, a link to nowhere
        raise UsageError("is not a regular file", at=str(out), expected="a path that is free, or a regular file")
    if there and not force:
        raise UsageError("exists", at=str(out), expected="a path that is free", hint="--force overwrites it")
    if not parent:
        raise UsageError("there is no such folder", at=str(out.parent), expected="a folder to write to")


def _same(out: Path, path: Path) -> bool:
    return os.path.exists(out) and os.path.exists(path) and out.samefile(path)  # noqa: PTH110  # raises for no name


class Draft:
    """A file that appears whole under its name or not at all; leaving the block without ``keep`` removes it."""

    def __init__(self, out: Path) -> None:
        # a name of its own length: the final one may be as long as names can be
        self.path = out.with_name(f".onnxprep.{os.getpid()}.{secrets.token_hex(4)}.part")
        self._out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
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
            raise UsageError(reason(error), at=str(self._out), expected="a file that can be written") from None
