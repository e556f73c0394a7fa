"""Specs to start from: commented YAML that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from onnxprep.errors import UsageError
from onnxprep.spec.messages import did_you_mean, shown

_SUFFIX = ".yaml"


def names() -> tuple[str, ...]:
    """The presets, sorted."""
    return tuple(sorted(_all()))


def text(name: str) -> str:
    """A preset as YAML, with its comments.

    Raises:
        UsageError: there is none of that name.
    """
    found = _all()
    if name not in found:
        raise UsageError(
            f"there is no preset {shown(name)}", expected=", ".join(sorted(found)), hint=did_you_mean(name, found)
        )
    return found[name].read_text(encoding="utf-8")


def _all() -> dict[str, Traversable]:
    folder = files("onnxprep") / "presets"
    return {item.name.removesuffix(_SUFFIX): item for item in folder.iterdir() if item.name.endswith(_SUFFIX)}


def summary(name: str) -> str:
    """The first line of a preset's comment."""
    return text(name).splitlines()[0].removeprefix("#").strip().rstrip(":")
