"""Which version of a library is installed here, under whichever name it is distributed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

_ALSO_AS = {
    "opencv-python-headless": ("opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
    "tensorflow": ("tensorflow-cpu",),
}
"""Distribution -> others that hold the same library."""


def installed_version(library: str) -> str | None:
    """``"13.0.0"``; ``None`` where the library is not installed."""
    for name in (library, *_ALSO_AS.get(library, ())):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
