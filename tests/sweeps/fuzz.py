"""Random specs and models, half of them valid ones that were changed: nothing but our own errors, each within 2 s.

    PYTHONPATH=. python tests/sweeps/fuzz.py     24,000 inputs; the table of docs/security.md
    python tests/sweeps/fuzz.py KIND            those of one kind
    python tests/sweeps/fuzz.py KIND NUMBER     one of them again, with its traceback

Every input follows from its kind and number. What is right goes as far as everything of ours goes: a spec is planned and
its graph built, a model inspected, stripped, verified and exported; where ONNX Runtime would get it, it stops.
"""

from __future__ import annotations

import copy
import functools
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "attacks"))  # run as a script, too
sys.path.insert(0, str(Path(__file__).parents[1]))

import awkward
import onnxruntime
from attack import exported
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hostile_models import varint
from onnx import ModelProto
from small import SPEC

import onnxprep
from onnxprep.errors import OnnxprepError
from onnxprep.graph import metadata
from onnxprep.graph.fit import fit
from onnxprep.graph.parse import parse
from onnxprep.graph.seal import SEAL, seal
from onnxprep.runtime import newest
from onnxprep.runtime.inspection import inspect, nodes_as_code
from onnxprep.spec import presets
from onnxprep.spec.bind import bind_alone
from onnxprep.spec.document import Spec
from onnxprep.spec.lint import lint
from onnxprep.spec.plan import plan
from onnxprep.spec.reading import read
from onnxprep.step import catalogue

DEMO = Path(__file__).parents[2] / "fixtures" / "demo"
SECONDS = 2.0
COUNTS = {
    "text": 5000, "text changed": 4000, "document changed": 5000, "bytes": 5000, "bytes changed": 2000,
    "fields changed": 2000, "stored texts changed": 1000,
}  # fmt: skip
AWKWARD = """onnxprep: 1
inputs: [{name: image, dtype: uint8, shape: [N, 3]}]
preprocess: [{to_dtype: {dtype: float32}}]
model: {inputs: {x: to_dtype}}
"""


class TooLong(BaseException):
    """More time of the processor than an input may take."""


class Reached(ValueError):  # noqa: N818
    """ONNX Runtime would be next."""


@dataclass
class Tally:
    """What became of the inputs of a kind."""

    tried: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    uncaught: list[str] = field(default_factory=list)


# what is changed ------------------------------------------------------------------------------------------------------


@functools.cache
def specs() -> tuple[str, ...]:
    """Presets, the demo's, the tests', and one of every case of the conformance suite."""
    found = [presets.text(name) for name in presets.names()] + [(DEMO / "spec.yaml").read_text(), SPEC, AWKWARD]
    for operation, families in catalogue().items():
        for like, cls in families.items():
            for case in list(cls.cases())[:4]:
                tensors = [sample.spec for sample in case.inputs]
                inputs = [
                    {
                        "name": f"x{k}", "dtype": tensor.dtype, "shape": list(tensor.shape or ()),
                        **({"layout": tensor.layout} if tensor.layout else {}),
                        **({"color": tensor.color} if tensor.color else {}),
                    }
                    for k, tensor in enumerate(tensors)
                ]  # fmt: skip
                parameters = {**case.parameters, **({"like": like} if like else {})}
                step = {"operation": operation, "parameters": parameters}
                found.append(json.dumps({"onnxprep": 1, "inputs": inputs, "preprocess": [step]}, default=list))
    return tuple(found)


@functools.cache
def models() -> tuple[tuple[bytes, str], ...]:
    """Models, with a spec that fits them."""
    demo = (DEMO / "classifier.onnx").read_bytes()
    spec = (DEMO / "spec.yaml").read_text()
    odd = [(build().SerializeToString(), AWKWARD) for build in awkward.MODELS.values()]
    return (*[(exported(), spec), (demo, spec)] * 8, *odd)


# changes --------------------------------------------------------------------------------------------------------------

PIECES = (
    "[", "]", "{", "}", ":", ": ", "- ", ",", '"', "'", "&a ", "*a", "!t ", "<<: ", "\n", "\n  ", "\t", "#", "|", ">", "0", "-1",
    "1e999", "1.0", "9" * 400, ".nan", "null", "true", "~", "\ud800", "\0", "\ufeff", "---", "...", "\\u", "operation: ", "like: ",
    "where: caller", "inputs: [a]", "outputs: []", "rule: [1]", "size: ", "é", "\u2028", "%", "onnxprep: 1\n", "preprocess: ", "rescale",
    "parameters: ", "name: ", "dtype: uint8", "shape: [N, H, W, 3]", "layout: NHWC", "inputs: ", "postprocess: [softmax]\n", "model: ",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 255, 65_536, 2**31 - 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, 1e-320, "", "x", "a\nb", "..",
    "labels.txt", "sha256:", "softmax", "rescale", "image", "N", "\x1b[31m", "onnxprep/pre.0.x/y", "é" * 300, [], {}, [1], [None], [[]],
    {"a": 1}, {"rule": [1]}, {"operation": 1}, {"shorter_edge": [], "rule": {}}, {"fit": [2, 3], "rule": {}}, {"multiple": 2.0, "rule": "smart"},
    ["N", "H", "W", 3], [1, 2**31 - 1, 2**31 - 1, 3], [1] * 100, "uint8", "float32", "float64", "int64", "string", "NCHW", "HWC", "bilinear",
)  # fmt: skip


