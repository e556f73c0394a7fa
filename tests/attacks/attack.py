"""What an attack is, how it is carried out, and what must hold whatever it tries."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import onnxruntime
from click.testing import CliRunner
from onnx import ModelProto

from onnxprep.cli import main
from onnxprep.graph import metadata
from onnxprep.graph.seal import SEAL, seal

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "fixtures" / "demo"
SECONDS, MEGABYTES, CHARACTERS = 2.0, 512, 200_000
"""What a command may take until ONNX Runtime gets the model, and how much it may print."""

OUT = "out.onnx"
CHECK, PLAN, CHECK_BOTH = "check spec.yaml", "plan spec.yaml", "check spec.yaml --model model.onnx"
EXPORT = f"export model.onnx --spec spec.yaml -o {OUT} --no-run"
ON_SPEC = (CHECK, f"{CHECK} --json", f"{PLAN} --model model.onnx", EXPORT)
ON_MODEL = (
    CHECK_BOTH, EXPORT, "inspect model.onnx", "inspect model.onnx --json", f"strip model.onnx -o {OUT}", "verify model.onnx",
)  # fmt: skip
ON_EXPORTED = (
    "inspect exported.onnx", "inspect exported.onnx --source", f"strip exported.onnx -o {OUT}", "verify exported.onnx",
    f"export exported.onnx --spec spec.yaml -o {OUT} --no-run",
)  # fmt: skip
ON_INPUT = ("run exported.onnx input", f"export model.onnx --spec spec.yaml -o {OUT} --golden input")


@dataclass(frozen=True)
class Attack:
    """What is put into a folder that holds the demo, and the commands that read it.

    Attributes:
        put: writes the hostile files.
        commands: each must end with one of our exit codes and a message, or (``accepted``) with 0.
        accepted: commands that may take it: it is large or odd, and right. Those that begin with one of these.
        seconds: more than ``SECONDS`` where the file itself is so large that reading it takes them; said in security.md.
        megabytes: the same for ``MEGABYTES``.
    """

    put: Callable[[Path], object]
    commands: tuple[str, ...]
    accepted: tuple[str, ...] = ()
    seconds: float = SECONDS
    megabytes: float = MEGABYTES


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        code: its exit status; negative where a signal ended it.
        text: everything it printed.
        changed: files that were not there before, or are different now.
        seconds: time of the processor.
        megabytes: the most memory that it held, imports and interpreter included; 0 where it was not measured.
    """

    code: int
    text: str
    changed: frozenset[str] = field(default_factory=frozenset)
    seconds: float = 0.0
    megabytes: float = 0.0


_FORBIDDEN = {
    "a traceback": re.compile(r"Traceback|  File \""),
    "the name of a class": re.compile(r"(?<!\[)\b[A-Z]\w*(Error|Exception|Warning)\b|google\.protobuf|pydantic|numpy\._"),
    "control characters": re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"),
    "half a surrogate pair": re.compile("[\ud800-\udfff]"),
    "a line of its own from a file": re.compile(r"^FORGED", re.MULTILINE),
}  # fmt: skip


def problems(attack: Attack, command: str, outcome: Outcome) -> list[str]:
    """What must not be, and is."""
    allowed = {2, 3, 4, 5} | ({0} if command.startswith(attack.accepted or "\0") else set())
    found = [] if outcome.code in allowed else [f"exit {outcome.code}"]
    found += [f"prints {what}" for what, pattern in _FORBIDDEN.items() if pattern.search(outcome.text)]
    if outcome.code and "error: " not in outcome.text:
        found.append("says nothing")
    if len(outcome.text) > CHARACTERS:
        found.append(f"prints {len(outcome.text)} characters")
    written = outcome.changed - ({OUT} if outcome.code == 0 else set())
    if written:
        found.append(f"writes {sorted(written)}")
    if outcome.seconds > attack.seconds:
        found.append(f"takes {outcome.seconds:.1f} s")
    if outcome.megabytes > attack.megabytes:
        found.append(f"takes {outcome.megabytes:.0f} MB")
    return found


# the folder ---------------------------------------------------------------------------------------------------------


