"""The one extension point: a Step says what it is, what it does to a tensor, and how to prove it."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from onnxprep.errors import ContractError
from onnxprep.ops import FRAME, FRAME_SPECS, Frame, Ops, Value, Window, frame_values
from onnxprep.tensor import Array, Tensor, TensorSpec

__all__ = [
    "FRAME",
    "FRAME_SPECS",
    "Case",
    "Catalogue",
    "Claim",
    "Frame",
    "Ops",
    "Sample",
    "Step",
    "Value",
    "Window",
    "catalogue",
    "collect",
    "frame_values",
    "parameter",
    "random_sides",
    "refuse_unless",
    "refuse_unless_float32",
    "wrong",
]


@dataclass(frozen=True)
class Claim:
    """What one family of an operation promises, as data.

    Attributes:
        library: distribution whose arithmetic is reproduced, ``"Pillow"``; ``"ONNX"`` where no library is claimed.
        versions: the releases it was proven against, ``">=13,<14"``.
        function: what to call there, ``"Image.resize"``.
        ulp: largest distance in units in the last place; 0 is bit-exact.
        absolute: largest absolute difference, used instead of ``ulp`` where it is not 0.
        note: where the claim ends.
    """

    library: str
    versions: str
    function: str
    ulp: int = 0
    absolute: float = 0.0
    note: str = ""

    @property
    def tolerance(self) -> str:
        """``bit-exact``, ``within 4 ulp`` or ``within 1e-06``."""
        if self.absolute:
            return f"within {self.absolute:g}"
        return f"within {self.ulp} ulp" if self.ulp else "bit-exact"


@dataclass(frozen=True)
class Sample:
    """A test input, told by its description and a seed. Every dim of ``spec`` is an int."""

    spec: TensorSpec
    seed: int = 0

    def array(self) -> Array:
        """Uniform noise over the declared range; standard normal where a float tensor declares none."""
        rng = np.random.default_rng(self.seed)
        shape = tuple(int(d) for d in self.spec.shape or ())  # type: ignore[arg-type]  # a Sample's dims are ints
        dtype = np.dtype(self.spec.dtype)
        if dtype.kind in "iu":
            low, high = self.spec.range or (0, 255)
            return rng.integers(int(low), int(high) + 1, shape).astype(dtype)
        if dtype.kind == "b":
            return rng.integers(0, 2, shape).astype(dtype)
        if self.spec.range is None:
            return rng.standard_normal(shape).astype(dtype)
        low, high = self.spec.range
        return rng.uniform(low, high, shape).astype(dtype)


@dataclass(frozen=True)
class Case:
    """One conformance case: parameters and inputs. Runs for every family of the step unless ``like`` names some.

    Where the step undoes others, ``undoes`` are these, and the last inputs are their frames.
    """

    parameters: Mapping[str, Any]
    inputs: tuple[Sample, ...]
    like: tuple[str, ...] = ()
    undoes: tuple[Step, ...] = ()


def random_sides(rng: np.random.Generator, largest: int) -> tuple[int, int]:
    """(height, width), px: one in ten is 1, one in five tall images is taller than twice its width."""
    height, width = (1 if rng.random() < 0.1 else int(largest ** rng.uniform(0.15, 1)) for _ in range(2))
    if rng.random() < 0.2:
        width = max(1, int(height / rng.uniform(2, 5)))
    return height, width


class Step(BaseModel):
    """One operation of one or more families. Fields are the parameters; class variables say the rest.

    Class variables:
        operation: snake_case name, as torchvision or ONNX call it.
        claims: family -> what is promised for it; the family is ``""`` where an operation follows no library.
        inputs, outputs: names of the ports, in order.
        inherits: whether a step without ``like`` takes the spec's own.
        caller: whether the step runs outside the graph, in the caller's program.
        permutes: whether all it does is to put channels into another order.
        geometric: whether pixels get other places; what is found in the output then lies elsewhere in the input.
        ways_back: where releases of its library undo a geometric step differently, the families that name them.
        planar: whether images reach ``emit`` as NCHW/CHW; a step that sets False takes them as they come.
        from_file: the parameter that a ``file`` with one entry per line may give instead; ``""`` where none can.
        blank_lines: whether a line of blanks is an entry of that file, or a mistake.
        min_opset: lowest ai.onnx opset ``emit`` can write for.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    operation: ClassVar[str]
    claims: ClassVar[Mapping[str, Claim]]
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    outputs: ClassVar[tuple[str, ...]] = ("y",)
    inherits: ClassVar[bool] = True
    caller: ClassVar[bool] = False
    permutes: ClassVar[bool] = False
    geometric: ClassVar[bool] = False
    ways_back: ClassVar[tuple[str, ...]] = ()
    planar: ClassVar[bool] = True
    from_file: ClassVar[str] = ""
    blank_lines: ClassVar[bool] = False
    min_opset: ClassVar[int] = 11

    like: str = Field(default="", exclude=True)

    _undone: tuple[Step, ...] = PrivateAttr(())

    @property
    def needed_opset(self) -> int:
        """Lowest ai.onnx opset for these very parameters."""
        return self.min_opset

    def in_frame(self, step: Step) -> Step:  # noqa: ARG002
        """For a postprocess step with the parameter ``frame``: itself, knowing the preprocess step that names.

        Raises:
            ContractError: that step makes no such frame.
        """
        return self

    def undoing(self, steps: Sequence[Step]) -> Step | None:  # noqa: ARG002
        """For a step whose ``frame`` are coordinates: itself, knowing the geometric steps to undo, the last one first.

        ``emit`` then gets, behind its own inputs, in_size, gain and offset of each of them.
        """
        return None

    def knowing(self, undone: Sequence[Step]) -> Self:
        """The same, with the steps that it undoes in ``_undone``: what ``undoing`` gives once it has nothing against them."""
        copy = self.model_copy()
        copy._undone = tuple(undone)  # noqa: SLF001  # of the same class
        return copy

    @classmethod
    def tells_frame(cls) -> bool:
        """Whether it publishes where it has put the image."""
        return cls.geometric and cls.frame_of is not Step.frame_of

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:
        """For a geometric step: gain, offset and the new size for an image of ``size`` (H, W), int64 [2]."""
        raise NotImplementedError

    def way_back(self, op: Ops, frame: Frame, like: str) -> Frame:  # noqa: ARG002
        """For a geometric step: the frame that ``like``, one of ``ways_back``, undoes; counted anew from ``in_size``."""
        return frame

    def undo(self, op: Ops, x: Value, frame: Frame, axes: Sequence[int]) -> Value:
        """Coordinates in the input of a geometric step; the last axis of ``x`` goes along H (0) and W (1) by ``axes``.

        ``(x - offset) / gain``, each rounded to float32.
        """
        order = op.int64(list(axes))
        offset, gain = (op.Cast(op.Gather(n, order), to="float32") for n in (frame.offset, frame.gain))
        moved: Value = op.Div(op.Sub(x, offset), gain)
        return moved

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """What comes out, given what goes in; one description per port.

        Raises:
            ContractError: the inputs are not what this operation works on.
        """
        raise NotImplementedError

    def emit(self, op: Ops, *inputs: Value) -> Value | tuple[Value, ...]:
        """Adds the nodes; pure. Images come and go planar, in whatever layout ``infer`` says they have."""
        raise NotImplementedError

    def oracle(self, *inputs: Tensor) -> Array | tuple[Array, ...]:
        """What the claimed library makes of the inputs; calls the library and shares no code with ``emit``."""
        raise NotImplementedError

    def promise(self) -> Claim:
        """The claim for these very parameters; a step overrides it where one of them changes the tolerance."""
        return self.claims[self.like]

    def channels_alike(self, x: TensorSpec) -> bool:  # noqa: ARG002
        """Whether it does the same to every channel of ``x``, wherever it lies, and leaves fewer pixels, as a rule.

        Channels are then put into another order behind it and not before: the same values, in less time.
        """
        return False

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """The samples on which graph and oracle are compared."""
        raise NotImplementedError

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """One random case of a family, with sides of at most about ``largest`` px: what sweeps are made of.

        By default the parameters of one of the cases on images of random sides; a step overrides it to draw parameters
        as well. What ``infer`` then refuses is drawn again.
        """
        own = [case for case in cls.cases() if not case.like or like in case.like]
        case = own[rng.integers(len(own))]
        sides: dict[tuple[Any, Any], tuple[int, int]] = {}

        def other(sample: Sample) -> Sample:
            spec = sample.spec
            if spec.is_image:
                height, width = sides.setdefault((spec.dim("H"), spec.dim("W")), random_sides(rng, largest))
                spec = spec.with_dims(H=height, W=width)
            return Sample(spec, int(rng.integers(2**31)))

        return Case(case.parameters, tuple(map(other, case.inputs)), case.like, case.undoes)

    def window(self, op: Ops, size: Value, at_least: tuple[int, int]) -> Window | None:  # noqa: ARG002
        """For a crop: what it keeps of an image of ``size`` (H, W) whose sides are at least ``at_least``, px."""
        return None

    def pad_window(self, op: Ops, kept: Value, window: Window) -> Value:  # noqa: ARG002
        """For a crop: adds what ``window.padding`` says is missing around the kept rectangle."""
        return kept

    def emit_window(self, op: Ops, x: Value, crop: Step) -> Value | None:  # noqa: ARG002
        """For a step that can compute just the part a following ``crop`` keeps: that part, cropped and padded.

        ``None`` where it cannot; the emitter then emits both steps one after the other.
        """
        return None

    @classmethod
    def parameters(cls) -> dict[str, FieldInfo]:
        """Name -> definition of every parameter, in order."""
        return {name: info for name, info in cls.model_fields.items() if name != "like"}

    def to_dict(self) -> dict[str, Any]:
        """Every parameter with its value, defaults written out, as JSON values."""
        values: dict[str, Any] = json.loads(self.model_dump_json())
        for name, info in self.parameters().items():
            young = isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("added")
            if young and getattr(self, name) == info.get_default(call_default_factory=True):
                del values[name]
        return values


