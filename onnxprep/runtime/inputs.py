"""What enters from a program or a file: as an array of this machine, checked against what the spec declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from onnxprep.errors import UsageError
from onnxprep.spec.messages import did_you_mean
from onnxprep.tensor import Array, Dim, TensorSpec, dtype_name


def as_array(value: Any, at: str) -> Array:
    """The value as an array in this machine's byte order; bytes are taken for UTF-8 text.

    Raises:
        UsageError: a ragged list, or bytes that are no text.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind == "S":
            array = np.char.decode(array, "utf-8")
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError("is no array", at=at, expected="rows of one length", got=str(error)[:120]) from None
    # ONNX Runtime and our own views of the bits know nothing of byte orders
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def with_batch(array: Array, declared: TensorSpec) -> Array:
    """The array with an axis N of length 1 in front, where the input has one and the array does not."""
    layout = declared.layout or ""
    return array[None] if layout.startswith("N") and array.ndim == len(layout) - 1 else array


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuses a name that is no input.

    Raises:
        UsageError: with the name that was probably meant.
    """
    names = list(known)
    for name in given:
        if name not in names:
            hint = did_you_mean(name, names)
            raise UsageError("is not an input", at=name, expected=", ".join(names), hint=hint)


def checked(
    values: Mapping[str, Any], declared: Mapping[str, TensorSpec], shapes: Mapping[str, tuple[Dim, ...]]
) -> dict[str, Array]:
    """The graph's inputs as arrays; those that the spec declares are as it says, equal symbols equal lengths.

    Args:
        values: what is fed, every input of ``shapes`` among it.
        declared: the spec's inputs; the model's own are left to ONNX Runtime.
        shapes: the graph's inputs, with the lengths that the file fixes.

    Raises:
        UsageError: another dtype, rank or length.
    """
    feeds = {name: as_array(values[name], name) for name in shapes}
    lengths: dict[str, tuple[int, str]] = {}
    for name, array in feeds.items():
        if name in declared:
            _check(name, array, declared[name])
            _check_lengths(name, array, declared[name], shapes[name])
            _check_symbols(name, array, declared[name], lengths)
    return feeds


def _check(name: str, array: Array, declared: TensorSpec) -> None:
    if declared.dtype != dtype_name(array):
        hint = "pass the picture as it was decoded, 0..255" if declared.dtype == "uint8" else ""
        raise UsageError(f"is {dtype_name(array)}", at=name, expected=str(declared), hint=hint)
    if declared.rank != array.ndim:
        hint = _hint(array, declared, name)
        raise UsageError(f"has the shape {list(array.shape)}", at=name, expected=str(declared), hint=hint)


def _check_lengths(name: str, array: Array, declared: TensorSpec, shape: tuple[Dim, ...]) -> None:
    """With the letter of the axis, which ONNX Runtime does not know."""
    for axis, (length, wanted) in enumerate(zip(array.shape, shape, strict=False)):
        if isinstance(wanted, int) and wanted not in (length, -1):
            letter = declared.layout[axis] if declared.layout else str(axis)
            hint = f"pass a list of pictures: they are run {wanted} by {wanted}" if letter == "N" else ""
            raise UsageError(
                f"has the shape {list(array.shape)}", at=name, expected=f"{wanted} along axis {letter}", hint=hint
            )


def _check_symbols(name: str, array: Array, declared: TensorSpec, lengths: dict[str, tuple[int, str]]) -> None:
    for axis, symbol in enumerate(declared.shape or ()):
        if not isinstance(symbol, str):
            continue
        length, first = lengths.setdefault(symbol, (array.shape[axis], f"axis {axis} of {name}"))
        if length != array.shape[axis]:
            raise UsageError(
                f"has the shape {list(array.shape)}",
                at=name,
                expected=f"{symbol} = {length} along axis {axis}, as along {first}",
                hint="equal symbols of the spec are equal lengths",
            )


def _hint(array: Array, declared: TensorSpec, name: str) -> str:
    layout = declared.layout or ""
    if array.ndim + 1 != declared.rank or not declared.is_image:
        return f"gray pixels [H, W] are {name}[None, :, :, None]" if declared.color == "GRAY" else ""
    if declared.color == "GRAY" and layout.endswith("C") and array.shape[-1] != 1:
        return f"gray pixels need an axis C: {name}[..., None]"
    return f"one picture is {name}[None]" if layout.startswith("N") else ""
