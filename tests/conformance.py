"""The checks every step has to pass, ours or anybody's. Each takes a step class and raises AssertionError."""

from __future__ import annotations

import hashlib
import inspect
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from closeness import difference
from packaging.specifiers import SpecifierSet
from pydantic import ValidationError
from recorded import installed, recorded
from steps import build, session

from onnxprep.errors import ContractError
from onnxprep.step import Case, Catalogue, Claim, Sample, Step
from onnxprep.tensor import CHANNELS, COLORS, DTYPES, Array, Dim, Tensor, TensorSpec


@dataclass(frozen=True, eq=False)
class Subject:
    """One family of one operation with one of its cases."""

    step_class: type[Step]
    like: str
    case: Case
    number: int

    def __str__(self) -> str:
        return f"{self.step_class.operation}-{self.like or 'any'}-{self.number}"

    def step(self) -> Step:
        return self.step_with(self.case.parameters)

    def step_with(self, parameters: Any) -> Step:
        """The step with other parameters, undoing the same steps."""
        step = make(self.step_class, self.like, parameters)
        return (step.undoing(self.case.undoes) or step) if self.case.undoes else step

    def specs(self) -> list[TensorSpec]:
        return [sample.spec for sample in self.case.inputs]


def make(step_class: type[Step], like: str, parameters: Any) -> Step:
    """The step as a spec makes it: out of JSON."""
    return step_class.model_validate_json(json.dumps({**parameters, "like": like}))


def families(catalogue: Catalogue) -> list[tuple[type[Step], str]]:
    """Every (operation, family)."""
    return [(step_class, like) for by_family in catalogue.values() for like, step_class in by_family.items()]


def subjects_of(step_class: type[Step], like: str) -> list[Subject]:
    """The cases of one family."""
    cases = (case for case in step_class.cases() if not case.like or like in case.like)
    return [Subject(step_class, like, case, number) for number, case in enumerate(cases)]


def drawn(step_class: type[Step], like: str, count: int, largest: int, seed: int = 0) -> list[Subject]:
    """Random cases of one family, none of which ``infer`` refuses; the same ones every time."""
    rng = np.random.default_rng([zlib.crc32(f"{step_class.operation} {like}".encode()), seed])
    found: list[Subject] = []
    tries = 20 * count
    while len(found) < count:
        tries -= 1
        assert tries > 0, f"{step_class.operation} like {like!r}: most of what draw gives is refused"
        subject = Subject(step_class, like, step_class.draw(like, rng, largest), 1000 + len(found))
        try:
            subject.step().infer(*subject.specs())
        except ContractError:
            continue
        found.append(subject)
    return found


RECORDED = 20
"""As many cases of a family are recorded at least: where it lists fewer, random ones are added."""


def additional(catalogue: Catalogue) -> list[Subject]:
    """The random cases that fill every family up to ``RECORDED``."""
    found = []
    for cls, like in families(catalogue):
        missing = 0 if cls.caller else RECORDED - len(subjects_of(cls, like))
        if missing > 0:
            found += drawn(cls, like, missing, largest=24)
    return found


def subjects(catalogue: Catalogue) -> list[Subject]:
    """Every case of every family that is emitted into a graph."""
    return [s for cls, like in families(catalogue) if not cls.caller for s in subjects_of(cls, like)]


UNKNOWN_OPSET = (ort.capi.onnxruntime_pybind11_state.Fail, ort.capi.onnxruntime_pybind11_state.InvalidArgument)


@cache
def newest_opset() -> int:
    """The newest opset that the installed ONNX describes and the installed ONNX Runtime loads."""
    for opset in range(onnx.defs.onnx_opset_version(), 0, -1):
        value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
        graph = onnx.helper.make_graph([], "nothing", [value], [value])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
        try:
            session(model)
        except UNKNOWN_OPSET:
            continue
        return opset
    raise AssertionError("ONNX Runtime loads nothing")


def opsets(step_class: type[Step]) -> list[int]:
    """The step's own minimum, 13, 17 and the newest."""
    return sorted({o for o in (step_class.min_opset, 13, 17, newest_opset()) if o >= step_class.min_opset})


