"""Files that a spec names: read once, inside the spec's folder, as lines of UTF-8."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnxprep.errors import SpecError, UsageError
from onnxprep.spec.messages import shown
from onnxprep.spec.pipes import contents
from onnxprep.spec.reading import MAX_BYTES

INLINE_BYTES = 64 * 2**10
"""Longer content gets a metadata key of its own."""


def as_long_file(lines: Sequence[str]) -> str | None:
    """The content that is kept beside the spec instead of in it; ``None`` where it is short or no file could say it."""
    text = "\n".join(lines) + "\n"
    if len(text.encode()) <= INLINE_BYTES or any(
        not line.strip() or "\n" in line or line[-1] == "\r" for line in lines
    ):
        return None
    return text


@dataclass(frozen=True)
class LinesOf:
    """Where ``file:`` is looked up: a folder, or for a stored spec the contents by digest; and what was read."""

    folder: Path | None
    stored: Mapping[str, str]
    read: list[Path] = field(default_factory=list)

    def lines_of(self, name: str, blanks: bool = False) -> list[str]:
        """The lines of a named file, without their ends; with ``blanks`` a line of blanks is an entry.

        Raises:
            SpecError: not there, outside the folder, not UTF-8, or with an empty line.
        """
        digest = name.removeprefix("sha256:")
        if digest != name:
            return _lines(self._stored(digest))
        if self.folder is None:
            hint = "load the spec from a file, or write the content into it"
            raise SpecError(f"{shown(name)} cannot be looked up: this spec has no folder", hint=hint)
        try:
            folder = self.folder.resolve()
            path = (folder / name).resolve()
            inside = path.is_relative_to(folder)
            special = path.exists() and not path.is_file() and not path.is_dir()
        except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, links that go in a circle
            inside = False
        if not inside:
            raise SpecError(
                f"{shown(name)} leads out of the spec's folder", expected="a file beside the spec or below it"
            )
        if special:  # a pipe may keep its reader for ever
            raise SpecError(f"{shown(name)} is not a regular file", expected="a text file")
        try:
            return _lines(self.text_of(path), blanks)
        except UsageError as error:
            hint = "" if path.exists() else "write it beside the spec, one name per line, or leave the step out"
            raise SpecError(f"{shown(name)}: {error.problem}", expected=error.expected, hint=hint) from None

    def text_of(self, path: Path) -> str:
        """A whole file as text.

        Raises:
            UsageError: it cannot be read, is too large, or is not UTF-8.
        """
        try:
            content = contents(path, MAX_BYTES + 1)  # bounded while it is read: a pipe has no size
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError("is not UTF-8 text", at=str(path), expected="a YAML or text file") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(reason.lower(), at=str(path), expected="a readable file") from None
        self.read.append(path.absolute())
        if len(content) > MAX_BYTES:
            raise UsageError("is too large", at=str(path), expected=f"at most {MAX_BYTES // 2**20} MB")
        return text

    def _stored(self, digest: str) -> str:
        text = self.stored.get(digest)
        if text is None:
            raise SpecError(f"the content sha256:{digest[:16]}... is missing", expected="it beside the stored spec")
        if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != digest:
            raise SpecError(f"the content sha256:{digest[:16]}... does not match its digest")
        return text


def _lines(text: str, blanks: bool = False) -> list[str]:
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    for i, line in enumerate(lines):
        if not (line if blanks else line.strip()):
            raise SpecError(f"line {i + 1} is empty", expected="one entry on each line")
    return lines