TIMES, LENGTHS = (1, 1, 1, 2, 4), (0, 0, 1, 2, 8, 30)


def changed_text(rng: random.Random, text: str) -> str:
    for _ in range(rng.choice(TIMES)):
        digits = [k for k, c in enumerate(text) if c.isdigit() and text[k - 1] != "-"]  # not those of a family
        if digits and rng.random() < 0.5:
            at = rng.choice(digits)
            text = text[:at] + rng.choice(("0", "7", "-1", "99", "1e9", "3.5", "", "4096")) + text[at + 1 :]
            continue
        at, start = rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)
        piece = rng.choice(PIECES) if rng.random() < 0.7 else ""
        text = text[:at] + piece + text[start : start + rng.choice(LENGTHS)] + text[at + rng.choice(LENGTHS) :]
    return text


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def _at(document: Any, place: Sequence[Any]) -> Any:
    return functools.reduce(lambda value, part: value[part], place, document)


def changed_document(rng: random.Random, document: Any) -> Any:
    """Some of its parts: another value, none, twice, or that of another place."""
    for _ in range(rng.choice(TIMES)):
        found = list(places(document))
        if not found:
            break
        numbers = [place for place in found if type(_at(document, place)) in (int, float)]
        *above, key = rng.choice(numbers if numbers and rng.random() < 0.6 else found)
        parent = _at(document, above)
        way = 3 if type(parent[key]) in (int, float) and rng.random() < 0.8 else rng.randrange(5)
        if way == 0:
            del parent[key]
        elif way == 1 and isinstance(parent, list):
            parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        elif way == 2:
            other = rng.choice(found)
            parent[key] = copy.deepcopy(_at(document, other))
        elif way == 3 and type(parent[key]) in (int, float):
            parent[key] = rng.choice(
                (0, 1, 2, 3, 5, 17, 255, 4096, 65_536, 2**31 - 1, -1, 0.5, 1e-30, 1e300, parent[key] * 2)
            )
        else:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
    return document


def changed_bytes(rng: random.Random, data: bytes) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice(TIMES)):
        at = rng.randrange(len(made)) if made else 0
        way = rng.randrange(5)
        if way <= 1 and made:
            made[at] ^= 1 << rng.randrange(8)
        elif way == 2:
            start = rng.randrange(len(made) + 1)
            made[at:at] = made[start : start + rng.randrange(200)]
        elif way == 3:
            del made[at : at + rng.randrange(1, 50)]
        else:
            made[at : at + 4] = rng.randbytes(rng.randrange(8))
    return bytes(made if rng.random() < 0.9 else made[: rng.randrange(len(made) + 1)])


def messages(message: Message) -> Iterator[Message]:
    yield message
    for part, value in message.ListFields():
        if part.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if part.is_repeated else [value]:
                yield from messages(inner)


NUMBERS = (0, 1, -1, 2, 7, 17, 2**31 - 1, -(2**31))
TEXTS = (
    "",
    "x",
    "y",
    "image",
    "onnxprep/pre.0.x/Add_0",
    "ai.onnx.ml",
    "\x1b[31m\nFORGED",
    "Loop",
    "If",
    "Constant",
    "a" * 5000,
)


def changed_fields(rng: random.Random, model: ModelProto) -> ModelProto:
    """Fields at any depth: gone, twice, in another order, or with another content."""
    for _ in range(rng.choice(TIMES)):
        found = [message for message in messages(model) if message.ListFields()]
        message = rng.choice(found)
        part, value = rng.choice(message.ListFields())
        way = rng.randrange(4)
        if part.is_repeated:
            at = rng.randrange(len(value))
            if way == 0:
                del value[at]
            elif way == 1 and part.type == FieldDescriptor.TYPE_MESSAGE:
                value.add().CopyFrom(value[at])
            elif way == 2 and part.type == FieldDescriptor.TYPE_MESSAGE:
                other = [m for m in found if m.DESCRIPTOR is part.message_type]
                value[at].CopyFrom(copy.deepcopy(rng.choice(other or [value[at]])))
            elif part.type != FieldDescriptor.TYPE_MESSAGE:
                value[at] = _other(rng, part, value[at])
        elif way == 0 or part.type == FieldDescriptor.TYPE_MESSAGE:
            message.ClearField(part.name)
        else:
            setattr(message, part.name, _other(rng, part, value))
    return model


