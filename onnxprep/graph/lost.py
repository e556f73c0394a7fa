"""What later tools do to the traces of our steps: a spec that is gone, and names that are not the ones we gave."""

from __future__ import annotations

from onnx import ModelProto

from onnxprep.errors import ContractError
from onnxprep.graph import metadata, names

LAST = "run other tools before export, not after it"
"""The order in which nothing is lost."""


def refuse_lost(model: ModelProto, at: str) -> None:
    """Refuses a model with steps of ours and no spec.

    Raises:
        ContractError: nodes or tensors are named as only ours are, and the spec is not in the metadata.
    """
    stored = metadata.read(model)
    if metadata.SPEC in stored:
        return
    if stored:
        raise ContractError(
            f"has lost its spec: {len(stored)} other keys of onnxprep are in the metadata, but not {metadata.SPEC}",
            at=at, expected="the metadata that export wrote", hint=f"a tool dropped it: export again, and {LAST}",
        )  # fmt: skip
    put_before = renamed(model)
    if put_before is None and not names.any_of_ours(model):
        return
    prefix = f"{put_before or ''}{names.PREFIX}"
    count = sum(node.name.startswith(prefix) for node in model.graph.node)
    told = f"{count} of its nodes are" if count else "its tensors are"
    raise ContractError(
        f"has lost its spec: {told} named {prefix}..., and the metadata holds nothing of onnxprep",
        at=at, expected="the metadata that export wrote", hint=f"a tool dropped it: export again, and {LAST}",
    )  # fmt: skip


def renamed(model: ModelProto) -> str | None:
    """What stands before the names of our nodes where another tool has renamed them; None where none has."""
    if metadata.onnxprep_nodes(model) or metadata.read(model).get(metadata.NODES) == metadata.nodes_digest(model):
        return None  # they are here, or there were none
    found = (names.put_before(node.name) for node in model.graph.node if isinstance(node.name, str))
    return next((prefix for prefix in found if prefix is not None), None)


def refuse_renamed(model: ModelProto) -> None:
    """Refuses a model whose nodes of ours another tool has renamed: by their names they are told from the body.

    Raises:
        ContractError: they are.
    """
    prefix = renamed(model)
    if prefix is not None:
        raise ContractError(
            f"the steps cannot be told from the body: their names begin with {prefix}onnxprep/", at="model",
            expected="names that begin with onnxprep/", hint=f"another tool put {prefix} before every name; use the original file, and {LAST}",
        )  # fmt: skip
