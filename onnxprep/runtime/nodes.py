"""Our nodes in a file and as the spec makes them: which is the first that differs, and in what."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version as installed

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, numpy_helper

from onnxprep.errors import ParityError
from onnxprep.graph.external import tensors_in
from onnxprep.runtime import arrays

DAMAGED = "the file was changed or damaged after export; export it again"


def own_writer() -> str:
    """What this version signs with."""
    return f"onnxprep {installed('onnxprep')}"


def refuse_outside(ours: Sequence[NodeProto]) -> None:
    """Our constants are never in another file, and whoever opens one would open a path that the model names.

    Raises:
        ParityError: one is.
    """
    for node in ours:
        if any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors_in([node])):
            raise ParityError("keeps its constant in another file", at=node.name, hint=DAMAGED)


def first_difference(got: Sequence[NodeProto], expected: Sequence[NodeProto], writer: str) -> None:
    """Raises a ParityError for the first of our nodes that is not as expected; nothing where all are."""
    own = own_writer()
    hint = DAMAGED if writer == own else f"compared with what {own} makes; the file was written by {writer}"
    for found, wanted in zip(got, expected, strict=False):
        if found != wanted:
            raise ParityError(
                f"is not as the spec makes it: {difference(found, wanted)}", at=wanted.name or found.name, hint=hint
            )
    if len(got) != len(expected):
        extra = (list(got) + list(expected))[min(len(got), len(expected))]
        raise ParityError(f"{len(got)} nodes instead of {len(expected)}", at=extra.name, hint=hint)


def difference(found: NodeProto, wanted: NodeProto) -> str:
    """In what a node differs, in words."""
    for part in ("name", "op_type", "domain"):
        if getattr(found, part) != getattr(wanted, part):
            return f"{part} {getattr(found, part)!r} instead of {getattr(wanted, part)!r}"
    for part in ("input", "output"):
        if list(getattr(found, part)) != list(getattr(wanted, part)):
            return f"{part}s {list(getattr(found, part))} instead of {list(getattr(wanted, part))}"
    theirs = {attribute.name: attribute for attribute in found.attribute}
    for attribute in wanted.attribute:
        other = theirs.get(attribute.name)
        if other != attribute:
            return f"attribute {attribute.name}" + ("" if other is None else _attribute_difference(other, attribute))
    return "attributes differ"


def _attribute_difference(found: AttributeProto, wanted: AttributeProto) -> str:
    if found.type != AttributeProto.TENSOR or wanted.type != AttributeProto.TENSOR:
        return ""
    try:
        got, expected = (np.asarray(numpy_helper.to_array(a.t)) for a in (found, wanted))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return f", not readable: {str(error)[:80]}"
    return f", {arrays.first_difference(got, expected) or 'how it is stored'}"
