"""Text -> plain data: YAML (1.2 core rules) or JSON, bounded before it is parsed, nothing but data.

Scalars are read by the YAML 1.2 core schema: only ``true`` and ``false`` are booleans, ``no`` is text, ``1e-5`` is a
number, there are no dates. Tags, anchors, aliases and merge keys are refused, and so are duplicate keys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from onnxprep.errors import SpecError
from onnxprep.spec.messages import shown

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32
MAX_VALUES = 2**18
"""Of a YAML document: its reader takes microseconds for each."""

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 4300  # Python's own limit for turning text into an int


def read(text: str) -> Any:
    """Plain data: mappings, lists, text, numbers, booleans, null. Text that opens with ``{`` or ``[`` is JSON first.

    Raises:
        SpecError: too large, too deep, not YAML or JSON, or more than plain data.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SpecError("is too large", expected=f"at most {MAX_BYTES // 2**20} MB", got=f"{len(text) / 2**20:.1f} MB")
    text = _check_text(text.removeprefix("\ufeff"))
    if text.lstrip(" \t\r\n")[:1] in ("{", "["):
        return _read_json_or_flow(text)
    return _read_yaml(text)


def read_json(text: str) -> Any:
    """JSON alone: what is stored in a model.

    Raises:
        SpecError: not JSON, or JSON with NaN, Infinity, duplicate keys or half a surrogate pair.
    """
    _check_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_float, parse_int=_int
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SpecError(f"is not JSON: {error.msg.lower()}", at=place) from None
    _check_texts(value)
    return value


def _read_json_or_flow(text: str) -> Any:
    try:
        return read_json(text)
    except SpecError as as_json:
        if "not JSON" not in as_json.problem:
            raise
        try:  # a YAML flow mapping may open with { too
            return _read_yaml(text)
        except SpecError:
            raise as_json from None


# JSON -----------------------------------------------------------------------------------------------------------

# a text that never ends takes the rest at once: tried again from each quote in it, 8 MB would take hours
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKETS.finditer(text):
        found = match.group()
        depth += (found in "[{") - (found in "]}")
        if depth > MAX_DEPTH:
            raise _too_deep()


def _too_deep() -> SpecError:
    return SpecError("is nested too deeply", expected=f"at most {MAX_DEPTH} levels")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _duplicate(key)
        result[_check_text(key)] = value
    return result


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _check_texts(item)


def _duplicate(key: str) -> SpecError:
    return SpecError(f"the key {shown(key)} stands twice in one mapping", expected="each key once")


def _no_constant(name: str) -> NoReturn:
    raise SpecError(f"{name} is not a value here", expected="a finite number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise SpecError(f"{text[:40]} is too large for a 64-bit float", expected="a finite number")
    return value


def _int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise SpecError(
            f"a number of {len(text)} digits is too large", expected="a number that a 64-bit float can hold"
        )
    value = int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    try:
        float(value)  # every number of the format fits a float; it is also short enough to be shown
    except OverflowError:
        raise SpecError(
            f"a number of {len(text)} digits is too large", expected="a number that a 64-bit float can hold"
        ) from None
    return value


_SURROGATE = re.compile("[\ud800-\udfff]")


def _check_text(text: str) -> str:
    if found := _SURROGATE.search(text):
        near = ascii(text[max(found.start() - 20, 0) : found.end()])
        raise SpecError("text holds half a surrogate pair", expected="whole characters", got=near)
    return text


# YAML -----------------------------------------------------------------------------------------------------------

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read_yaml(text: str) -> Any:
    try:
        events = _plain_events(text)
        value = _value(next(events), events)
        if not isinstance(next(events), yaml.DocumentEndEvent) or not isinstance(next(events), yaml.StreamEndEvent):
            raise SpecError("holds more than one YAML document", expected="one document")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SpecError(f"is not YAML: {error.problem or error.context}", at=place) from None
    except yaml.YAMLError as error:
        raise SpecError(f"is not YAML: {str(error).splitlines()[0]}") from None
    return value


def _plain_events(text: str) -> Iterator[yaml.Event]:
    depth = values = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            continue
        if isinstance(event, yaml.StreamEndEvent):
            yield event
            return
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise SpecError("anchors and aliases are not read", at=_place(event), hint="write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise SpecError("tags are not read", at=_place(event), got=tag, hint="leave it out; quote what is text")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _too_deep()
        values += isinstance(event, yaml.NodeEvent)
        if values > MAX_VALUES:
            hint = "long lists of names go into a file of their own"
            raise SpecError("holds too many values", at=_place(event), expected=f"at most {MAX_VALUES:,}", hint=hint)
        yield event


def _place(event: yaml.Event) -> str:
    mark = event.start_mark
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _value(event: yaml.Event, events: Iterator[yaml.Event]) -> Any:
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        return _list(events)
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(events)
    raise SpecError("is empty", expected="a mapping that begins with `onnxprep: 1`")


def _list(events: Iterator[yaml.Event]) -> list[Any]:
    result = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        result.append(_value(event, events))
    return result


def _mapping(events: Iterator[yaml.Event]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _value(event, events)
        if not isinstance(key, str):
            raise SpecError(f"the key {shown(key)} is not text", at=_place(event), hint="quote it")
        if key == "<<":
            raise SpecError("merge keys are not read", at=_place(event), hint="write the keys out")
        if key in result:
            raise _duplicate(key).inside(_place(event))
        result[key] = _value(next(events), events)
    return result


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = _check_text(event.value)
    if not event.implicit[0]:  # quoted, or a block of text
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    try:
        if _INT.fullmatch(text):
            return _int(text)
        if _FLOAT.fullmatch(text):
            return _float(text)
    except SpecError as error:
        raise error.inside(_place(event)) from None
    if _SPECIAL.fullmatch(text):
        raise SpecError(f"{text} is not a value here", at=_place(event), expected="a finite number")
    return text
