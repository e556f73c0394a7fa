"""labels: class numbers to names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec

_DTYPES = ("int64", "int32", "bool")


class Labels(Step):
    """``y = names[x]``; of bool the first of two names is that of false.

    In a spec ``file`` may be given instead of ``names``: a text file in UTF-8 with one name per line. There are no
    string kernels on CUDA: ONNX Runtime then runs this step on the CPU.

    Input: int64, int32 or bool, any layout or none.
    Output: string, same layout and shape.
    Rounds: never.
    Source: NumPy's indexing. Unlike it, an index below 0 does not count from the end.
    Raises: ContractError where the tensor holds no indices, where the number of classes they were found among is known
        and is not the number of names, or where -1 may stand in it, as where nothing was detected, without a
        ``default``. An index outside the names gives ``default``; without one, running the graph fails in the Gather
        of this step.
    """

    operation: ClassVar[str] = "labels"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "names[x]")}

    from_file: ClassVar[str] = "names"

    names: tuple[str, ...] = parameter("name of every class, in the order of the classes", min_length=1)
    default: str | None = parameter("what an index outside the names gives; left out, it is an error", None)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Text has no range."""
        (x,) = inputs
        refuse_unless(x.dtype in _DTYPES, f"does not work on {x.dtype}", expected="int64, int32 or bool", got=x)
        highest = 1.0 if x.dtype == "bool" else None if x.range is None else x.range[1]
        if highest is not None and highest != len(self.names) - 1:
            raise ContractError(
                "has the wrong number of names",
                at=self.from_file,
                expected=f"{highest + 1:.0f} names, one per class",
                got=f"{len(self.names)} names, {self.names[0]!r} to {self.names[-1]!r}",
                hint="the name of false, then that of true"
                if x.dtype == "bool"
                else "one name per line, in the order of the training; is the background class missing?",
            )
        refuse_unless(
            x.range is None or x.range[0] >= 0 or self.default is not None,
            "has no name for -1, which stands where nothing was found",
            expected="a `default`",
            got=x,
            hint='`default: ""`',
        )
        return (replace(x, dtype="string", color=None, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Gather; an index below 0, which it would count from the end, is put beyond the end first."""
        (x,) = inputs
        if x.spec.dtype == "bool":
            return op.Gather(op.constant(self.names, "string"), op.Cast(x, to="int64"), axis=0)
        dtype, beyond = x.spec.dtype, len(self.names)
        below = op.Less(x, op.constant(0, dtype))
        index = op.Where(below, op.constant(beyond, dtype), x)
        if self.default is None:
            return op.Gather(op.constant(self.names, "string"), index, axis=0)
        names = op.constant((*self.names, self.default), "string")
        return op.Gather(names, op.Min(index, op.constant(beyond, dtype)), axis=0)

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's indexing."""
        x = inputs[0].array.astype(np.int64)
        if self.default is None:
            return np.asarray(np.array(self.names, object)[x], object)
        inside = (x >= 0) & (x < len(self.names))
        return np.asarray(np.where(inside, np.array(self.names, object)[np.where(inside, x, 0)], self.default), object)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Unicode, an empty name, equal names, one index without axes, nothing found, indices outside, yes and no."""
        names = ["no", "Bär", "青い鳥", "", "no", "\N{BIRD} tit"]
        yield Case({"names": names}, (Sample(TensorSpec("int64", (2, 5), "NC", None, (0.0, 5.0)), seed=1),))
        yield Case({"names": ["one"]}, (Sample(TensorSpec("int32", (), None, None, (0.0, 0.0)), seed=2),))
        padded = TensorSpec("int64", (3, 7), None, None, (-1.0, 5.0))
        yield Case({"names": names, "default": ""}, (Sample(padded, seed=3),))
        yield Case({"names": names, "default": "other"}, (Sample(replace(padded, dtype="int32"), seed=4),))
        yield Case({"names": names, "default": "other"}, (Sample(TensorSpec("int64", (3, 90)), seed=5),))
        yield Case({"names": ["no", "yes"]}, (Sample(TensorSpec("bool", (9, 1), "NC"), seed=6),))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Names of any length and alphabet; indices of any shape, some of them -1, or above the last."""
        dtype, classes = str(rng.choice(_DTYPES)), int((4 * largest) ** rng.uniform(0, 1))
        names = [_word(rng) for _ in range(2 if dtype == "bool" else classes)]
        shape = tuple(int(n) for n in rng.integers(1, 9, int(rng.integers(0, 4))))
        default = {"default": _word(rng)} if rng.random() < 0.5 else {}
        span: tuple[float, float] | None = (-1.0 if default else 0.0, classes - 1.0)
        if dtype == "bool" or (default and rng.random() < 0.3):
            span = None  # for integers: 0..255
        indices = Sample(TensorSpec(dtype, shape, None, None, span), int(rng.integers(2**31)))
        return Case({"names": names, **default}, (indices,))


def _word(rng: np.random.Generator) -> str:
    """Up to 12 characters, from ASCII, Greek, kana and beyond 16 bits."""
    starts = rng.choice([0x20, 0x391, 0x3041, 0x1F600], int(rng.integers(0, 13)))
    return "".join(chr(int(start) + int(rng.integers(0, 15))) for start in starts)
