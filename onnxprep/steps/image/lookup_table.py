"""lookup_table: any function of a byte, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless, wrong
from onnxprep.steps.image._bytes import cases_of, look_up
from onnxprep.steps.image.planar import Float32, each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

_Row = Annotated[tuple[Float32, ...], Field(min_length=256, max_length=256)]
_Rows = Annotated[tuple[_Row, ...], Field(min_length=1)]


def _whole(table: Any) -> Any:
    """256 numbers in every row, said before the types of a row are looked at; lists as tuples."""
    if not isinstance(table, list | tuple) or not table:
        raise wrong("is no table", expected="256 numbers, one for every byte, or such a list per channel")
    nested = isinstance(table[0], list | tuple)
    for i, row in enumerate(table if nested else [table]):
        if isinstance(row, list | tuple) and len(row) != 256:
            at = f"[{i}]" if nested else ""
            raise wrong(
                f"has {len(row)} numbers", at=at, expected="256, one for every byte, or such a list per channel"
            )
    return tuple(tuple(row) if isinstance(row, list) else row for row in table)


def _bytes(table: Any, info: ValidationInfo) -> Any:
    if info.data.get("dtype") == "uint8":
        for i, value in enumerate(np.array(table).ravel()):
            if not (0 <= value <= 255 and float(value).is_integer()):
                at = f"[{i}]" if np.ndim(table) == 1 else f"[{i // 256}][{i % 256}]"
                raise wrong(f"is {value:g}", at=at, expected="a whole number of 0..255", hint="or a dtype of float32")
    return table


class LookupTable(Step):
    """``y = table[x]``, or ``y[c] = table[c][x]`` with a table for every channel.

    It makes any library's function of a single byte exact: run that on ``np.arange(256, dtype=np.uint8).reshape(16, 16, 1)``
    (three channels wide where it wants RGB), and write the 256 answers here.

    Input: image, uint8.
    Output: ``dtype``, same layout and shape; the same colour.
    Rounds: never; a table of float32 holds the nearest float32 to every number.
    Source: NumPy's indexing; OpenCV's LUT and Pillow's point give the same.
    Raises: ContractError where the tensor is not a uint8 image, or there are tables for another number of channels.
    """

    operation: ClassVar[str] = "lookup_table"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "table[x]")}

    dtype: Literal["uint8", "float32"] = parameter("of the output", "uint8")
    table: Annotated[
        _Row | _Rows, AfterValidator(_bytes), BeforeValidator(_whole, json_schema_input_type=_Row | _Rows)
    ] = parameter("256 numbers, one for every byte, or a list of them for every channel")

    def _entries(self) -> Array:
        return np.array(self.table, self.dtype)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The dtype, and the range of the numbers that can be reached."""
        (x,), entries = inputs, self._entries()
        refuse_unless_image(x, "uint8", hint="put `lookup_table` before `rescale`")
        if entries.ndim == 2:
            expected = f"C = {len(entries)}, one table each"
            refuse_unless(x.dim("C") == len(entries), "has another number of channels", expected=expected, got=x)
        low, high = (int(end) for end in x.range or (0, 255))
        reached = entries[..., low : high + 1]
        return (replace(x, dtype=self.dtype, range=(float(reached.min()), float(reached.max()))),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The table."""
        return look_up(op, inputs[0], self._entries())

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's indexing."""
        table = np.array(self.table, self.dtype)

        def one(image: Array) -> Array:
            return table[image] if table.ndim == 1 else np.stack([t[c] for t, c in zip(table, image, strict=True)])

        return each_image(inputs[0], "CHW", one)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One table and one per channel, to bytes and to float32."""
        rng = np.random.default_rng(0)
        bytes_to_bytes = rng.permutation(256).tolist()
        each = rng.integers(0, 256, (3, 256)).tolist()
        floats = rng.normal(size=(3, 256)).tolist()
        yield from cases_of({"table": bytes_to_bytes}, {"table": floats[0], "dtype": "float32"})
        for layout, shape in (("HWC", (64, 64, 3)), ("NCHW", (2, 3, 5, 7)), ("NHWC", (1, 1, 1, 3))):
            sample = Sample(TensorSpec("uint8", shape, layout, "RGB", (0.0, 255.0)), seed=3)
            yield Case({"table": each}, (sample,))
            yield Case({"table": floats, "dtype": "float32"}, (sample,))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """A random table of the same kind."""
        case = super().draw(like, rng, largest)
        shape = np.shape(case.parameters["table"])
        dtype = case.parameters.get("dtype", "uint8")
        table = rng.integers(0, 256, shape) if dtype == "uint8" else rng.normal(size=shape)
        return Case({"table": table.tolist(), "dtype": dtype}, case.inputs)
