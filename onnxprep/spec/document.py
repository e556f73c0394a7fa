"""Spec: the document as frozen data, its canonical JSON and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onnxprep.errors import SpecError
from onnxprep.spec import fields
from onnxprep.spec.entry import Entry, EntryReader
from onnxprep.spec.files import LinesOf, as_long_file
from onnxprep.spec.flow import check_callers, resolve
from onnxprep.spec.messages import shown
from onnxprep.spec.reading import read, read_json
from onnxprep.step import catalogue
from onnxprep.tensor import TensorSpec

FORMAT = 1
_KEYS = ("onnxprep", "name", "like", "inputs", "preprocess", "model", "postprocess", "outputs", "provenance")
_OUTSIDE_DIGEST = ("name", "provenance")
_MAX_ENTRIES = 256
"""Steps of one side, and inputs: more is no pipeline, and every one of them takes its time."""


@dataclass(frozen=True)
class Spec:
    """A model's pre- and post-processing.

    Attributes:
        inputs: the graph's new inputs, name -> tensor, in order.
        preprocess, postprocess: the steps of both sides.
        model_inputs: model input -> the value that feeds it; ``None`` until a model is at hand, if not written.
        model_outputs: value -> the model's output it stands for.
        outputs: the graph's outputs; ``None`` until a model is at hand, if not written.
        name: what people call it; outside the digest.
        provenance: what made it; outside the digest.
        read_from: the files that it was read from; no part of the document.
    """

    inputs: Mapping[str, TensorSpec]
    preprocess: tuple[Entry, ...] = ()
    postprocess: tuple[Entry, ...] = ()
    model_inputs: Mapping[str, str] = field(default_factory=dict)
    model_outputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    name: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    read_from: tuple[Path, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def load(
        cls,
        source: Path | str | Mapping[str, Any],
        *,
        files: Mapping[str, str] | None = None,
        known_only: bool = True,
    ) -> Spec:
        """The spec in a file, in a text, or in a mapping.

        Args:
            source: a path; YAML or JSON text (anything with a line break or that opens with ``{``); or plain data.
            files: contents by digest, for a spec whose long lists are kept beside it.
            known_only: whether an operation that is not installed is an error; False to look at foreign specs.

        Raises:
            UsageError: the file cannot be read.
            SpecError: the document is wrong.
        """
        is_text = isinstance(source, str) and ("\n" in source or source.lstrip("\ufeff \t\r")[:1] == "{")
        path = None if is_text or isinstance(source, Mapping) else Path(source)
        lines = LinesOf(path.parent if path else None, files or {})
        text = lines.text_of(path) if path else source
        try:
            plain = read_json(_as_json(text)) if isinstance(text, Mapping) else read(str(text))
            return replace(parse(plain, lines, known_only=known_only), read_from=tuple(lines.read))
        except SpecError as error:
            raise _placed(error, str(path or "the spec")) from None

    def to_dict(self) -> dict[str, Any]:
        """The document in long form, every default written out."""
        document: dict[str, Any] = {
            "onnxprep": FORMAT,
            "inputs": [_input(name, tensor) for name, tensor in self.inputs.items()],
            "preprocess": [entry.to_dict() for entry in self.preprocess],
            "model": {"inputs": dict(self.model_inputs), "outputs": dict(self.model_outputs)},
            "postprocess": [entry.to_dict() for entry in self.postprocess],
        }
        if self.outputs is not None:
            document["outputs"] = list(self.outputs)
        if self.name:
            document["name"] = self.name
        if self.provenance:
            document["provenance"] = dict(self.provenance)
        return document

    def dump(self) -> str:
        """The canonical JSON: ``Spec.load(spec.dump()) == spec``."""
        return canonical(self.to_dict())

    def stored(self) -> tuple[str, dict[str, str]]:
        """What goes into a model: the canonical JSON, and by their digest the lists too long to stand in it."""
        document, files = self.to_dict(), {}
        for written, entry in zip(
            document["preprocess"] + document["postprocess"], self.preprocess + self.postprocess, strict=True
        ):
            key = type(entry.step).from_file if entry.step is not None else ""
            text = as_long_file(written["parameters"][key]) if key else None
            if text is not None:
                digest = hashlib.sha256(text.encode()).hexdigest()
                files[digest] = text
                del written["parameters"][key]
                written["parameters"]["file"] = f"sha256:{digest}"
        return canonical(document), files

    @property
    def digest(self) -> str:
        """sha256, in hex, of the stored canonical JSON without ``name`` and ``provenance``."""
        return digest_of(json.loads(self.stored()[0]))

    @property
    def callers(self) -> tuple[Entry, ...]:
        """The steps that the caller's program must run."""
        return tuple(entry for entry in (*self.preprocess, *self.postprocess) if entry.where == "caller")


def _as_json(source: Mapping[str, Any]) -> str:
    try:
        return json.dumps(source)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError(f"is not plain data: {error}", expected="mappings, lists, text, numbers, booleans") from None


def _placed(error: SpecError, where: str) -> SpecError:
    """What has no path yet, or only a line, gets the name of the file."""
    if error.at and not error.at.startswith("line "):
        return error
    at = f"{where}, {error.at}" if error.at else where
    return error.told_as(SpecError, at=at)


def canonical(document: Any) -> str:
    """Sorted keys, no blanks, ASCII, floats in Python's shortest form; the one text of a document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest_of(document: Mapping[str, Any]) -> str:
    """The digest of a stored document."""
    covered = {key: value for key, value in document.items() if key not in _OUTSIDE_DIGEST}
    return hashlib.sha256(canonical(covered).encode()).hexdigest()


def parse(document: Any, lines: LinesOf, *, known_only: bool) -> Spec:
    """Plain data as a Spec.

    Raises:
        SpecError: where, what, what was expected.
    """
    if not isinstance(document, dict):
        raise SpecError(f"is {shown(document)}", expected="a mapping that begins with `onnxprep: 1`")
    if "onnxprep" not in document:
        hint = "a spec begins with the line `onnxprep: 1`; `onnxprep new PRESET` prints one"
        raise SpecError("is not a spec: the key `onnxprep` is missing", hint=hint)
    fields.version(document["onnxprep"], "onnxprep", FORMAT, "the format of the document")
    if "around" in document:
        raise SpecError("is reserved for a later format", at="around", hint="leave it out")
    fields.mapping(document, "", _KEYS)
    like = _like(document.get("like"), known_only=known_only)
    reader = EntryReader(like, lines.lines_of, known_only)
    inputs = _inputs(document.get("inputs"))
    model = fields.optional_mapping(document.get("model"), "model", ("inputs", "outputs"))
    model_inputs = fields.texts(model.get("inputs"), "model.inputs")
    model_outputs = fields.texts(model.get("outputs"), "model.outputs")
    for name in model_outputs:
        fields.value_name(name, f"model.outputs.{name}")
    sides = [
        [reader.read(item, f"{side}[{i}]") for i, item in enumerate(fields.few(document.get(side), side, _MAX_ENTRIES))]
        for side in ("preprocess", "postprocess")
    ]
    preprocess, postprocess = resolve(tuple(inputs), sides[0], sides[1], tuple(model_outputs))
    check_callers(tuple(inputs), preprocess)
    outputs = None if document.get("outputs") is None else fields.names(document["outputs"], "outputs")
    if outputs is not None and (not outputs or len(set(outputs)) != len(outputs)):
        raise SpecError("names a value twice" if outputs else "is empty", at="outputs", expected="each value once")
    name = fields.text(document["name"], "name") if document.get("name") is not None else ""
    provenance = fields.texts(document.get("provenance"), "provenance")
    return Spec(inputs, preprocess, postprocess, model_inputs, model_outputs, outputs, name, provenance)


def _like(value: Any, *, known_only: bool) -> str:
    if value is None:
        return ""
    families = sorted({family for families in catalogue().values() for family in families if family})
    return fields.one_of(value, "like", families) if known_only else fields.text(value, "like")


def _inputs(value: Any) -> dict[str, TensorSpec]:
    inputs: dict[str, TensorSpec] = {}
    for i, item in enumerate(fields.few(value, "inputs", _MAX_ENTRIES)):
        at = f"inputs[{i}]"
        keys = ("name", "dtype", "layout", "color", "shape", "range")
        written = fields.mapping(item, at, keys, required=("name", "dtype", "shape"))
        name = fields.value_name(written["name"], f"{at}.name")
        if name in inputs:
            raise SpecError(f"{shown(name)} is the name of an earlier input", at=f"{at}.name")
        inputs[name] = fields.tensor(written, at)
    return inputs


def _input(name: str, tensor: TensorSpec) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name, "dtype": tensor.dtype, "shape": list(tensor.shape or ())}
    span = None if tensor.range is None else list(tensor.range)
    optional = {"layout": tensor.layout, "color": tensor.color, "range": span}
    return written | {key: value for key, value in optional.items() if value is not None}
