"""Any model through attach, ONNX Runtime and strip: what the tests of the splice and tests/sweeps/models.py share."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import awkward_more
import numpy as np
import onnx
import onnxruntime as ort
from awkward import MODELS
from inventory import Outcome, compare
from onnx import ModelProto, TensorProto
from plans import Plain, planned

from onnxprep.graph import metadata
from onnxprep.graph.attach import BODY, attach
from onnxprep.graph.contract import bind, unify
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import described, signature
from onnxprep.graph.undo import record, strip
from onnxprep.runtime.session import _STATES
from onnxprep.spec.plan import Plan
from onnxprep.step import Ops, Value
from onnxprep.tensor import Array, TensorSpec

__all__ = ["LIGHT", "MODELS", "NAMINGS"]

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))
NAMINGS = ("fresh", "old")
"""Graph inputs and outputs under new names, or under the model's own: then tensors of the body must give up theirs."""
ROWS = TensorSpec("float32", ("N", 3))
REFUSALS: tuple[type[Exception], ...] = _STATES
_PRECISE = ("float64", "int32", "int64", "uint32", "uint64")


class Change(Plain):
    """Other values of any dtype: ``2 x + 0.5``, ``not x``, or the rows in reverse order."""

    operation: ClassVar[str] = "change"
    min_opset: ClassVar[int] = 7

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        return (replace(inputs[0], range=None),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        (x,) = inputs
        if x.spec.dtype == "bool":
            return op.Not(x)
        if x.spec.dtype == "string":
            return op.Slice(x, op.int64([-1]), op.int64([-(2**40)]), op.int64([0]), op.int64([-1]))
        wide = "float64" if x.spec.dtype in _PRECISE else "float32"
        if (
            x.spec.dtype == "float16"
        ):  # as `to_dtype` does: ONNX Runtime would merge Casts around kernels without float16
            y = self._wider(op, op.Cast(op.Reshape(x, op.Shape(x)), to=wide), wide)
            return op.Reshape(narrow := op.Cast(y, to="float16"), op.Shape(narrow))
        y = self._wider(op, op.Cast(x, to=wide) if wide != x.spec.dtype else x, wide)
        return op.Cast(y, to=x.spec.dtype) if wide != x.spec.dtype else y

    def _wider(self, op: Ops, x: Value, dtype: str) -> Value:
        return op.Add(op.Mul(x, op.constant(2.0, dtype)), op.constant(0.5, dtype))


def changed(x: Array) -> Array:
    """What ``Change`` makes of an array, in NumPy."""
    if x.dtype == bool:
        return ~x
    if x.dtype == object:
        return x[::-1]
    wide = np.float64 if x.dtype.name in _PRECISE else np.float32
    return np.asarray(x.astype(wide) * wide(2) + wide(0.5)).astype(x.dtype)


def fitted(plan: Plan, model: ModelProto) -> Plan:
    contract = unify(plan, signature(model))
    return bind(plan, contract.bindings, contract.theirs)


def around(model: ModelProto, naming: str) -> Plan:
    """Every input changed but those to be kept, every output named, the last one changed."""
    known = signature(model)
    fed = [name for name in known.inputs if not name.startswith(("kept_", "mask"))]
    ours = {name: name if naming == "old" else f"in_{name}" for name in fed}
    given = {name: f"out_{name}" for name in known.outputs}
    last = list(given)[-1:]
    behind = [(n if naming == "old" and n not in fed else "scaled", Change(), (given[n],)) for n in last]
    return planned(
        {ours[name]: _offered(known.inputs[name]) for name in fed},
        [(f"pre_{name}", Change(), (ours[name],)) for name in fed],
        model,
        {name: f"pre_{name}" for name in fed},
        {value: name for name, value in given.items()},
        behind,
        [*given.values(), *(f"pre_{name}" for name in fed[:1]), *(name for name, _, _ in behind)],
    )


def _offered(spec: TensorSpec) -> TensorSpec:
    """Rows of three where the model takes them, with a symbol of our own."""
    fixed = [length for length in spec.shape or () if isinstance(length, int)]
    return ROWS if spec.dtype == "float32" and len(spec.shape or ()) == 2 and fixed in ([], [3]) else spec


# running -----------------------------------------------------------------------------------------------------------

Feeds = dict[str, object]


def array_for(name: str, spec: TensorSpec, seed: int = 0) -> Array:
    """Small numbers of the right type; unknown lengths are 2, but 3 behind one of unknown meaning in rows."""
    dims = spec.shape or ()
    free = [3 if k and len(dims) == 2 else 2 for k in range(len(dims))]
    shape = tuple(d if isinstance(d, int) else free[k] for k, d in enumerate(dims))
    rng = np.random.default_rng([zlib.crc32(name.encode("utf-8", "surrogatepass")), seed])
    if spec.dtype == "string":
        return np.array([f"t{k}é" for k in range(int(np.prod(shape)))], object).reshape(shape)
    if spec.dtype == "bool":
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if spec.dtype.startswith("float"):
        return np.asarray(rng.standard_normal(shape)).astype(spec.dtype)
    return np.asarray(rng.integers(0, 20, shape)).astype(spec.dtype)


def changing(model: ModelProto, plan: Plan) -> dict[str, Array]:
    """An array for every model input that a step feeds, as that step takes it."""
    known = signature(model).inputs
    return {name: array_for(name, _numbered(plan.values[value], known[name])) for name, value in plan.feeds.items()}


def kept(model: ModelProto, plan: Plan) -> Feeds:
    """Something for every graph input that no step feeds: tensors of any type, sequences, optionals."""
    initialized = {tensor.name for tensor in model.graph.initializer}
    found: Feeds = {}
    for info in model.graph.input:
        if info.name in plan.feeds or info.name in initialized:
            continue
        element = info.type.tensor_type.elem_type
        if element > TensorProto.COMPLEX128:
            found[info.name] = _as_bytes(element)
            continue
        kind = info.type.WhichOneof("value")
        rows = array_for(info.name, described(info) if kind == "tensor_type" else TensorSpec("float32", (2, 3)))
        found[info.name] = [rows, rows] if kind == "sequence_type" else rows
    return found


def _as_bytes(kind: int) -> ort.OrtValue:
    """Two numbers of a type that NumPy does not have."""
    wide = np.uint16 if kind == TensorProto.BFLOAT16 else np.uint8
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(np.array([0x3F, 0x41], wide), kind)


def run(model: ModelProto, feeds: Feeds, files: Mapping[str, bytes]) -> dict[str, object]:
    """Every output by name, on the CPU, one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {given.name for given in session.get_inputs()}
    return dict(zip(names, session.run(None, {n: v for n, v in feeds.items() if n in taken}), strict=True))


def bits(value: object) -> object:
    """Something that is equal where every bit is: arrays, text, sequences, maps, nothing."""
    if isinstance(value, np.ndarray):
        content = value.tolist() if value.dtype == object else value.tobytes()
        return (value.dtype.str, value.shape, content)
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return repr(value)


# one model ---------------------------------------------------------------------------------------------------------


def exported(original: ModelProto, data: bytes, joined: ModelProto, **more: str) -> ModelProto:
    """What export writes, read again."""
    stored = {
        metadata.SPEC: "{}",
        metadata.UNDO: record(original, hashlib.sha256(data).hexdigest(), keys=tuple(more)),
        **more,
    }
    metadata.write(joined, stored)
    return parse(joined.SerializeToString())


@dataclass(frozen=True)
class Found:
    """What came of one model.

    Attributes:
        outcome: its fields in the augmented model.
        compared: how many outputs were compared bit for bit; none where ONNX Runtime does not run the model.
        differing: names of the outputs that differ.
        not_run: ONNX Runtime's own words about the model alone; empty where it runs it.
        exact: whether strip gives the very bytes.
    """

    outcome: Outcome
    compared: int
    differing: list[str] = field(default_factory=list)
    not_run: str = ""
    exact: bool = False


def through(
    data: bytes, naming: str, *, opset: int | None = None, files: Mapping[str, bytes] = awkward_more.EXTERNAL
) -> Found:
    """Attaches steps around the model, runs it and its parts, and strips it."""
    model = parse(data)
    plan = fitted(around(model, naming), model)
    joined = attach(model, plan, opset)
    written = exported(model, data, joined)
    moved = {name: BODY + name for name in (*plan.inputs, *plan.outputs)}
    outcome = compare(model, written, moved, restamped=opset is not None)
    stripped = strip(written)
    exact = hashlib.sha256(stripped.data).digest() == hashlib.sha256(data).digest() and stripped.exact
    fed, others = changing(model, plan), kept(model, plan)
    before = {value: changed(fed[name]) for name, value in plan.feeds.items()}
    try:
        body = run(model, {**{name: before[value] for name, value in plan.feeds.items()}, **others}, files)
    except REFUSALS as error:
        return Found(outcome, 0, not_run=" ".join(str(error).split()), exact=exact)
    wanted: dict[str, object] = {**before, **{value: body[name] for value, name in plan.gives.items()}}
    for step in plan.side("post"):
        wanted[step.outputs[0]] = changed(np.asarray(wanted[step.inputs[0]]))
    wanted = {name: wanted[name] for name in plan.outputs}
    wanted |= {info.name: body[info.name] for info in model.graph.output if not info.type.HasField("tensor_type")}
    ours = dict(zip(plan.inputs, fed.values(), strict=True))
    got = run(written, {**ours, **others}, files)
    differing = [name for name, value in wanted.items() if bits(got.get(name)) != bits(value)]
    differing += sorted(got.keys() - wanted.keys())
    return Found(outcome, len(wanted), differing, exact=exact)


def _numbered(ours: TensorSpec, theirs: TensorSpec) -> TensorSpec:
    """Our description with every length that either side knows."""
    pairs = zip(ours.shape or (), theirs.shape or (None,) * len(ours.shape or ()), strict=True)
    return replace(ours, shape=tuple(b if isinstance(b, int) else a for a, b in pairs))
