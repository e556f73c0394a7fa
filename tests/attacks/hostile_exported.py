"""Exported models that try to hurt: spec, undo record, golden and nodes, changed by somebody who makes the seal anew."""

from __future__ import annotations

import base64
import functools
import json
import os
import random
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attack import ON_EXPORTED, Attack, altered, exported
from hostile_specs import SHOWN
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

INSPECT = ("inspect",)
AGAIN = ("strip", "export")  # what gives the original back can be exported again
STRIP = ("inspect", *AGAIN)
SEALED = (*STRIP, "verify")


def stored(change: Callable[[dict[str, str]], object], accepted: tuple[str, ...] = STRIP) -> Attack:
    """Other metadata."""

    def alter(model: ModelProto) -> None:
        entries = {p.key: p.value for p in model.metadata_props}
        change(entries)
        del model.metadata_props[:]
        for key, value in entries.items():
            model.metadata_props.add(key=key, value=value)

    return Attack(altered(alter), ON_EXPORTED, accepted)


def put(key: str, text: str, accepted: tuple[str, ...] = STRIP) -> Attack:
    return stored(lambda entries: entries.update({f"onnxprep.{key}": text}), accepted)


def document(key: str, change: Callable[[Any], object], accepted: tuple[str, ...] = STRIP) -> Attack:
    """A stored JSON document, changed."""

    def alter(entries: dict[str, str]) -> None:
        value = json.loads(entries[f"onnxprep.{key}"])
        entries[f"onnxprep.{key}"] = json.dumps(change(value) or value)

    return stored(alter, accepted)


def undo(**more: Any) -> Attack:
    return document("undo", lambda entry: entry.update(more), SEALED)


def golden(change: Callable[[dict[str, Any]], object]) -> Attack:
    """The one array that a golden's sample holds as its input."""
    return document("golden", lambda document: change(document["samples"][0]["inputs"]["image"]), STRIP)


def body(change: Callable[[ModelProto], object], accepted: tuple[str, ...] = SEALED) -> Attack:
    return Attack(altered(change), ON_EXPORTED, accepted)


@functools.cache
def packed(size: int) -> str:
    return base64.b64encode(zlib.compress(bytes(size), 1)).decode()


def _bomb() -> str:
    return packed(500 * 2**20)


def lying(**more: Any) -> Attack:
    return golden(lambda array: array.update({k: v() if callable(v) else v for k, v in more.items()}))


def beside(name: str, prepare: Callable[[Path], object] = lambda _: None, **more: Any) -> Attack:
    """A golden that says its array is in a file."""

    def change(array: dict[str, Any]) -> None:
        del array["zlib"]
        array.update({"file": name, **more})

    inner = golden(change)

    def write(work: Path) -> None:
        inner.put(work)
        prepare(work)

    large = name == "big"  # as large as it says: it is read
    return Attack(write, ON_EXPORTED, STRIP, 4.0 if large else 2.0, 1500 if large else 512)


def tensor(**more: Any) -> Callable[[Path], object]:
    made = TensorProto(**more)

    def write(work: Path) -> None:
        (work / "test_data_set_0").mkdir()
        (work / "test_data_set_0" / "input_0.pb").write_bytes(made.SerializeToString())

    return write


def secret(work: Path) -> None:
    array = numpy_helper.from_array(np.zeros((1, 111, 94, 3), np.uint8))
    (work.parent / "secret.pb").write_bytes(array.SerializeToString())
    (work / "link.pb").symlink_to(work.parent / "secret.pb")


def info(name: str) -> str:
    return base64.b64encode(helper.make_tensor_value_info(name, 1, [1]).SerializeToString()).decode()


def _deep(depth: int) -> str:
    return "[" * depth + "]" * depth


def _interleaved(model: ModelProto) -> None:
    for k in range(50_000):
        model.graph.node.add(op_type="Relu", name=f"{'onnxprep/x' if k % 2 else 'x'}{k}", input=["a"], output=[f"a{k}"])


