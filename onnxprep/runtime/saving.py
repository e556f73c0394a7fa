"""Outputs as files: what ``onnxprep run --save`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from onnxprep.errors import UsageError
from onnxprep.runtime.beside import weights
from onnxprep.runtime.files import check_output, read_model, reason
from onnxprep.tensor import Array, dtype_name

_LONGEST = 50  # characters of a name, so that every file system takes it


def save_arrays(results: Sequence[Mapping[str, Array]], folder: Path, model: Path, read: Sequence[Path]) -> None:
    """Writes every output as ``<NAME>.npy``, with several runs ``<K>.<NAME>.npy``; texts as ``.txt``.

    Args:
        results: the outputs of every run.
        folder: where they go; it is made if it is not there. Other files of these names in it are replaced.
        model: what ran; neither it nor its weights are overwritten.
        read: the files that it ran on, which are not overwritten either.

    Raises:
        UsageError: the folder cannot be written, or a file would replace one that was read; nothing is written then.
    """
    files = [
        (folder / f"{stem if len(results) == 1 else f'{k}.{stem}'}{_suffix(outputs[name])}", outputs[name])
        for k, outputs in enumerate(results)
        for name, stem in _stems(outputs).items()
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(os.path.lexists(path) for path, _ in files):
            beside = weights(read_model(model)[0], model)
            for path, _ in files:
                check_output(path, [model, *beside, *read], force=True)
        for path, array in files:
            if _suffix(array) == ".txt":
                path.write_text("\n".join(map(str, array.ravel())) + "\n", encoding="utf-8")
            else:
                np.save(path, array, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(reason(error), at=str(folder)) from None


def _suffix(array: Array) -> str:
    return ".txt" if dtype_name(array) == "string" else ".npy"


def _stems(outputs: Mapping[str, Array]) -> dict[str, str]:
    """Output -> file name without ending; where two would be one, the later gets a number."""
    stems: dict[str, str] = {}
    taken: set[str] = set()
    for name in outputs:
        stem = first = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:_LONGEST]
        number = 1
        while stem.casefold() in taken:  # file systems that know no capitals
            number += 1
            stem = f"{first}_{number}"
        taken.add(stem.casefold())
        stems[name] = stem
    return stems
