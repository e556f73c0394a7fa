"""The conformance suite itself: steps with one thing wrong, and the check that has to find it."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any, ClassVar, Literal

import conformance
import numpy as np
import onnx
import pytest
from closeness import difference, ulp_distance
from conformance import Subject
from onnx import helper

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, catalogue, collect, parameter, refuse_unless
from onnxprep.tensor import Array, Tensor, TensorSpec


class Scale(Step):
    """``y = x / std``, right in everything.

    Input: float32.
    Output: float32.
    Rounds: once.
    Source: NumPy.
    Raises: ContractError where the tensor is not float32.
    """

    operation: ClassVar[str] = "scale"
    claims: ClassVar = {"numpy": Claim("numpy", ">=1.26", "x / std")}

    std: float = parameter("divisor", 0.229)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        (x,) = inputs
        refuse_unless(x.dtype == "float32", "needs float32", expected="float32", got=x)
        return (replace(x, range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Div(inputs[0], op.float32(self.std))

    def oracle(self, *inputs: Tensor) -> Array:
        return inputs[0].array / np.float32(self.std)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        image = Sample(TensorSpec("float32", (2, 3, 9, 8), "NCHW", "RGB", (0.0, 1.0)), seed=1)
        yield Case({}, (image,))
        yield Case({"std": 0.225}, (image,))


def subject(step_class: type[Step]) -> Subject:
    return conformance.subjects_of(step_class, "numpy")[0]


def on_subject(name: str) -> Any:
    return lambda step_class: getattr(conformance, name)(subject(step_class))


CHECKS: dict[str, Any] = {
    **{
        name: on_subject(f"check_{name}")
        for name in (
            "graph_equals_oracle", "infer_tells_the_truth", "survives_json", "same_step_same_bytes",
            "standard_operators_only", "wrong_input_is_refused",
        )
    },
    "every_parameter_matters": lambda step_class: conformance.check_every_parameter_matters(step_class, "numpy"),
    "documented": conformance.check_documented,
    "oracle_stands_alone": conformance.check_oracle_stands_alone,
}  # fmt: skip


class MultipliesByTheReciprocal(Scale):
    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Mul(inputs[0], op.float32(1 / self.std))


class WrongOnlyBelowOpset13(Scale):
    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Div(inputs[0], op.float32(self.std if op.opset >= 13 else 1))


class WrongOnlyWithSymbols(Scale):
    def emit(self, op: Ops, *inputs: Value) -> Value:
        known = all(isinstance(d, int) for d in inputs[0].spec.shape or ())
        return op.Div(inputs[0], op.float32(self.std if known else 1))


class WrongForTheSecondOfABatch(Scale):
    def emit(self, op: Ops, *inputs: Value) -> Value:
        first = op.Slice(inputs[0], op.int64([0]), op.int64([1]), op.int64([0]))
        return op.Div(op.Add(op.Sub(inputs[0], first), first), op.float32(self.std))


class ClaimsTooMuch(Scale):
    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Cast(op.Div(op.Cast(inputs[0], to="float64"), op.float64(self.std)), to="float32")


class GivesAnotherDtype(Scale):
    def oracle(self, *inputs: Tensor) -> Array:
        return super().oracle(*inputs).astype(np.float64)


class InfersAnotherDtype(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(super().infer(*inputs)[0], dtype="float64"),)


class InfersTooNarrowARange(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(super().infer(*inputs)[0], range=(0.0, 1.0)),)


class InfersAnotherHeight(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        (y,) = super().infer(*inputs)
        return (y.with_dims(H=8),) if y.layout and "H" in y.layout else (y,)


class InfersASymbolThatIsAnotherLength(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        (y,) = super().infer(*inputs)
        return (y.with_dims(H=y.dim("W")),) if isinstance(y.dim("W"), str) else (y,)


class InfersALayoutOfAnotherRank(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(super().infer(*inputs)[0], layout="NC", color=None),)


class InfersAnotherColor(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(super().infer(*inputs)[0], color="GRAY"),)


class InfersOnePortTooMany(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return super().infer(*inputs) * 2


class ForgetsAParameter(Scale):
    hidden: float = parameter("left out of JSON", 1.0, exclude=True)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        yield Case({"hidden": 2.0}, next(iter(super().cases())).inputs)


class TakesUnknownParameters(Scale):
    model_config: ClassVar = {**Scale.model_config, "extra": "ignore"}


_COUNT = itertools.count()


class CountsItsEmissions(Scale):
    def emit(self, op: Ops, *inputs: Value) -> Value:
        nothing = op.Mul(op.float32(float(next(_COUNT))), op.float32(0.0))
        return op.Add(super().emit(op, *inputs), nothing)


class UsesACustomDomain(Scale):
    def emit(self, op: Any, *inputs: Value) -> Value:
        made = super().emit(op, *inputs)
        op.nodes[-1].domain = "com.microsoft"
        return made


class WritesATypeThatIsNone(Scale):
    def emit(self, op: Any, *inputs: Value) -> Value:
        made = super().emit(op, *inputs)
        op.nodes.append(helper.make_node("Cast", [made.name], ["odd"], to=onnx.TensorProto.UNDEFINED))
        return Value("odd", made.spec)


class ParameterChangesNothing(Scale):
    rounding: Literal["up", "down"] = parameter("does nothing", "up")

    @classmethod
    def cases(cls) -> Iterator[Case]:
        yield from super().cases()
        yield Case({"rounding": "down"}, next(iter(super().cases())).inputs)


class ParameterIsNeverVaried(Scale):
    bias: float = parameter("added", 0.0)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        return op.Add(super().emit(op, *inputs), op.float32(self.bias))


class RefusesNothing(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(inputs[0], range=None),)


class RefusesWithAnotherException(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        if inputs[0].dtype != "float32":
            raise ValueError("needs float32")
        return super().infer(*inputs)


class RefusesWithoutSayingWhy(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        refuse_unless(inputs[0].dtype == "float32", "needs float32", expected="", got=inputs[0])
        return super().infer(*inputs)


class FallsOverScalars(Scale):
    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        last = (inputs[0].shape or ())[-1]
        return (replace(super().infer(*inputs)[0], shape=(*(inputs[0].shape or ())[:-1], last)),)


class HasNoDocstring(Scale):
    __doc__ = None


class DoesNotSayHowItRounds(Scale):
    __doc__ = str(Scale.__doc__).replace("Rounds: once.", "")


class ParameterIsNotDocumented(Scale):
    std: float = parameter("", 0.229)


class ClaimsNoVersions(Scale):
    __doc__ = Scale.__doc__
    claims: ClassVar = {"numpy": Claim("numpy", "", "x / std")}


class ClaimsTwoTolerances(Scale):
    __doc__ = Scale.__doc__
    claims: ClassVar = {"numpy": Claim("numpy", ">=1.26", "x / std", ulp=1, absolute=1e-6)}


class OracleUsesOurArithmetic(Scale):
    def oracle(self, *inputs: Tensor) -> Array:
        return planted(inputs[0].array, self.std)


def planted(x: Array, std: float) -> Array:
    return x / np.float32(std)


planted.__module__ = "onnxprep.numerics.planted"

FAULTS = {
    MultipliesByTheReciprocal: "graph_equals_oracle",
    WrongOnlyBelowOpset13: "graph_equals_oracle",
    WrongOnlyWithSymbols: "graph_equals_oracle",
    WrongForTheSecondOfABatch: "graph_equals_oracle",
    ClaimsTooMuch: "graph_equals_oracle",
    GivesAnotherDtype: "graph_equals_oracle",
    InfersAnotherDtype: "infer_tells_the_truth",
    InfersTooNarrowARange: "infer_tells_the_truth",
    InfersAnotherHeight: "infer_tells_the_truth",
    InfersASymbolThatIsAnotherLength: "infer_tells_the_truth",
    InfersALayoutOfAnotherRank: "infer_tells_the_truth",
    InfersAnotherColor: "infer_tells_the_truth",
    InfersOnePortTooMany: "infer_tells_the_truth",
    ForgetsAParameter: "survives_json",
    TakesUnknownParameters: "survives_json",
    CountsItsEmissions: "same_step_same_bytes",
    UsesACustomDomain: "standard_operators_only",
    WritesATypeThatIsNone: "standard_operators_only",
    ParameterChangesNothing: "every_parameter_matters",
    ParameterIsNeverVaried: "every_parameter_matters",
    RefusesNothing: "wrong_input_is_refused",
    RefusesWithAnotherException: "wrong_input_is_refused",
    RefusesWithoutSayingWhy: "wrong_input_is_refused",
    FallsOverScalars: "wrong_input_is_refused",
    HasNoDocstring: "documented",
    DoesNotSayHowItRounds: "documented",
    ParameterIsNotDocumented: "documented",
    ClaimsNoVersions: "documented",
    ClaimsTwoTolerances: "documented",
    OracleUsesOurArithmetic: "oracle_stands_alone",
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_right_step_passes(check: str):
    CHECKS[check](Scale)


@pytest.mark.parametrize(("step_class", "check"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_wrong_step_is_found(step_class: type[Step], check: str):
    with pytest.raises(AssertionError):
        CHECKS[check](step_class)


def test_every_check_has_a_fault_and_every_fault_a_check():
    assert set(FAULTS.values()) == set(CHECKS)
    assert set(Scale.__subclasses__()) == {*FAULTS, CutsOneRowTooLow}


class CutsOneRowTooLow(Scale):
    """Computes something else where only a crop's part is asked for."""

    def emit_window(self, op: Ops, x: Value, crop: Step) -> Value | None:
        window = crop.window(op, op.size(x, "HW"), (9, 8))
        assert window is not None
        start = op.Add(window.start, op.int64([1, 0]))
        kept = op.Slice(self.emit(op, x), start, op.Add(start, window.size), op.int64([2, 3]))
        return crop.pad_window(op, kept, window)


