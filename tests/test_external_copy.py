"""Weights in files of their own: shared where they lie, copied to other folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from outside import DATA, exported, good, hub, numbers, prepared, refer, refused, state
from small import SPEC, picture

import onnxprep
from onnxprep.errors import UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return prepared(tmp_path, monkeypatch)


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
