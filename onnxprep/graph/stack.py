"""Stacking: a model that has steps becomes a body like any other, by giving up the names that mark them.

``onnxprep/pre.0.resize/Mul_3`` turns into ``onnxprep-stacked/pre.0.resize/Mul_3``, the metadata key ``onnxprep.spec``
into ``onnxprep-stacked.spec``; what is stacked twice has the word twice. Taking one away gives the model back.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from onnx import ModelProto

from onnxprep.errors import ContractError
from onnxprep.graph import metadata, names

_WORD = "-stacked"
_NAME = re.compile(rf"onnxprep((?:{_WORD})*)/")
_KEY = re.compile(rf"onnxprep((?:{_WORD})*)\.")


def stack(model: ModelProto) -> None:
    """Renames in place what marks steps as ours.

    Raises:
        ContractError: some of its steps are run by the caller, who would no longer be told.
    """
    if metadata.CALLER in metadata.read(model):
        raise ContractError(
            "cannot be stacked on: some of its steps are run by the caller", at="model",
            expected="a model whose steps are all in the graph", hint="leave out --stack: the new spec then replaces the old one",
        )  # fmt: skip
    _rename(model, lambda words: words + _WORD)


def unstack(model: ModelProto) -> None:
    """Takes one layer away, in place: undoes ``stack`` exactly."""
    _rename(model, lambda words: words.removeprefix(_WORD))


def _rename(model: ModelProto, other: Callable[[str], str]) -> None:
    def renamed(name: str, mark: re.Pattern[str] = _NAME) -> str:
        found = mark.match(name)
        return f"onnxprep{other(found[1])}{name[found.end(1) :]}" if found else name

    tensors = {name: renamed(name) for name in names.tensor_names(model)}
    names.rename(model, {old: new for old, new in tensors.items() if old != new})
    for graph in names.graphs(model):
        if renamed(graph.name) != graph.name:
            graph.name = renamed(graph.name)
        for node in graph.node:
            if renamed(node.name) != node.name:
                node.name = renamed(node.name)
    for entry in model.metadata_props:
        entry.key = renamed(entry.key, _KEY)
