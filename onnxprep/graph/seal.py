"""The seal: short fingerprints of the parts of every text we store, so that a change is found and placed.

It finds accidents, not attackers: whoever rewrites a part can rewrite its fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from onnxprep.errors import ParityError, SpecError
from onnxprep.spec.document import canonical
from onnxprep.spec.reading import read_json

SEAL = "onnxprep.seal"
_DIGITS = 16
_DEPTH = 3
_PLACE = 12


def seal(stored: Mapping[str, str]) -> str:
    """The fingerprints of all our other metadata values, as canonical JSON: key -> path -> fingerprint."""
    return canonical({key: dict(_parts(text)) for key, text in sorted(stored.items()) if key != SEAL})


def check(stored: Mapping[str, str]) -> None:
    """Compares every stored text with its seal.

    Raises:
        ParityError: the first key and path that differ.
    """
    try:
        sealed = read_json(stored.get(SEAL, ""))
        expected = {str(key): {str(path): str(mark) for path, mark in parts.items()} for key, parts in sealed.items()}
    except (SpecError, AttributeError):
        raise _changed("is missing or damaged", SEAL) from None
    for key in expected:
        if key not in stored:
            raise _changed("is gone from the model", key)
    for key, text in stored.items():
        if key != SEAL:
            _check_one(key, text, expected.get(key))


def _check_one(key: str, text: str, expected: Mapping[str, str] | None) -> None:
    if expected is None:
        raise _changed("is not among what was sealed", key)
    found = dict(_parts(text))
    if found == expected:
        return
    if set(found) == {""} and len(expected) > 1:
        raise _changed(f"is no longer readable: {_json_problem(text)}", key)
    names = [path for path in (*expected, *found) if path and expected.get(path) != found.get(path)]
    place = max(names, key=lambda path: path.count(".") + path.count("["), default="")
    raise _changed(f"was changed at `{place}`" if place else "was changed", key)


def _changed(problem: str, key: str) -> ParityError:
    hint = "the file was changed or damaged after export; export it again"
    return ParityError(problem, at=key, expected="the text as it was exported", hint=hint)


def _json_problem(text: str) -> str:
    try:
        read_json(text)
    except SpecError as error:
        return f"{error.at}: {error.problem}".removeprefix(": ")[:80]
    return "it is no document"


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The whole under the empty path, and the parts of a JSON document down to the third level."""
    yield "", _mark(text)
    try:
        document = read_json(text)
    except SpecError:
        return
    if isinstance(document, dict):
        yield from _below(document, "", _DEPTH)


def _below(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth and isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _below(item, f"{path}.{key}".removeprefix("."), depth - 1)
    elif depth and isinstance(value, list) and value and len(value) <= _PLACE:
        for i, item in enumerate(value):
            yield from _below(item, f"{path}[{i}]", depth - 1 if path else depth)
    else:
        yield path, _mark(canonical(value))


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