@contextmanager
def folder(attack: Attack) -> Iterator[Path]:
    """A folder inside a folder, with the demo and what the attack puts there."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place) / "work"
        work.mkdir()
        (work.parent / "secret.txt").write_text("a\nb\n")
        for name, source in (
            ("model.onnx", "classifier.onnx"),
            ("spec.yaml", "spec.yaml"),
            ("labels.txt", "labels.txt"),
        ):
            shutil.copy(DEMO / source, work / name)
        shutil.copy(DEMO / "pictures" / "1350-blue.png", work / "input")
        (work / "exported.onnx").write_bytes(exported())
        attack.put(work)
        yield work


@functools.cache
def exported() -> bytes:
    """The demo with its steps and a golden inside."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "exported.onnx"
        arguments = [DEMO / "classifier.onnx", "--spec", DEMO / "spec.yaml", "-o", out]
        golden = ["--golden", DEMO / "pictures" / "1350-blue.png"]
        result = CliRunner().invoke(main, ["export", *map(str, arguments), *map(str, golden)])
        assert result.exit_code == 0, result.stderr
        return out.read_bytes()


def altered(change: Callable[[ModelProto], None]) -> Callable[[Path], object]:
    """The exported demo, changed by somebody who also makes the seal anew."""

    def put(work: Path) -> object:
        model = ModelProto.FromString(exported())
        change(model)
        stored = {
            p.key: p.value for p in model.metadata_props if isinstance(p.value, str) and p.key.startswith("onnxprep.")
        }
        metadata.write(model, {SEAL: seal(stored)})
        return (work / "exported.onnx").write_bytes(model.SerializeToString())

    return put


def _state(work: Path) -> dict[str, str]:
    return {str(path.relative_to(work.parent)): _mark(path) for path in sorted(work.parent.rglob("*"))}


def _mark(path: Path) -> str:
    if not path.is_file() or path.is_symlink() or str(path.resolve()).startswith(("/dev", "/proc")):
        return oct(path.lstat().st_mode)
    size = path.stat().st_size
    return f"{size}" if size > 2**28 else hashlib.sha256(path.read_bytes()).hexdigest()


def _changed(before: dict[str, str], after: dict[str, str]) -> frozenset[str]:
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return frozenset(name.removeprefix("work/") for name in names)


# carried out in this process, up to where ONNX Runtime would get the file ---------------------------------------------


def here(command: str, work: Path) -> Outcome:
    """The command in this process. ONNX Runtime gets our own nodes, never the file: it might end the process."""
    before, place = _state(work), Path.cwd()
    os.chdir(work)
    start = time.process_time()
    try:
        with without_files():
            result = CliRunner().invoke(main, command.split())
    finally:
        os.chdir(place)
    seconds = time.process_time() - start
    foreign = result.exception is not None and not isinstance(result.exception, SystemExit)
    text = result.output + (f"Traceback: {result.exception!r}" if foreign else "")
    found = _changed(before, _state(work))
    (work / OUT).unlink(missing_ok=True)
    return Outcome(result.exit_code, text, found, seconds)


@contextmanager
def without_files() -> Iterator[None]:
    """ONNX Runtime refuses every file."""
    loaded = onnxruntime.InferenceSession

    def refusing(source: str | bytes, *more: object, **named: object) -> object:
        if isinstance(source, str):
            raise ValueError("not in this process")  # noqa: TRY004
        return loaded(source, *more, **named)

    onnxruntime.InferenceSession = refusing
    try:
        yield
    finally:
        onnxruntime.InferenceSession = loaded


# carried out in a process of its own ----------------------------------------------------------------------------------


class Server:
    """Carries out commands, each in a process of its own, forked from one that has imported what commands import."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).parent / "server.py")],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def outside(self, command: str, work: Path, limit: int = 180) -> Outcome:
        """Time includes the imports; memory is the peak of the process itself (VmHWM), interpreter and imports included."""
        before = _state(work)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.NamedTemporaryFile() as printed:
            job = {"command": command.split(), "work": str(work), "printed": printed.name, "limit": limit}
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            told = json.loads(self._process.stdout.readline())
            text = Path(printed.name).read_bytes().decode("utf-8", "surrogateescape")
        found = _changed(before, _state(work))
        (work / OUT).unlink(missing_ok=True)
        return Outcome(told["code"], text, found, told["seconds"], told["megabytes"])
