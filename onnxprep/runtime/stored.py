"""The spec in a model's metadata, in and out: JSON and nothing else, so that no text in a model can name a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnx import ModelProto

from onnxprep.errors import ContractError, OnnxprepError, SpecError
from onnxprep.graph import metadata
from onnxprep.runtime.nodes import own_writer
from onnxprep.spec.document import Spec, parse
from onnxprep.spec.files import LinesOf
from onnxprep.spec.reading import MAX_BYTES, read_json


def stored_spec(stored: Mapping[str, str], at: str) -> Spec:
    """The spec in a model's metadata, as it was written.

    Raises:
        ContractError: there is none, or it cannot be read; ``at`` names the file and the key.
    """
    if metadata.SPEC not in stored:
        hint = "`onnxprep export` puts one in"
        raise ContractError("holds no spec", at=at, expected=f"the metadata key {metadata.SPEC}", hint=hint)
    files = {k.removeprefix(metadata.FILE): v for k, v in stored.items() if k.startswith(metadata.FILE)}
    try:
        return parse(_json(stored[metadata.SPEC]), LinesOf(None, files), known_only=False)
    except OnnxprepError as error:
        place = f"{at}: {metadata.SPEC} {error.at}".strip()
        hint = "the file was changed or damaged after export; export it again"
        raise error.told_as(ContractError, at=place, hint=hint) from None


def _json(text: str) -> object:
    if len(text) > MAX_BYTES:
        raise SpecError("is too large", expected=f"at most {MAX_BYTES // 2**20} MB")
    return read_json(text)


def of_part(spec: Spec, stored: Mapping[str, str]) -> Spec:
    """The steps that are in the file: of a part those of its side, so that its callers are its own."""
    part = stored.get(metadata.PART)
    if part == "preprocess":
        return replace(spec, postprocess=())
    return replace(spec, preprocess=()) if part == "postprocess" else spec


def entries(spec: Spec, model: ModelProto, file_sha256: str, own: Mapping[str, str]) -> dict[str, str]:
    """What a file with steps carries about them; of a part, which ``own`` tells, the callers are those of its side.

    Args:
        spec: the whole, joined to the model.
        model: holds our nodes.
        file_sha256: of the user's file.
        own: the keys that this kind of file has besides.
    """
    text, files = spec.stored()
    made = {
        metadata.SPEC: text,
        metadata.DIGEST: spec.digest,
        metadata.NODES: metadata.nodes_digest(model),
        **own,
        metadata.MODEL_SHA256: file_sha256,
        metadata.WRITER: own_writer(),
    }
    callers = of_part(spec, own).callers
    if callers:
        made[metadata.CALLER] = ",".join(entry.name for entry in callers)
    return made | {metadata.FILE + digest: content for digest, content in files.items()}
