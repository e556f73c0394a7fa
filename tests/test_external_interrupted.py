"""Copies of weights that do not come to their end leave nothing half done; how far they are is told."""

from __future__ import annotations

import errno
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from outside import DATA, LONG, exported, prepared, refer, refused, state
from small import SPEC, small

import onnxprep
from onnxprep.cli import copying as command_line
from onnxprep.errors import UsageError
from onnxprep.runtime import copying, files, parts


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return prepared(tmp_path, monkeypatch)


# no room, no time, no end ------------------------------------------------------------------------------------------


def test_room_is_looked_for_before_anything_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage("."))
    size = Path("a/model.onnx").stat().st_size + 7680
    asked: list[Path] = []
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda path: asked.append(path) or usage(10**9, 0, size - 1))
    error = refused(UsageError, "not enough room", lambda: exported("b/out.onnx"), here)
    assert (error.at, error.expected, error.got) == ("b", f"{size:,} bytes free", f"{size - 1:,} bytes")
    assert asked == [Path("b")]


@pytest.mark.parametrize("what", ["the disk", "Ctrl-C"])
def test_a_copy_that_fails_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    os.truncate(f"a/{DATA}", LONG)
    (here / "a" / "x").mkdir()
    (here / "a" / DATA).rename(here / "a" / "x" / DATA)
    refer(here / "a", f"x/{DATA}")
    seen: list[int] = []

    def told(_: str, done: int, total: int) -> None:
        (part,) = Path("b").glob(f".onnxprep.*.part/x/{DATA}")
        seen.append(part.stat().st_size)
        assert total == LONG
        if done > copying.CHUNK and what == "Ctrl-C":
            raise KeyboardInterrupt

    move = copying._in_system

    def soon_full(reader: int, writer: int, count: int) -> int:
        if len(seen) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return move(reader, writer, count)

    if what == "the disk":
        monkeypatch.setattr(copying, "_in_system", soon_full)
    before = state(here)
    with pytest.raises(UsageError if what == "the disk" else KeyboardInterrupt) as caught:
        onnxprep.export("a/model.onnx", SPEC, "b/out.onnx", progress=told)
    assert what == "Ctrl-C" or "no space left on device" in str(caught.value)
    assert seen == [copying.CHUNK, 2 * copying.CHUNK]
    assert state(here) == before


def test_a_name_that_cannot_be_given_takes_the_others_back(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "a" / "x").mkdir()
    (here / "a" / DATA).rename(here / "a" / "x" / DATA)
    refer(here / "a", f"x/{DATA}")
    before = state(here)
    replace, link = Path.replace, os.link

    def failing(self: Path, target: Path) -> Path:
        assert Path("b", "x", DATA).is_file(), "the model gets its name last"
        raise OSError(errno.EIO, "Input/output error")

    def links(part: Path, target: Path) -> None:
        if target.name == "out.onnx":
            raise OSError(errno.EPERM, "Operation not permitted")
        link(part, target)

    monkeypatch.setattr(Path, "replace", failing)
    monkeypatch.setattr(os, "link", links)
    with pytest.raises(UsageError, match="input/output error"):
        exported("b/out.onnx")
    monkeypatch.setattr(Path, "replace", replace)
    assert state(here) == before


@pytest.mark.parametrize("how", ["refused", "nothing", "absent"])
def test_where_the_system_cannot_copy_bytes_are_read_and_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def cannot(*_: int) -> int:
        if how == "refused":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return 0

    if how == "absent":
        monkeypatch.delattr(os, "copy_file_range")
    else:
        monkeypatch.setattr(os, "copy_file_range", cannot)
    content = Path("a", DATA).read_bytes() + np.random.default_rng(0).bytes(copying.CHUNK)
    Path("a", DATA).write_bytes(content)
    exported("b/out.onnx")
    assert Path("b", DATA).read_bytes() == content


@pytest.mark.parametrize("size", [LONG - 1, LONG + 1, LONG - copying.CHUNK])
def test_a_file_that_changes_meanwhile_is_refused(here: Path, size: int) -> None:
    os.truncate(f"a/{DATA}", LONG)
    with pytest.raises(UsageError, match="changed while it was copied"):
        onnxprep.export("a/model.onnx", SPEC, "b/out.onnx", progress=lambda *_: os.truncate(f"a/{DATA}", size))
    assert state(here / "b") == {}


