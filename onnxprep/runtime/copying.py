"""Weights on their way to another folder: copied beside a draft of the model, and named together with it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import filecmp
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from onnxprep.errors import UsageError
from onnxprep.runtime import parts
from onnxprep.runtime.beside import DataFile, Placed
from onnxprep.runtime.files import Draft, check_output, make_folder, quietly, reason
from onnxprep.runtime.neighbours import users_of

Told = Callable[[str, int, int], None]
"""Hears of progress: a file's name, the bytes copied so far, the bytes of all files."""

CHUNK = 2**24
"""Bytes between two words of progress, and between two chances to interrupt."""
_NOT_HERE = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}


def check_targets(placed: Placed, out: Path, read: Collection[Path], size: int, *, force: bool) -> Placed:
    """Refuses copies that would replace something, leave the output's folder, or not fit the disk.

    A file that is there already with the same bytes is left as it is; one that another model in the output's folder
    refers to is never replaced.

    Args:
        placed: the data files.
        out: the model's new file.
        read: every file that was read.
        size: bytes that the model's file takes, about.
        force: whether data files that are there may be replaced.

    Returns:
        The data files, those marked that are there already.

    Raises:
        UsageError: as said.
    """
    if not placed.copies:
        return placed
    checked = replace(placed, files=tuple(_checked(file, out, read, force=force) for file in placed.files))
    needed, free = size + sum(file.size for file in checked.copies), shutil.disk_usage(out.parent).free
    if needed > free:
        raise UsageError(
            "there is not enough room", at=str(out.parent), expected=f"{needed:,} bytes free", got=f"{free:,} bytes"
        )
    return checked


def _checked(file: DataFile, out: Path, read: Collection[Path], *, force: bool) -> DataFile:
    if file.target == out:
        raise UsageError("is the name of the model's external data too", at=str(out), expected="another name")
    _check_folders(file.target.parent, out.parent)
    if not file.target.parent.is_dir():
        return file
    goes = "and the model's external data goes there"
    try:
        check_output(file.target, read, force=True)
    except UsageError as error:
        raise error.told_as(UsageError, problem=f"{error.problem}, {goes}") from None
    if not os.path.lexists(file.target):
        return file
    if _is_there(file):
        return replace(file, present=True)
    user = next(users_of(file.target, out), None)
    if user is not None:
        raise UsageError(
            f"holds the external data of {user}, {goes}", at=str(file.target), expected="a path that is free",
            hint="write to another folder",
        )  # fmt: skip
    if not force:
        hint = "write to another folder; --force replaces it for whatever else reads it, too"
        raise UsageError(f"exists, {goes}", at=str(file.target), expected="a path that is free", hint=hint)
    return file


def _is_there(file: DataFile) -> bool:
    """The same bytes, in a file and not behind a link; they are compared only where the lengths are equal."""
    if file.target.is_symlink() or file.target.stat().st_size != file.size:
        return False
    try:
        filecmp.clear_cache()  # it takes a file of the same length and time for the same
        return filecmp.cmp(file.source, file.target, shallow=False)
    except OSError as error:
        raise UsageError(reason(error), at=str(file.target), expected="a readable file") from None


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

    def __init__(
        self, out: Path, copies: Sequence[DataFile], told: Told | None = None, *, force: bool, like: Path
    ) -> None:
        super().__init__(out, force=force, like=like)
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
        self._do(self._make, self._folder)
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
                if file.present:
                    continue
                make_folder(file.target.parent, named)
                new = not os.path.lexists(file.target)
                self._name(self._folder / file.name, file.target, file.source)
                if new:
                    named.callback(quietly, file.target.unlink)
            super().keep()
            named.pop_all()

    def _make(self) -> None:
        parts.remove_stale(self._folder.parent)
        self._undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._folder.mkdir(0o700)
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
    with source.open("rb", buffering=0) as reader, parts.opened(target, private=True) as writer:
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
