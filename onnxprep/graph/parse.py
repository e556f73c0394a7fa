"""Bytes -> ModelProto, with every text in it readable: what later code may rely on."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import ModelProto

from onnxprep.errors import ContractError

_ORT_FORMAT = b"ORTM"  # the identifier of its flatbuffer


def parse(data: bytes) -> ModelProto:
    """The model that the bytes hold; external data stays where it is.

    Raises:
        ContractError: the bytes are no ONNX model, or one that is damaged.
    """
    refuse_ort_format(data)
    try:
        model = ModelProto.FromString(data)
    except DecodeError as error:
        raise ContractError(
            "is not an ONNX model", expected="a ModelProto", got=_beginning(data), hint="give the .onnx file itself"
        ) from error
    if not model.HasField("graph") or not model.opset_import:
        raise ContractError(
            "is not an ONNX model", expected="a graph and at least one opset import", got=_beginning(data)
        )
    refuse_unreadable(model)
    return model


def is_ort_format(data: bytes) -> bool:
    """Whether ONNX Runtime has written this in its own format."""
    return data[4:8] == _ORT_FORMAT


def refuse_ort_format(data: bytes) -> None:
    """Raises a ContractError for a file in ONNX Runtime's own format: only a session reads that."""
    if is_ort_format(data):
        raise ContractError(
            "is not an ONNX model: it is in ONNX Runtime's own format",
            expected="the .onnx file that it was made from",
            hint="`onnxprep run` takes an exported model in this format, too; all else needs the .onnx file",
        )


def refuse_unreadable(model: Message) -> None:
    """Raises a ContractError where a text field is not UTF-8: the file is damaged, whatever the rest says."""
    if _is_readable(model):
        return
    place = _unreadable(model, "model")
    if place:
        raise ContractError(
            "is damaged: a text in it is not UTF-8", at=place, expected="UTF-8", hint="get the file again"
        )


def _beginning(data: bytes) -> str:
    return f"{len(data)} bytes beginning {data[:8].hex(' ')}" if data else "no bytes"


def _is_readable(message: Message) -> bool:
    """Whether ``_unreadable`` finds nothing; without paths, which take most of its time in a large model."""
    try:
        for field, value in message.ListFields():
            kind = field.type
            if kind == FieldDescriptor.TYPE_STRING:
                if bytes in map(type, value if field.is_repeated else (value,)):
                    return False
            elif kind == FieldDescriptor.TYPE_MESSAGE and not all(
                map(_is_readable, value if field.is_repeated else (value,))
            ):
                return False
    except UnicodeDecodeError:
        return False
    return True


def _unreadable(message: Message, place: str) -> str:
    """Path of the first text field that is not UTF-8; protobuf hands such a field out as bytes, or not at all."""
    try:
        fields = message.ListFields()
    except UnicodeDecodeError:
        return place
    for field, value in fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            if _undecoded(value, field.is_repeated):
                return f"{place}.{field.name}"
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for i, inner in enumerate(value if field.is_repeated else [value]):
                found = _unreadable(
                    inner, f"{place}.{field.name}[{i}]" if field.is_repeated else f"{place}.{field.name}"
                )
                if found:
                    return found
    return ""


def _undecoded(value: object, repeated: bool) -> bool:
    try:
        texts = list(value) if repeated else [value]  # type: ignore[call-overload]
    except UnicodeDecodeError:
        return True
    return any(isinstance(text, bytes) for text in texts)
