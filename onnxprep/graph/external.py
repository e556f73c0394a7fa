"""Weights outside the .onnx file: which files a model refers to, and whether they may stay where they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
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
    """What the file system says of a path, links not followed except for ``size``.

    Attributes:
        size: bytes.
        link: whether the file, or a folder between it and the model, is a symbolic link.
        names: how many names (hard links) the file has.
    """

    size: int
    link: bool = False
    names: int = 1


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
        if absolute or ".." in posix.parts or ".." in windows.parts or "\0" in entry.path or not posix.parts:
            raise ContractError(
                "the model's external data lies outside its folder", at=entry.tensor,
                expected="a path below the model's folder", got=repr(entry.path),
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
        UsageError: a file is missing or too short.
        ContractError: a path leaves the model's folder.
    """
    data = list(data)
    refuse_unsafe(data)
    states = {path: look(path) for path in dict.fromkeys(entry.path for entry in data)}
    for entry in data:
        state = states[entry.path]
        if state is None:
            raise UsageError(
                "the model's external data is missing", at=entry.path, expected="the file beside the model",
                hint="put it back, or download the model completely",
            )  # fmt: skip
        if state.size < entry.offset + entry.length:
            raise UsageError(
                "the model's external data is too short", at=entry.path,
                expected=f"{entry.offset + entry.length} bytes or more, for {entry.tensor}", got=f"{state.size} bytes",
                hint="download the file again",
            )  # fmt: skip
    return [reason for path, state in states.items() if state and (reason := _linked(path, state))]


def _linked(path: str, state: FileState) -> str:
    if state.link:
        return f"{path} is a symbolic link"
    return f"{path} has {state.names} names (hard links)" if state.names > 1 else ""


# the tensors -------------------------------------------------------------------------------------------------------


def _external(tensor: TensorProto) -> ExternalData:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = entries.get("location", "")
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries["length"]) if entries.get("length") else _bytes(tensor)
    except ValueError as error:
        raise _damaged(tensor, "an offset or length that is no number", str(entries)) from error
    if not path or offset < 0 or length < 0:
        raise _damaged(tensor, "a location, and no negative offset or length", str(entries))
    return ExternalData(tensor.name, path, offset, length)


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
