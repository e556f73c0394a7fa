"""While weights are copied: how far it is, and an end by signal that leaves nothing behind."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import click

from onnxprep.cli.group import printable
from onnxprep.cli.signals import ending

_SILENT = 1.0
"""Seconds: what is done sooner says nothing."""
_EVERY = {True: 0.1, False: 10.0}
"""Seconds between two words, on a terminal and elsewhere."""


class Progress:
    """Prints on stderr how far a copy is: on a terminal in one line, elsewhere a line now and then.

    Attributes:
        copied: bytes of every file that was copied.
    """

    def __init__(self, *, silent: bool) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = float("inf") if silent else time.monotonic() + _SILENT
        self._line = False
        self.copied: dict[str, int] = {}
        self._before = 0

    def __call__(self, name: str, done: int, total: int) -> None:
        """Says how far it is, if it is time to."""
        self.copied[name] = self.copied.get(name, 0) + done - self._before
        self._before = done
        now = time.monotonic()
        if now < self._next and not (self._line and done == total):
            return
        self._next = now + _EVERY[self._terminal]
        text = printable(f"copying {name}: {done / 1e9:.2f} of {total / 1e9:.2f} GB").replace("\n", " ")
        if not self._terminal:
            click.echo(text, err=True)
            return
        # to the end of the line: the last name may have been longer
        click.echo(f"\r{text}\x1b[K", err=True, nl=done == total)
        self._line = done != total

    def end(self) -> None:
        """Ends a line that was left open."""
        if self._line:
            click.echo(err=True)
            self._line = False


@contextlib.contextmanager
def copying(*, silent: bool) -> Iterator[Progress]:
    """Progress; and while inside, SIGTERM and SIGHUP end the program as Ctrl-C does: what is not finished is removed."""
    progress = Progress(silent=silent)
    with ending():
        try:
            yield progress
        finally:
            progress.end()