def _other(rng: random.Random, part: Any, value: Any) -> Any:
    if part.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(TEXTS)
    if part.type == FieldDescriptor.TYPE_BYTES:
        return rng.choice((b"", b"\xff", bytes(value)[: len(value) // 2], bytes(value) * 2))
    if part.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e30))
    if part.type == FieldDescriptor.TYPE_INT64:
        return rng.choice((*NUMBERS, 2**62, -(2**63)))
    if part.type == FieldDescriptor.TYPE_ENUM:
        return rng.choice([number.number for number in part.enum_type.values])
    return rng.choice([number for number in NUMBERS if number >= 0 or part.type == FieldDescriptor.TYPE_INT32])


def changed_stored(rng: random.Random, model: ModelProto) -> ModelProto:
    """Our metadata: a document changed, or its text; mostly sealed anew."""
    ours = [entry for entry in model.metadata_props if entry.key.startswith("onnxprep.") and entry.key != SEAL]
    entry = rng.choice(ours)
    try:
        document = json.loads(entry.value)
    except ValueError:
        document = None
    if isinstance(document, dict) and rng.random() < 0.8:
        entry.value = json.dumps(changed_document(rng, document))
    else:
        entry.value = changed_text(rng, entry.value).encode("utf-8", "replace").decode()
    if rng.random() < 0.8:
        metadata.write(model, {SEAL: seal({e.key: e.value for e in ours})})
    return model


# from nothing ---------------------------------------------------------------------------------------------------------


def any_text(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return rng.randbytes(rng.randrange(200)).decode("utf-8", "replace") + "\n"
    if rng.random() < 0.5:
        return "onnxprep: 1\n" + "".join(rng.choice(PIECES) for _ in range(rng.randrange(40))) + "\n"
    return json.dumps(_any_value(rng, 4))


def _any_value(rng: random.Random, depth: int) -> Any:
    keys = (
        "onnxprep",
        "inputs",
        "preprocess",
        "model",
        "name",
        "operation",
        "parameters",
        "like",
        "dtype",
        "shape",
        "a",
    )
    way = rng.randrange(4) if depth else 0
    if way == 1:
        return [_any_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if way >= 2:
        return {rng.choice(keys): _any_value(rng, depth - 1) for _ in range(rng.randrange(5))}
    return copy.deepcopy(rng.choice(VALUES))


def any_bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(300)) if rng.random() < 0.3 else _any_message(rng, 5)


def _any_message(rng: random.Random, depth: int) -> bytes:
    """Right as protobuf, with the numbers of fields that ONNX has."""
    made = b""
    for _ in range(rng.randrange(1, 6)):
        number = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 20))
        if depth and rng.random() < 0.6:
            content = _any_message(rng, depth - 1)
        else:
            content = rng.choice((b"", b"x", b"Relu", b"\xff", rng.randbytes(5)))
        kind = rng.randrange(10)
        if kind < 8:
            made += varint(number << 3 | 2) + varint(len(content)) + content
        else:
            made += varint(number << 3) + varint(rng.randrange(128))
    return made


# trying ---------------------------------------------------------------------------------------------------------------


