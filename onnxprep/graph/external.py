"""Weights outside the .onnx file: which files a model refers to, and whether they may stay where they are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, helper

from onnxprep.errors import ContractError, UsageError

_BITS = {"UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2}
"""Element types that share a byte."""


@dataclass(frozen=True)
class ExternalData:
    """One tensor's bytes: ``length`` bytes from ``offset`` on in the file ``path``, relative to the model's folder."""

    tensor: str
    path: str
    offset: int
    length: int


@dataclass(frozen=True)
class FileState:
    """What the file system says of a path.

    Attributes:
        size: bytes, links followed.
        link: whether the file, or a folder between it and the model, is a symbolic link.
        names: how many names (hard links) the file has.
        regular: whether it is a regular file, links followed.
        outside: where links lead, if that is neither below the model's folder nor beside the model's own file.
    """

    size: int
    link: bool = False
    names: int = 1
    regular: bool = True
    outside: str = ""


def locations(model: ModelProto) -> tuple[ExternalData, ...]:
    """Every tensor of the model whose bytes lie elsewhere, in the order in which the model holds them.

    Raises:
        ContractError: an entry has no location, or an offset or length that is no number.
    """
    return tuple(_external(tensor) for tensor in _tensors(model) if tensor.data_location == TensorProto.EXTERNAL)


def refuse_unsafe(data: Iterable[ExternalData]) -> None:
    """Raises a ContractError for a path that leaves the model's folder."""
    for entry in data:
        posix, windows = PurePosixPath(entry.path), PureWindowsPath(entry.path)
        absolute = posix.is_absolute() or windows.drive or windows.root
        folder = not posix.parts or entry.path.endswith("/")
        if absolute or ".." in posix.parts or ".." in windows.parts or "\0" in entry.path or folder:
            raise ContractError(
                "the model's external data lies outside its folder", at=entry.tensor,
                expected="the path of a file below the model's folder, without `..`", got=repr(entry.path),
            )  # fmt: skip


def check_files(data: Iterable[ExternalData], look: Callable[[str], FileState | None]) -> list[str]:
    """Whether the files are there and long enough, and why they cannot be referred to where they lie.

    Args:
        data: what ``locations`` found.
        look: path -> state of the file, ``None`` where there is none.

    Returns:
        One reason per file that a model beside it could not use, since ONNX and ONNX Runtime refuse linked files:
        the data must be copied. Empty where a model in the same folder can refer to the same files.

    Raises:
        UsageError: a file is missing, too short, no regular file, or a link that leads elsewhere.
        ContractError: a path leaves the model's folder.
    """
    data = list(data)
    refuse_unsafe(data)
    states = {path: look(path) for path in dict.fromkeys(entry.path for entry in data)}
    for entry in data:
        _check_file(entry, states[entry.path])
    return [reason for path, state in states.items() if state and (reason := _linked(path, state))]


def _check_file(entry: ExternalData, state: FileState | None) -> None:
    if state is None:
        raise UsageError(
            "the model's external data is missing", at=entry.path, expected="the file beside the model",
            hint="put it back, or download the model completely",
        )  # fmt: skip
    if not state.regular:
        raise UsageError("the model's external data is not a regular file", at=entry.path, expected="a regular file")
    if state.outside:
        raise UsageError(
            "the model's external data is a link that leads out of its folder", at=entry.path, got=state.outside,
            expected="a file below the model's folder, or beside the file that the model is a link to",
            hint="put the file itself there, if it is the model's",
        )  # fmt: skip
    if state.size < entry.offset + entry.length:
        raise UsageError(
            "the model's external data is too short", at=entry.path,
            expected=f"{entry.offset + entry.length} bytes or more, for {entry.tensor}", got=f"{state.size} bytes",
            hint="download the file again",
        )  # fmt: skip


def moved(model: ModelProto, places: Mapping[str, str]) -> ModelProto:
    """A copy that refers to other files: ``places`` says for every path where the same bytes lie."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in _tensors(copy):
        for entry in tensor.external_data:
            if tensor.data_location == TensorProto.EXTERNAL and entry.key == "location":
                entry.value = places.get(entry.value, entry.value)
    return copy


def _linked(path: str, state: FileState) -> str:
    if state.link:
        return f"{path} is a symbolic link"
    return f"{path} has {state.names} names (hard links)" if state.names > 1 else ""


# the tensors -------------------------------------------------------------------------------------------------------


def _external(tensor: TensorProto) -> ExternalData:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = entries.get("location", "")
    try:
        offset = _number(entries.get("offset") or "0")
        length = _number(entries["length"]) if entries.get("length") else _bytes(tensor)
    except ValueError as error:
        raise _damaged(tensor, "an offset or length that is no number", str(entries)) from error
    if not path:
        raise _damaged(tensor, "a location, and no negative offset or length", str(entries))
    return ExternalData(tensor.name, path, offset, length)


def _number(text: str) -> int:
    """Plain digits: what else ``int`` takes, other readers do not."""
    if re.fullmatch(r"[0-9]{1,18}", text) is None:
        raise ValueError(text)
    return int(text)


def _damaged(tensor: TensorProto, expected: str, got: str) -> ContractError:
    return ContractError("the reference to external data is damaged", at=tensor.name, expected=expected, got=got)


def _bytes(tensor: TensorProto) -> int:
    """Length of the raw data as shape and element type tell it."""
    kind = TensorProto.DataType.Name(tensor.data_type)
    bits = _BITS.get(kind) or helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8
    return int(math.prod(tensor.dims) * bits + 7) // 8


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from _in_graph(model.graph)
    for training in model.training_info:
        yield from _in_graph(training.initialization)
        yield from _in_graph(training.algorithm)
    for function in model.functions:
        yield from tensors_in(function.node)
        for attribute in function.attribute_proto:
            yield from _in_attribute(attribute)


def _in_graph(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from _in_sparse(sparse)
    yield from tensors_in(graph.node)


def tensors_in(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    """Every tensor in the attributes of the nodes, at any depth."""
    for node in nodes:
        for attribute in node.attribute:
            yield from _in_attribute(attribute)


def _in_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    if attribute.HasField("sparse_tensor"):
        yield from _in_sparse(attribute.sparse_tensor)
    for sparse in attribute.sparse_tensors:
        yield from _in_sparse(sparse)
    if attribute.HasField("g"):
        yield from _in_graph(attribute.g)
    for graph in attribute.graphs:
        yield from _in_graph(graph)


def _in_sparse(sparse: SparseTensorProto) -> Iterator[TensorProto]:
    yield sparse.values
    yield sparse.indices
