"""Files at the edge: models in, models out in one move, and never over what was read."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Self

from google.protobuf.message import EncodeError
from onnx import ModelProto

from onnxprep.errors import ContractError, UsageError
from onnxprep.graph.parse import parse
from onnxprep.runtime import parts
from onnxprep.spec.pipes import contents

MAX_BYTES = 2**31 - 1
"""The longest message that protobuf reads or writes, and so the longest file that any ONNX reader takes."""
_AGAIN = "export it again with its weights in a file of their own: torch.onnx.export(..., external_data=True)"
_OUTSIDE = f"{_AGAIN}, or onnx.save(model, path, save_as_external_data=True, location=NAME)"


def read_bytes(path: Path) -> bytes:
    """A whole file.

    Raises:
        UsageError: it cannot be read.
    """
    _check_name(path)
    try:
        if path.is_char_device() or path.is_block_device():  # some have no end
            raise UsageError("is a device", at=str(path), expected="a readable file")
        return contents(path)
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


def read_model(path: Path, *, once: bool = False) -> tuple[ModelProto, bytes]:
    """A model without its external data, and the file's bytes.

    Args:
        path: the file.
        once: whether it is read this one time only, and so may be a pipe.

    Raises:
        UsageError: it cannot be read.
        ContractError: it is not an ONNX model, or a file that protobuf does not read.
    """
    data = read_model_bytes(path, once=once)
    try:
        return parse(data), data
    except ContractError as error:
        raise error.inside(str(path)) from None


def read_model_bytes(path: Path, *, once: bool = False) -> bytes:
    """The bytes of a model's file.

    Raises:
        UsageError: it cannot be read, or is no regular file and not ``once`` only is it read.
        ContractError: it is longer than protobuf reads.
    """
    if not once:
        refuse_pipe(path)
    size = path.stat().st_size if is_file(path) else 0
    if size > MAX_BYTES:  # before gigabytes are read only to fail
        raise _too_long("is", path, f"{size:,} bytes").told_as(ContractError, hint=_AGAIN)
    return read_bytes(path)


def refuse_pipe(path: Path) -> None:
    """Of what can be read once only.

    Raises:
        UsageError: it is a pipe, or no file can have this name.
    """
    if not is_file(path) and (path.is_fifo() or path.is_socket()):
        hint = "it is read more than once, and what lies beside it counts: write it to a file first"
        raise UsageError("is a pipe", at=str(path), expected="a regular file", hint=hint)


def serialised(model: ModelProto, out: Path, size: int) -> bytes:
    """The bytes of a model.

    Args:
        model: what is to be written.
        out: its file.
        size: bytes of the model that the steps came to.

    Raises:
        ContractError: there would be more than protobuf writes.
    """
    try:
        return model.SerializeToString()
    except (EncodeError, ValueError):  # older versions of protobuf raise the latter
        raise _too_long("would be", out, f"{size:,} bytes and the steps") from None


def _too_long(what: str, path: Path, got: str) -> ContractError:
    problem = f"{what} too long for one file: protobuf reads and writes less than 2 GiB"
    return ContractError(problem, at=str(path), expected=f"at most {MAX_BYTES:,} bytes", got=got, hint=_OUTSIDE)


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


def make_folder(folder: Path, undo: contextlib.ExitStack) -> None:
    """Makes a folder where there is none, with those above it; ``undo`` removes them again.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        if not folder.is_dir():
            make_folder(folder.parent, undo)
            folder.mkdir()
            undo.callback(quietly, folder.rmdir)
    except OSError as error:
        raise UsageError(reason(error), at=str(folder), expected="a folder that can be made") from None


def quietly(action: Callable[[], None]) -> None:
    """Does what may fail: cleaning up hides no error."""
    with contextlib.suppress(OSError):
        action()


class Draft:
    """A file that appears whole under its name or not at all; leaving the block without ``keep`` removes it.

    What earlier processes that were killed left in the same folder is removed on the way.

    Args:
        out: its name.
        force: whether a file of that name is replaced, also one that appears meanwhile.
        like: a file whose permissions it gets; until it has its name, nobody else reads it.
    """

    def __init__(self, out: Path, *, force: bool, like: Path | None = None) -> None:
        # a name of its own length: the final one may be as long as names can be
        self.path = out.with_name(parts.name())
        self._out = out
        self.force = force
        self._like = like
        self._file: BinaryIO | None = None
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        quietly(self._close)
        quietly(self._remove)

    def write(self, data: bytes) -> None:
        """Adds to the draft.

        Raises:
            UsageError: it cannot be written.
            ContractError: protobuf would not read so long a file.
        """
        self._size += len(data)
        if self._size > MAX_BYTES:
            raise _too_long("would be", self._out, f"{self._size:,} bytes")
        self._do(lambda: self._append(data), self._out)

    def keep(self) -> None:
        """Gives the draft its name, in one move.

        Raises:
            UsageError: it cannot be given, or is taken and may not be replaced.
        """
        self._close()
        self._name(self.path, self._out, self._like)

    def _name(self, draft: Path, out: Path, like: Path | None) -> None:
        self._do(functools.partial(parts.give_name, draft, out, like, force=self.force), out)

    def _remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        if self._file is None:
            parts.remove_stale(self.path.parent)
            self._file = parts.opened(self.path, private=self._like is not None)
            parts.lock(self._file.fileno())
        self._file.write(data)
        self._file.flush()  # it is read by its name before it is closed

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _do(action: Callable[[], None], out: Path) -> None:
        try:
            action()
        except FileExistsError:
            problem, hint = "exists: another program wrote it meanwhile", "start again, or give another path"
            raise UsageError(problem, at=str(out), expected="a path that is free", hint=hint) from None
        except OSError as error:
            raise UsageError(reason(error), at=str(out), expected="a file that can be written") from None
