"""External data that cannot be used, and files that protobuf cannot hold, are told before anything is written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from google.protobuf.message import EncodeError
from outside import DATA, call, prepared, refer, refused
from small import SPEC, small

import onnxprep
from onnxprep.errors import ContractError, OnnxprepError, UsageError
from onnxprep.runtime import files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return prepared(tmp_path, monkeypatch)


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