def _outside(model: ModelProto) -> None:
    ours = next(node for node in model.graph.node if node.op_type == "Constant" and node.name.startswith("onnxprep/"))
    ours.attribute[0].t.data_location = TensorProto.EXTERNAL
    ours.attribute[0].t.external_data.add(key="location", value="/etc/passwd")


def _renamed(model: ModelProto) -> None:
    for node in model.graph.node:
        node.name = node.name.replace("/pre.0.resize/", "/pre.0.x/../../")


def _spec_text(change: Callable[[dict[str, Any]], object]) -> Attack:
    """The stored spec, with a digest that fits it."""

    def alter(entries: dict[str, str]) -> None:
        from onnxprep.spec.document import canonical, digest_of

        spec = json.loads(entries["onnxprep.spec"])
        change(spec)
        entries["onnxprep.spec"] = canonical(spec)
        entries["onnxprep.digest"] = digest_of(spec)

    return stored(alter, SEALED)


def _labels_of(name: str) -> Callable[[dict[str, Any]], object]:
    def change(spec: dict[str, Any]) -> None:
        spec["postprocess"][-1]["parameters"] = {"file": name}

    return change


def _many(entries: dict[str, str]) -> None:
    entries.update({f"onnxprep.x{k}": "a" for k in range(50_000)})


