"""What is not finished, ``.onnxprep.<process>.<number>.part``: how it gets its name, and who may remove what was left."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing that was left behind is removed
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.onnxprep\.[0-9]+\.[0-9a-f]{8}\.part")
_FRESH = 10
"""Seconds in which a part may not have its lock yet."""


def name() -> str:
    """A new one."""
    return f".onnxprep.{os.getpid()}.{secrets.token_hex(4)}.part"


def opened(path: Path, *, private: bool) -> BinaryIO:
    """A new file to write to; ``private``: that nobody else reads."""
    mode = 0o600 if private else 0o666
    # Path.open takes no opener
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode))


def give_name(part: Path, out: Path, like: Path | None, *, force: bool) -> None:
    """A part becomes ``out`` in one move, with the permissions of ``like``.

    Raises:
        FileExistsError: the name is taken, and ``force`` is not given.
        OSError: it cannot be given.
    """
    if like is not None:
        with contextlib.suppress(OSError):  # a file system without permissions
            part.chmod(like.stat().st_mode & 0o777)
    if not force:
        try:
            os.link(part, out)
        except FileExistsError:
            raise
        except OSError:  # no hard links there
            if os.path.lexists(out):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(out)) from None
        else:
            part.unlink()
            return
    part.replace(out)


def lock(descriptor: int) -> None:
    """Marks the open file or folder as in use; the system takes the mark away when the process ends, however it ends."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_folder(folder: Path) -> int | None:
    """A folder opened to be locked; None where the system cannot."""
    return None if fcntl is None else os.open(folder, os.O_RDONLY)


def remove_of(process: int, out: Path) -> None:
    """Removes what a process that has ended left of ``out``, of the data with it, and of goldens beside it."""
    for folder in (out.parent, *out.parent.glob("test_data_set_*")):
        found = list(folder.glob(f".onnxprep.{process}.*.part"))
        for path in found:
            _remove(path)
        if found and folder != out.parent:
            with contextlib.suppress(OSError):  # others have put something there
                folder.rmdir()


def remove_stale(folder: Path) -> None:
    """Removes the parts in a folder that no process holds any more."""
    found: list[Path] = []
    with contextlib.suppress(OSError):  # a folder may be written to and not be listed
        found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and not path.is_symlink()]
    for path in found if fcntl is not None else ():
        with contextlib.suppress(OSError):  # held, or gone
            _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    if abs(time.time() - path.stat().st_mtime) < _FRESH:
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
