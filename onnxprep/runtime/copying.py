"""Weights on their way to another folder: copied beside a draft of the model, and named together with it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from onnxprep.errors import UsageError
from onnxprep.runtime import parts
from onnxprep.runtime.beside import DataFile
from onnxprep.runtime.files import Draft, check_output, make_folder, quietly, reason

Told = Callable[[str, int, int], None]
"""Hears of progress: a file's name, the bytes copied so far, the bytes of all files."""

CHUNK = 2**24
"""Bytes between two words of progress, and between two chances to interrupt."""
_NOT_HERE = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}


def check_targets(copies: Sequence[DataFile], out: Path, read: Iterable[Path], size: int, *, force: bool) -> None:
    """Refuses copies that would replace something, leave the output's folder, or not fit the disk.

    Args:
        copies: the data files.
        out: the model's new file.
        read: every file that was read.
        size: bytes that the model's file takes, about.
        force: whether data files that are there may be replaced.

    Raises:
        UsageError: as said.
    """
    for file in copies:
        if file.target == out:
            raise UsageError("is the name of the model's external data too", at=str(out), expected="another name")
        _check_folders(file.target.parent, out.parent)
        if file.target.parent.is_dir():
            try:
                check_output(file.target, read, force=force)
            except UsageError as error:
                problem = f"{error.problem}, and the model's external data goes there"
                raise error.told_as(UsageError, problem=problem) from None
    needed, free = size + sum(file.size for file in copies), shutil.disk_usage(out.parent).free
    if needed > free:
        raise UsageError(
            "there is not enough room", at=str(out.parent), expected=f"{needed:,} bytes free", got=f"{free:,} bytes"
        )


def _check_folders(folder: Path, top: Path) -> None:
    """What is read through a link out of the model's folder, ONNX Runtime refuses."""
    if folder == top:
        return
    _check_folders(folder.parent, top)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError("is not a folder of its own", at=str(folder), expected="a folder for external data, or none")


class DraftWithData(Draft):
    """A draft of a model in a folder of its own, with copies of the data files: all get their names, the model last.

    Without copies it is a plain draft. Leaving the block without ``keep`` removes everything.
    """

    def __init__(self, out: Path, copies: Sequence[DataFile], told: Told | None = None) -> None:
        super().__init__(out)
        self.copies = copies
        self._told = told or (lambda *_: None)
        self._undo = contextlib.ExitStack()
        self._folder = self.path
        if copies:
            self.path = self._folder / out.name

    def copy(self) -> None:
        """Copies the data files: what is first to do with a draft that has some.

        Raises:
            UsageError: a file cannot be read or written.
        """
        if not self.copies:
            return
        self._do(self._make)
        done, total = 0, sum(file.size for file in self.copies)
        for file in self.copies:
            for count in self._copied(file):
                done += count
                self._told(file.name, done, total)

    def __exit__(self, *of: object) -> None:
        super().__exit__(*of)
        self._undo.close()

    def keep(self) -> None:
        """Gives every file its name, and at last the model."""
        with contextlib.ExitStack() as named:
            for file in self.copies:
                make_folder(file.target.parent, named)
                new = not os.path.lexists(file.target)
                self._do(functools.partial(os.replace, self._folder / file.name, file.target))
                if new:
                    named.callback(quietly, file.target.unlink)
            super().keep()
            named.pop_all()

    def _make(self) -> None:
        parts.remove_stale(self._folder.parent)
        self._undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._folder.mkdir()
        descriptor = parts.open_folder(self._folder)
        if descriptor is not None:
            self._undo.callback(os.close, descriptor)
            parts.lock(descriptor)

    def _copied(self, file: DataFile) -> Iterator[int]:
        target = self._folder / file.name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield from copied(file.source, target, file.size)
        except OSError as error:
            expected = f"a file that can be copied to {file.target.parent}"
            raise UsageError(reason(error), at=str(file.source), expected=expected) from None


def copied(source: Path, target: Path, size: int) -> Iterator[int]:
    """Copies a file in pieces, by the system where it can (which shares the blocks where the disk can); their lengths.

    Raises:
        OSError: it cannot be read or written.
        UsageError: it changes meanwhile.
    """
    with source.open("rb", buffering=0) as reader, target.open("xb", buffering=0) as writer:
        before = os.fstat(reader.fileno())
        _reserve(writer.fileno(), size)
        left, move = size, _in_system if hasattr(os, "copy_file_range") else _in_memory
        while left:
            count = move(reader.fileno(), writer.fileno(), min(left, CHUNK))
            if count:
                left -= count
                yield count
            elif move is _in_system:
                move = _in_memory
            else:
                break
        after = os.fstat(reader.fileno())
    if left or before.st_size != size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UsageError("changed while it was copied", at=str(source), expected="a file that nothing writes to")


def _reserve(descriptor: int, size: int) -> None:
    """Room for the whole file in one request, a quarter less time to copy; where the system knows of no such thing, none.

    ``os.posix_fallocate`` would write to every block of a file system that cannot.
    """
    if sys.platform == "linux" and sys.maxsize > 2**32:
        with contextlib.suppress(OSError, AttributeError):
            keep_size = 1
            ctypes.CDLL(None).fallocate(descriptor, keep_size, ctypes.c_int64(0), ctypes.c_int64(size))


def _in_system(reader: int, writer: int, count: int) -> int:
    """0 where the system cannot, for want of support or between these two file systems."""
    try:
        return os.copy_file_range(reader, writer, count)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return 0
        raise


def _in_memory(reader: int, writer: int, count: int) -> int:
    rest = memoryview(os.read(reader, count))
    length = len(rest)
    while rest:
        rest = rest[os.write(writer, rest) :]
    return length