S = SHOWN
UNDO = {
    "no JSON": put("undo", "{"), "a list": put("undo", "[]"), "nothing": put("undo", ""), "deep": put("undo", _deep(100_000)),
    "deep inside": put("undo", '{"inputs": ' + _deep(900) + "}"), "10 MB": put("undo", '{"a": "' + "a" * 10**7 + '"}'),
    "a million inputs": undo(inputs=[[0, ""]] * 200_000), "NaN": put("undo", '{"inputs": [[NaN, ""]]}'),
    "10**5000": put("undo", '{"inputs": [[1' + "0" * 5000 + ', ""]]}'),
    "other inputs": undo(inputs=[[0, info("other")]]), "no inputs": undo(inputs=[]), "an input far out": undo(inputs=[[10**9, info("x")]]),
    "a negative place": undo(inputs=[[-(10**30), info("x")]]), "a place of a half": undo(inputs=[[0.5, info("x")]]),
    "a place of a list": undo(inputs=[[[], info("x")]]), "inputs of no type": undo(inputs=[[0, ""]]),
    "inputs that are none": undo(inputs="abc"), "no base64": undo(inputs=[[0, "€"]]), "no message": undo(inputs=[[0, "////"]]),
    "control codes": undo(inputs=[[0, info(S)]], outputs=[info(S)]), "other outputs": undo(outputs=[info("x")]),
    "a name that is not UTF-8": undo(inputs=[[0, base64.b64encode(b"\x0a\x02\xff\xfe").decode()]]),
    "outputs that are not UTF-8": undo(outputs=[base64.b64encode(b"\x0a\x02\xff\xfe").decode()]),
    "imports": undo(opset_imports=[base64.b64encode(b"\x0a\x09os.system\x10\x01").decode()]),
    "imports that are not UTF-8": undo(opset_imports=[base64.b64encode(b"\x0a\x01\xff\x10\x01").decode()]),
    "lists as names": undo(value_info=[[]]), "lists as keys": undo(metadata=[[]]), "every key": undo(metadata=["a"] * 100_000),
    "lists as digests": undo(sha256=[], body={}), "nothing but null": undo(inputs=None, outputs=None, metadata=None),
    "a deep type": undo(outputs=[base64.b64encode(ValueInfoProto(name="y").SerializeToString() + b"\x12\x02\x22\x00").decode()]),
}  # fmt: skip
GOLDEN = {
    "no JSON": put("golden", "{"), "a number": put("golden", "1"), "a list": put("golden", "[]"), "deep": put("golden", _deep(100_000)),
    "samples that are a mapping": put("golden", '{"samples": {"a": 1}}'), "samples of nothing": put("golden", '{"samples": [null]}'),
    "samples by the hundred thousand": put("golden", '{"samples": [' + "{}," * 100_000 + "{}]}"),
    "more than is there": lying(shape=[1, 112, 94, 3]), "less than is there": lying(shape=[1, 110, 94, 3]),
    "10**9 bytes": lying(shape=[1, 20_000, 20_000, 3]), "10**18 bytes": lying(shape=[10**6, 10**6, 10**6]),
        "10**300 bytes": lying(shape=[10**300]), "a negative shape": lying(shape=[-1, 111, 94, 3]),
    "two negative lengths": lying(shape=[-1, 111, 94, -3]), "a shape of text": lying(shape=["a", "111", "94", "3"]),
    "a shape of NaN": lying(shape=[float("nan")]), "a shape of infinity": lying(shape=[float("inf")]), "a shape that is none": lying(shape=5),
    "a shape of 1000 axes": lying(shape=[1] * 1000), "objects": lying(dtype="object"), "objects by letter": lying(dtype="O"),
    "a structure": lying(dtype="i4,O"), "dates": lying(dtype="M8[ns]"), "a dtype that is none": lying(dtype="os.system"),
    "a dtype of 1 MB": lying(dtype="a" * 1_000_000), "a dtype of text": lying(dtype="U1000000000"), "bytes": lying(dtype="V1000000000"),
    "a dtype of commas": lying(dtype="," * 1000), "complex": lying(dtype="complex128"), "another dtype": lying(dtype="float32"),
    "a bomb": lying(zlib=_bomb), "a bomb that says so": lying(shape=[500 * 2**20], zlib=_bomb),
    "a bomb of several arrays": document("golden", lambda d: d.update(samples=[
        {"inputs": {f"a{k}": {"dtype": "uint8", "shape": [60 * 2**20], "sha256": "", "zlib": packed(60 * 2**20)} for k in range(30)},
         "values": {}, "steps": {}}])),
    "cut short": golden(lambda a: a.update(zlib=a["zlib"][: len(a["zlib"]) // 2])), "no zlib": lying(zlib="AAAA"), "no base64": lying(zlib="€!"),
    "nothing": lying(zlib=""), "a number as content": lying(zlib=5), "more behind it": golden(lambda a: a.update(zlib=base64.b64encode(base64.b64decode(a["zlib"]) + b"more").decode())),
    "text": lying(dtype="string", text=["a"]), "text that lies": lying(dtype="string", shape=[10**12], text=["a"]),
    "text that is none": lying(dtype="string", shape=[2], text=[None, {}]), "text of a million": lying(dtype="string", shape=[10**6], text=["a"] * 10**6),
    "values of nobody": document("golden", lambda d: d["samples"][0]["values"].update({S: 1})),
    "a tolerance of NaN": document("golden", lambda d: [v.update(tolerance=float("nan")) for v in d["samples"][0]["values"].values()]),
    "a tolerance of infinity": document("golden", lambda d: [v.update(tolerance=float("inf")) for v in d["samples"][0]["values"].values()], SEALED),
    "a maker with control codes": document("golden", lambda d: [v.update(made_by=S) for v in d["samples"][0]["values"].values()], SEALED),
    "steps with control codes": document("golden", lambda d: d["samples"][0]["steps"].update({S: {"tensor": S, "dtype": "uint8", "axes": [0], "sha256": ""}})),
    "steps of an unknown dtype": document("golden", lambda d: d["samples"][0]["steps"].update({"a": {"tensor": "image", "dtype": "O", "axes": [0], "sha256": ""}})),
    "steps of other axes": document("golden", lambda d: [s.update(axes=[9, 9]) for s in d["samples"][0]["steps"].values()]),
    "steps of huge axes": document("golden", lambda d: [s.update(axes=[10**30]) for s in d["samples"][0]["steps"].values()]),
    "steps of another dtype": document("golden", lambda d: [s.update(dtype="os.system") for s in d["samples"][0]["steps"].values()]),
    "an input that is none": document("golden", lambda d: d["samples"][0]["inputs"].update({"other": d["samples"][0]["inputs"]["image"]})),
    "no input": document("golden", lambda d: d["samples"][0].update(inputs={})),
}  # fmt: skip
BESIDE = {
    "../": beside("../secret.pb", secret), "absolute": beside("/etc/passwd"), "a link": beside("link.pb", secret),
    "a device": beside("zero", lambda w: (w / "zero").symlink_to("/dev/zero")), "a pipe": beside("pipe", lambda w: os.mkfifo(w / "pipe")),
    "a folder": beside("."), "NUL": beside("a\0b"), "a long name": beside("a" * 100_000), "a deep name": beside("a/" * 20_000),
    "control codes": beside(S), "a number": beside("", file=5), "the model": beside("exported.onnx"), "itself": beside("self", lambda w: (w / "self").symlink_to("self")),
    "more than it says": beside("test_data_set_0/input_0.pb", tensor(dims=[1, 111, 94, 3], data_type=2, raw_data=bytes(10**6))),
    "less than it says": beside("test_data_set_0/input_0.pb", tensor(dims=[10**12], data_type=2, raw_data=b"1")),
    "negative": beside("test_data_set_0/input_0.pb", tensor(dims=[-1, -5], data_type=2, raw_data=b"12345")),
    "no type": beside("test_data_set_0/input_0.pb", tensor(dims=[1], raw_data=b"1")),
    "an unknown type": beside("test_data_set_0/input_0.pb", tensor(dims=[1], data_type=999, raw_data=b"1")),
    "text": beside("test_data_set_0/input_0.pb", tensor(dims=[2], data_type=8, string_data=[b"\xff", b"a"])),
    "text that says so": beside("test_data_set_0/input_0.pb", tensor(dims=[2], data_type=8, string_data=[b"\xff", b"a"]), dtype="string", shape=[2]),
    "in turn elsewhere": beside("test_data_set_0/input_0.pb", tensor(dims=[1], data_type=2, data_location=1, external_data=[{"key": "location", "value": "/etc/passwd"}])),
    "a sparse gigabyte": beside("big", lambda w: ((w / "big").touch(), os.truncate(w / "big", 2**30)), shape=[2**30]),
    "a sparse gigabyte of text": beside("big", lambda w: ((w / "big").touch(), os.truncate(w / "big", 2**30)), dtype="string"),
    "a dtype that is none": beside("exported.onnx", dtype="os.system"), "objects": beside("exported.onnx", dtype="O"),
    "a shape of text": beside("exported.onnx", shape="abc"), "a shape of infinity": beside("exported.onnx", shape=[float("inf")]),
}  # fmt: skip
SPEC = {
    "does not match its digest": put("spec", json.dumps({"onnxprep": 1, "inputs": []})),
    "not JSON": put("spec", "onnxprep: 1\n", AGAIN), "YAML bomb": put("spec", "a: &a [x]\nb: [*a, *a]\n", AGAIN),
    "deep": put("spec", _deep(100_000), AGAIN), "9 MB": put("spec", '{"onnxprep": 1, "name": "' + "a" * 9_000_000 + '"}', AGAIN),
    "nothing": put("spec", "", AGAIN), "gone": stored(lambda e: e.pop("onnxprep.spec"), AGAIN),
    "a file outside": _spec_text(_labels_of("../secret.txt")), "a device": _spec_text(_labels_of("/dev/zero")),
    "a file that is not there": _spec_text(_labels_of("sha256:" + "0" * 64)), "another digest": put("digest", "0" * 64),
    "no digest": stored(lambda e: e.pop("onnxprep.digest")), "a digest of control codes": put("digest", S),
    "the digest of the nodes": put("nodes", "0" * 64), "a writer with control codes": put("writer", S, SEALED),
    "a writer that is none": put("writer", "os.system", SEALED), "a caller that is none": put("caller", "os.system", SEALED),
    "steps by the hundred thousand": put("spec", '{"onnxprep": 1, "preprocess": [' + '"invert",' * 100_000 + '"invert"]}', AGAIN),
    "names with control codes": _spec_text(lambda s: s.update(name=S, provenance={S: S})),
    "an operation that is a function": _spec_text(lambda s: s["preprocess"][0].update(operation="os_system")),
    "a family that is a module": _spec_text(lambda s: s["preprocess"][0]["parameters"].update(like="os.system")),
    "a step that reads itself": _spec_text(lambda s: s["preprocess"][1].update(inputs=["center_crop"])),
    "steps in a circle": _spec_text(lambda s: s["preprocess"][0].update(inputs=["to_layout"])),
    "other steps": _spec_text(lambda s: s["preprocess"].reverse()), "no steps": _spec_text(lambda s: s.update(preprocess=[])),
    "huge sizes": _spec_text(lambda s: s["preprocess"][0]["parameters"].update(size=[65536, 65536])),
    "another format": _spec_text(lambda s: s.update(onnxprep=2)), "50000 keys": stored(_many, SEALED), "an unknown key": put("exec", "os.system", SEALED),
    "no seal": Attack(lambda w: (w / "exported.onnx").write_bytes(exported().replace(b"onnxprep.seal", b"onnxprep.seat")), ON_EXPORTED, STRIP),
    "a deep seal": Attack(lambda w: (w / "exported.onnx").write_bytes(_sealed(_deep(100_000))), ON_EXPORTED, STRIP),
    "a seal that is a list": Attack(lambda w: (w / "exported.onnx").write_bytes(_sealed("[]")), ON_EXPORTED, STRIP),
    "a seal of nothing": Attack(lambda w: (w / "exported.onnx").write_bytes(_sealed("{}")), ON_EXPORTED, STRIP),
    "a seal of wrong parts": Attack(lambda w: (w / "exported.onnx").write_bytes(_sealed('{"onnxprep.spec": 5}')), ON_EXPORTED, STRIP),
}  # fmt: skip


def _sealed(text: str) -> bytes:
    model = ModelProto.FromString(exported())
    next(p for p in model.metadata_props if p.key == "onnxprep.seal").value = text
    return model.SerializeToString()


NODES = {
    "100000 of ours among theirs": body(_interleaved), "a constant elsewhere": body(_outside), "a path in a name": body(_renamed),
    "none of ours": body(lambda m: [m.graph.node.remove(n) for n in list(m.graph.node) if n.name.startswith("onnxprep/")]),
    "none at all": body(lambda m: m.graph.ClearField("node")), "no inputs": body(lambda m: m.graph.ClearField("input")),
    "no outputs": body(lambda m: m.graph.ClearField("output")), "no opset": body(lambda m: m.ClearField("opset_import")),
    "the order reversed": body(lambda m: m.graph.node.sort(key=lambda n: n.name, reverse=True)),
    "names with control codes": body(lambda m: [setattr(n, "name", n.name + S) for n in m.graph.node]),
    "types with control codes": body(lambda m: [setattr(n, "op_type", S) for n in m.graph.node]),
    "outputs with control codes": body(lambda m: [setattr(o, "name", S) for o in m.graph.output]),
    "inputs with control codes": body(lambda m: [setattr(i, "name", S) for i in m.graph.input]),
}  # fmt: skip


def flipped(seed: int, bits: int) -> Attack:
    def write(work: Path) -> None:
        rng, made = random.Random(seed), bytearray(exported())
        for _ in range(bits):
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
        (work / "exported.onnx").write_bytes(bytes(made))

    return Attack(write, ON_EXPORTED, SEALED)


def cut(share: float) -> Attack:
    def write(work: Path) -> None:
        (work / "exported.onnx").write_bytes(exported()[: int(len(exported()) * share)])

    return Attack(write, ON_EXPORTED, STRIP)


CASES: Mapping[str, Attack] = {
    **{f"undo: {name}": attack for name, attack in UNDO.items()},
    **{f"golden: {name}": attack for name, attack in GOLDEN.items()},
    **{f"golden beside: {name}": attack for name, attack in BESIDE.items()},
    **{f"stored: {name}": attack for name, attack in SPEC.items()},
    **{f"nodes: {name}": attack for name, attack in NODES.items()},
    **{f"exported, {bits} bits flipped, seed {seed}": flipped(seed, bits) for seed in range(10) for bits in (1, 10)},
    **{f"exported, {k} % of it": cut(k / 100) for k in (1, 10, 40, 60, 90, 99)},
}
