"""What all commands share: errors to exit codes, JSON, and text that cannot reach the terminal as control codes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from onnxprep.errors import OnnxprepError, UsageError

_Function = TypeVar("_Function", bound=Callable[..., Any])
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e\u00a0-\uffff\U00010000-\U0010ffff]")
_LONGEST = 4000  # characters of a line
_INVISIBLE = re.compile(
    r"[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


class Group(click.Group):
    """Prints our errors on stderr without a traceback and exits with their code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except MemoryError as error:
            got = str(error)[:200] or "not enough memory"
            self._tell(
                ctx, UsageError("does not fit the memory", at="the sizes of the spec", expected="smaller ones", got=got)
            )
        except OnnxprepError as error:
            self._tell(ctx, error)

    @staticmethod
    def _tell(ctx: click.Context, error: OnnxprepError) -> None:
        if ctx.meta.get("onnxprep.json"):
            click.echo(_as_json({"ok": False, "exit_code": error.exit_code, "error": error.to_dict()}))
        click.echo(printable(f"error: {error}"), err=True)
        sys.exit(error.exit_code)


def printable(text: object) -> str:
    """The text with control characters, direction marks and lone surrogates escaped; line breaks stay."""
    escaped = _UNPRINTABLE.sub(_escape, str(text))
    return _INVISIBLE.sub(_escape, escaped)


def _escape(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def on_one_line(text: object) -> str:
    """``printable``, without line breaks and cut where it is long: no name in a model passes for a line of ours."""
    whole = str(text)
    cut = whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]} ... ({len(whole):,} characters)"
    return printable(cut).replace("\n", "\\n")


def say(line: object) -> None:
    """A line of data, on stdout."""
    click.echo(on_one_line(line))


def say_text(text: str) -> None:
    """Data of several lines, on stdout."""
    click.echo(printable(text))


def tell(line: object) -> None:
    """A message, on stderr."""
    click.echo(on_one_line(line), err=True)


def say_json(value: Any) -> None:
    """Data as JSON, on stdout, ASCII."""
    click.echo(_as_json(value))


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True).replace("\x7f", "\\u007f")


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    ctx.meta["onnxprep.json"] = value
    return value


def with_json(function: _Function) -> _Function:
    """The option ``--json`` of every reading command."""
    option = click.option(
        "--json", "as_json", is_flag=True, callback=_remember, help="Machine-readable output on stdout, errors too."
    )
    return option(function)


FILE = click.Path(path_type=Path)


def named_files(values: tuple[str, ...], option: str) -> dict[str, Path]:
    """``NAME=FILE`` pairs of an option.

    Raises:
        UsageError: one is not a pair, or a name stands twice.
    """
    found: dict[str, Path] = {}
    for value in values:
        name, equals, file = value.partition("=")
        if not (name and equals and file):
            raise UsageError(f"{value!r} is not NAME=FILE", at=option, expected=f"{option} VALUE=FILE.npy")
        if name in found:
            raise UsageError(f"names {name!r} twice", at=option)
        found[name] = Path(file)
    return found
