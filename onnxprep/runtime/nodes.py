"""Our nodes in a file and as the spec makes them: which is the first that differs, and in what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, numpy_helper

from onnxprep.errors import ParityError
from onnxprep.graph.external import tensors_in
from onnxprep.graph.lengths import inferred
from onnxprep.graph.lost import LAST
from onnxprep.graph.metadata import onnxprep_nodes
from onnxprep.graph.names import is_ours
from onnxprep.graph.notes import plain
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
            raise ParityError("keeps its constant in another file", at=node.name, hint=f"{DAMAGED}, and {LAST}")


def refuse_more(model: ModelProto) -> None:
    """A model of our nodes alone holds nothing else.

    Raises:
        ParityError: something was put in.
    """
    found = [node.name or node.op_type for node in model.graph.node if not is_ours(node)]
    found += [tensor.name for tensor in model.graph.initializer]
    found += [tensor.values.name for tensor in model.graph.sparse_initializer]
    found += [function.name for function in model.functions]
    if found:
        raise ParityError("was not made by export", at=found[0], hint=DAMAGED)


def compared(got: Sequence[NodeProto], again: ModelProto, writer: str) -> str:
    """In what our nodes differ without computing anything else: in order, or in notes, spellings and inferred types.

    Args:
        got: those of the file.
        again: the model with the steps put in again.
        writer: of the file.

    Raises:
        ParityError: the first of the expected nodes that is gone or another, or one that is not expected.
    """
    expected = onnxprep_nodes(again)
    found, wanted = ({node.name: node for node in nodes} for nodes in (got, expected))
    gone = [name for name in wanted if name not in found]
    new = [node.name for k, node in enumerate(got) if node.name not in wanted or found[node.name] is not got[k]]
    other = [name for name in wanted if name in found and plain(found[name]) != plain(wanted[name])]
    if other:  # with types inside their branches, as shape inference writes them?
        typed = [{node.name: plain(node) for node in onnxprep_nodes(model)} for model in inferred(again)]
        other = [name for name in other if not any(plain(found[name]) == nodes.get(name) for nodes in typed)]
    if gone or new or other:
        first = next((name for name in wanted if name in (*gone, *other)), new[0] if new else "")
        own = own_writer()
        raise ParityError(
            f"{_told(first, found, wanted)}; of our {len(expected)} nodes {len(gone)} are gone and {len(other)} changed, "
            f"{len(new)} are new", at=first,
            hint=DAMAGED if writer == own else f"compared with what {own} makes; the file was written by {writer}",
        )  # fmt: skip
    if list(found) != list(wanted):
        return "in another order"
    return "written in another way" if list(got) != list(expected) else ""


def _told(name: str, found: Mapping[str, NodeProto], wanted: Mapping[str, NodeProto]) -> str:
    if name not in found:
        return "is gone"
    if name not in wanted or plain(found[name]) == plain(wanted[name]):
        return "was not made by export"
    return f"is not as the spec makes it: {difference(found[name], wanted[name])}"


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
    known = {attribute.name for attribute in wanted.attribute}
    return ", ".join(f"attribute {name} is new" for name in theirs if name not in known) or "attributes differ"


def _attribute_difference(found: AttributeProto, wanted: AttributeProto) -> str:
    if found.type != AttributeProto.TENSOR or wanted.type != AttributeProto.TENSOR:
        return ""
    try:
        got, expected = (np.asarray(numpy_helper.to_array(a.t)) for a in (found, wanted))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return f", not readable: {str(error)[:80]}"
    return f", {arrays.first_difference(got, expected) or 'how it is stored'}"
