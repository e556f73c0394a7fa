"""Which model the steps go to: the one in the file, or, where that has steps already, the one below them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from onnx import ModelProto

from onnxprep.errors import ContractError
from onnxprep.graph import metadata, names, undo
from onnxprep.graph.stack import stack

_EXPORTED = {metadata.SPEC, metadata.UNDO, metadata.NODES, metadata.DIGEST}
"""Keys of which a file that export wrote has one at least, whatever was lost on the way."""


@dataclass(frozen=True)
class Underlying:
    """The model that gets the steps.

    Attributes:
        model: it.
        size: bytes of its own file.
        sha256: of its own file.
        stacked: whether it has steps of its own, which stay.
        note: what was done about steps that the file has; empty where it has none.
        golden: the samples recorded with those steps, as the file holds them; empty where it holds none.
    """

    model: ModelProto
    size: int
    sha256: str
    stacked: bool = False
    note: str = ""
    golden: str = ""


def underlying(model: ModelProto, data: bytes, *, on_top: bool = False) -> Underlying:
    """Looks below the steps of an augmented model, or with ``on_top`` makes them part of the body.

    Args:
        model: what the file holds; changed with ``on_top``.
        data: the file.
        on_top: whether steps that are there stay.

    Raises:
        ContractError: the model has steps that cannot be taken out faithfully; with ``on_top``, that cannot stay.
    """
    digest, stored = hashlib.sha256(data).hexdigest(), metadata.read(model)
    if not stored.keys() & _EXPORTED and not names.any_of_ours(model):
        if stored:
            hint = "give it another name: `strip` takes these keys away"
            raise ContractError("is a key of the model's own in our place", at=next(iter(stored)), hint=hint)
        return Underlying(model, len(data), digest)
    golden = stored.get(metadata.GOLDEN, "")
    if on_top:
        stack(model)
        return Underlying(model, len(data), digest, True, "its own steps stay, as part of the body", golden)
    below = undo.strip(model)
    if below.state == "changed":
        raise ContractError(
            f"has steps, and they cannot be replaced: {below.reason}", at="model",
            expected="the body that they were attached to", hint="`onnxprep strip` it first, or use the original file",
        )  # fmt: skip
    note = "replaces the steps of spec " + stored.get(metadata.DIGEST, "")[:16]
    if golden:
        note += "; its golden samples are not kept"
    if below.stacked:
        stack(below.model)
        note += "; the steps below them stay"
    return Underlying(below.model, len(below.data), below.file_sha256, below.stacked, note, golden)
