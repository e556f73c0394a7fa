"""The demo's files, and one export of them that many tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import onnxprep
from onnxprep.tensor import Array

FOLDER = Path(__file__).parent.parent / "fixtures" / "demo"
MODEL, SPEC = FOLDER / "classifier.onnx", FOLDER / "spec.yaml"
PICTURE = FOLDER / "pictures" / "1350-blue.png"
EXPECTED = FOLDER / "expected.npy"


def pixels(path: Path = PICTURE) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))


def exported(out: Path) -> Path:
    """The demo with a golden whose preprocessed tensor comes from the training pipeline."""
    expect = {"to_layout": np.load(EXPECTED)}
    onnxprep.export(MODEL, SPEC, out, goldens=[{"image": pixels()[None]}], expect=expect)
    return out