def symbolic_opsets(subject: Subject) -> list[int]:
    """Where the symbolic graph is run: at every opset; at two in turn where a family has very many cases."""
    every, number = opsets(subject.step_class), subject.number
    if number == 0 or batches(subject) or len(subjects_of(subject.step_class, subject.like)) <= 24:
        return every
    return [every[number % len(every)], every[(number + 1) % len(every)]]


# inputs -----------------------------------------------------------------------------------------------------------


@cache
def model_of(subject: Subject, opset: int, *, known: bool) -> onnx.ModelProto:
    """The subject's graph with all lengths known, or with symbols."""
    return build([subject.step()], subject.specs() if known else symbolic(subject.specs()), opset)


def symbolic(specs: Iterable[TensorSpec]) -> list[TensorSpec]:
    """The same tensors with symbols for N, H and W, or for every axis that has no name; equal lengths share one."""
    names: dict[tuple[str, Dim], str] = {}

    def symbol(letter: str, dim: Dim) -> str:
        taken = sum(1 for key in names if key[0] == letter)
        return names.setdefault((letter, dim), f"{letter}{taken or ''}")

    made = []
    for spec in specs:
        letters = spec.layout or "".join(chr(ord("a") + i) for i in range(spec.rank or 0))
        free = "NHW" if spec.layout else letters
        dims = zip(letters, spec.shape or (), strict=True)
        made.append(replace(spec, shape=tuple(symbol(le, d) if le in free else d for le, d in dims)))
    return made


def with_batch(samples: tuple[Sample, ...], length: int) -> tuple[Sample, ...]:
    """The samples with another N."""
    return tuple(replace(s, spec=s.spec.with_dims(N=length)) if "N" in (s.spec.layout or "") else s for s in samples)


def batches(subject: Subject) -> list[tuple[Sample, ...]]:
    """Batches of 1 and 3, for the first case of a family that has a batch at all."""
    batched = [s.number for s in subjects_of(subject.step_class, subject.like) if _has_batch(s)]
    if not batched or batched[0] != subject.number:
        return []
    own = next(s.spec.dim("N") for s in subject.case.inputs if "N" in (s.spec.layout or ""))
    return [with_batch(subject.case.inputs, n) for n in (1, 3) if n != own]


def _has_batch(subject: Subject) -> bool:
    return any("N" in (s.spec.layout or "") for s in subject.case.inputs)


def questions(subject: Subject) -> list[tuple[Sample, ...]]:
    """Every set of inputs for which the library's answer is needed."""
    return [subject.case.inputs, *batches(subject)]


def answer(step: Step, samples: tuple[Sample, ...]) -> list[Array]:
    """What the library makes of the samples; asked now if it is installed, else what it once said."""
    return answer_here(step, samples) or recorded(step, samples)


def answer_here(step: Step, samples: tuple[Sample, ...]) -> list[Array]:
    """The installed library's answer; none without the library, or without another that it needs."""
    try:
        return ask(step, samples) if installed(step.promise()) else []
    except ModuleNotFoundError:
        return []


def ask(step: Step, samples: tuple[Sample, ...]) -> list[Array]:
    """What the installed library makes of the samples."""
    made = step.oracle(*(Tensor(sample.array(), sample.spec) for sample in samples))
    return list(made) if isinstance(made, tuple) else [made]


def outcome(running: ort.InferenceSession, samples: Iterable[Sample]) -> list[Array]:
    """What the graph makes of the samples."""
    made = running.run(None, {f"x{i}": sample.array() for i, sample in enumerate(samples)})
    return [np.array(m, object) if isinstance(m, str) else m for m in made]  # text without axes comes as a str


# the checks -------------------------------------------------------------------------------------------------------


