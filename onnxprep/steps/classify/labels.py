"""labels: class numbers to names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec


class Labels(Step):
    """``y = names[x]``.

    In a spec ``file`` may be given instead of ``names``: a text file in UTF-8 with one name per line. There are no
    string kernels on CUDA: ONNX Runtime then runs this step on the CPU.

    Input: int64 or int32, any layout or none.
    Output: string, same layout and shape.
    Rounds: never.
    Source: NumPy's indexing. Unlike it, an index below 0 does not count from the end.
    Raises: ContractError where the tensor holds no indices, or where the number of classes they were found among is
        known and is not the number of names. An index outside the names gives ``default``; without one, running the
        graph fails in the Gather of this step.
    """

    operation: ClassVar[str] = "labels"
    claims: ClassVar = {"": Claim("numpy", ">=1.26", "names[x]")}

    from_file: ClassVar[str] = "names"

    names: tuple[str, ...] = parameter("name of every class, in the order of the classes", min_length=1)
    default: str | None = parameter("what an index outside the names gives; left out, it is an error", None)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Text has no range."""
        (x,) = inputs
        refuse_unless(x.dtype in ("int64", "int32"), f"does not work on {x.dtype}", expected="int64 or int32", got=x)
        if x.range is not None and x.range[0] == 0 and x.range[1] != len(self.names) - 1:
            raise ContractError(
                "has the wrong number of names",
                expected=f"{x.range[1] + 1:.0f} names, one per class",
                got=f"{len(self.names)} names, {self.names[0]!r} to {self.names[-1]!r}",
                hint="one name per line, in the order of the training; is the background class missing?",
            )
        return (replace(x, dtype="string", color=None, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Gather; an index below 0, which it would count from the end, is put beyond the end first."""
        (x,) = inputs
        dtype, beyond = x.spec.dtype, len(self.names)
        below = op.Less(x, op.constant(0, dtype))
        index = op.Where(below, op.constant(beyond, dtype), x)
        if self.default is None:
            return op.Gather(op.constant(self.names, "string"), index, axis=0)
        names = op.constant((*self.names, self.default), "string")
        return op.Gather(names, op.Min(index, op.constant(beyond, dtype)), axis=0)

    def oracle(self, *inputs: Tensor) -> Array:
        """NumPy's indexing."""
        (x,) = inputs
        if self.default is None:
            return np.asarray(np.array(self.names, object)[x.array], object)
        inside = (x.array >= 0) & (x.array < len(self.names))
        return np.where(inside, np.array(self.names, object)[np.where(inside, x.array, 0)], self.default)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Unicode, an empty name, equal names, one index without axes, indices outside."""
        names = ["no", "Bär", "青い鳥", "", "no", "\N{BIRD} tit"]
        yield Case({"names": names}, (Sample(TensorSpec("int64", (2, 5), "NC", None, (0.0, 5.0)), seed=1),))
        yield Case({"names": ["one"]}, (Sample(TensorSpec("int32", (), None, None, (0.0, 0.0)), seed=2),))
        outside = TensorSpec("int64", (3, 7), "NC", None, (-3.0, 8.0))
        yield Case({"names": names, "default": "other"}, (Sample(outside, seed=3),))
        yield Case({"names": names, "default": ""}, (Sample(replace(outside, dtype="int32"), seed=4),))
