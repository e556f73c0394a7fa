"""Weights in files of their own: shared where they lie, copied to other folders, and nothing half done is left."""

from __future__ import annotations

import errno
import hashlib
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
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner, Result
from google.protobuf.message import EncodeError
from small import SPEC, picture, small

import onnxprep
from onnxprep.cli import copying as command_line
from onnxprep.cli import main
from onnxprep.errors import ContractError, OnnxprepError, UsageError
from onnxprep.runtime import copying, files, parts
from onnxprep.runtime.export import Report
from onnxprep.tensor import Array

DATA = "weights.bin"
LONG = 3 * copying.CHUNK + 5
"""Of a data file that is copied in several pieces."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``a`` with a model and its weights, ``b`` empty; the current folder has a spec and a picture."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
    small(tmp_path / "a", outside=True)
    (tmp_path / "spec.yaml").write_text(SPEC)
    picture(tmp_path / "p.png")
    return tmp_path


def call(command: str) -> Result:
    return CliRunner().invoke(main, command.split())


def good(command: str) -> Result:
    result = call(command)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result


def state(folder: Path) -> dict[str, object]:
    """Every name below a folder, with what it holds and when it was written."""
    return {
        str(path.relative_to(folder)): path.readlink()
        if path.is_symlink()
        else (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def refused(error: type[OnnxprepError], match: str, action: Callable[[], object], folder: Path) -> OnnxprepError:
    """The error, and not one file changed, added or left behind."""
    before = state(folder)
    with pytest.raises(error, match=match) as caught:
        action()
    assert state(folder) == before
    return caught.value


def exported(out: str, **flags: bool) -> Report:
    return onnxprep.export("a/model.onnx", SPEC, out, **flags)


def numbers(path: Path) -> Array:
    """What ONNX Runtime makes of a picture, or of what lies behind the steps."""
    session = ort.InferenceSession(str(path))
    rng = np.random.default_rng(3)
    (given,) = session.get_inputs()
    values = rng.integers(0, 256, (2, 13, 17, 3), dtype=np.uint8)
    feed = values if given.type == "tensor(uint8)" else rng.standard_normal((2, 3, 8, 8)).astype(np.float32)
    return np.asarray(session.run(None, {given.name: feed})[0])


def refer(folder: Path, *paths: str) -> None:
    """Lets the weights' tensor, and Constants added to it, refer to these paths."""
    made = onnx.load(folder / "model.onnx", load_external_data=False)
    for k, path in enumerate(paths):
        if k:
            node = made.graph.node.add(op_type="Constant", output=[f"more_{k}"])
            node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(made.graph.initializer[0])
        tensor = made.graph.node[-1].attribute[0].t if k else made.graph.initializer[0]
        next(entry for entry in tensor.external_data if entry.key == "location").value = path
    (folder / "model.onnx").write_bytes(made.SerializeToString())


def hub(folder: Path) -> Path:
    """The layout of a hub's cache: a snapshot of links into a store of blobs."""
    (folder / "blobs").mkdir()
    snapshot = folder / "snapshots" / "1f0c"
    snapshot.mkdir(parents=True)
    for name in ("model.onnx", DATA):
        path = folder / "a" / name
        blob = folder / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(blob)
        (snapshot / name).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


# by reference ------------------------------------------------------------------------------------------------------


def test_beside_the_original_nothing_is_copied(here: Path) -> None:
    before = state(here / "a")
    result = good("export a/model.onnx --spec spec.yaml -o a/out.onnx")
    assert f"weights: {DATA}, 7,680 bytes, not copied" in result.stdout
    made = state(here / "a")
    made.pop("out.onnx")
    assert made == before
    assert "weights" not in good("strip a/out.onnx -o a/back.onnx").stdout
    assert Path("a/back.onnx").read_bytes() == Path("a/model.onnx").read_bytes()


@pytest.mark.parametrize("link", ["symbolic", "symbolic folder", "hard"])
def test_linked_weights_are_not_shared(here: Path, link: str) -> None:
    inner = here / "a" / "inner"
    if link == "symbolic folder":
        (here / "a" / "real").mkdir()
        (here / "a" / DATA).rename(here / "a" / "real" / DATA)
        inner.symlink_to("real")
        refer(here / "a", f"inner/{DATA}")
    else:
        os.link(here / "a" / DATA, here / "a" / "other")
        if link == "symbolic":
            (here / "a" / DATA).unlink()
            (here / "a" / DATA).symlink_to("other")
    match = "names \\(hard links\\)" if link == "hard" else "symbolic link"
    assert "another folder" in refused(UsageError, match, lambda: exported("a/out.onnx"), here).hint
    exported("b/out.onnx")
    data = Path("a/inner" if link == "symbolic folder" else "a", DATA).read_bytes()
    assert onnx.load("b/out.onnx").graph.initializer[0].raw_data == data, "onnx itself reads no linked files"


