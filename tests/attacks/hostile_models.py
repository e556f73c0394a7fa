"""Models that try to hurt: what the steps are to be attached to."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from attack import DEMO, ON_MODEL, Attack
from hostile_specs import SHOWN
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

F = TensorProto.FLOAT
ORIGINAL = (DEMO / "classifier.onnx").read_bytes()
CODES = SHOWN.replace("\u202e", "") + "\u202e\x00"


def data(made: bytes, accepted: tuple[str, ...] = (), seconds: float = 2.0, megabytes: float = 512) -> Attack:
    return Attack(lambda work: (work / "model.onnx").write_bytes(made), ON_MODEL, accepted, seconds, megabytes)


def model(
    build: Callable[[ModelProto], object], accepted: tuple[str, ...] = (), seconds: float = 2.0, megabytes: float = 512
) -> Attack:
    """The demo's classifier, changed."""

    def put(work: Path) -> None:
        made = ModelProto.FromString(ORIGINAL)
        build(made)
        (work / "model.onnx").write_bytes(made.SerializeToString())

    return Attack(put, ON_MODEL, accepted, seconds, megabytes)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


FITS = ("check", "export")
"""The steps fit, so that all of ours is right; whether it runs is ONNX Runtime's."""


def _if(model: ModelProto, levels: int) -> None:
    inner = GraphProto()
    for _ in range(levels):
        outer = GraphProto(name="g")
        node = outer.node.add(op_type="If", name="deep")
        node.input.append("c")
        node.output.append("y")
        node.attribute.add(name="then_branch", type=AttributeProto.GRAPH).g.CopyFrom(inner)
        inner = outer
    model.graph.node.extend(inner.node)


def deep_ifs(levels: int) -> bytes:
    """Graph in attribute in node in graph, as bytes: protobuf itself writes no such depth."""
    graph = b""
    for _ in range(levels):
        node = field(4, b"If") + field(5, field(1, b"then_branch") + field(6, graph))
        graph = field(1, node)
    return ORIGINAL + field(7, graph)


def deep_types(levels: int) -> bytes:
    kind = field(1, b"\x08\x01")
    for _ in range(levels):
        kind = field(4, field(1, kind))
    return ORIGINAL + field(7, field(11, field(1, b"s") + field(2, kind)))


def _cyclic(m: ModelProto) -> None:
    m.graph.node.extend([helper.make_node("Relu", ["p"], ["q"]), helper.make_node("Relu", ["q"], ["p"])])


def _self(m: ModelProto) -> None:
    m.graph.node.extend([helper.make_node("Relu", ["p"], ["p"])])


def _many_nodes(count: int) -> Callable[[ModelProto], object]:
    return lambda m: m.graph.node.extend([NodeProto(op_type="Relu", input=["a"], output=["b"], name="n")] * count)


def _many_inputs(count: int) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        for k in range(count):
            m.graph.input.add(name=f"extra{k}").type.tensor_type.elem_type = F

    return build


def _lying(**more: object) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        tensor = m.graph.initializer.add(name="lies")
        for key, value in more.items():
            getattr(tensor, key).extend(value) if isinstance(value, list) else setattr(tensor, key, value)

    return build


def _constant(**more: object) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        attribute = m.graph.node.add(op_type="Constant", output=["lies"]).attribute.add(name="value")
        attribute.type = AttributeProto.TENSOR
        for key, value in more.items():
            getattr(attribute.t, key).extend(value) if isinstance(value, list) else setattr(attribute.t, key, value)

    return build


def _outside(location: str, prepare: Callable[[Path], object] = lambda _: None, **entries: str) -> Attack:
    def build(m: ModelProto) -> None:
        tensor = m.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)

    inner = model(build)

    def put(work: Path) -> None:
        prepare(work)
        inner.put(work)

    return Attack(put, ON_MODEL, ("check",))


def _many_outside(m: ModelProto) -> None:
    for k in range(20_000):
        tensor = m.graph.initializer.add(name=f"t{k}", data_type=F, dims=[1], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=f"file{k}")


def _everywhere(text: str) -> Callable[[ModelProto], object]:
    """A text, wherever a model can hold one."""

    def build(m: ModelProto) -> None:
        m.producer_name = m.producer_version = m.domain = m.doc_string = text
        m.metadata_props.add(key=text, value=text)
        m.graph.name = m.graph.doc_string = text
        for node in m.graph.node:
            node.name = node.doc_string = text
            node.metadata_props.add(key=text, value=text)
        m.graph.value_info.add(name=text).type.denotation = text
        m.graph.output.add(name=text).type.tensor_type.elem_type = F
        m.graph.output[-1].type.tensor_type.shape.dim.add(dim_param=text)
        m.graph.input[0].type.tensor_type.shape.dim[0].dim_param = text
        m.graph.input.add(name=text + "2").type.tensor_type.elem_type = 77
        m.opset_import.add(domain=text, version=1)

    return build


