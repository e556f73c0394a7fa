"""Other models in the folder that a model goes to: what they refer to is not replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onnx import ModelProto

from onnxprep.errors import OnnxprepError
from onnxprep.graph.external import locations
from onnxprep.runtime.files import read_model


def models_beside(out: Path, folder: Path | None = None) -> Iterator[tuple[Path, ModelProto]]:
    """Every ``.onnx`` file in a folder (that of ``out``) but ``out`` itself; what cannot be read, no program loads."""
    for path in sorted((folder or out.parent).glob("*.onnx")):
        try:
            if path.is_file() and path.resolve() != out.resolve():
                yield path, read_model(path)[0]
        except (OSError, OnnxprepError):
            continue


def users_of(data: Path, out: Path) -> Iterator[Path]:
    """The models, other than ``out``, in its folder and in that of a data file, whose weights lie in this file."""
    for folder in dict.fromkeys((out.parent, data.parent)):
        for path, model in models_beside(out, folder):
            try:
                named = {entry.path for entry in locations(model)}
            except OnnxprepError:
                continue
            if any((path.parent / name).resolve() == data.resolve() for name in named):
                yield path
