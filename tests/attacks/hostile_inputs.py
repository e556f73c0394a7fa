"""Pictures, arrays and arguments that try to hurt."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from attack import OUT, Attack

_RUN = "run exported.onnx {0}"
_GOLDEN = f"export model.onnx --spec spec.yaml -o {OUT} --golden {{0}}"
_GOLDEN_TWICE = _GOLDEN + " --golden {0}"
_EXPECT = f"export model.onnx --spec spec.yaml -o {OUT} --golden input --expect to_layout={{0}}"


def given(name: str, put: Callable[[Path], object], *commands: str) -> Attack:
    return Attack(put, tuple(command.format(name) for command in commands or (_GOLDEN, _RUN)))


def array(content: bytes) -> Attack:
    return given("a.npy", lambda work: (work / "a.npy").write_bytes(content), _GOLDEN, _EXPECT, _RUN)


def header(text: str, version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin-1", "replace")


def described(descr: str = "'|u1'", order: str = "False", shape: str = "(1, 64, 64, 3)", content: bytes = b"") -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n") + content


def picture(content: bytes) -> Attack:
    return given("a.png", lambda work: (work / "a.png").write_bytes(content))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, content: bytes = b"", *more: bytes) -> bytes:
    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + b"".join(more) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def saved(made: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, made, allow_pickle=True)
    return stream.getvalue()


class _Owned:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(owned) (w) file closefile\n%%EOF\n"
ARRAYS = {
    "10**12 bytes": described(shape="(1000000, 1000000)"), "10**5000 bytes": described(shape=f"(1{'0' * 5000},)"),
    "10**18 axes' worth": described(shape="(" + "1000000, " * 30 + ")"), "negative": described(shape="(-1, 64, 64, 3)"),
    "two negative": described(shape="(-1, -64, 64, 3)", content=bytes(64 * 64 * 3)), "1000 axes": described(shape="(" + "1, " * 1000 + ")", content=b"a"),
    "pickle": saved(np.array([_Owned()], object)), "objects": described("'|O'", content=b"\x80\x04."), "a bare pickle": b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.",
    "a structure": described("[('a', '<i4'), ('b', '|O')]", content=bytes(100)), "a deep structure": described("[('a', " * 500 + "'<i4'" + ")]" * 500),
    "fortran order": described(order="True", content=bytes(5)), "fortran order of text": described(order="'yes'", content=bytes(64 * 64 * 3)),
    "code": described(shape="__import__('os').system('touch owned')"), "deep": header("(" * 5000 + ")" * 5000), "a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    "a header of 1 MB": header("{" + " " * 10**6 + "}", 2), "another version": header("{}", 3)[:6] + b"\xff\xff", "a ZIP": b"PK\x03\x04" + bytes(500),
    "empty": b"", "cut": described()[:20], "longer": described(content=bytes(10**6)), "text of nothing": described("'<U0'", content=b""),
    "text that is none": described("'<U1'", shape="(3,)", content=b"\xff" * 12), "dates": described("'<M8[ns]'", shape="(1,)", content=bytes(8)),
    "control codes": header("\x1b[31m\n\x9bFORGED"), "commas": described("'" + "," * 500 + "'"),
}  # fmt: skip
PICTURES = {
    "60000 x 60000": png(60_000, 60_000), "2**31 x 2**31": png(2**31 - 1, 2**31 - 1), "0 x 0": png(0, 0), "no data": png(64, 64),
    "20000 x 20000, deflated": png(20_000, 20_000, bytes(10**6)), "cut": png(64, 64, bytes(12_352))[:60], "empty": b"",
    "a text of 1 GB": png(64, 64, b"", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))),
    "a profile of 100 MB": png(64, 64, b"", chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8)))),
    "PostScript": EPS, "PDF": b"%PDF-1.7\n", "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "a GIF of 65535 x 65535": b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
    "a BMP that lies": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 2**30, -(2**30), 1, 24, 0, 0, 0, 0, 0, 0),
    "a TIFF in a circle": b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 256, 4, 1, 60_000) + struct.pack("<I", 8),
    "a WebP that lies": b"RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f" + bytes(30), "JPEG 65535 x 65535": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x22\0\x02\x11\1\x03\x11\1\xff\xda",
    "control codes": b"\x1b]0;owned\x07" * 100, "a pickle": b"\x80\x04cos\nsystem\n(S'touch owned'\ntR.", "a model": b"\x08\x08",
}  # fmt: skip
NAMES = {
    "no such input": given("nobody=input", lambda _: None), "twice": given("image=input", lambda _: None, _GOLDEN_TWICE, _RUN + " {0}"),
    "a device": given("/dev/zero", lambda _: None), "a device by name": given("image=/dev/zero", lambda _: None),
    "an array device": given("zero.npy", lambda work: (work / "zero.npy").symlink_to("/dev/zero")),
    "the environment": given("/proc/self/environ", lambda _: None), "a folder": given(".", lambda _: None),
    "nothing": given("image=", lambda _: None), "=": given("=", lambda _: None), "==": given("image==input", lambda _: None),
    "a long name": given("a" * 10_000, lambda _: None), "a deep name": given("a/" * 5_000, lambda _: None),
    "control codes": given("\x1b[31m\x9b=\u202e", lambda _: None), "half a surrogate pair": given("\udcff", lambda _: None),
    "a link to itself": given("self", lambda work: (work / "self").symlink_to("self")),
}  # fmt: skip
DEVICES = {
    f"{what} is a device": Attack(lambda _: None, (command,))
    for what, command in {
        "the model": "inspect /dev/zero", "the model to check": "check spec.yaml --model /dev/zero", "the spec": "check /dev/zero",
        "the model to strip": f"strip /dev/zero -o {OUT}", "the model to verify": "verify /dev/zero", "the model to run": "run /dev/zero input",
        "the output": "export model.onnx --spec spec.yaml -o /dev/null --no-run --force",
    }.items()
}  # fmt: skip
CASES: Mapping[str, Attack] = {
    **{f"array: {name}": array(content) for name, content in ARRAYS.items()},
    **{f"picture: {name}": picture(content) for name, content in PICTURES.items()},
    **{f"argument: {name}": attack for name, attack in NAMES.items()},
    **{f"argument: {name}": attack for name, attack in DEVICES.items()},
}