def _named_input(text: str) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        for node in m.graph.node:
            for k, name in enumerate(node.input):
                if name == m.graph.input[0].name:
                    node.input[k] = text
        m.graph.input[0].name = text

    return build


def _named_output(text: str) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        for node in m.graph.node:
            for k, name in enumerate(node.output):
                if name == m.graph.output[0].name:
                    node.output[k] = text
        m.graph.output[0].name = text

    return build


def _recursive_function(m: ModelProto) -> None:
    function = FunctionProto(name="f", domain="mine", input=["a"], output=["b"])
    function.opset_import.add(domain="", version=17)
    function.node.add(op_type="f", domain="mine", input=["a"], output=["b"])
    m.functions.append(function)
    m.opset_import.add(domain="mine", version=1)
    m.graph.node.add(op_type="f", domain="mine", input=[m.graph.input[0].name], output=["never"])


def _sparse(m: ModelProto) -> None:
    sparse = m.graph.sparse_initializer.add(dims=[10**12, -1])
    sparse.values.CopyFrom(TensorProto(name="s", data_type=F, dims=[10**12]))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([-5, 2**62], np.int64)))


def _shape(*dims: int, kind: int = F) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        tensor = m.graph.input[0].type.tensor_type
        tensor.elem_type = kind
        tensor.ClearField("shape")
        tensor.shape.SetInParent()
        for dim in dims:
            tensor.shape.dim.add(dim_value=dim)

    return build


def _attributes(m: ModelProto) -> None:
    for number in (float("nan"), float("inf"), -float("inf"), 3.4e38):
        m.graph.node.append(helper.make_node("LeakyRelu", ["a"], [f"b{number}"], alpha=number))


def _imports(*pairs: tuple[str, int]) -> Callable[[ModelProto], object]:
    def build(m: ModelProto) -> None:
        for domain, version in pairs:
            m.opset_import.add(domain=domain, version=version)

    return build


def _opset(number: int) -> Callable[[ModelProto], object]:
    return lambda m: setattr(m.opset_import[0], "version", number)


def flipped(seed: int, bits: int) -> bytes:
    rng, made = random.Random(seed), bytearray(ORIGINAL)
    for _ in range(bits):
        made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def _offsets() -> list[int]:
    rng = random.Random(1)
    return sorted({1, 2, 7, len(ORIGINAL) - 1, *(rng.randrange(len(ORIGINAL)) for _ in range(20))})


