"""Recording: runs the new model on golden inputs and keeps what came out, or what training says must come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto

from onnxprep.errors import ParityError, SpecError, UsageError
from onnxprep.graph.cut import cut
from onnxprep.graph.fit import Fitted
from onnxprep.graph.opset import default_opset
from onnxprep.graph.trace import Trace, Traced, traced_before
from onnxprep.runtime import arrays
from onnxprep.runtime.callers import Callers
from onnxprep.runtime.golden import Expected, Sample, StepRecord, tolerance
from onnxprep.runtime.inputs import as_array, checked, refuse_unknown
from onnxprep.runtime.session import Session
from onnxprep.spec.document import Spec
from onnxprep.spec.messages import did_you_mean
from onnxprep.tensor import Array


def record(
    session: Session,
    model: ModelProto,
    fitted: Fitted,
    goldens: Sequence[Mapping[str, Any]],
    expect: Mapping[str, Any],
) -> list[Sample]:
    """One sample per golden input.

    Raises:
        UsageError: a golden is not what the graph takes.
        ParityError: a value is not what training made; says where it differs first.
    """
    if expect and len(goldens) != 1:
        raise UsageError(
            f"says what one golden must give, and there are {len(goldens)}",
            at="--expect",
            expected="one --golden: the picture that training made it from",
        )
    wanted = {name: as_array(array, f"--expect {name}") for name, array in expect.items()}
    trace = traced_before(model, fitted.plan, default_opset(model) or 0) if goldens else {}
    samples = []
    for given in goldens:
        inputs = _inputs(session, fitted.spec, given)
        outputs = session.run(inputs)
        steps = step_arrays(model, trace, inputs)
        values = {name: _own(array, name, fitted) for name, array in outputs.items()}
        for name, array in wanted.items():
            values[name] = _expected(name, array, {**steps, **outputs}, fitted)
        recorded = {name: StepRecord(trace[name], arrays.digest(array)) for name, array in steps.items()}
        samples.append(Sample(inputs, values, recorded))
    return samples


def step_arrays(
    model: ModelProto, trace: Trace, inputs: Mapping[str, Array], providers: Sequence[str] = ()
) -> dict[str, Array]:
    """What every step before the model makes of the inputs, in its logical layout, from our nodes alone."""
    alone = cut(model, "pre", {traced.tensor: traced.dtype for traced in trace.values()})
    if not alone.graph.output:
        return {}
    wanted = {info.name for info in alone.graph.input}
    made = Session(alone, providers).run({name: array for name, array in inputs.items() if name in wanted})
    return {name: logical(made[traced.tensor], traced) for name, traced in trace.items() if traced.tensor in made}


def logical(array: Array, traced: Traced) -> Array:
    """A step's tensor with its axes in the order that the spec says."""
    return np.ascontiguousarray(array.transpose(traced.axes))


def _inputs(session: Session, spec: Spec, given: Mapping[str, Any]) -> dict[str, Array]:
    """What the graph takes, once the caller's steps before it have run."""
    callers = Callers(spec)
    refuse_unknown(given, [*session.inputs, *callers.free])
    values = callers.run(callers.before, given)
    for name in session.inputs:
        if name not in values:
            raise UsageError("has no golden input", at=name, expected=f"--golden {name}=FILE")
    return checked(values, spec.inputs, session.inputs)


def _own(array: Array, name: str, fitted: Fitted) -> Expected:
    return Expected(array, "self", tolerance(array, behind_the_model=_behind(name, fitted)))


def _behind(name: str, fitted: Fitted) -> bool:
    before = {value for step in fitted.plan.side("pre") for value in step.outputs} | set(fitted.plan.inputs)
    return name not in before


def _expected(name: str, wanted: Array, made: Mapping[str, Array], fitted: Fitted) -> Expected:
    if name not in made:
        known = fitted.plan.values
        problem = (
            "is computed only as part of the next step" if name in known else "is not a value that can be compared"
        )
        raise SpecError(problem, at=f"--expect {name}", expected=", ".join(made), hint=did_you_mean(name, made))
    bound = tolerance(wanted, behind_the_model=_behind(name, fitted))
    difference = arrays.first_difference(made[name], wanted, bound)
    if difference:
        raise ParityError(
            f"is not what training made: {difference}",
            at=name,
            expected="every bit as in the file given" if not bound else f"within {bound:g} of the file given",
            hint=_hint(made[name], wanted),
        )
    return Expected(wanted, "training", bound)


_COMPARE = "compare the steps with the training code; `onnxprep plan` shows each"


def _hint(made: Array, wanted: Array) -> str:
    """What most often stands behind a difference of this kind."""
    if made.shape[1:] == wanted.shape and made.shape[0] == 1:
        return "the axis N is missing: save it as `array[None]`"
    if made.ndim == wanted.ndim and made.shape != wanted.shape and sorted(made.shape) == sorted(wanted.shape):
        return "the axes are in another order: name the value that has the layout of the file"
    if made.shape != wanted.shape or made.dtype.kind != "f" or wanted.dtype.kind != "f":
        return _COMPARE
    if made.dtype.itemsize < wanted.dtype.itemsize:
        return f"save what the network was fed: `.astype(np.{made.dtype.name})`"
    return _hint_of_values(made, wanted)


def _hint_of_values(made: Array, wanted: Array) -> str:
    scale = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    largest = float(np.abs(made.astype(np.float64) - wanted).max(initial=0.0))
    if largest < 1e-5 * scale:
        return (
            "the same steps by another family, or two steps that the library fuses? `like` of rescale and normalize decides "
            "the last bits, and so does `rescale_normalize`: `image / 255.0` of bytes, for one, is all float64"
        )
    channels = [axis for axis, length in enumerate(made.shape) if length == 3]
    if any(np.allclose(np.flip(made, axis), wanted, rtol=0, atol=1e-3 * scale) for axis in channels):
        return "the channels are in the other order: `convert_color`, or another `color` of the input"
    if largest < 0.05 * scale:
        return "another resize? Pillow's version, or pictures resized as tensors, move bytes by a level or two"
    return _COMPARE