def parameter(doc: str, default: Any = ..., *, added: bool = False, **constraints: Any) -> Any:
    """A documented parameter of a step.

    Args:
        doc: what it means, with its unit and range.
        default: its value when left out; without one the parameter is required.
        added: True for a parameter younger than its operation: it is not written while it has its default.
        constraints: pydantic's, such as ``gt=0``.
    """
    return Field(default=default, description=doc, json_schema_extra={"added": True} if added else None, **constraints)


def wrong(problem: str, *, at: str = "", expected: str = "", hint: str = "") -> PydanticCustomError:
    """What a parameter's validator raises; the spec adds the path. ``at`` is a place inside the value, ``"[1]"``."""
    return PydanticCustomError(
        "onnxprep", "{problem}", {"problem": problem, "at": at, "expected": expected, "hint": hint}
    )


def refuse_unless(fits: bool, problem: str, *, expected: str, got: TensorSpec, hint: str = "") -> None:
    """Raises a ContractError that shows the tensor, unless ``fits``."""
    if not fits:
        raise ContractError(problem, expected=expected, got=str(got), hint=hint)


def refuse_unless_float32(x: TensorSpec) -> None:
    """Raises a ContractError for another dtype."""
    hint = "put `to_dtype: {dtype: float32}` before it"
    refuse_unless(x.dtype == "float32", "needs float32", expected="float32", got=x, hint=hint)