def check_graph_equals_oracle(subject: Subject) -> None:
    """The graph keeps the claim: static and symbolic, batches of 0, 1 and 3, every opset, with and without optimiser."""
    step, answers = subject.step(), [(samples, answer(subject.step(), samples)) for samples in questions(subject)]
    for opset in opsets(subject.step_class):
        static = model_of(subject, opset, known=True)
        ways = {"static": (session(static), answers[:1])}
        if opset == 17:
            ways["static, not optimised"] = (session(static, optimised=False), answers[:1])
        if opset in symbolic_opsets(subject):
            ways["symbolic"] = (session(model_of(subject, opset, known=False)), answers)
        for way, (running, asked) in ways.items():
            for samples, wanted in asked:
                for port, got, want in zip(step.outputs, outcome(running, samples), wanted, strict=True):
                    wrong = difference(got, want, step.promise())
                    place = f"{subject} {port}, opset {opset}, {way}, {[str(s.spec) for s in samples]}"
                    assert not wrong, f"{place}: {wrong}"
        if batches(subject) and "symbolic" in ways:
            _check_truth(step, with_batch(subject.case.inputs, 0), ways["symbolic"][0])


def check_random_case(subject: Subject) -> None:
    """The graph keeps the claim and ``infer`` tells the truth on a random case, static and symbolic, at one opset."""
    step, samples, opset = subject.step(), subject.case.inputs, max(17, subject.step_class.min_opset)
    wanted = answer(step, samples)
    for known in (True, False):
        running = session(model_of(subject, opset, known=known))
        _check_truth(step, samples, running, static=known)
        for port, got, want in zip(step.outputs, outcome(running, samples), wanted, strict=True):
            wrong = difference(got, want, step.promise())
            assert not wrong, f"{subject} {port}, {subject.case}, static {known}: {wrong}"


def check_infer_tells_the_truth(subject: Subject) -> None:
    """dtype, rank, layout, colour, known lengths, symbols and range are those of what comes out."""
    step, opset = subject.step(), max(17, subject.step_class.min_opset)
    for known in (True, False):
        told = step.infer(*(subject.specs() if known else symbolic(subject.specs())))
        assert isinstance(told, tuple), f"infer gives {type(told).__name__}, not a tuple"
        assert len(told) == len(step.outputs), f"infer tells of {len(told)} outputs, the ports are {step.outputs}"
        try:
            running = session(model_of(subject, opset, known=known))
        except Exception as error:
            raise AssertionError(f"{subject}: what infer says does not load: {error}") from error
        _check_truth(step, subject.case.inputs, running, static=known)


def _check_truth(
    step: Step, samples: tuple[Sample, ...], running: ort.InferenceSession, *, static: bool = False
) -> None:
    given = [s.spec for s in samples] if static else symbolic(s.spec for s in samples)
    told = step.infer(*given)
    lengths: dict[str, int] = {}
    for spec, sample in zip(given, samples, strict=True):
        for dim, length in zip(spec.shape or (), sample.spec.shape or (), strict=True):
            if isinstance(dim, str):
                lengths[dim] = int(length or 0)
    for port, spec, array in zip(step.outputs, told, outcome(running, samples), strict=True):
        place = f"{step.operation} {port}: infer says {spec}, out comes {array.dtype}{array.shape}"
        assert spec.dtype == ("string" if array.dtype == object else array.dtype.name), place
        assert spec.layout is None or len(spec.layout) == array.ndim, place
        assert spec.rank in (None, array.ndim), place
        for dim, length in zip(spec.shape or [None] * array.ndim, array.shape, strict=True):
            known = lengths.setdefault(dim, length) if isinstance(dim, str) else dim
            assert known in (None, length), f"{place}, where {dim} is {known}"
        if spec.color is not None:
            assert spec.color in COLORS, place
            assert array.shape[spec.axis("C")] == CHANNELS[spec.color], place
        if spec.range is not None and array.size:
            low, high = np.nanmin(array), np.nanmax(array)
            assert spec.range[0] <= low, f"{place} with {low!r}"
            assert high <= spec.range[1], f"{place} with {high!r}"


