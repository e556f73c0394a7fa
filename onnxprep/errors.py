"""Everything onnxprep raises on purpose. Exit codes live here, so that no command can invent its own.

OnnxprepError (1)        anything unforeseen
  UsageError (2)         a file, a path or a flag           -> call again, corrected
  SpecError (3)          the document by itself is wrong    -> mend the spec
  ContractError (4)      steps and model do not fit         -> mend one of them
  ParityError (5)        the numbers are not the promised   -> do not ship the model
"""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

_Kind = TypeVar("_Kind", bound="OnnxprepError")
_LONGEST = 2000  # characters of one part


class OnnxprepError(Exception):
    """Says where, what, what was expected, what was found and what to do next.

    Attributes:
        problem: what is wrong, as the end of a sentence that begins with the place.
        at: the place, as a path into the document or the name of a file.
        expected: what would have been right.
        got: what was found instead.
        hint: a next step.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, at: str = "", expected: str = "", got: str = "", hint: str = "") -> None:
        self.problem, self.at, self.expected, self.got, self.hint = problem, at, expected, got, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [_on_one_line(f"{self.at}: {self.problem}" if self.at else self.problem)]
        for label, text in (("expected:", self.expected), ("got:", self.got), ("hint:", self.hint)):
            if text:
                lines.append(f"  {label:<10}{_on_one_line(text)}")
        return "\n".join(lines)

    def inside(self, place: str) -> Self:
        """The same error seen from one level further out: ``std[1]`` inside ``preprocess[3].parameters``."""
        joined = self.at if not place else place if not self.at else f"{place}{_joint(self.at)}{self.at}"
        return self.told_as(type(self), at=joined)

    def told_as(self, kind: type[_Kind], **changed: str) -> _Kind:
        """The same finding as an error of ``kind``, some of its parts told differently."""
        parts = {"problem": self.problem, "at": self.at, "expected": self.expected, "got": self.got, "hint": self.hint}
        return kind(**(parts | changed))

    def to_dict(self) -> dict[str, str]:
        """The parts that say something, for ``--json``."""
        parts = {"at": self.at, "problem": self.problem, "expected": self.expected, "got": self.got, "hint": self.hint}
        return {key: text for key, text in parts.items() if text}


def _on_one_line(text: str) -> str:
    """A part may quote a file, whose text must not pass for a line of ours, nor bury what we say."""
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _joint(inner: str) -> str:
    return "" if inner.startswith("[") else "."


class UsageError(OnnxprepError):
    """A missing or unreadable file, an output that exists or equals the input, a picture that is none."""

    exit_code = 2


class SpecError(OnnxprepError):
    """The document by itself is wrong."""

    exit_code = 3


class ContractError(OnnxprepError):
    """Steps do not fit each other or the model, or the file is not a model that this can work on."""

    exit_code = 4


class ParityError(OnnxprepError):
    """A golden, a digest or a proof does not hold."""

    exit_code = 5
