"""``--timeout``: what never ends and what crashes are errors with an exit code, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from attack import ROOT, exported
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from onnxprep.cli import main
from onnxprep.cli.watch import Watched

SPEC = """onnxprep: 1
inputs: [{name: image, dtype: float32, shape: [N, 4]}]
preprocess: [{to_dtype: {dtype: float64}}, {operation: to_dtype, name: again, parameters: {dtype: float32}}]
"""
CRASH = "import os, sys\nif '--in-child' in sys.orig_argv:\n    open('.onnxprep.%d.x.part' % os.getpid(), 'w').close()\n    {}\n"


def endless(path: Path) -> None:
    """A Loop of 2**62 turns."""
    tensor = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["more"]), helper.make_node("Cos", ["v"], ["w"])],
        "body",
        [tensor("i", TensorProto.INT64, []), tensor("go", TensorProto.BOOL, []), tensor("v", TensorProto.FLOAT, None)],
        [tensor("more", TensorProto.BOOL, []), tensor("w", TensorProto.FLOAT, None)],
    )
    turns = [numpy_helper.from_array(np.array(2**62), "turns"), numpy_helper.from_array(np.array(True), "yes")]
    x, y = (tensor(name, TensorProto.FLOAT, ["N", 4]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body)], "g", [x], [y], turns)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def call(*arguments: str, at: Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    found = os.pathsep.join(str(p) for p in (path, ROOT) if p)
    command = [sys.executable, "-P", "-m", "onnxprep", *arguments]
    return subprocess.run(
        command,
        cwd=at,
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    endless(folder / "model.onnx")
    (folder / "spec.yaml").write_text(SPEC)
    np.save(folder / "x.npy", np.ones((1, 4), np.float32))
    (folder / "exported.onnx").write_bytes(exported())
    made = call("export", "model.onnx", "--spec", "spec.yaml", "-o", "endless.onnx", at=folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "endless.onnx", "x.npy"],
        ["export", "model.onnx", "--spec", "spec.yaml", "-o", "out.onnx", "--golden", "x.npy", "--json"],
    ],
    ids=["run", "export"],
)
def test_a_loop_without_end_is_ended(work: Path, arguments: list[str]) -> None:
    before, start = set(work.iterdir()), time.perf_counter()
    result = call(*arguments, "--timeout", "2", at=work)
    assert time.perf_counter() - start > 2
    assert result.returncode == 4
    assert "was not done within 2 s" in result.stderr
    assert "a large model, or a copy of its weights, may need more" in result.stderr
    assert "Traceback" not in result.stderr
    assert set(work.iterdir()) == before
    if "--json" in arguments:
        assert json.loads(result.stdout)["exit_code"] == 4


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("signals_are_heard")
def test_a_signal_ends_the_child_too(work: Path, number: signal.Signals) -> None:
    arguments = ["export", "model.onnx", "--spec", "spec.yaml", "-o", "out.onnx", "--golden", "x.npy"]
    command = [sys.executable, "-P", "-m", "onnxprep", *arguments, "--timeout", "60"]
    before = set(work.iterdir())
    ignored = [] if number == signal.SIGHUP else ["nohup"]  # what it was told to ignore stays ignored
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*ignored, *command], cwd=work, env=environment, stdout=-1, stderr=-1, text=True) as parent:
        end = time.monotonic() + 30
        while not (parts := list(work.glob(".onnxprep.*.part"))):
            assert time.monotonic() < end
            time.sleep(0.05)
        child = int(parts[0].name.split(".")[2])
        os.kill(child, 0)  # it lives
        if ignored:
            parent.send_signal(signal.SIGHUP)
            time.sleep(0.2)
            assert parent.poll() is None
        parent.send_signal(number)
        _, errors = parent.communicate(timeout=20)
    assert parent.returncode == 128 + number, errors
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert set(work.iterdir()) == before


@pytest.mark.parametrize(("how", "name"), [("os.abort()", "SIGABRT"), ("os.kill(os.getpid(), 11)", "SIGSEGV")])
def test_a_crash_is_an_error(work: Path, tmp_path: Path, how: str, name: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(CRASH.format(how))
    before = set(work.iterdir())
    result = call(
        "export", "model.onnx", "--spec", "spec.yaml", "-o", "out.onnx", "--timeout", "60", at=work, path=tmp_path
    )
    assert result.returncode == 4
    assert "crashed" in result.stderr
    assert name in result.stderr
    assert set(work.iterdir()) == before  # the draft that it left is gone


@pytest.mark.parametrize("there", [True, False])
def test_a_crash_while_parts_are_written(work: Path, tmp_path: Path, there: bool) -> None:
    """The draft lies in the folder of ``--split``."""
    make = "os.makedirs('three', exist_ok=True); open('three/.onnxprep.%d.x.part' % os.getpid(), 'w').close()"
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, sys\nif '--in-child' in sys.orig_argv:\n    {make}; os.abort()\n"
    )
    for path in (work / "model.onnx", work / "spec.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if there:
        (tmp_path / "three").mkdir()
    arguments = ["export", "model.onnx", "--spec", "spec.yaml", "--split", "three", "--timeout", "60"]
    result = call(*arguments, at=tmp_path, path=tmp_path)
    assert result.returncode == 4, result.stderr
    assert (tmp_path / "three").exists() == there
    assert not list(tmp_path.glob("three/*"))
    assert not list(tmp_path.glob("three/.*"))


def test_what_ends_in_time_is_as_without(work: Path) -> None:
    good = call("verify", "--timeout=100", "--", "exported.onnx", at=work)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.endswith("exported.onnx: ok\n")
    bad = call("verify", "endless.onnx", "--provider", "nobody", "--timeout", "100", at=work)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("error: --provider: onnxruntime has no provider 'nobody' here")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9", "10000001", ""])
def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    result = CliRunner().invoke(main, ["verify", "exported.onnx", "--timeout", seconds])
    assert result.exit_code == 2
    assert "--timeout" in result.stderr


@pytest.mark.parametrize("name", ["export", "prove", "run", "verify"])
def test_every_command_that_runs_a_graph_takes_a_time(name: str) -> None:
    assert isinstance(main.commands[name], Watched)
    assert "--timeout SECONDS" in CliRunner().invoke(main, [name, "--help"]).stdout