# copies ------------------------------------------------------------------------------------------------------------


def test_another_folder_gets_a_copy(here: Path) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/out.onnx", goldens=[{"image": picture(here / "p.png")[None]}])
    before = state(here / "a")
    result = good("export a/model.onnx --spec spec.yaml -o b/out.onnx --golden p.png")
    assert f"weights: {DATA}, 7,680 bytes, copied to b/{DATA}" in result.stdout
    assert "copying" not in result.stderr, "what takes no second says nothing"
    assert state(here / "a") == before
    assert set(state(here / "b")) == {"out.onnx", DATA}
    assert Path("b/out.onnx").read_bytes() == Path("a/out.onnx").read_bytes(), "the body names the same files"
    assert Path("b", DATA).read_bytes() == Path("a", DATA).read_bytes()
    assert (Path("b", DATA).stat().st_nlink, Path("b", DATA).is_symlink()) == (1, False)
    shutil.rmtree("a")
    onnxprep.verify("b/out.onnx")
    assert numbers(Path("b/out.onnx")).shape == (2, 10)


def test_a_copied_model_gives_the_bits_of_the_original(here: Path) -> None:
    expected = numbers(Path("a/model.onnx"))
    exported("a/out.onnx")
    exported("b/out.onnx", run=False)
    assert numbers(Path("b/out.onnx")).tobytes() == numbers(Path("a/out.onnx")).tobytes()
    Path("c").mkdir()
    original = Path("a/model.onnx").read_bytes()
    shutil.rmtree("a")
    assert f"weights: {DATA}, 7,680 bytes, copied to c/{DATA}" in good("strip b/out.onnx -o c/model.onnx").stdout
    assert Path("c/model.onnx").read_bytes() == original
    assert numbers(Path("c/model.onnx")).tobytes() == expected.tobytes()


def test_a_hubs_cache_is_copied_out(here: Path) -> None:
    original, expected = Path("a/model.onnx").read_bytes(), numbers(Path("a/model.onnx"))
    snapshot = hub(here)
    before = state(here / "blobs") | state(snapshot)
    action = lambda: onnxprep.export(snapshot / "model.onnx", SPEC, snapshot / "out.onnx")  # noqa: E731
    assert "another folder" in refused(UsageError, "is a symbolic link", action, here).hint
    onnxprep.export(snapshot / "model.onnx", SPEC, "b/out.onnx", goldens=[{"image": picture(here / "p.png")[None]}])
    assert state(here / "blobs") | state(snapshot) == before
    assert not (here / "b" / DATA).is_symlink()
    onnxprep.verify("b/out.onnx")
    Path("c").mkdir()
    onnxprep.strip("b/out.onnx", "c/model.onnx")
    assert Path("c/model.onnx").read_bytes() == original
    assert numbers(Path("c/model.onnx")).tobytes() == expected.tobytes()


def test_a_raised_opset_is_proven_on_a_hubs_cache(here: Path) -> None:
    made = onnx.load("a/model.onnx", load_external_data=False)
    made.opset_import[0].version = 9
    Path("a/model.onnx").write_bytes(made.SerializeToString())
    report = onnxprep.export(hub(here) / "model.onnx", SPEC, "b/out.onnx")
    assert any("restamped, proven equal" in line for line in report.contract), report.contract
    onnxprep.verify("b/out.onnx")


def test_weights_in_folders_and_under_two_spellings(here: Path) -> None:
    (here / "a" / "x" / "y").mkdir(parents=True)
    (here / "a" / DATA).rename(here / "a" / "x" / "y" / DATA)
    refer(here / "a", f"x/y/{DATA}", f"./x/y/{DATA}", f"x//y/./{DATA}")
    report = exported("b/out.onnx")
    assert set(state(here / "b")) == {"out.onnx", "x", "x/y", f"x/y/{DATA}"}
    assert len(report.weights) == 1
    assert numbers(Path("b/out.onnx")).tobytes() == numbers(exported("a/out.onnx").out).tobytes()


def test_only_files_that_the_model_names_are_copied_and_whole(here: Path) -> None:
    (here / "a" / "other.bin").write_bytes(b"mine")
    with Path("a", DATA).open("ab") as file:
        file.write(b"what stands behind the last tensor")
    exported("b/out.onnx")
    assert set(state(here / "b")) == {"out.onnx", DATA}
    assert Path("b", DATA).read_bytes() == Path("a", DATA).read_bytes()