Catalogue = Mapping[str, Mapping[str, type[Step]]]
"""operation -> family -> class."""


def collect(modules: Sequence[ModuleType]) -> Catalogue:
    """Every Step class defined in the modules and below them; two classes for one (operation, family) are refused."""
    found: dict[str, dict[str, type[Step]]] = {}
    for module in modules:
        for defined in _below(module):
            for cls in vars(defined).values():
                if inspect.isclass(cls) and issubclass(cls, Step) and cls.__module__ == defined.__name__:
                    _add(found, cls)
    return {operation: dict(sorted(families.items())) for operation, families in sorted(found.items())}


def _add(found: dict[str, dict[str, type[Step]]], cls: type[Step]) -> None:
    if "operation" not in vars(cls):
        return  # a base class that operations share
    families = found.setdefault(cls.operation, {})
    for family in cls.claims:
        if family in families:
            places = f"{families[family].__module__} and {cls.__module__}"
            raise TypeError(f"operation {cls.operation!r} like {family!r} is defined twice: {places}")
        families[family] = cls


def _below(module: ModuleType) -> Iterator[ModuleType]:
    yield module
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        yield importlib.import_module(info.name)


@cache
def catalogue() -> Catalogue:
    """Every installed operation: ours and those of other distributions, through the entry point ``onnxprep.steps``."""
    return collect([entry.load() for entry in sorted(entry_points(group="onnxprep.steps"), key=lambda e: e.value)])
