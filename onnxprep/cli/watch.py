"""``--timeout``: the work in a child process, so that neither a loop without end nor a crash takes the command along."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from onnxprep.cli.signals import ending
from onnxprep.errors import ContractError

_CHILD = "--in-child"
_LONGEST = 10**6
_START = "import sys; from onnxprep.cli import main; main(sys.argv[1:], prog_name='onnxprep')"


class Watched(click.Command):
    """A command with ``--timeout SECONDS``, which then runs in a child process."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        limit = click.IntRange(1, _LONGEST)
        text = "Do the work in a process of its own and end it after so many seconds; what crashes it is an error, too."
        self.params.append(click.Option(["--timeout"], type=limit, metavar="SECONDS", help=text))
        self.params.append(click.Option([_CHILD], is_flag=True, hidden=True, help="Set by --timeout for its child."))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keeps the arguments for the child."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        seconds, inside = ctx.params.pop("timeout", None), ctx.params.pop(_CHILD.strip("-").replace("-", "_"), False)
        if seconds is not None and not inside:
            ctx.meta["onnxprep.child"] = (seconds, [str(self.name), _CHILD, *given])
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Here, or in a child."""
        if "onnxprep.child" not in ctx.meta:
            return super().invoke(ctx)
        seconds, arguments = ctx.meta["onnxprep.child"]
        what = str(ctx.params.get("model") or ctx.params.get("spec"))
        return ctx.exit(_run(arguments, seconds, what, _written(ctx.params)))


@dataclass(frozen=True)
class _Written:
    """What the command writes by way of drafts beside it: the files, and the folder that it makes for them."""

    files: tuple[Path, ...]
    folder: Path | None


def _written(given: Mapping[str, Any]) -> _Written:
    folder: Path | None = given.get("split")
    inside = None if folder is None else folder / "model.onnx"
    files = (given.get("output"), given.get("draw"), inside)
    new = folder is not None and not os.path.lexists(folder)
    return _Written(tuple(file for file in files if file is not None), folder if new else None)


def _run(arguments: list[str], seconds: int, what: str, written: _Written) -> int:
    """The exit code of the child, which prints by itself.

    Raises:
        ContractError: it took too long, or crashed.
    """
    # -P: the folder it runs in is no place to import from; what this process imports from is
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with ending() as end:
        end.hold()
        child = subprocess.Popen([sys.executable, "-P", "-c", _START, *arguments], env=environment)
        try:
            end.release()
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            end.hold()
            _end(child, written)
            _refuse_slow(what, seconds)
        except BaseException:  # Ctrl-C or a signal, say
            _end(child, written)
            raise
        if code < 0 or code > 255:  # a signal; on Windows a status
            _end(child, written)
            _refuse_crash(what, code)
        return code


def _end(child: subprocess.Popen[bytes], written: _Written) -> None:
    """No process stays, and none of its drafts."""
    child.kill()
    child.wait()
    for out in written.files:
        from onnxprep.runtime.parts import remove_of

        remove_of(child.pid, out)
    if written.folder is not None:
        with contextlib.suppress(OSError):  # it was not made, or is not empty
            written.folder.rmdir()


def _refuse_slow(what: str, seconds: int) -> NoReturn:
    raise ContractError(
        f"was not done within {seconds} s",
        at=what,
        expected="an end within --timeout",
        hint="a large model, or a copy of its weights, may need more; so does a loop that never ends: give it more time only if you trust it",
    )


def _refuse_crash(what: str, code: int) -> NoReturn:
    try:
        got = signal.Signals(-code).name
    except ValueError:
        got = f"exit status {code}"
    raise ContractError(
        "the process that worked on it crashed",
        at=what,
        expected="a model that ONNX Runtime can run",
        got=got,
        hint="too little memory, or ONNX Runtime itself: try another version of it, or export the model in another way",
    )