def test_a_large_golden_lies_beside_the_copy(here: Path) -> None:
    image = np.random.default_rng(5).integers(0, 256, (1, 800, 900, 3), dtype=np.uint8)
    onnxprep.export("a/model.onnx", SPEC, "b/out.onnx", goldens=[{"image": image}])
    assert {path.name for path in Path("b").iterdir()} == {"out.onnx", DATA, "test_data_set_0"}
    onnxprep.verify("b/out.onnx")
    onnxprep.export("a/model.onnx", SPEC, "b/two.onnx", goldens=[{"image": image}])
    onnxprep.verify("b/out.onnx")
    onnxprep.verify("b/two.onnx")


# what is there already ---------------------------------------------------------------------------------------------


def test_an_existing_data_file_is_replaced_with_force_only(here: Path) -> None:
    Path("b", DATA).write_bytes(b"mine")
    error = refused(UsageError, "the model's external data goes there", lambda: exported("b/out.onnx"), here)
    assert error.at == f"b/{DATA}"
    assert error.hint.startswith("write to another folder")
    good("export a/model.onnx --spec spec.yaml -o b/out.onnx --force")
    assert Path("b", DATA).read_bytes() == Path("a", DATA).read_bytes()
    good("strip b/out.onnx -o b/model.onnx")
    before = state(here / "a")
    good("strip b/out.onnx -o a/back.onnx")
    after = state(here / "a")
    assert after.pop("back.onnx")
    assert after == before, "the same weights are there already"


@pytest.mark.parametrize("kind", ["symbolic", "hard", "folder", "fifo"])
def test_force_replaces_nothing_that_was_read_and_only_files(here: Path, kind: str) -> None:
    target = Path("b", DATA)
    if kind == "symbolic":
        target.symlink_to(f"../a/{DATA}")
    elif kind == "hard":
        os.link(f"a/{DATA}", target)
    elif kind == "folder":
        target.mkdir()
    else:
        os.mkfifo(target)
    match = {"folder": "is a folder", "fifo": "is not a regular file"}.get(kind, "is the input too")
    refused(UsageError, match, lambda: exported("b/out.onnx", force=True), here)


def test_a_link_in_the_target_is_replaced_not_followed(here: Path) -> None:
    Path("precious").write_bytes(b"mine")
    Path("b", DATA).symlink_to("../precious")
    exported("b/out.onnx", force=True)
    assert Path("precious").read_bytes() == b"mine"
    assert not Path("b", DATA).is_symlink()


def test_copies_stay_below_the_outputs_folder(here: Path) -> None:
    (here / "a" / "x").mkdir()
    (here / "a" / DATA).rename(here / "a" / "x" / DATA)
    refer(here / "a", f"x/{DATA}")
    (here / "elsewhere").mkdir()
    for force in (False, True):
        Path("b/x").symlink_to("../elsewhere")
        refused(UsageError, "b/x: is not a folder of its own", lambda: exported("b/out.onnx", force=force), here)  # noqa: B023
        Path("b/x").unlink()
    Path("b/x").write_bytes(b"")
    refused(UsageError, "b/x: is not a folder of its own", lambda: exported("b/out.onnx", force=True), here)


def test_output_and_data_need_two_names(here: Path) -> None:
    refused(UsageError, "external data too", lambda: exported(f"b/{DATA}"), here)


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


# data files that cannot be used ------------------------------------------------------------------------------------


def absent(folder: Path) -> None:
    (folder / DATA).unlink()


def short(folder: Path) -> None:
    os.truncate(folder / DATA, 7679)


def beyond(folder: Path) -> None:
    made = onnx.load(folder / "model.onnx", load_external_data=False)
    made.graph.initializer[0].external_data.add(key="offset", value="4096")
    (folder / "model.onnx").write_bytes(made.SerializeToString())


def a_folder(folder: Path) -> None:
    (folder / DATA).unlink()
    (folder / DATA).mkdir()


def a_fifo(folder: Path) -> None:
    (folder / DATA).unlink()
    os.mkfifo(folder / DATA)


def a_device(folder: Path) -> None:
    (folder / DATA).unlink()
    (folder / DATA).symlink_to("/dev/zero")


def a_loop(folder: Path) -> None:
    (folder / DATA).unlink()
    (folder / DATA).symlink_to(DATA)


def a_link_out(folder: Path) -> None:
    (folder / DATA).rename(folder.parent / "secret")
    (folder / DATA).symlink_to("../secret")


def a_folder_link_out(folder: Path) -> None:
    (folder.parent / "secret").mkdir()
    (folder / DATA).rename(folder.parent / "secret" / DATA)
    (folder / "x").symlink_to("../secret")
    refer(folder, f"x/{DATA}")