def try_spec(text: str, _: random.Random, work: Path, stages: Counter[str]) -> None:
    (work / "spec.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    spec = Spec.load(work / "spec.yaml")
    stages["parsed"] += 1
    if Spec.load(spec.dump()) != spec:
        raise AssertionError("load(dump(s)) != s")
    try:
        fit(spec, demo_model())
        stages["fits the demo"] += 1
    except OnnxprepError:
        pass
    if any(entry.where == "graph" for entry in spec.preprocess):
        lint(plan(bind_alone(spec)))
        stages["planned"] += 1
        onnxprep.build(spec)
        stages["built"] += 1


@functools.cache
def demo_model() -> ModelProto:
    return parse((DEMO / "classifier.onnx").read_bytes())


def try_model(given: tuple[bytes, str], rng: random.Random, work: Path, stages: Counter[str]) -> None:
    data, spec = given
    path, out = work / "model.onnx", work / "out.onnx"
    path.write_bytes(data)
    out.unlink(missing_ok=True)
    errors: list[OnnxprepError] = []
    actions: dict[str, Callable[[], object]] = {
        "parsed": lambda: parse(data),
        "inspected": lambda: inspect(path),
        "stripped": lambda: onnxprep.strip(path, out, force=True),
        "verified": lambda: onnxprep.verify(path),
        "attached": lambda: onnxprep.export(path, spec, out, run=False, force=True),
    }
    if rng.random() < 0.05:
        actions["printed as code"] = lambda: nodes_as_code(path)
    for stage, action in actions.items():
        try:
            action()
            stages[stage] += 1
        except OnnxprepError as error:
            if "would be next" in str(error):
                stages["verified" if stage == "verified" else "attached"] += 1
            else:
                errors.append(error)
    if errors:
        raise errors[0]


def _changed_model(rng: random.Random) -> tuple[bytes, str]:
    data, spec = rng.choice(models())
    return changed_bytes(rng, data), spec


def _changed_message(rng: random.Random) -> tuple[bytes, str]:
    data, spec = rng.choice(models())
    return changed_fields(rng, ModelProto.FromString(data)).SerializeToString(), spec


KINDS: dict[str, tuple[Callable[[random.Random], Any], Callable[..., None]]] = {
    "text": (any_text, try_spec),
    "text changed": (lambda rng: changed_text(rng, rng.choice(specs())) + "\n", try_spec),
    "document changed": (lambda rng: json.dumps(changed_document(rng, read(rng.choice(specs())))), try_spec),
    "bytes": (lambda rng: (any_bytes(rng), AWKWARD), try_model),
    "bytes changed": (_changed_model, try_model),
    "fields changed": (_changed_message, try_model),
    "stored texts changed": (
        lambda rng: (changed_stored(rng, ModelProto.FromString(exported())).SerializeToString(), AWKWARD),
        try_model,
    ),
}


@contextmanager
def guarded() -> Iterator[None]:
    """Warnings are errors, time is bounded, and ONNX Runtime gets nothing."""
    loaded, handler = onnxruntime.InferenceSession, signal.getsignal(signal.SIGPROF)

    def late(*_: object) -> None:
        raise TooLong

    def refusing(*_: object, **__: object) -> None:
        raise Reached("ONNX Runtime would be next")

    signal.signal(signal.SIGPROF, late)
    newest.newest()  # asks ONNX Runtime once, and must not remember that it gets nothing here
    asked, newest._loads = newest._loads, lambda ir, opset: ir <= newest.newest()[0] and opset <= newest.newest()[1]
    onnxruntime.InferenceSession = refusing
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield
        finally:
            onnxruntime.InferenceSession, newest._loads = loaded, asked
            signal.signal(signal.SIGPROF, handler)


def attempt(kind: str, number: int, work: Path, tally: Tally) -> None:
    rng = random.Random(f"{kind} {number}")
    make, attempted = KINDS[kind]
    given = make(rng)
    tally.tried += 1
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        attempted(given, rng, work, tally.stages)
    except OnnxprepError as error:
        tally.errors[type(error).__name__] += 1
        if not error.problem or len(str(error)) > 20_000:
            tally.uncaught.append(f"{kind} {number}: says {len(str(error))} characters")
    except (Exception, TooLong) as error:  # noqa: BLE001  # all that is not ours is what is looked for
        tally.uncaught.append(f"{kind} {number}: {error!r}"[:300])
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    tally.slowest = max(tally.slowest, time.process_time() - start)


def sweep(counts: Mapping[str, int], first: int = 0) -> dict[str, Tally]:
    """The tally of every kind."""
    specs(), models(), exported(), demo_model()
    found = {kind: Tally() for kind in counts}
    work = Path(tempfile.mkdtemp())
    shutil.copy(DEMO / "labels.txt", work)
    try:
        with guarded():
            for kind, count in counts.items():
                for number in range(first, first + count):
                    attempt(kind, number, work, found[kind])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found


def lines(found: Mapping[str, Tally]) -> list[str]:
    """The rows of docs/security.md."""
    rows = [
        "| inputs | tried | parsed | went on to | uncaught | slowest |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    for kind, tally in found.items():
        on = ", ".join(f"{stage} {n:,}" for stage, n in tally.stages.items() if stage != "parsed") or "-"
        rows.append(
            f"| {kind} | {tally.tried:,} | {tally.stages['parsed']:,} | {on} | {len(tally.uncaught)} | {tally.slowest:.2f} s |"
        )
    return rows


def again(kind: str, number: int) -> None:
    """One input, with its traceback."""
    rng, work = random.Random(f"{kind} {number}"), Path(tempfile.mkdtemp())
    shutil.copy(DEMO / "labels.txt", work)
    make, attempted = KINDS[kind]
    with guarded():
        attempted(make(rng), rng, work, Counter())


def main() -> None:
    if len(sys.argv) == 3:
        again(sys.argv[1], int(sys.argv[2]))
        return
    found = sweep({kind: count for kind, count in COUNTS.items() if kind in (sys.argv[1:] or COUNTS)})
    print("\n".join(lines(found)))
    for tally in found.values():
        for problem in tally.uncaught:
            print(problem, file=sys.stderr)
    sys.exit(any(tally.uncaught for tally in found.values()))


if __name__ == "__main__":
    main()