def check_survives_json(subject: Subject) -> None:
    """The parameters come back from JSON as they were, and an unknown one is refused."""
    step = make(subject.step_class, subject.like, subject.case.parameters)
    text = step.model_dump_json()
    assert make(subject.step_class, subject.like, json.loads(text)) == step, text
    assert "like" not in json.loads(text), "like is written beside the parameters, not among them"
    try:
        make(subject.step_class, subject.like, {**subject.case.parameters, "no_such_parameter": 1})
    except ValidationError:
        return
    raise AssertionError(f"{subject}: an unknown parameter was taken")


def fingerprint(step: Step, specs: list[TensorSpec]) -> str:
    """Digest of the graph's bytes."""
    model = build([step], specs, max(17, step.min_opset))
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def fingerprints(catalogue: Catalogue) -> dict[str, str]:
    """The digest of every case, to be compared with another process."""
    return {str(s): fingerprint(s.step(), s.specs()) for s in subjects(catalogue)}


def check_same_step_same_bytes(subject: Subject) -> None:
    """The same step gives the same bytes a second time."""
    again = fingerprint(subject.step(), subject.specs())
    assert fingerprint(subject.step(), subject.specs()) == again, f"{subject}: two graphs of one step differ"


def check_standard_operators_only(subject: Subject) -> None:
    """ONNX's own checker passes the graph at every opset, and every node is of the standard domain."""
    for opset in opsets(subject.step_class):
        for known in (True, False) if opset in symbolic_opsets(subject) else (True,):
            model = model_of(subject, opset, known=known)
            try:
                onnx.checker.check_model(model, full_check=True)
            except Exception as error:
                raise AssertionError(f"{subject}, opset {opset}: ONNX's checker says {error}") from error
            foreign = {node.domain for node in _nodes(model.graph)} - {"", "ai.onnx", "ai.onnx.ml"}
            assert not foreign, f"{subject}: nodes of {sorted(foreign)}"
            assert not model.functions, f"{subject}: functions in the file"


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def check_crop_behind_is_exact(subject: Subject, crops: list[Subject]) -> None:
    """A step that computes only what a crop behind it keeps gives what the two give one after the other."""
    step, crop = subject.step(), crops[subject.number % len(crops)].step()
    opset, arrays = max(17, step.min_opset, crop.min_opset), subject.case.inputs
    (whole,) = outcome(session(model_of(subject, opset, known=True)), arrays)
    for specs in (subject.specs(), symbolic(subject.specs())):
        try:
            model = build([step, crop], specs, opset)
            alone = session(build([crop], [replace(step.infer(*subject.specs())[0], shape=whole.shape)], opset))
        except ContractError:
            continue  # the crop does not fit this size
        (want,) = alone.run(None, {"x0": whole})
        (got,) = outcome(session(model), arrays)
        wrong = difference(got, want, Claim("", "", ""))
        assert not wrong, f"{subject}, then {crop!r}, {[str(s) for s in specs]}: {wrong}"


def check_every_parameter_matters(step_class: type[Step], like: str) -> None:
    """For every parameter there are two cases' values that make two graphs."""
    cases = subjects_of(step_class, like)
    for name, field in step_class.parameters().items():
        if name in ("frame", "exact"):
            continue  # names another step of a document, or consents to a bound: neither changes the nodes
        default = None if field.is_required() else field.default
        values = {json.dumps(s.case.parameters.get(name, default)) for s in cases}
        assert len(values) > 1, f"{step_class.operation} like {like!r}: no two cases differ in {name}"
        told = any(_tells(subject, name, json.loads(value)) for subject in cases for value in sorted(values))
        assert told, f"{step_class.operation} like {like!r}: {name} changes nothing"


def _tells(subject: Subject, name: str, value: Any) -> bool:
    try:
        other = subject.step_with({**subject.case.parameters, name: value})
        return fingerprint(other, subject.specs()) != fingerprint(subject.step(), subject.specs())
    except (ValidationError, ContractError):
        return False


