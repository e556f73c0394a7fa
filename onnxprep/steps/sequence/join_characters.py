"""join_characters: class numbers to text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec

_END = 2**31
_LEVELS = 16
"""Where the number of ids is not known: text of less than 2**16 of them."""


class JoinCharacters(Step):
    """``text = "".join(characters[id] for id in ids)`` along the last axis; ids below 0 stand for nothing.

    In a spec ``file`` may be given instead of ``characters``: UTF-8, one on each line, a line of blanks among them.
    PaddleOCR's dictionaries leave the blank out (``blank: 0``) and count a space behind the last line (``space: true``).
    Text that is read from right to left is not turned. ONNX Runtime runs this step on the CPU.

    Input: ids, int64 or int32 [..., T]: what ctc_greedy makes.
    Output: text, string, without the last axis.
    Rounds: never.
    Source: Python's str.join, as in PaddleOCR, ppocr/postprocess/rec_postprocess.py.
    Raises: ContractError where the tensor holds no ids, has no axis, or where the number of classes they were found among is
        known and is not the number of characters. Nothing but -1 gives "". An id beyond the characters makes the graph fail
        in the Gather of this step, more than 65535 ids where their number was not known in its Squeeze.
    """

    operation: ClassVar[str] = "join_characters"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", '"".join of characters[ids]', note="Python's own str.join")}
    inputs: ClassVar[tuple[str, ...]] = ("ids",)
    outputs: ClassVar[tuple[str, ...]] = ("text",)
    from_file: ClassVar[str] = "characters"
    blank_lines: ClassVar[bool] = True
    min_opset: ClassVar[int] = 20  # StringConcat

    characters: tuple[str, ...] = parameter("text of every class, in the order of the classes", min_length=1)
    blank: int | None = parameter("class that the characters leave out, -1 for the last; left out, none", None)
    space: bool = parameter("whether a space follows the characters", False)

    def _texts(self) -> list[str]:
        """Of every class."""
        texts = [*self.characters, *([" "] if self.space else [])]
        if self.blank is not None:
            texts.insert(self.blank if self.blank >= 0 else len(texts) + 1 + self.blank, "")
        return texts

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The last axis goes."""
        (x,) = inputs
        refuse_unless(x.dtype in ("int64", "int32"), f"does not work on {x.dtype}", expected="int64 or int32", got=x)
        refuse_unless(x.rank != 0 and not x.is_image, "has no ids to join", expected="ids along the last axis", got=x)
        given, texts = len(self.characters), len(self._texts())
        if x.range is not None and x.range[1] != texts - 1:
            raise ContractError(
                "has the wrong number of characters",
                at=self.from_file,
                expected=f"{x.range[1] + 1 - (texts - given):.0f} characters, one per class{self._besides()}",
                got=f"{given} characters, {self.characters[0]!r} to {self.characters[-1]!r}",
                hint="is the blank among them (`blank`), or a space behind them (`space: true`)?",
            )
        refuse_unless(
            self.blank is None or -texts <= self.blank < texts,
            f"has no class {self.blank} to leave out",
            expected=f"{-texts} to {texts - 1}",
            got=x,
        )
        return (TensorSpec("string", None if x.shape is None else x.shape[:-1]),)

    def _besides(self) -> str:
        others = [*(["the blank"] if self.blank is not None else []), *(["the space"] if self.space else [])]
        return f" besides {' and '.join(others)}" if others else ""

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Neighbours are joined until one is left: a Loop over the ids would take longer, and some providers have none."""
        (ids,) = inputs
        dtype = ids.spec.dtype
        zero, next_one = op.constant(0, dtype), op.Add(ids, op.constant(1, dtype))
        index = op.Where(op.Less(ids, zero), zero, next_one)
        text = op.Gather(op.constant(["", *self._texts()], "string"), index, axis=0)
        time = ids.spec.shape[-1] if ids.spec.shape else None
        known = time if isinstance(time, int) and time > 0 else None
        none = self._column(op, ids)
        if known is None:  # there may be no ids at all
            text = op.Concat(text, none, axis=-1)
        for _ in range(_LEVELS if known is None else (known - 1).bit_length()):
            even = known is not None and known % 2 == 0
            first = _every_other(op, text, 0)
            text = op.StringConcat(first, _every_other(op, text if even else op.Concat(text, none, axis=-1), 1))
            known = None if known is None else (known + 1) // 2
        return op.Squeeze(text, axes=[-1])

    def _column(self, op: Ops, ids: Value) -> Value:
        """One "" for every text."""
        rows = op.Slice(op.Shape(ids), op.int64([0]), op.int64([-1]), op.int64([0]))
        return op.Expand(op.constant("", "string"), op.Concat(rows, op.int64([1]), axis=0))

    def oracle(self, *inputs: Tensor) -> Array:
        """A loop over the rows."""
        ids, texts = inputs[0].array, list(self.characters)
        if self.space:
            texts.append(" ")
        if self.blank is not None:
            place = self.blank % (len(texts) + 1)
            texts = [*texts[:place], "", *texts[place:]]
        rows = ids.reshape(-1, ids.shape[-1])
        made = np.empty(len(rows), object)
        made[:] = ["".join(texts[k] for k in row if k >= 0) for row in rows]
        return made.reshape(ids.shape[:-1])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """One id to a hundred, one axis to three, the blank first, last, within or nowhere, characters of several letters."""
        some = ["a", "ß", "青", "\N{BIRD}", "the ", ""]
        given: tuple[tuple[tuple[int, ...], dict[str, Any]], ...] = (
            ((3, 9), {}),
            ((2, 100), {"blank": 0}),
            ((1, 1), {"blank": -1}),
            ((2,), {"space": True}),
            ((2, 2, 5), {"blank": 3}),
        )
        for k, (shape, more) in enumerate(given):
            for dtype in ("int64", "int32") if k == 0 else ("int64",):
                classes = len(some) + len(more)
                ids = TensorSpec(dtype, shape, "NC" if k == 0 else None, None, (-1.0, classes - 1.0))
                yield Case({"characters": some, **more}, (Sample(ids, k),))
        letters = [chr(0x4E00 + n) for n in range(256)]
        yield Case({"characters": letters}, (Sample(TensorSpec("int64", (2, 7)), 9),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Up to five texts of up to ``2 * largest`` ids."""
        count = int(rng.integers(1, 4 * largest))
        characters = [chr(int(n)) for n in rng.integers(0x20, 0xD000, count)]
        more: dict[str, Any] = {"space": True} if rng.random() < 0.5 else {}
        if rng.random() < 0.7:
            more["blank"] = int(rng.integers(-count - 1 - len(more), count + 1 + len(more)))
        shape = (int(rng.integers(1, 6)), int(rng.integers(1, 2 * largest)))
        ids = TensorSpec("int64", shape, None, None, (-1.0, float(count + len(more)) - 1))
        return Case({"characters": characters, **more}, (Sample(ids, int(rng.integers(2**31))),))


def _every_other(op: Ops, x: Value, start: int) -> Value:
    made: Value = op.Slice(x, op.int64([start]), op.int64([_END]), op.int64([-1]), op.int64([2]))
    return made
