"""SIGTERM and SIGHUP end the program as Ctrl-C does: what is not finished is removed."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


class Ending:
    """The first signal ends the program with 128 + its number; later ones do not disturb the cleaning up."""

    def __init__(self) -> None:
        self._number = 0
        self._held = False

    def __call__(self, number: int, _: FrameType | None) -> None:
        """What the system calls."""
        if not self._number:
            self._number = number
            if not self._held:
                sys.exit(128 + number)

    def hold(self) -> None:
        """From now on, a signal waits."""
        self._held = True

    def release(self) -> None:
        """Signals end the program again, one that waits at once."""
        self._held = False
        if self._number:
            sys.exit(128 + self._number)


@contextlib.contextmanager
def ending() -> Iterator[Ending]:
    """While inside, a signal raises SystemExit; what the program was told to ignore (nohup) stays ignored."""
    end = Ending()
    ours = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()
    before = [number for number in ours if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in before:
        signal.signal(number, end)
    try:
        yield end
    finally:
        for number in before:
            signal.signal(number, signal.SIG_DFL)
