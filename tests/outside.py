"""A model whose weights lie outside, and what was done to its folder: for the tests of external data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner, Result
from small import SPEC, picture, small

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import OnnxprepError
from onnxprep.runtime import copying
from onnxprep.runtime.export import Report
from onnxprep.tensor import Array

DATA = "weights.bin"
LONG = 3 * copying.CHUNK + 5
"""Of a data file that is copied in several pieces."""


def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
