"""Goldens too long to stand in the model: ONNX's own layout beside it, ``test_data_set_N/input_0.pb``."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from onnx import numpy_helper

from onnxprep.errors import OnnxprepError
from onnxprep.graph import metadata
from onnxprep.runtime import arrays
from onnxprep.runtime.files import Draft, check_output, make_folder, quietly, read_model
from onnxprep.runtime.golden import INFLATED_BYTES
from onnxprep.spec.document import canonical

INLINE_BYTES = 2**20
"""A longer golden goes beside the model."""
_FOLDER = "test_data_set_"


def spill(document: dict[str, Any], out: Path) -> tuple[str, dict[Path, bytes]]:
    """The golden as text, and the files it needs beside the model: none while it is short.

    The folders are those of the model that ``out`` replaces, then the first that are free.
    """
    text = canonical(document)
    packed = (item for sample in document["samples"] for kind in ("inputs", "values") for item in sample[kind].values())
    if len(text) <= INLINE_BYTES and sum(map(arrays.inflated_bytes, packed)) <= INFLATED_BYTES:
        return text, {}
    files: dict[Path, bytes] = {}
    for folder, sample in zip(_folders(out), document["samples"], strict=False):
        for kind, key in (("input", "inputs"), ("output", "values")):
            for k, (name, written) in enumerate(sample[key].items()):
                place = f"{folder}/{kind}_{k}.pb"
                array = arrays.unpacked(written, name)
                files[out.parent / place] = numpy_helper.from_array(array, name).SerializeToString()
                sample[key][name] = {k: v for k, v in written.items() if k not in ("zlib", "text")} | {"file": place}
    return canonical(document), files


def _folders(out: Path) -> Iterator[str]:
    """Names of folders to write to, without end."""
    own = [name for name in _named_by(out) if (out.parent / name).is_dir() and not (out.parent / name).is_symlink()]
    yield from own
    for number in itertools.count():
        if not os.path.lexists(out.parent / f"{_FOLDER}{number}"):
            yield f"{_FOLDER}{number}"


def _named_by(out: Path) -> list[str]:
    """The folders that the golden of an earlier export refers to; none where it cannot be read."""
    try:
        samples = json.loads(metadata.read(read_model(out)[0])[metadata.GOLDEN])["samples"]
        files = [str(item.get("file", "")) for s in samples for key in ("inputs", "values") for item in s[key].values()]
    except (OnnxprepError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
    return list(dict.fromkeys(name for name in (file.partition("/")[0] for file in files) if _is_ours(name)))


def _is_ours(folder: str) -> bool:
    return re.fullmatch(rf"{_FOLDER}(0|[1-9][0-9]{{0,5}})", folder) is not None


class SideFiles:
    """Files beside a model that get their names together with it; leaving the block without ``keep`` leaves nothing.

    Args:
        files: what to write, by path.
        inputs: what was read, and is not overwritten.

    Raises:
        UsageError: on entering the block, a file that cannot be written there.
    """

    def __init__(self, files: Mapping[Path, bytes], inputs: Iterable[Path]) -> None:
        self._files = files
        self._inputs = list(inputs)
        self._drafts: dict[Path, Draft] = {}
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            for path, content in self._files.items():
                make_folder(path.parent, undo)
                check_output(path, self._inputs, force=True)
                self._drafts[path] = undo.enter_context(Draft(path))
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
