"""What a model carries about its steps: our metadata keys, and our nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from onnx import ModelProto, NodeProto

from onnxprep.errors import ContractError
from onnxprep.graph.names import is_ours

PREFIX = "onnxprep."
SPEC = "onnxprep.spec"
DIGEST = "onnxprep.digest"
NODES = "onnxprep.nodes"
UNDO = "onnxprep.undo"
MODEL_SHA256 = "onnxprep.model_sha256"
GOLDEN = "onnxprep.golden"
WRITER = "onnxprep.writer"
CALLER = "onnxprep.caller"
PART = "onnxprep.part"
"""``preprocess`` or ``postprocess``: the file holds these steps alone, beside the model they belong to."""
FILE = "onnxprep.file."
"""Followed by the sha256 of the content."""

IMAGE_KEYS = ("Image.BitmapPixelFormat", "Image.ColorSpaceGamma", "Image.NominalPixelRange")
"""ONNX's own keys for image inputs; written only where the user's model has none of that name."""


def read(model: ModelProto) -> dict[str, str]:
    """Our keys with their values.

    Raises:
        ContractError: a key stands twice, or a text is not UTF-8.
    """
    found: dict[str, str] = {}
    for entry in model.metadata_props:
        key = entry.key
        if not isinstance(key, str) or not key.startswith(PREFIX):
            continue
        if key in found:
            raise ContractError("stands twice in the model's metadata", at=key, hint="export the model again")
        if not isinstance(entry.value, str):
            raise ContractError(f"is damaged: {_first_bad_byte(entry.value)}", at=key, hint="get the file again")
        found[key] = entry.value
    return found


def _first_bad_byte(value: object) -> str:
    """Protobuf hands out a text that is not UTF-8 as bytes."""
    try:
        bytes(value).decode("utf-8")  # type: ignore[call-overload]
    except (UnicodeDecodeError, TypeError) as error:
        return f"byte {error.start} is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it is no text"
    return "it is no text"


def write(model: ModelProto, entries: Mapping[str, str]) -> None:
    """Sets keys: in place where they exist, else behind the others in the order given."""
    present = {entry.key: entry for entry in model.metadata_props}
    for key, value in entries.items():
        if key in present:
            present[key].value = value
        else:
            model.metadata_props.add(key=key, value=value)


def remove(model: ModelProto, also: Collection[str] = ()) -> None:
    """Removes our keys, and the last entry of each key in ``also``; all others keep their order."""
    others = set(also)
    for i in reversed(range(len(model.metadata_props))):
        key = model.metadata_props[i].key
        if isinstance(key, str) and key.startswith(PREFIX):
            del model.metadata_props[i]
        elif key in others:
            others.discard(key)
            del model.metadata_props[i]


def onnxprep_nodes(model: ModelProto) -> tuple[NodeProto, ...]:
    """Our nodes, in the order in which they stand."""
    return tuple(node for node in model.graph.node if is_ours(node))


def nodes_digest(model: ModelProto) -> str:
    """sha256 over our nodes in order, each as its length (8 bytes, big-endian) and its deterministic serialisation."""
    digest = hashlib.sha256()
    for node in onnxprep_nodes(model):
        data = node.SerializeToString(deterministic=True)
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
