"""Small checks that every part of the document shares: mappings, text, names, tensors."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from onnxprep.errors import SpecError
from onnxprep.spec.messages import did_you_mean, listed, shown
from onnxprep.step import catalogue
from onnxprep.tensor import CHANNELS, COLORS, DTYPES, Dim, TensorSpec

_OPERATION = re.compile(r"[a-z][a-z0-9_]{0,89}")
_STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_LAYOUT = re.compile(r"[A-Z]{1,8}")
_MAX_NAME = 200
_MAX_DIM = 2**31 - 1
_MAX_AXES = 64  # as in NumPy
_MAX = sys.float_info.max


def mapping(value: Any, at: str, allowed: Sequence[str], required: Sequence[str] = ()) -> Mapping[str, Any]:
    """``value`` as a mapping with known keys only."""
    if not isinstance(value, dict):
        raise SpecError(f"is {shown(value)}", at=at, expected="a mapping")
    for key in value:
        if key not in allowed:
            place = f"{at}.{key}" if at else str(key)
            hint = did_you_mean(key, allowed)
            raise SpecError("is not a key of this format", at=place, expected=listed(allowed), hint=hint)
    for key in required:
        if key not in value:
            raise SpecError("is missing", at=f"{at}.{key}" if at else key)
    return value


def optional_mapping(value: Any, at: str, allowed: Sequence[str]) -> Mapping[str, Any]:
    """``mapping``; what is missing is an empty one."""
    return {} if value is None else mapping(value, at, allowed)


def sequence(value: Any, at: str) -> Sequence[Any]:
    """``value`` as a list; what is missing is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise SpecError(f"is {shown(value)}", at=at, expected="a list")
    return value


def few(value: Any, at: str, most: int) -> Sequence[Any]:
    """``sequence``, of at most so many."""
    items = sequence(value, at)
    if len(items) > most:
        raise SpecError(f"has {len(items)} entries", at=at, expected=f"at most {most}")
    return items


def text(value: Any, at: str) -> str:
    """``value`` as text."""
    if not isinstance(value, str):
        hint = "quote it" if value is not None and not isinstance(value, list | dict) else ""
        raise SpecError(f"is {shown(value)}", at=at, expected="text", hint=hint)
    return value


def texts(value: Any, at: str) -> dict[str, str]:
    """``value`` as a mapping from text to text; what is missing is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError(f"is {shown(value)}", at=at, expected="a mapping from text to text")
    return {key: text(item, f"{at}.{key}") for key, item in value.items()}


def value_name(value: Any, at: str) -> str:
    """The name of a value: any printable text without blanks at its ends, at most 200 characters."""
    name = text(value, at)
    if not name or len(name) > _MAX_NAME or not name.isprintable() or name != name.strip():
        raise SpecError(f"is {shown(name)}", at=at, expected=f"1 to {_MAX_NAME} printable characters")
    if name.startswith("onnxprep/"):
        raise SpecError(f"is {shown(name)}", at=at, expected="another name: `onnxprep/` begins our own nodes")
    return name


def step_name(value: Any, at: str) -> str:
    """The name of a step: letters, digits, ``_`` and ``-``, as it goes into node names."""
    name = text(value, at)
    if not _STEP_NAME.fullmatch(name):
        raise SpecError(f"is {shown(name)}", at=at, expected="a letter or _, then letters, digits, _ or -")
    return name


def names(value: Any, at: str) -> tuple[str, ...]:
    """A list of value names."""
    return tuple(value_name(item, f"{at}[{i}]") for i, item in enumerate(sequence(value, at)))


def version(value: Any, at: str, wanted: int, what: str) -> None:
    """Refuses every number but ``wanted``; 1.0 and true are not 1."""
    if type(value) is not int or value != wanted:
        hint = "a newer onnxprep reads newer formats" if type(value) is int and value > wanted else ""
        raise SpecError(f"is {shown(value)}", at=at, expected=f"{wanted}, {what}", hint=hint)


def operation(value: Any, at: str) -> str:
    """An operation's name in snake_case, as default names of steps are made from it."""
    name = text(value, at)
    if not _OPERATION.fullmatch(name):
        raise SpecError(
            f"is {shown(name)}", at=at, expected="a name in snake_case", hint=did_you_mean(name, catalogue())
        )
    return name


def one_of(value: Any, at: str, allowed: Sequence[str]) -> str:
    """One word of a list."""
    word = text(value, at)
    if word not in allowed:
        raise SpecError(f"is {shown(word)}", at=at, expected=listed(allowed), hint=did_you_mean(word, allowed))
    return word


def tensor(value: Mapping[str, Any], at: str) -> TensorSpec:
    """``{dtype, shape, layout, color, range}`` as a description."""
    dtype = one_of(value.get("dtype"), f"{at}.dtype", DTYPES)
    shape = _shape(value.get("shape"), f"{at}.shape")
    layout = None if value.get("layout") is None else _layout(value["layout"], f"{at}.layout")
    color = None if value.get("color") is None else one_of(value["color"], f"{at}.color", COLORS)
    if layout is not None and len(layout) != len(shape):
        raise SpecError(f"has {len(shape)} axes", at=f"{at}.shape", expected=f"{len(layout)}, as layout {layout} has")
    found = TensorSpec(dtype, shape, layout, color, _range(value.get("range"), f"{at}.range", dtype))
    channels = found.dim("C")
    if color is not None and (layout is None or "C" not in layout):
        raise SpecError("is given for a tensor without an axis C", at=f"{at}.color", expected="a layout with C")
    if color is not None and isinstance(channels, int) and channels != CHANNELS[color]:
        raise SpecError(f"has C = {channels}", at=f"{at}.shape", expected=f"{CHANNELS[color]} for {color}")
    return found


def _shape(value: Any, at: str) -> tuple[Dim, ...]:
    if not isinstance(value, list):
        raise SpecError(f"is {shown(value)}", at=at, expected="a list such as [N, H, W, 3]")
    return tuple(_dim(dim, f"{at}[{i}]") for i, dim in enumerate(few(value, at, _MAX_AXES)))


def _dim(value: Any, at: str) -> Dim:
    if value is None or (isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", value)):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_DIM:
        return value
    raise SpecError(f"is {shown(value)}", at=at, expected="a length > 0, a symbol such as H, or null where unknown")


def _layout(value: Any, at: str) -> str:
    layout = text(value, at)
    if not _LAYOUT.fullmatch(layout) or len(set(layout)) != len(layout):
        raise SpecError(f"is {shown(layout)}", at=at, expected="one capital letter per axis, such as NHWC")
    return layout


def _range(value: Any, at: str, dtype: str) -> tuple[float, float] | None:
    if value is None:
        return (0.0, 255.0) if dtype == "uint8" else None
    items = sequence(value, at)
    numbers = [float(v) for v in items if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= _MAX]
    if len(numbers) != 2 or len(items) != 2 or numbers[0] > numbers[1]:
        raise SpecError(f"is {shown(value)}", at=at, expected="[lowest, highest], two finite numbers")
    if dtype == "uint8" and not 0 <= numbers[0] <= numbers[1] <= 255:
        raise SpecError(f"is {shown(value)}", at=at, expected="numbers of 0..255 for uint8")
    return numbers[0], numbers[1]