SLOW = """
import sys, time
from onnxprep.runtime import copying
move = copying._in_system
def slow(reader, writer, count):
    moved = move(reader, writer, count)
    print("a piece", flush=True)
    time.sleep(30 if slow.pieces else 0)
    slow.pieces += 1
    return moved
slow.pieces = 0
copying._in_system = slow
from onnxprep.cli import main
main()
"""


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="what the child slows down")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 1)]
)
@pytest.mark.usefixtures("signals_are_heard")
def test_an_end_in_the_middle(here: Path, number: signal.Signals, code: int) -> None:
    os.truncate(f"a/{DATA}", LONG)
    before = state(here / "a")
    command = ["export", "a/model.onnx", "--spec", "spec.yaml", "-o", "b/out.onnx", "--no-run"]
    with subprocess.Popen([sys.executable, "-c", SLOW, *command], stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == child.stdout.readline() == "a piece\n"
        (part,) = Path("b").iterdir()
        assert (part / DATA).stat().st_size == 2 * copying.CHUNK
        copying_still = parts_left_after_an_export(here)
        child.send_signal(number)
        _, errors = child.communicate(timeout=20)
    assert child.returncode == code, errors
    assert "Traceback" not in errors
    assert state(here / "a") == before
    assert copying_still == [part.name], "what another process works on is left alone"
    left = [path.name for path in Path("b").iterdir() if path.name != "other.onnx"]
    assert left == ([part.name] if number == signal.SIGKILL else [])
    if number == signal.SIGKILL:
        assert not Path("b/out.onnx").exists()
        os.utime(part, (time.time() - 100,) * 2)
        assert parts_left_after_an_export(here) == []


def parts_left_after_an_export(here: Path) -> list[str]:
    """By another export to the same place, of a model without data files."""
    (here / "single").mkdir(exist_ok=True)
    for path in Path("b").iterdir():
        os.utime(path, (time.time() - 100,) * 2)
    onnxprep.export(small(here / "single"), SPEC, "b/other.onnx", run=False, force=True)
    return [path.name for path in Path("b").glob(".onnxprep.*")]


def test_only_parts_of_ours_are_removed(here: Path) -> None:
    mine = [".onnxprep.part", ".onnxprep.1.abc.part", "onnxprep.1.0123abcd.part", ".onnxprep.1.0123abcd.part.bak"]
    for name in mine:
        Path("b", name).write_bytes(b"")
    Path("b/.onnxprep.1.0123abcd.part").symlink_to("../a")
    Path("b/.onnxprep.1.00000000.part").mkdir()
    Path("b/.onnxprep.1.00000000.part/big").write_bytes(b"1")
    Path("b/.onnxprep.1.11111111.part").write_bytes(b"1")
    Path("b/.onnxprep.1.22222222.part").write_bytes(b"just made")
    for path in Path("b").iterdir():
        if path.name != ".onnxprep.1.22222222.part":
            os.utime(path, (time.time() - 100,) * 2, follow_symlinks=False)
    exported("b/out.onnx", run=False)
    left = {path.name for path in Path("b").iterdir()} - {"out.onnx", DATA}
    assert left == {*mine, ".onnxprep.1.0123abcd.part", ".onnxprep.1.22222222.part"}


def test_a_full_disk_is_told_and_leaves_nothing(here: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = state(here)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))  # less than the data, and than the model
    try:
        with pytest.raises(UsageError, match="file too large"):
            exported("b/out.onnx")
        with pytest.raises(UsageError, match="file too large"):
            exported("a/out.onnx")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert state(here) == before


def test_a_draft_is_held_while_it_is_written(tmp_path: Path) -> None:
    with files.Draft(tmp_path / "out.onnx", force=False) as draft:
        draft.write(b"1")
        os.utime(draft.path, (time.time() - 100,) * 2)
        parts.remove_stale(tmp_path)
        assert draft.path.read_bytes() == b"1"
        draft.write(b"2")
        draft.keep()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.onnx": b"12"}


# progress ----------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    now = [0.0]
    monkeypatch.setattr(command_line.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def test_progress_on_a_terminal_is_one_line(clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with command_line.copying(silent=False) as progress:
        for seconds, done in ((0.5, 1), (1.2, 2), (1.25, 3), (1.4, 4), (1.41, 6)):
            clock(seconds)
            progress("w\x1b[31m.bin", done * 10**8, 6 * 10**8)
    said = stream.getvalue()
    assert [line.removesuffix("\x1b[K") for line in said.removesuffix("\n").split("\r")] == [
        "",
        *(f"copying w\\x1b[31m.bin: 0.{k}0 of 0.60 GB" for k in (2, 4, 6)),
    ]
    assert said.endswith("\n")


def test_progress_elsewhere_is_a_line_now_and_then(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for silent, expected in ((False, ["0.02", "0.05"]), (True, [])):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        clock(0)
        with command_line.copying(silent=silent) as progress:
            for seconds, done in ((0.5, 1), (1.5, 2), (4, 3), (11, 4), (11.6, 5), (12, 6)):
                clock(seconds)
                progress("w.bin", done * 10**7, 6 * 10**7)
        assert stream.getvalue().splitlines() == [f"copying w.bin: {done} of 0.06 GB" for done in expected]