def check_wrong_input_is_refused(subject: Subject) -> None:
    """Whatever ``infer`` does not refuse with a ContractError builds, loads and runs as ``infer`` says."""
    step = subject.step()
    frames = subject.specs()[len(step.inputs) :]
    for strange in strange_inputs(subject.specs()[: len(step.inputs)]):
        given = [*strange, *frames]
        place = f"{subject} on {', '.join(map(str, given))}"
        try:
            step.infer(*given)
        except ContractError as error:
            if not (error.expected and error.got):
                raise AssertionError(f"{place}: refused without saying what was expected or found") from error
            continue
        except Exception as error:
            raise AssertionError(f"{place}: {type(error).__name__} instead of a ContractError: {error}") from error
        try:
            running = session(build([step], given, max(17, step.min_opset)))
            if all(spec.shape is not None and spec.dtype != "bfloat16" for spec in given):
                samples = tuple(Sample(s, 1) for s in given)
                _check_truth(step, samples, running, static=True)
                for got, want in zip(outcome(running, samples), answer_here(step, samples), strict=False):
                    assert not (wrong := difference(got, want, step.promise())), wrong
        except Exception as error:
            raise AssertionError(f"{place}: taken by infer, then {type(error).__name__}: {error}") from error


def strange_inputs(specs: list[TensorSpec]) -> Iterator[list[TensorSpec]]:
    """The inputs with one of them of another dtype, form or colour."""
    forms = [
        ("NCHW", (2, 3, 8, 9)), ("NHWC", (2, 8, 9, 3)), ("CHW", (3, 8, 9)), ("HWC", (8, 9, 4)), ("HWC", (8, 9, 1)),
        ("HW", (8, 9)), ("NC", (2, 5)), ("C", (3,)), (None, (2, 3, 8, 9)), (None, (5,)), (None, ()), (None, None),
    ]  # fmt: skip
    for i, spec in enumerate(specs):
        others = [replace(spec, dtype=dtype, range=_within(spec, dtype)) for dtype in DTYPES if dtype != spec.dtype]
        others += [replace(spec, layout=layout, shape=shape, color=None) for layout, shape in forms]
        others += [replace(spec.with_dims(C=CHANNELS[c]), color=c) for c in COLORS if spec.is_image and c != spec.color]
        yield from ([*specs[:i], other, *specs[i + 1 :]] for other in others)


def _within(spec: TensorSpec, dtype: str) -> tuple[float, float] | None:
    if spec.range is None or dtype in ("string", "bfloat16", "bool"):
        return None
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(dtype)
    return max(spec.range[0], float(limits.min)), min(spec.range[1], float(limits.max))


def check_documented(step_class: type[Step]) -> None:
    """The docstring opens with the formula and has the house's sections; parameters and claims are complete."""
    text = inspect.getdoc(step_class) if step_class.__doc__ else ""
    for section in ("Input:", "Output:", "Rounds:", "Source:", "Raises:"):
        lines = [line for line in (text or "").splitlines() if line.startswith(section)]
        assert len(lines) == 1, f"{step_class.__name__}: {len(lines)} lines begin with {section!r} in its docstring"
        assert lines[0].removeprefix(section).strip(), f"{step_class.__name__}: {section} says nothing"
    for name, field in step_class.parameters().items():
        assert (field.description or "").strip(), f"{step_class.operation}: parameter {name} is not documented"
    assert step_class.claims, f"{step_class.operation} claims nothing"
    for like, claim in step_class.claims.items():
        assert claim.library, f"{step_class.operation} like {like!r}: no library"
        assert claim.function, f"{step_class.operation} like {like!r}: no function"
        assert len(SpecifierSet(claim.versions)), f"{step_class.operation} like {like!r}: no versions"
        assert not (claim.ulp and claim.absolute), f"{step_class.operation} like {like!r}: two tolerances"
        assert claim.ulp >= 0 <= claim.absolute, f"{step_class.operation} like {like!r}: a tolerance below 0"


def check_oracle_stands_alone(step_class: type[Step]) -> None:
    """The oracle uses nothing of the arithmetic that it is to judge."""
    code, scope = step_class.oracle.__code__, step_class.oracle.__globals__
    for name in code.co_names:
        used = scope.get(name)
        home = used.__name__ if inspect.ismodule(used) else str(getattr(used, "__module__", ""))
        assert not home.startswith("onnxprep.numerics"), f"{step_class.operation}: its oracle uses {home}.{name}"