ANY = ("",)
TEXTS = {
    "control codes": CODES, "10 MB": "a" * (10 * 2**20 // 70), "ours": "onnxprep/pre.0.resize/Add_0", "path": "../../../etc/passwd",
}  # fmt: skip
CASES: Mapping[str, Attack] = {
    **{f"cut after {k} bytes": data(ORIGINAL[:k], FITS) for k in _offsets()},
    **{f"{bits} bits flipped, seed {seed}": data(flipped(seed, bits), FITS) for seed in range(12) for bits in (1, 20)},
    "1000 Ifs, one in another": data(deep_ifs(1000)),
    "34 Ifs, one in another": data(deep_ifs(34)),
    "30 Ifs, one in another": model(lambda m: _if(m, 30), FITS),
    "1000 sequences, one in another": data(deep_types(1000)),
    "40 sequences, one in another": data(deep_types(40), FITS),
    "a file of tags": data(b"\x3a\xff\xff\xff\xff\x0f" * 100),
    "a length of 2 GB": data(b"\x3a\xff\xff\xff\xff\x07"),
    "a million empty nodes": data(ORIGINAL + field(7, b"\x0a\x00" * 1_000_000), FITS, 15, 2000),
    "a million nodes": model(_many_nodes(1_000_000), FITS, 20, 2500),
    "100000 nodes": model(_many_nodes(100_000), FITS),
    "100000 inputs": model(_many_inputs(100_000), FITS),
    "a million metadata entries": data(ORIGINAL + field(14, field(1, b"a")) * 1_000_000, FITS, 6, 1000),
    "a node of a million inputs": data(ORIGINAL + field(7, field(1, field(1, b"a") * 1_000_000)), FITS),
    "nodes in a circle": model(_cyclic, FITS),
    "a node that reads itself": model(_self, FITS),
    "a tensor of 10**12 without data": model(_lying(dims=[10**12], data_type=F), FITS),
    "a tensor of 10**54": model(_lying(dims=[10**18] * 3, data_type=F), FITS),
    "a tensor of negative length": model(_lying(dims=[-1, -(2**63)], data_type=F), FITS),
    "a tensor of no type": model(_lying(dims=[2], raw_data=b"1"), FITS),
    "a tensor of an unknown type": model(_lying(dims=[2], data_type=2**31 - 1), FITS),
    "a constant of 10**12 without data": model(_constant(dims=[10**12], data_type=F), FITS),
    "a constant of negative length": model(_constant(dims=[-1], data_type=F), FITS),
    "a constant of no type": model(_constant(dims=[2]), FITS),
    "a sparse tensor that lies": model(_sparse, FITS),
    "a node name of 10 MB": model(lambda m: setattr(m.graph.node[0], "name", "a" * (10 * 2**20)), FITS),
    "a node name of 10 MB, ours": model(lambda m: setattr(m.graph.node[0], "name", "onnxprep/" + "a" * (10 * 2**20))),
    "an input name of 10 MB": model(_named_input("a" * (10 * 2**20)), FITS),
    "an output name of 10 MB": model(_named_output("a" * (10 * 2**20))),
    **{f"texts: {what}": model(_everywhere(text)) for what, text in TEXTS.items()},
    **{f"input name: {what}": model(_named_input(text), FITS) for what, text in TEXTS.items() if what != "10 MB"},
    **{f"output name: {what}": model(_named_output(text), FITS) for what, text in TEXTS.items() if what != "10 MB"},
    "no input name": model(_named_input(""), FITS),
    "no output name": model(_named_output(""), FITS),
    "a text that is not UTF-8": data(ORIGINAL.replace(b"pixel_values", b"pixel\xffvalues")),
    "a function that calls itself": model(_recursive_function, FITS),
    "attributes that are not finite": model(_attributes, FITS),
    "ai.onnx twice": model(_imports(("", 9)), FITS),
    "ai.onnx by both its names": model(_imports(("ai.onnx", 9)), FITS),
    "the same import twice": model(_imports(("", 17)), FITS),
    "unknown domains": model(_imports(("os.system", 1), ("", -1), ("com.microsoft", 2**62)), FITS),
    "opset 0": model(_opset(0), FITS),
    "opset -1": model(_opset(-1), FITS),
    "opset 2**62": model(_opset(2**62), FITS),
    "IR -1": model(lambda m: setattr(m, "ir_version", -1), FITS),
    "no IR": model(lambda m: m.ClearField("ir_version"), FITS),
    "no graph": model(lambda m: m.ClearField("graph")),
    "an input of 10**12 pixels": model(_shape(1, 3, 10**6, 10**6)),
    "an input of negative lengths": model(_shape(-1, 3, -5, -(2**63)), FITS),
    "an input of 100000 axes": model(_shape(*[1] * 100_000)),
    "an input of no type": model(_shape(1, 3, 40, 40, kind=0), FITS),
    "an input of an unknown type": model(_shape(1, 3, 40, 40, kind=12345)),
    "metadata twice": model(lambda m: [m.metadata_props.add(key="a", value=str(k)) for k in range(3)], FITS),
    "our metadata, nothing in it": model(
        lambda m: [m.metadata_props.add(key=f"onnxprep.{k}") for k in ("spec", "undo", "seal")]
    ),
    "our metadata twice": model(lambda m: [m.metadata_props.add(key="onnxprep.spec", value=str(k)) for k in range(2)]),
    "our metadata, unknown": model(lambda m: m.metadata_props.add(key="onnxprep.exec", value="os.system")),
    "external data: ../": _outside("../secret.txt"),
    "external data: a/../../": _outside("a/../../secret.txt"),
    "external data: absolute": _outside("/etc/passwd"),
    "external data: of Windows": _outside("C:\\secret.txt"),
    "external data: a device": _outside("/dev/zero"),
    "external data: a link": _outside("link", lambda w: (w / "link").symlink_to(w.parent / "secret.txt")),
    "external data: behind a link": _outside("up/secret.txt", lambda w: (w / "up").symlink_to(w.parent)),
    "external data: a link to a device": _outside("zero", lambda w: (w / "zero").symlink_to("/dev/zero")),
    "external data: a link to itself": _outside("self", lambda w: (w / "self").symlink_to("self")),
    "external data: NUL": _outside("a\0b"),
    "external data: no name": _outside(""),
    "external data: a folder": _outside(".", length="1"),
    "external data: a folder below": _outside("sub", lambda w: (w / "sub").mkdir(), length="1"),
    "external data: a pipe": _outside("pipe", lambda w: os.mkfifo(w / "pipe")),
    "external data: an empty pipe": _outside("pipe", lambda w: os.mkfifo(w / "pipe"), length="0"),
    "external data: the model itself": _outside("model.onnx", offset="0", length="10000000000"),
    "external data: a long name": _outside("a" * 100_000),
    "external data: a deep name": _outside("a/" * 50_000 + "a"),
    "external data: control codes": _outside(CODES),
    "external data: a negative offset": _outside("labels.txt", offset="-5"),
    "external data: an offset of 10**5000": _outside("labels.txt", offset="1" + "0" * 5000),
    "external data: an offset of 10**4000": _outside("labels.txt", offset="1" + "0" * 4000),
    "external data: no number": _outside("labels.txt", offset="0x10", length="1e5"),
    "external data: 20000 files": model(_many_outside, ("check",)),
}