def crops() -> list[Subject]:
    every = conformance.subjects_of(catalogue()["center_crop"]["numpy"], "numpy")
    return [s for s in every if s.step().size == 4]


def test_a_crop_that_is_computed_wrongly_is_found():
    conformance.check_crop_behind_is_exact(subject(Scale), crops())
    with pytest.raises(AssertionError, match="values differ"):
        conformance.check_crop_behind_is_exact(subject(CutsOneRowTooLow), crops())


def test_two_classes_for_one_family_are_refused():
    module = ModuleType("planted")
    for name in ("One", "Other"):
        setattr(
            module, name, type(name, (Scale,), {"__module__": "planted", "operation": "scale", "claims": Scale.claims})
        )
    with pytest.raises(TypeError, match="operation 'scale' like 'numpy' is defined twice: planted and planted"):
        collect([module])


def test_what_nobody_recorded_is_an_error():
    class Elsewhere(Scale):
        claims: ClassVar = {"numpy": Claim("numpy", ">=900", "x / std")}

    with pytest.raises(AssertionError, match=r"numpy >=900 is not installed and nothing is recorded for scale"):
        conformance.check_graph_equals_oracle(subject(Elsewhere))
    del Elsewhere
    gc.collect()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ulp(dtype: str):
    def apart(a: float, b: float) -> int:
        return int(ulp_distance(np.array([a], dtype), np.array([b], dtype))[0])

    info, everything = np.finfo(dtype), 2**64 - 1
    one = info.dtype.type(1)
    above, below = np.nextafter(one, one * 2), np.nextafter(one, one * 0)
    assert [apart(one, one), apart(one, above), apart(below, above), apart(-above, -one)] == [0, 1, 2, 1]
    tiny = info.smallest_subnormal
    assert [apart(0.0, -0.0), apart(0.0, tiny), apart(-tiny, -0.0), apart(-tiny, tiny)] == [1, 1, 1, 3]
    assert [apart(info.max, np.inf), apart(np.nan, np.nan)] == [1, 0]
    assert [apart(np.nan, 1.0), apart(-np.inf, np.nan)] == [everything, everything]
    assert apart(-np.inf, np.inf) == 2 * int(np.array([np.inf], dtype).view(f"u{info.dtype.itemsize}")[0]) + 1


def test_difference_says_what_is_wrong():
    exact, near = Claim("", "", ""), Claim("", "", "", absolute=0.5)
    a = np.array([[1.0, np.nan, np.inf]], np.float32)
    assert difference(a, a.copy(), exact) == difference(a, a.copy(), near) == ""
    assert difference(a, a.astype(np.float64), exact) == "float32(1, 3) instead of float64(1, 3)"
    assert difference(a, a[0], near) == "float32(1, 3) instead of float32(3,)"
    b = np.array([[1.0, 2.0, np.inf]], np.float32)
    for claim in (exact, near, replace(exact, ulp=9)):
        assert difference(a, b, claim).startswith("1 of 3 values differ")
        assert difference(b, a, claim).startswith("1 of 3 values differ")
    assert difference(np.array([1.0]), np.array([1.4]), near) == ""
    assert difference(np.array([1.0]), np.array([1.6]), near) == (
        "1 of 1 values differ more than within 0.5, first at (0,): np.float64(1.0) instead of np.float64(1.6)"
    )
    assert difference(np.array([3], np.uint8), np.array([2], np.uint8), replace(exact, ulp=1)) != ""
    assert difference(np.array(["a"], object), np.array(["b"], object), near) != ""
