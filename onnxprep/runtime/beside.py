"""External data: files beside the model, referred to where they lie, never read or rewritten."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto

from onnxprep.errors import UsageError
from onnxprep.graph.external import FileState, check_files, locations


def weights(model: ModelProto, source: Path) -> list[Path]:
    """The files that hold the model's external data.

    Raises:
        ContractError: a reference is damaged.
    """
    return [source.parent / path for path in dict.fromkeys(entry.path for entry in locations(model))]


def refuse_unreachable(model: ModelProto, source: Path, out: Path) -> None:
    """Refuses an output that could not use the model's external data.

    Raises:
        UsageError: a data file is missing or too short, is a link, or the output goes to another folder.
        ContractError: a path leaves the model's folder.
    """
    data = locations(model)
    if not data:
        return
    linked = check_files(data, lambda path: _state(source.parent, path))
    files = ", ".join(dict.fromkeys(entry.path for entry in data))
    hint = "copy model and data files there first, and export beside the copy"
    if linked:
        raise UsageError(linked[0], at=str(source), expected="regular data files beside the model", hint=hint)
    if out.parent.resolve() != source.parent.resolve():
        raise UsageError(
            "is another folder, and the model keeps weights in files of their own",
            at=str(out.parent),
            expected=f"{source.parent}, where {files} lies: weights are referred to, never copied",
            hint=hint,
        )


def _state(folder: Path, path: str) -> FileState | None:
    place = folder / path
    if not place.exists():
        return None
    linked = any((folder / part).is_symlink() for part in [path, *map(str, Path(path).parents)] if part != ".")
    found = place.stat()
    return FileState(found.st_size, linked, found.st_nlink)
