"""A small part of every sweep; each file is a program that runs the whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import consumer
import front_end
import numpy as np
import outcomes
import pytest
import sizes
import tap_tables

pytestmark = pytest.mark.sweep


def test_front_end():
    rows = front_end.sweep(count=6, seed=1, names=["china"])
    assert [r.interpolation for r in rows] == list(front_end.FILTERS)
    assert all(r.floats >= 8 * 3 * 224 * 224 and r.tall and r.batches for r in rows)
    assert sum(r.differing for r in rows) == 0


@pytest.mark.parametrize("interpolation", sizes.FILTERS)
def test_sizes(interpolation: str):
    compared, differing = sizes.sweep(interpolation, 25, seed=1)
    assert compared > 100_000
    assert differing == 0


@pytest.mark.parametrize("interpolation", sizes.FILTERS[1:])
def test_tap_tables(interpolation: str):
    rng = np.random.default_rng(1)
    cases = [(1, 1), (1, 9), (2, 1), (640, 224), (224, 512), (1080, 256), (4032, 299), (500, 3), (31, 31), (9, 2)]
    cases += [(int(a), int(b)) for a, b in rng.integers(1, 700, (60, 2))]
    assert [(length, new, wrong) for length, new, _, wrong in tap_tables.compare(interpolation, cases) if wrong] == []


def test_what_other_runtimes_are_given(tmp_path: Path):
    """The files of the demo in a process that has numpy and onnxruntime only; then with one bit of an input flipped."""
    folder, results = tmp_path / "files", tmp_path / "results"
    results.mkdir()
    outcomes.write(folder, ["demos"])
    command = [sys.executable, "-S", "-c", BARE, str(Path(consumer.__file__)), str(folder), "--write", str(results)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    (result,) = (json.loads(path.read_text("utf-8")) for path in results.iterdir())
    assert [group["equal"] for group in result["groups"].values()] == [5, 5]
    for path in folder.glob("*.npy"):
        array = np.load(path)
        array.flat[::7] ^= 1
        np.save(path, array)
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert json.loads(told.stdout)["differing"]


BARE = f"""
import runpy, sys
sys.path[:] = [path for path in {sys.path!r} if "onnxprep" not in path]
sys.modules["onnx"] = sys.modules["onnxprep"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