def too_long(folder: Path) -> None:
    refer(folder, "n" * 300)


def named(path: str) -> Callable[[Path], None]:
    return lambda folder: refer(folder, path)


@pytest.mark.parametrize("out", ["a/out.onnx", "b/out.onnx"])
@pytest.mark.parametrize(
    ("prepare", "error", "match"),
    [
        (absent, UsageError, f"{DATA}: the model's external data is missing"),
        (short, UsageError, "too short\n.*7680 bytes or more, for W\n.*7679 bytes"),
        (beyond, UsageError, "too short\n.*11776 bytes or more, for W"),
        (a_folder, UsageError, "is not a regular file"),
        (a_fifo, UsageError, "is not a regular file"),
        (a_device, UsageError, "is not a regular file"),
        (a_loop, UsageError, "too many levels of symbolic links"),
        (a_link_out, UsageError, "a link that leads out of its folder"),
        (a_folder_link_out, UsageError, "a link that leads out of its folder"),
        (too_long, UsageError, "file name too long"),
        (named(f"{DATA}/"), ContractError, "lies outside"),
        (named(f"../a/{DATA}"), ContractError, "lies outside"),
        (named(f"x/../{DATA}"), ContractError, "without `..`"),
        (named("/etc/passwd"), ContractError, "lies outside"),
        (named("w\0.bin"), ContractError, "lies outside"),
        (named(f"{DATA}/x"), UsageError, "is missing"),
    ],
)
def test_data_that_cannot_be_used_is_an_error(
    here: Path, prepare: Callable[[Path], None], error: type[OnnxprepError], match: str, out: str
) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/ours.onnx", run=False)
    original = Path("a/model.onnx").read_bytes()
    prepare(here / "a")
    refused(error, match, lambda: onnxprep.export("a/model.onnx", SPEC, out, run=False), here)
    if Path("a/model.onnx").read_bytes() == original:  # the files are damaged, not the model: strip says the same
        refused(error, match, lambda: onnxprep.strip("a/ours.onnx", out.replace("out", "back")), here)


def test_a_link_to_a_model_whose_data_lies_elsewhere(here: Path) -> None:
    Path("b/model.onnx").symlink_to("../a/model.onnx")
    action = lambda: onnxprep.export("b/model.onnx", SPEC, "b/out.onnx", run=False)  # noqa: E731
    hint = refused(UsageError, "is missing", action, here).hint
    assert hint == f"the model is a link: give it by its own path, {(here / 'a' / 'model.onnx').resolve()}"


# what protobuf cannot hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["export {} --spec spec.yaml -o out.onnx", "inspect {}", "strip {} -o out.onnx", "verify {}"]
)
def test_a_file_of_two_gibibytes_is_refused_unread(here: Path, command: str) -> None:
    Path("huge.onnx").touch()
    os.truncate("huge.onnx", 2**31)
    start = time.perf_counter()
    result = call(command.format("huge.onnx"))
    assert time.perf_counter() - start < 2
    assert (result.exit_code, type(result.exception)) == (4, SystemExit)
    assert "at most 2,147,483,647 bytes\n  got:      2,147,483,648 bytes" in result.stderr
    assert "external_data=True" in result.stderr


def test_an_output_that_would_be_too_long_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(here)
    size = onnxprep.export(model, SPEC, "all.onnx", run=False).out.stat().st_size
    for limit in (size - 1, size - 100, model.stat().st_size):
        monkeypatch.setattr(files, "MAX_BYTES", limit)
        error = refused(
            ContractError,
            "would be too long for one file",
            lambda: onnxprep.export(model, SPEC, "out.onnx", run=False),
            here,
        )
        assert (error.at, error.expected) == ("out.onnx", f"at most {limit:,} bytes")
        assert "save_as_external_data=True" in error.hint
    monkeypatch.setattr(files, "MAX_BYTES", size)
    assert onnxprep.export(model, SPEC, "out.onnx", run=False).out.read_bytes() == Path("all.onnx").read_bytes()


@pytest.mark.parametrize("kind", [EncodeError, ValueError])
def test_what_protobuf_does_not_write_is_too_long(kind: type[Exception]) -> None:
    class Refusing:
        def SerializeToString(self) -> bytes:  # noqa: N802
            raise kind("Failed to serialize proto")

    with pytest.raises(ContractError, match="would be too long for one file") as caught:
        files.serialised(Refusing(), Path("out.onnx"), 2147482615)  # type: ignore[arg-type]
    assert caught.value.got == "2,147,482,615 bytes and the steps"
