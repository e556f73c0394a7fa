"""Specs that try to hurt."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx
from attack import CHECK, DEMO, EXPORT, ON_SPEC, PLAN, Attack
from onnx import TensorProto, helper

HEAD = """onnxprep: 1
like: torchvision-v1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
"""
GOOD = (DEMO / "spec.yaml").read_text()
FIXED = HEAD.replace("N, H, W, 3", "1, 64, 64, 3")
SHOWN = "\x1b]0;owned\x07\x1b[2J\x1b]8;;http://x\x07link\x1b]8;;\x07\u202e[red]\u200b\x9b1m\x7f\nFORGED: ok"


def text(content: str | bytes, *commands: str, accepted: tuple[str, ...] = ()) -> Attack:
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return Attack(lambda work: (work / "spec.yaml").write_bytes(data), commands or ON_SPEC, accepted)


def steps(*items: str, head: str = HEAD, tail: str = "", accepted: tuple[str, ...] = ()) -> Attack:
    return text(head + "preprocess:\n" + "".join(f"  - {item}\n" for item in items) + tail, accepted=accepted)


def named(name: str) -> Attack:
    """A name, wherever a spec can hold one."""
    quoted = '"' + "".join(f"\\U{ord(c):08x}" for c in name) + '"'
    return text(
        f"onnxprep: 1\nname: {quoted}\ninputs: [{{name: {quoted}, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}}]\n"
        f"preprocess:\n  - {{operation: rescale, like: {quoted}, name: {quoted}, inputs: [{quoted}], outputs: [{quoted}]}}\n"
        f"outputs: [{quoted}]\nprovenance: {{{quoted}: {quoted}}}\n"
    )


def value(name: str) -> Attack:
    """A name of a value, which may be any printable text."""
    quoted = '"' + "".join(f"\\U{ord(c):08x}" for c in name) + '"'
    return text(
        GOOD.replace("name: image", f"name: {quoted}") + f"\nname: {quoted}\nprovenance: {{{quoted}: {quoted}}}\n", accepted=("",)
    )  # fmt: skip


def file(name: str, put: Callable[[Path], object] = lambda _: None, accepted: tuple[str, ...] = ()) -> Attack:
    """A spec that wants a file which is none of its business."""

    def write(work: Path) -> None:
        (work / "spec.yaml").write_text(GOOD.replace("labels.txt", name))
        put(work)

    return Attack(write, ON_SPEC, accepted)


def labels(data: bytes, accepted: tuple[str, ...] = (CHECK,)) -> Attack:
    return Attack(lambda work: (work / "labels.txt").write_bytes(data), ON_SPEC, accepted)


def flat(work: Path) -> None:
    """As many lengths as the model declares."""
    names = ", ".join(f"d{i}" for i in range(20_000))
    (work / "spec.yaml").write_text(f"onnxprep: 1\ninputs: [{{name: x, dtype: float32, shape: [{names}]}}]\n")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [f"e{i}" for i in range(20_000)])
    _save(work, [x])


def wide(work: Path) -> None:
    """As many inputs as the model has."""
    inputs = "".join(f"  - {{name: x{i}, dtype: float32, shape: [a{i}, b{i}]}}\n" for i in range(20_000))
    (work / "spec.yaml").write_text("onnxprep: 1\ninputs:\n" + inputs)
    _save(work, [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, [f"c{i}", f"d{i}"]) for i in range(20_000)])


def _save(work: Path, inputs: list[onnx.ValueInfoProto]) -> None:
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Identity", [inputs[0].name], ["y"])], "g", inputs, [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), work / "model.onnx")


def bomb(levels: int = 9) -> str:
    lines = ['a0: &a0 ["lol","lol","lol"]']
    lines += [f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 9)}]" for k in range(1, levels)]
    return "\n".join(lines) + "\n"


def _link(work: Path) -> None:
    (work / "link").symlink_to(work.parent / "secret.txt")


def _link_to_folder(work: Path) -> None:
    (work / "up").symlink_to(work.parent)


BIG = 10 * 2**20
TEXTS: Mapping[str, Attack] = {
    "billion laughs": text(bomb() + HEAD),
    "anchors": text(HEAD + "preprocess: &a [rescale]\npostprocess: *a\n"),
    "an anchor inside itself": text("&a [*a]\n"),
    "merge keys": text(HEAD + "model: {<<: {inputs: {a: b}}}\n"),
    "a Python object": text("!!python/object/apply:os.system ['touch owned']\n"),
    "a Python object in a field": text(HEAD + "name: !!python/object/apply:os.system ['touch owned']\n"),
    "a Python name": text(HEAD + "name: !!python/name:os.system\n"),
    "a tag of its own": text("%TAG ! tag:x,2000:\n---\n" + HEAD + "name: !x 1\n"),
    "a YAML version": text("%YAML 9.9\n---\n" + HEAD),
    "10 MB of one text": text(HEAD + f'name: "{"a" * BIG}"\n'),
    "8 MB of one text": text(HEAD + f'name: "{"a" * (BIG * 4 // 5 - 200)}"\n', accepted=(CHECK,)),
    "7 MB of operation": text(HEAD + f"preprocess: [{'a' * 7_000_000}]\n"),
    "7 MB of key": text(HEAD + f"{'a' * 7_000_000}: 1\n"),
    "7 MB of short values": text(HEAD + f"preprocess: [{'a,' * 3_500_000}]\n"),
    "7 MB of empty lists": text(HEAD + f"preprocess: [{'[],' * 2_300_000}]\n"),
    "7 MB of lines": text(HEAD + "preprocess:\n" + "- a\n" * 1_700_000),
    "7 MB of steps": text(HEAD + "preprocess:\n" + "- rescale\n" * 700_000),
    "10000 steps": text(HEAD + "preprocess:\n" + "- invert\n" * 10_000),
    "7 MB of JSON": text('{"onnxprep": 1, "preprocess": [' + '"rescale",' * 700_000 + '"rescale"]}'),
    "7 MB of numbers": text(HEAD + f"preprocess: [{'1e5,' * 1_700_000}]\n"),
    "7 MB of keys": text(HEAD + "".join(f"a{k}: 1\n" for k in range(650_000))),
    "7 MB of provenance": text(HEAD + "provenance:\n" + "".join(f"  a{k}: b\n" for k in range(500_000))),
    "7 MB of line feeds": text("\n" * 7_000_000),
    "7 MB of blanks": text(HEAD + "name:" + " " * 7_000_000 + "x\n", accepted=(CHECK,)),
    "7 MB of hashes": text("#" * 7_000_000),
    "deep flow lists": text("[" * 1_000_000),
    "deep flow mappings": text("{a: " * 1_000_000),
    "deep block lists": text("- " * 1_000_000),
    "deep block mappings": text("".join(" " * k + "a:\n" for k in range(2500))),
    "deep JSON": text('{"onnxprep":' * 500_000),
    "deep JSON, closed": text('{"onnxprep":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "complex keys": text("? " * 500_000),
    "duplicate keys": text(HEAD + "name: a\nname: b\n"),
    "duplicate keys, deep": text(HEAD + "preprocess: [{rescale: {like: numpy, like: numpy}}]\n"),
    "duplicate keys, JSON": text('{"onnxprep": 1, "onnxprep": 1}'),
    "two documents": text(HEAD + "---\n" + HEAD),
    "not a number": text(HEAD + "preprocess: [{normalize: {mean: [.nan], std: [.inf]}}]\n"),
    "1e400": text(HEAD + "preprocess: [{normalize: {mean: [1e400], std: [1]}}]\n"),
    "10 ** 5000": text(HEAD + f"preprocess: [{{center_crop: {{size: 1{'0' * 5000}}}}}]\n"),
    "10 ** 300": text(HEAD + f"preprocess: [{{center_crop: {{size: 1{'0' * 300}}}}}]\n"),
    "10 ** 5000 as the format": text(f"onnxprep: 1{'0' * 5000}\n"),
    "a megabyte of digits": text(HEAD + f"name: {'1' * 1_000_000}\n"),
    "a megabyte of digits and an exponent": text(HEAD + f"name: {'1' * 1_000_000}e5\n"),
    "hexadecimal digits": text(HEAD + f"name: 0x{'f' * 1_000_000}\n"),
    "NaN in JSON": text('{"onnxprep": NaN}'),
    "10 ** 5000 in JSON": text('{"onnxprep": 1' + "0" * 5000 + "}"),
    "half a surrogate pair": text('{"onnxprep": 1, "name": "\\ud800"}'),
    "half a surrogate pair as bytes": text(HEAD + "name: \ud800\n"),
    "NUL": text(b"onnxprep: 1\x00\n"),
    "NUL, escaped": text(HEAD + 'name: "a\\0b"\n', accepted=("",)),
    "control codes": text(HEAD + '"\\e]0;owned\\a\\nFORGED": "\\e[31m"\n'),
    "control codes in JSON": text('{"onnxprep": 1, "\\u001b[2J\\u009b\\nFORGED": 1}'),
    "UTF-16": text(HEAD.encode("utf-16")),
    "UTF-16 without a mark": text(HEAD.encode("utf-16-le")),
    "random bytes": text(bytes(range(256)) * 100),
    "a ZIP": text(b"PK\x03\x04" + bytes(100)),
    "a model": Attack(lambda work: (work / "spec.yaml").write_bytes((work / "model.onnx").read_bytes()), ON_SPEC),
}

FILES: Mapping[str, Attack] = {
    "file: ../": file("../secret.txt"),
    "file: a/../../": file("a/../../secret.txt"),
    "file: absolute": file("/etc/passwd"),
    "file: of Windows": file("..\\\\secret.txt"),
    "file: a device": file("/dev/zero"),
    "file: the environment": file("/proc/self/environ"),
    "file: a link outside": file("link", _link),
    "file: behind a link": file("up/secret.txt", _link_to_folder),
    "file: a link to a device": file("zero", lambda work: (work / "zero").symlink_to("/dev/zero")),
    "file: a link to itself": file("self", lambda work: (work / "self").symlink_to("self")),
    "file: a folder": file("."),
    "file: a folder below": file("sub", lambda work: (work / "sub").mkdir()),
    "file: a pipe": file("pipe", lambda work: os.mkfifo(work / "pipe")),
    "file: the spec": file("spec.yaml", accepted=(CHECK,)),
    "file: the model": file("model.onnx"),
    "file: NUL": file('"a\\0b"'),
    "file: nothing": file('""'),
    "file: a name of 1 MB": file("a" * 1_000_000),
    "file: a deep name": file("a/" * 100_000 + "a"),
    "file: a digest": file("sha256:" + "0" * 64),
    "file: a URL": file("https://example.org/labels.txt"),
    "file: control codes": file('"\\e[31m\\nFORGED"'),
    "file: $HOME": file("$HOME/.bashrc"),
    "file: ~": file("~root/.bashrc"),
    "labels: 10**6 lines": labels(b"a\n" * 10**6),
    "labels: 4 * 10**6 lines": labels(b"a\n" * 4_190_000),
    "labels: 9 MB": labels(b"a" * 9_000_000),
    "labels: one line of 8 MB": labels(b"a" * 8_000_000),
    "labels: a sparse gigabyte": Attack(lambda work: os.truncate(work / "labels.txt", 2**30), ON_SPEC),
    "labels: not UTF-8": labels(b"a\n\xff\xfe\n"),
    "labels: a mark and CRLF": labels(b"\xef\xbb\xbf" + b"\r\n".join(b"%d" % k for k in range(30)) + b"\r\n", ("",)),
    "labels: NUL": labels(b"\n".join(b"a\0%d" % k for k in range(30)), ("",)),
    "labels: control codes": labels(b"\n".join(b"\x1b[31m\x07\r%d" % k for k in range(30)), ("",)),
    "labels: control codes, too few": labels(b"\x1b]0;x\x07\nFORGED\x9b\n"),
    "labels: empty": labels(b""),
    "labels: empty lines": labels(b"\n" * 1_000_000),
}

NAMES: Mapping[str, Attack] = {
    f"name: {what}": named(name)
    for what, name in {
        "slashes": "a/../../b", "ours": "onnxprep/pre.0.x/..", "quotes": "a'\"`b", "NUL": "a\0b", "a line feed": "a\nFORGED",
        "right to left": "a\u202egpj.b", "zero width": "a\u200b\u2060\ufeff", "an escape": "\x1b[31m", "C1": "\x9b31m",
        "markup": "[red]{{}}${x}%s%n", "huge": "a" * 100_000, "tags": "\U000e0041\U000e007f", "blanks": " \u3000\u2003",
        "a noncharacter": "\uffff\U0010ffff",
    }.items()
}  # fmt: skip
VALUES: Mapping[str, Attack] = {
    f"value: {what}": value(name)
    for what, name in {
        "slashes": "../../etc/passwd", "quotes": "a'\"`b$(x)", "homoglyphs": "im\u0430ge", "combining": "a" + "\u0301" * 150,
        "markup": "[red]b[/red]", "a format": "{0.__class__}%s%n", "an option": "--force", "equals": "image=image",
        "right to left": "\u05d0\u0627", "ours": "onnxprep/pre.0.x/..", "the model's": "pixel_values", "everything shown": SHOWN,
    }.items()
}  # fmt: skip

FLOW: Mapping[str, Attack] = {
    "a step that reads itself": steps("{operation: rescale, name: a, inputs: [a]}"),
    "two steps that read each other": steps(
        "{operation: rescale, name: a, inputs: [b]}", "{operation: rescale, name: b, inputs: [a]}"
    ),
    "a caller that reads itself": steps("{operation: x, where: caller, inputs: [a], outputs: [a]}", "rescale"),
    "callers in a circle": steps(
        "{operation: x, where: caller, inputs: [a], outputs: [b]}",
        "{operation: y, where: caller, inputs: [b], outputs: [a]}",
    ),
    "a postprocess step that reads itself": text(
        GOOD.replace("inputs: [top_k.indices]", "inputs: [labels]"), accepted=(CHECK,)
    ),
    "an output of itself": text(GOOD + "model: {outputs: {labels: labels}}\n", accepted=(CHECK,)),
    "a shape of 20000 axes": Attack(flat, ON_SPEC),
    "20000 inputs": Attack(wide, (CHECK, PLAN, "check spec.yaml --model model.onnx"), ("",)),
    "a shape beyond all": steps(
        "rescale", head=HEAD.replace("N, H, W", "2147483647, 2147483647, 2147483647"), accepted=("",)
    ),
    "a negative shape": steps("rescale", head=HEAD.replace("N, H", "N, -5")),
    "a shape of 0": steps("rescale", head=HEAD.replace("N, H", "N, 0")),
    "a shape of 10 ** 30": steps("rescale", head=HEAD.replace("N, H", "N, 1" + "0" * 30)),
    "an operation that is a function": steps("os.system: {command: touch owned}"),
    "an operation that is a module": steps("{operation: antigravity, parameters: {}}"),
    "an operation that is a dunder": steps("__class__", "{operation: __init__}", "{model_validate_json: {}}"),
    "parameters that are dunders": steps("rescale: {__class__: 1, __init__: 2, emit: 3, operation: x}"),
}

_BIG = "1000000"
SIZES: Mapping[str, Attack] = {
    f"{what}{where}": steps(*items, "rescale", "to_layout: {layout: NCHW}", head=head, accepted=("",))
    for where, head in {"": HEAD, ", fixed": FIXED}.items()
    for what, items in {
        "resize to 10**12 pixels": [f"resize: {{size: [{_BIG}, {_BIG}], interpolation: lanczos, like: pillow-13}}"],
        "resize to 10**18 pixels": ["resize: {size: [1000000000, 1000000000], interpolation: bilinear, like: pillow-13}"],
        "resize by OpenCV": [f"resize: {{size: [{_BIG}, {_BIG}], interpolation: lanczos4, like: opencv-5}}"],
        "resize by torch": [f"resize: {{size: [{_BIG}, {_BIG}], interpolation: bilinear, antialias: true, like: torchvision-v2}}"],
        "resize by Keras": [f"resize: {{size: [{_BIG}, {_BIG}], interpolation: bicubic, like: keras}}"],
        "resize of the shorter edge": [f"resize: {{size: {_BIG}, interpolation: bicubic, like: pillow-13}}"],
        "pad": [f"pad: {{padding: {_BIG}, like: torchvision-v1}}"],
        "pad most": ["pad: {padding: 16777215, padding_mode: edge, like: torchvision-v1}"],
        "pad to a size": ["pad_to_size: {size: [2000000000, 2000000000], like: numpy}"],
        "letterbox": [f"letterbox: {{size: {_BIG}, like: ultralytics, resize_like: opencv-5}}"],
        "a crop": ["center_crop: {size: 2000000000}"],
        "a median": ["median_blur: {kernel_size: 255, like: opencv-5}"],
        "a huge median": ["median_blur: {kernel_size: 1000001, like: opencv-5}"],
        "a Gaussian": ["gaussian_blur: {kernel_size: 1000001, sigma: 100000, like: opencv-5}"],
        "a huge Gaussian": ["gaussian_blur: {kernel_size: 2000000001, sigma: 1.0e300, like: torchvision-v1}"],
        "a Gaussian of Pillow": ["gaussian_blur: {radius: 1.0e30, like: pillow-13}"],
        "a box": ["box_blur: {kernel_size: 1000001, like: opencv-5}"],
        "a box of Pillow": ["box_blur: {radius: 1.0e30, like: pillow-13}"],
        "a warp": [f"warp_affine: {{matrix: [[1.0e300, 0, 0], [0, 1.0e-300, 0]], size: [{_BIG}, {_BIG}], like: opencv-5}}"],
    }.items()
}  # fmt: skip

CASES: Mapping[str, Attack] = {**TEXTS, **FILES, **NAMES, **VALUES, **FLOW, **SIZES}
__all__ = ["CASES", "CHECK", "EXPORT"]
