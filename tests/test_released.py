"""A released format is a promise: every artefact that a version wrote is verified for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import onnxprep

FOLDER = Path(__file__).parents[1] / "fixtures" / "released"
DIGEST = "00776669c288864cbeeb16ce3740692171045fd594ac2dec418e1b3dbfa0f293"
"""Of the demo's spec, as it was when the artefact was written."""
ARTEFACTS = sorted(FOLDER.glob("*/*.onnx"))


def test_there_are_artefacts() -> None:
    assert ARTEFACTS


@pytest.mark.parametrize("path", ARTEFACTS, ids=lambda path: path.stem)
def test_verifies_runs_and_strips(path: Path, tmp_path: Path) -> None:
    assert any("holds on" in line for line in onnxprep.verify(path).lines)
    assert onnxprep.Pipeline(path).spec.digest == DIGEST
    assert onnxprep.strip(path, tmp_path / "back.onnx").exact
    original = FOLDER.parent / "demo" / "classifier.onnx"
    assert (
        hashlib.sha256((tmp_path / "back.onnx").read_bytes()).digest() == hashlib.sha256(original.read_bytes()).digest()
    )
