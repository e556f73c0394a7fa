"""External data: files beside the model, referred to where they lie, or copied with it to another folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from onnxprep.errors import UsageError
from onnxprep.graph.external import FileState, check_files, locations, moved
from onnxprep.runtime.files import reason


@dataclass(frozen=True)
class DataFile:
    """A file of weights.

    Attributes:
        name: how the model calls it, relative to its folder.
        source: where its bytes lie, links resolved.
        target: where the output expects it.
        size: bytes.
        present: whether the same bytes are at the target already.
    """

    name: str
    source: Path
    target: Path
    size: int
    present: bool = False


@dataclass(frozen=True)
class Placed:
    """The files that an output needs, and whether they must be copied."""

    files: tuple[DataFile, ...] = ()
    copied: bool = False

    @property
    def copies(self) -> tuple[DataFile, ...]:
        """The files to copy: all, or none if all are there; the draft of the model is loaded beside them."""
        return self.files if self.copied and not all(file.present for file in self.files) else ()

    @property
    def lines(self) -> list[str]:
        """What becomes of them, for printing."""
        return [f"weights: {file.name}, {file.size:,} bytes, {self._what(file)}" for file in self.files]

    def _what(self, file: DataFile) -> str:
        if not self.copied:
            return "not copied"
        return f"at {file.target} already, not copied" if file.present else f"copied to {file.target}"


def weights(model: ModelProto, source: Path) -> list[Path]:
    """The files that hold the model's external data.

    Raises:
        ContractError: a reference is damaged.
    """
    return [source.parent / path for path in dict.fromkeys(entry.path for entry in locations(model))]


def place(model: ModelProto, source: Path, out: Path) -> Placed:
    """Where an output finds the model's external data: beside the original where it lies, elsewhere in a copy.

    Raises:
        UsageError: a data file is missing, too short or no regular file, or is linked and the output stays beside it.
        ContractError: a path leaves the model's folder, or a reference is damaged.
    """
    data = locations(model)
    if not data:
        return Placed()
    try:
        linked = check_files(data, lambda path: _state(source, path))
    except UsageError as error:
        real = source.resolve()
        if source.is_symlink() and (real.parent / error.at).is_file() and not (source.parent / error.at).exists():
            raise error.told_as(UsageError, hint=f"the model is a link: give it by its own path, {real}") from None
        raise
    # two spellings of one name are one file
    names = dict.fromkeys(Path(entry.path) for entry in data)
    files = tuple(_data_file(name, source.parent, out.parent) for name in names)
    if out.parent.resolve() != source.parent.resolve():
        return Placed(files, copied=True)
    if linked:
        raise UsageError(
            linked[0], at=str(source), expected="regular data files of one name, for an output that shares them",
            hint="write to another folder: the data is copied there",
        )  # fmt: skip
    return Placed(files)


def present(model: ModelProto, source: Path) -> list[str]:
    """The files of the model's external data, one line each: they are there, and long enough; no more is looked at.

    Raises:
        UsageError: one is missing, too short, no regular file, or a link that leads elsewhere.
        ContractError: a path leaves the model's folder, or a reference is damaged.
    """
    data = locations(model)
    check_files(data, lambda path: _state(source, path))
    return [f"{name}, {(source.parent / name).stat().st_size:,} bytes" for name in dict.fromkeys(e.path for e in data)]


def in_memory(model: ModelProto, source: Path) -> tuple[ModelProto, Path]:
    """The model with a folder from which ONNX Runtime, which follows no link out of it, reaches all its data."""
    real = {entry.path: (source.parent / entry.path).resolve() for entry in locations(model)}
    if all(path.is_relative_to(source.parent.resolve()) for path in real.values()):
        return model, source.parent
    common = Path(os.path.commonpath([path.parent for path in real.values()]))
    return moved(model, {name: path.relative_to(common).as_posix() for name, path in real.items()}), common


def _data_file(name: Path, folder: Path, new: Path) -> DataFile:
    real = (folder / name).resolve()
    return DataFile(name.as_posix(), real, new / name, real.stat().st_size)


def _state(source: Path, path: str) -> FileState | None:
    place = source.parent / path
    try:
        found = place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(reason(error), at=path, expected="the model's external data") from None
    linked = any((source.parent / part).is_symlink() for part in (Path(path), *Path(path).parents) if part != Path())
    real = place.resolve()
    # a hub's cache: model and data are both links, to files that lie side by side
    inside = any(real.is_relative_to(folder) for folder in (source.parent.resolve(), source.resolve().parent))
    return FileState(
        found.st_size, linked, found.st_nlink, stat.S_ISREG(found.st_mode), "" if inside or not linked else str(real)
    )
