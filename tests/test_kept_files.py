"""What others need is not replaced: files that appear meanwhile, goldens and weights of other models, permissions."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from outside import DATA, call, prepared, refused
from small import POST, SPEC, picture, small

import onnxprep
from onnxprep.errors import ContractError, ParityError, UsageError
from onnxprep.runtime import export as exporting
from onnxprep.runtime import files, spill
from onnxprep.spec import pipes
from onnxprep.tensor import Array


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Goldens go beside the model."""
    monkeypatch.setattr(spill, "INLINE_BYTES", 0)
    return prepared(tmp_path, monkeypatch)


def state(folder: Path) -> dict[str, object]:
    """Every name below a folder, with what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def other(folder: str, factor: float = 2.0, data: str = DATA) -> Path:
    """A model with other weights under the usual name."""
    Path(folder).mkdir(exist_ok=True)
    path = small(Path(folder))
    model = onnx.load(path)
    (tensor,) = model.graph.initializer
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))
    onnx.save(model, path, save_as_external_data=True, location=data, size_threshold=0)
    return path


def big(seed: int = 5) -> dict[str, Array]:
    """What counts as big here."""
    return {"image": np.random.default_rng(seed).integers(0, 256, (1, 20, 30, 3), dtype=np.uint8)}


def scores(path: str) -> bytes:
    feed = {"image": np.random.default_rng(3).integers(0, 256, (2, 13, 17, 3), dtype=np.uint8)}
    return np.asarray(ort.InferenceSession(path).run(None, feed)[0]).tobytes()


# what appears meanwhile --------------------------------------------------------------------------------------------


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Does something once, while an export has written its draft and loads it."""
    load, waiting = exporting.load, [action]

    def slow(*arguments: object) -> object:
        if waiting:
            waiting.pop()()
        return load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "load", slow)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("out", ["a/out.onnx", "b/out.onnx"])
