"""Goldens too long to stand in the model: ONNX's own layout beside it, ``test_data_set_N/input_0.pb``."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from onnx import ModelProto, numpy_helper

from onnxprep.errors import OnnxprepError
from onnxprep.graph import metadata
from onnxprep.runtime import arrays
from onnxprep.runtime.files import Draft, check_output, make_folder, quietly, read_model
from onnxprep.runtime.golden import INFLATED_BYTES
from onnxprep.runtime.neighbours import models_beside
from onnxprep.spec.document import canonical

INLINE_BYTES = 2**20
"""A longer golden goes beside the model."""
_FOLDER = "test_data_set_"
_FILE = re.compile(rf"{_FOLDER}(0|[1-9][0-9]{{0,5}})/[^/\0]+")


def spill(
    document: dict[str, Any], out: Path, taken: Collection[Path], *, force: bool
) -> tuple[str, dict[Path, bytes], frozenset[Path]]:
    """The golden as text, the files it needs beside the model (none while it is short), and those that may be replaced.

    The folders are those of the model that ``out`` replaces, as far as nothing else needs them, then the first that are
    free.

    Args:
        document: the golden.
        out: the model's new file.
        taken: what was read, and what else goes beside the model: no golden goes to a folder of one of these.
        force: whether ``out`` is replaced; if not, what is there now came meanwhile, with its goldens.
    """
    text = canonical(document)
    packed = (item for sample in document["samples"] for kind in ("inputs", "values") for item in sample[kind].values())
    if len(text) <= INLINE_BYTES and sum(map(arrays.inflated_bytes, packed)) <= INFLATED_BYTES:
        return text, {}, frozenset()
    files: dict[Path, bytes] = {}
    own = _own(out) if force else []
    for folder, sample in zip(_folders(out, own, taken), document["samples"], strict=False):
        for kind, key in (("input", "inputs"), ("output", "values")):
            for k, (name, written) in enumerate(sample[key].items()):
                place = f"{folder}/{kind}_{k}.pb"
                array = arrays.unpacked(written, name)
                files[out.parent / place] = numpy_helper.from_array(array, name).SerializeToString()
                sample[key][name] = {k: v for k, v in written.items() if k not in ("zlib", "text")} | {"file": place}
    return canonical(document), files, frozenset(path for path in files if path.parent.name in own)


def golden_files(model: ModelProto, source: Path) -> list[Path]:
    """The files beside a model that its golden refers to; none where it cannot be read."""
    try:
        return named_files(metadata.read(model).get(metadata.GOLDEN, ""), source)
    except OnnxprepError:
        return []


def named_files(text: str, source: Path) -> list[Path]:
    """The same, of a golden as a model holds it."""
    try:
        samples = json.loads(text)["samples"]
        files = [str(item.get("file", "")) for s in samples for key in ("inputs", "values") for item in s[key].values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return [source.parent / file for file in dict.fromkeys(files) if _FILE.fullmatch(file)]


def _golden_files_of(source: Path) -> list[Path]:
    """The same of a file, which is read only where there is a folder of that name."""
    try:
        return golden_files(read_model(source)[0], source) if any(source.parent.glob(f"{_FOLDER}*")) else []
    except OnnxprepError:
        return []


def _folders(out: Path, own: Iterable[str], taken: Collection[Path]) -> Iterator[str]:
    """Names of folders to write to, without end."""
    in_use = {path.parent.resolve() for path in taken}
    yield from (name for name in own if not _holds(out.parent / name, in_use))
    for number in itertools.count():
        folder = out.parent / f"{_FOLDER}{number}"
        if not os.path.lexists(folder) and not _holds(folder, in_use):
            yield folder.name


def _holds(folder: Path, folders: Iterable[Path]) -> bool:
    return any(used.is_relative_to(folder.resolve()) for used in folders)


def _own(out: Path) -> list[str]:
    """The folders that an earlier export to ``out`` made, and that the golden of no other model there refers to."""
    names = [path.parent for path in _golden_files_of(out)]
    own = {folder.name: folder for folder in names if folder.is_dir() and not folder.is_symlink()}
    if own:
        for path, model in models_beside(out):
            for file in golden_files(model, path):
                own.pop(file.parent.name, None)
    return list(own)


class SideFiles:
    """Files beside a model that get their names together with it; leaving the block without ``keep`` leaves nothing.

    Args:
        files: what to write, by path.
        inputs: what was read, and is not overwritten.
        own: those of an earlier export, which are replaced.

    Raises:
        UsageError: on entering the block, a file that cannot be written there.
    """

    def __init__(self, files: Mapping[Path, bytes], inputs: Iterable[Path], own: Collection[Path]) -> None:
        self._files = files
        self._inputs = list(inputs)
        self._own = own
        self._drafts: dict[Path, Draft] = {}
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            for path, content in self._files.items():
                make_folder(path.parent, undo)
                check_output(path, self._inputs, force=path in self._own)
                self._drafts[path] = undo.enter_context(Draft(path, force=path in self._own))
                self._drafts[path].write(content)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def keep(self, model: Draft) -> None:
        """Gives every file its name, and at last the model."""
        for path, draft in self._drafts.items():
            new = not os.path.lexists(path)
            draft.keep()
            if new:
                self._undo.callback(quietly, path.unlink)
        model.keep()
        self._undo.pop_all()
