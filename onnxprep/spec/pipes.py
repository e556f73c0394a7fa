"""Files that may be pipes: read whole, and without waiting for ever for somebody who writes."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path

PATIENCE = 5.0
"""Seconds in which somebody has to open the other end of a pipe."""


def contents(path: Path, most: int = -1) -> bytes:
    """The bytes of a file, at most so many.

    Raises:
        OSError: it cannot be read, or is a pipe that nobody writes to.
    """
    # Path.open takes no opener
    with open(path, "rb", opener=_opened) as file:
        head = _awaited(file.fileno()) if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode) else b""
        if hasattr(os, "O_NONBLOCK"):
            os.set_blocking(file.fileno(), True)
        return head + file.read(most)


def _opened(path: str, flags: int) -> int:
    """To open a pipe in the usual way is to wait for somebody who writes."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _awaited(descriptor: int) -> bytes:
    """Waits for somebody who writes; what was read to find that out."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if poll.poll(PATIENCE * 1000):
        return b""
    try:
        head = os.read(descriptor, 1)
    except BlockingIOError:  # somebody is there, and takes time
        return b""
    if not head:
        raise OSError("is a pipe that nobody writes to")
    return head