def test_what_appears_meanwhile_is_not_replaced(
    here: Path, monkeypatch: pytest.MonkeyPatch, out: str, links: bool
) -> None:
    def cannot(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", cannot)
    for name in (out, f"b/{DATA}") if out[0] == "b" else (out,):
        meanwhile(monkeypatch, lambda name=name: Path(name).write_bytes(b"mine"))  # type: ignore[misc]
        before = state(here)
        with pytest.raises(UsageError, match=f"{name}: exists: another program wrote it meanwhile"):
            onnxprep.export("a/model.onnx", SPEC, out)
        assert state(here) == before | {name: b"mine"}
        Path(name).unlink()
        onnxprep.export("a/model.onnx", SPEC, out)
        assert not list(here.rglob(".onnxprep*"))
        for made in (Path(out), Path("b", DATA)):
            made.unlink(missing_ok=True)


def test_of_two_exports_at_once_one_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = other("c")
    meanwhile(monkeypatch, lambda: onnxprep.export(second, SPEC, "b/out.onnx", goldens=[big()]))
    with pytest.raises(UsageError, match=f"b/{DATA}: exists"):
        onnxprep.export("a/model.onnx", SPEC, "b/out.onnx", goldens=[big(6)])
    assert Path("b", DATA).read_bytes() == Path("c", DATA).read_bytes()
    onnxprep.verify("b/out.onnx")
    assert {path.name for path in Path("b").iterdir()} == {"out.onnx", DATA, "test_data_set_0"}


def test_two_exports_do_not_share_a_golden(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = exporting._Asked.compare
    waiting = [lambda: onnxprep.export("a/model.onnx", SPEC, "a/one.onnx", goldens=[big()])]

    def slow(*arguments: object) -> None:
        if waiting:
            waiting.pop()()
        compare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting._Asked, "compare", slow)
    with pytest.raises(UsageError, match=r"test_data_set_0/input_0\.pb: exists"):
        onnxprep.export("a/model.onnx", SPEC, "a/two.onnx", goldens=[big(6)])
    onnxprep.verify("a/one.onnx")


def test_strip_replaces_nothing_that_appears_meanwhile(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/out.onnx")
    told = lambda *_: Path("b/back.onnx").write_bytes(b"mine")  # noqa: E731
    with pytest.raises(UsageError, match=r"b/back\.onnx: exists"):
        onnxprep.strip("a/out.onnx", "b/back.onnx", progress=told)
    assert state(here / "b") == {"back.onnx": b"mine"}


# goldens beside a model --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stack", [False, True])
def test_goldens_of_what_is_read_stay(here: Path, stack: bool) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/served.onnx", goldens=[big()])
    shutil.copy("a/served.onnx", "a/next.onnx")
    spec, golden = (POST, {"image": big(6)["image"]}) if stack else (SPEC, big(6))
    before = state(here / "a" / "test_data_set_0")
    onnxprep.export("a/served.onnx", spec, "a/next.onnx", goldens=[golden], stack=stack, force=True)
    onnxprep.verify("a/served.onnx")
    onnxprep.verify("a/next.onnx")
    assert state(here / "a" / "test_data_set_0") == before
    assert Path("a/test_data_set_1").is_dir()


def test_goldens_of_another_model_stay(here: Path) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/served.onnx", goldens=[big()])
    shutil.copy("a/served.onnx", "a/next.onnx")
    Path("a/broken.onnx").write_bytes(b"no model")
    onnxprep.export("a/model.onnx", SPEC, "a/next.onnx", goldens=[big(6)], force=True)
    onnxprep.verify("a/served.onnx")
    onnxprep.verify("a/next.onnx")
    onnxprep.export("a/model.onnx", SPEC, "a/next.onnx", goldens=[big(7)], force=True)
    onnxprep.verify("a/next.onnx")
    assert sorted(path.name for path in Path("a").glob("test_data_set_*")) == ["test_data_set_0", "test_data_set_1"]


def test_a_golden_is_an_input_too(here: Path) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/served.onnx", goldens=[big()])
    out = "a/test_data_set_0/input_0.pb"
    refused(UsageError, "is the input too", lambda: onnxprep.strip("a/served.onnx", out, force=True), here)
    refused(UsageError, "is the input too", lambda: onnxprep.export("a/served.onnx", SPEC, out, force=True), here)


def test_weights_and_goldens_go_to_different_folders(here: Path) -> None:
    path = other("c", data="weights.bin")
    Path("c/test_data_set_0").mkdir()
    Path("c/weights.bin").rename("c/test_data_set_0/input_0.pb")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "test_data_set_0/input_0.pb"
    path.write_bytes(model.SerializeToString())
    for _ in range(2):
        onnxprep.export(path, SPEC, "b/out.onnx", goldens=[big()], force=True)
        assert Path("b/test_data_set_0/input_0.pb").read_bytes() == Path("c/test_data_set_0/input_0.pb").read_bytes()
        assert sorted(made.name for made in Path("b").iterdir()) == ["out.onnx", "test_data_set_0", "test_data_set_1"]
        onnxprep.verify("b/out.onnx")


# weights of another model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("place", ["", "x/"])
def test_weights_of_another_model_are_not_replaced(here: Path, force: bool, place: str) -> None:
    if place:
        for folder in ("a", "c"):
            Path(folder, "x").mkdir(parents=True)
    second = other("c")
    for path in (Path("a/model.onnx"), second) if place else ():
        (path.parent / DATA).rename(path.parent / place / DATA)
        model = onnx.load(path, load_external_data=False)
        model.graph.initializer[0].external_data[0].value = f"./{place}{DATA}"
        path.write_bytes(model.SerializeToString())
    onnxprep.export("a/model.onnx", SPEC, "b/a.onnx")
    Path("b/broken.onnx").write_bytes(b"no model")
    Path("b/folder.onnx").mkdir()
    error = refused(
        UsageError,
        r"holds the external data of b/a\.onnx",
        lambda: onnxprep.export(second, SPEC, "b/c.onnx", force=force),
        here,
    )
    assert (error.at, error.hint) == (f"b/{place}{DATA}", "write to another folder")
    onnxprep.export(second, SPEC, "b/a.onnx", force=True)  # the model that the data belongs to
    assert Path("b", place, DATA).read_bytes() == Path("c", place, DATA).read_bytes()


def test_a_second_variant_shares_the_weights(here: Path) -> None:
    assert call("export a/model.onnx --spec spec.yaml -o b/one.onnx").exit_code == 0
    before = Path("b", DATA).stat()
    result = call("export a/model.onnx --spec spec.yaml -o b/two.onnx")
    assert result.exit_code == 0, result.stderr
    assert f"weights: {DATA}, 7,680 bytes, at b/{DATA} already, not copied" in result.stdout
    after = Path("b", DATA).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert scores("b/one.onnx") == scores("b/two.onnx")
    assert {path.name for path in Path("b").iterdir()} == {"one.onnx", "two.onnx", DATA}


def test_one_file_of_two_is_there_already(here: Path) -> None:
    path = Path("a/model.onnx")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer.add().CopyFrom(model.graph.initializer[0])
    model.graph.initializer[1].name = "more"
    model.graph.initializer[1].external_data[0].value = "more.bin"
    path.write_bytes(model.SerializeToString())
    shutil.copy(f"a/{DATA}", "a/more.bin")
    shutil.copy(f"a/{DATA}", f"b/{DATA}")
    before = Path("b", DATA).stat()
    report = onnxprep.export(path, SPEC, "b/out.onnx")
    assert [line.partition("bytes, ")[2] for line in report.weights] == [
        f"at b/{DATA} already, not copied", "copied to b/more.bin",
    ]  # fmt: skip
    assert Path("b", DATA).stat().st_ino == before.st_ino
    assert scores("b/out.onnx")


def test_what_verify_says_of_weights(here: Path) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/plain.onnx")
    onnxprep.export("a/model.onnx", SPEC, "a/golden.onnx", goldens=[{"image": picture(here / "p.png")[None]}])
    data = Path("a", DATA).read_bytes()
    Path("a", DATA).write_bytes(data[::-1])
    onnxprep.verify("a/plain.onnx")
    with pytest.raises(ParityError):
        onnxprep.verify("a/golden.onnx")
    Path("a", DATA).write_bytes(data[:-1])
    assert call("verify a/plain.onnx").exit_code == 2
    Path("a", DATA).unlink()
    assert call("verify a/plain.onnx").exit_code == 2


# permissions -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
def test_permissions_are_those_of_the_source(here: Path) -> None:
    Path("a/model.onnx").chmod(0o640)
    Path("a", DATA).chmod(0o400)
    seen: set[int] = set()

    def told(*_: object) -> None:
        seen.update(path.stat().st_mode & 0o077 for path in Path("b").rglob("*"))

    onnxprep.export("a/model.onnx", SPEC, "b/out.onnx", progress=told)
    assert seen == {0}, "nobody else reads what is not finished"
    onnxprep.export("a/model.onnx", SPEC, "a/out.onnx")
    Path("a/out.onnx").chmod(0o600)
    onnxprep.strip("a/out.onnx", "a/back.onnx")
    modes = {str(path): oct(path.stat().st_mode & 0o777) for path in (*Path("b").iterdir(), Path("a/back.onnx"))}
    assert modes == {"b/out.onnx": "0o640", f"b/{DATA}": "0o400", "a/back.onnx": "0o600"}


# pipes and files that are too long ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["verify {}", "run {} p.png", "export {} --spec spec.yaml -o b/out.onnx", "strip {} -o b/out.onnx"]
)
def test_a_model_is_no_pipe(here: Path, command: str) -> None:
    os.mkfifo("fifo")
    result = call(command.format("fifo"))
    assert (result.exit_code, "fifo: is a pipe" in result.stderr) == (2, True), result.stderr
    reader, writer = os.pipe()
    try:
        result = call(command.format(f"/dev/fd/{reader}"))
    finally:
        os.close(reader)
        os.close(writer)
    assert (result.exit_code, "is a pipe" in result.stderr) == (2, True), result.stderr


def test_a_pipe_without_a_writer_is_an_error(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "PATIENCE", 0.2)
    os.mkfifo("fifo")
    onnxprep.export("a/model.onnx", SPEC, "a/out.onnx")
    for command in ("check fifo", "inspect fifo", "run a/out.onnx fifo", "export a/model.onnx --spec fifo -o b/o.onnx"):
        result = call(command)
        assert (result.exit_code, "fifo: is a pipe that nobody writes to" in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("late", [False, True])
def test_pipes_may_be_read_where_once_is_enough(here: Path, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    monkeypatch.setattr(pipes, "PATIENCE", 0.2)
    onnxprep.export("a/model.onnx", SPEC, "a/out.onnx")
    for content, command in ((SPEC.encode(), "check"), (Path("a/out.onnx").read_bytes(), "inspect")):
        reader, writer = os.pipe()
        with os.fdopen(reader), os.fdopen(writer, "wb") as end:  # fits the pipe
            start = threading.Timer(
                0.5 if late else 0, lambda end=end, content=content: (end.write(content), end.close())
            )
            start.start()
            result = call(f"{command} /dev/fd/{reader}")
            start.join()
        assert result.exit_code == 0, result.stderr


def test_a_file_that_is_too_long_is_told_so_everywhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnxprep.export("a/model.onnx", SPEC, "a/out.onnx")
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    told: set[str] = set()
    for action in (
        lambda: onnxprep.verify("a/out.onnx"),
        lambda: onnxprep.export("a/out.onnx", SPEC, "b/out.onnx"),
        lambda: onnxprep.strip("a/out.onnx", "b/out.onnx"),
    ):
        with pytest.raises(ContractError, match="is too long for one file") as caught:
            action()
        told.add(str(caught.value))
    assert len(told) == 1
    assert "onnx.save" not in told.pop(), "it could not be read"
