"""What the families of depth_to_original share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import model_validator

from onnxprep.errors import ContractError
from onnxprep.step import Case, Ops, Sample, Step, Value, catalogue, parameter, random_sides, refuse_unless, wrong
from onnxprep.steps.image.arithmetic import Number, lengths
from onnxprep.steps.image.planar import Side
from onnxprep.steps.segment._bicubic import Bicubic
from onnxprep.steps.segment._bilinear import Bilinear
from onnxprep.steps.segment._placed import Pair, Placed, placed
from onnxprep.steps.segment._rows import whole
from onnxprep.steps.segment._undo import cut, undone
from onnxprep.tensor import Array, Tensor, TensorSpec


class Depth(Step):
    """The base of all families.

    Class variables:
        undoes: the operations that the library undoes.
    """

    inherits: ClassVar[bool] = False
    undoes: ClassVar[tuple[str, ...]] = ()

    frame: str | None = parameter(
        "name of the step before the model whose output the depth shows: it is brought back to the picture",
        None,
        min_length=1,
    )
    size: Side | tuple[Side, Side] | None = parameter(
        "instead of `frame`: the side of a square or [height, width], px", None
    )
    normalize: bool = parameter("whether bytes come out: 0 the least value of each map, 255 the largest", False)

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.frame is None) == (self.size is None):
            problem = "is missing, and so is `frame`" if self.size is None else "is given beside `frame`"
            raise wrong(problem, at="size", expected="exactly one of `frame` and `size`")
        return self

    @property
    def filter(self) -> str:
        """Bilinear or bicubic."""
        return "bicubic"

    def undoing(self, steps: Sequence[Step]) -> Self:
        """The same, knowing what to undo."""
        operations = [step.operation for step in steps]
        if not steps or not set(operations) <= set(self.undoes):
            got, hint = ", ".join(operations) or "no such step", "what a crop has cut off has no depth"
            raise ContractError("is no frame of a depth", expected=", ".join(self.undoes), got=got, hint=hint)
        return self.knowing(steps)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """One value per pixel."""
        x = inputs[0]
        shape = x.shape or ()
        fits = x.dtype == "float32" and (
            (x.rank == 3 and x.layout in (None, "NHW"))
            or (x.rank == 4 and x.layout in (None, "NCHW") and shape[1] == 1)
        )
        refuse_unless(fits, "is not a depth", expected="float32[N, H, W] or [N, 1, H, W]", got=x)
        refuse_unless(0 not in shape[1:], "is empty", expected="sides of 1 px or more", got=x)
        height, width = self._sides() or (None, None)
        dtype, span = ("uint8", (0.0, 255.0)) if self.normalize else ("float32", None)
        return (TensorSpec(dtype, (shape[0], height, width), "NHW", None, span),)

    def _sides(self) -> tuple[int, int] | None:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """A few rows at a time; bytes afterwards."""
        x, *told = inputs
        shape = x.spec.shape or ()
        y = x if len(shape) == 4 else op.Unsqueeze(x, axes=[1])
        y = Value(y.name, TensorSpec("float32", (shape[0], 1, *shape[-2:]), "NCHW"))
        target: Number = lengths(*(self._sides() or (1, 1)))
        if told:
            steps, pending = undone(op, self._undone, told[-3]), True
            for step in steps:
                if step.pads:
                    y = self._resized(op, y, step.size) if pending else y
                    y, pending = cut(op, y, step), False
                pending = pending or step.resizes
            y = self._resized(op, y, steps[-1].in_size) if pending else y
        else:
            y = self._resized(op, y, target)
        y = op.Squeeze(y, axes=[1])
        return self._bytes(op, y) if self.normalize else y

    def _resized(self, op: Ops, x: Value, size: Number) -> Value:
        rows = (Bicubic if self.filter == "bicubic" else Bilinear)(op, x, size, lambda y: y)
        return whole(op, x, size, rows)

    @staticmethod
    def _bytes(op: Ops, x: Value) -> Value:
        least, most = (extreme(x, axes=[1, 2], keepdims=1) for extreme in (op.ReduceMin, op.ReduceMax))
        span = op.Sub(most, least)
        divisor = op.Where(op.Equal(span, op.float32(0.0)), op.float32(1.0), span)
        scaled = op.Mul(op.Div(op.Sub(x, least), divisor), op.float32(255.0))
        return op.Cast(op.Clip(scaled, op.float32(0.0), op.float32(255.0)), to="uint8")

    def oracle(self, *inputs: Tensor) -> Array:
        """The library's resize; NumPy's bytes."""
        x, told = inputs[0].array, inputs[1:]
        x = x.reshape(len(x), *x.shape[-2:])
        if not len(x):
            size = tuple(int(n) for n in told[-3].array) if told else self._sides() or (1, 1)
            return np.zeros((0, *size), np.uint8 if self.normalize else np.float32)
        way = placed(self._undone, told[-3].array) if told else []
        y = self.library(x, way, way[-1].before if way else self._sides() or (1, 1))
        if not self.normalize:
            return y
        least, most = y.min(axis=(1, 2), keepdims=True), y.max(axis=(1, 2), keepdims=True)
        span = np.where(most == least, np.float32(1), most - least)
        return ((y - least) / span * 255).astype(np.uint8)

    def library(self, x: Array, way: list[Placed], size: Pair) -> Array:
        """Maps [N, h, w], brought back."""
        raise NotImplementedError

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Up, down, one pixel, both ranks; what the family undoes."""
        for seed, (shape, size) in enumerate(_SIZES):
            layout = "NHW" if len(shape) == 3 else "NCHW"
            maps = Sample(TensorSpec("float32", shape, layout), seed)
            yield Case({"size": size, "normalize": seed % 2 == 1}, (maps,))
        for seed, operations in enumerate([("resize",), ("resize", "pad"), ("letterbox",), ("pad", "resize")]):
            if set(operations) <= set(cls.undoes):
                yield cls._framed((1, 12, 16), operations, 20 + seed)

    @classmethod
    def _framed(cls, shape: tuple[int, ...], operations: tuple[str, ...], seed: int) -> Case:
        maps, told = (
            Sample(TensorSpec("float32", shape, "NHW"), seed),
            TensorSpec("int64", (2,), None, None, (12.0, 40.0)),
        )
        frame = [Sample(spec, seed) for spec in (told, TensorSpec("float64", (2,)), TensorSpec("int64", (2,)))]
        undone_ = tuple(_step(operation) for operation in operations)
        return Case({"frame": f"{'-'.join(operations)} {seed}"}, (maps, *frame * len(undone_)), (), undone_)

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Any maps to any size; one in three back through steps."""
        shape, seed = (int(rng.integers(1, 3)), *random_sides(rng, largest // 2)), int(rng.integers(2**31))
        if rng.random() < 1 / 3:
            count = int(rng.integers(1, 3))
            return cls._framed(shape, tuple(str(rng.choice(cls.undoes[:3])) for _ in range(count)), seed)
        parameters: dict[str, Any] = {"size": random_sides(rng, largest), "normalize": bool(rng.random() < 0.3)}
        return Case(parameters, (Sample(TensorSpec("float32", shape, "NHW"), seed),))


_SIZES: tuple[tuple[tuple[int, ...], Any], ...] = (
    ((2, 9, 7), [21, 30]), ((2, 1, 13, 8), [5, 131]), ((1, 1, 1), 5), ((1, 1, 40, 30), [7, 9]), ((1, 24, 24), [24, 24]),
    ((1, 1, 6, 5), [100, 33]),
)  # fmt: skip


def _step(operation: str) -> Step:
    like, given = {
        "resize": ("pillow-13", {"size": (48, 64), "interpolation": "bilinear"}),
        "letterbox": ("ultralytics", {"resize_like": "opencv-5", "size": 64}),
        "pad": ("torchvision-v1", {"padding": (3, 4, 5, 6)}),
    }[operation]
    return catalogue()[operation][like].model_validate({"like": like, **given})  # type: ignore[dict-item]
