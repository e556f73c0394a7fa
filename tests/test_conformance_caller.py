"""decode_image, which runs in the caller's program and not in a graph."""

from __future__ import annotations

import io
import json
import zlib
from importlib.metadata import version

import conformance
import numpy as np
import pytest
from PIL import Image

from onnxprep.errors import ContractError, UsageError
from onnxprep.step import Step, catalogue
from onnxprep.tensor import Array, TensorSpec

MAJOR = version("Pillow").partition(".")[0]


def decode(**parameters: object) -> Step:
    like = f"pillow-{MAJOR}"
    return conformance.make(catalogue()["decode_image"][like], like, parameters)


def file(pixels: Array, form: str = "PNG", orientation: int = 0) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(stream, form, exif=exif)
    return stream.getvalue()


PIXELS = np.random.default_rng(1).integers(0, 256, (7, 5, 4), dtype=np.uint8)


@pytest.mark.parametrize(("color", "mode", "channels"), [("RGB", "RGB", 3), ("RGBA", "RGBA", 4), ("GRAY", "L", 1)])
@pytest.mark.parametrize("stored", [PIXELS, PIXELS[..., :3], PIXELS[..., 0]], ids=["rgba", "rgb", "gray"])
def test_pixels_are_pillows(color: str, mode: str, channels: int, stored: Array):
    got = decode(color=color).run(file(stored))
    assert (got.dtype, got.shape) == (np.uint8, (7, 5, channels))
    np.testing.assert_array_equal(got.reshape(7, 5, -1).squeeze(), np.asarray(Image.fromarray(stored).convert(mode)))


def test_a_jpeg_is_decoded_as_by_pillow():
    data = file(PIXELS[..., :3], "JPEG")
    np.testing.assert_array_equal(decode().run(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_orientation_is_applied_only_when_it_is_asked_for():
    data, stored = file(PIXELS[..., :3], "PNG", orientation=6), PIXELS[..., :3]
    np.testing.assert_array_equal(decode().run(data), stored)
    np.testing.assert_array_equal(decode(exif_transpose=True).run(data), np.rot90(stored, -1))


def test_every_parameter_changes_the_pixels():
    data = file(PIXELS[..., :3], "PNG", orientation=6)
    shapes = {decode(**p).run(data).shape for p in ({}, {"color": "GRAY"}, {"exif_transpose": True})}
    assert len(shapes) == 3


@pytest.mark.parametrize("data", [b"", b"no picture", file(PIXELS)[:60], file(PIXELS[..., :3], "JPEG")[:200]])
def test_what_is_no_picture_is_refused(data: bytes):
    with pytest.raises(UsageError, match="not a picture, or a damaged one") as found:
        decode().run(data)
    assert found.value.got.startswith(f"{len(data)} bytes")


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size; it has no pixels."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + bytes([8, 0, 0, 0, 0])) + chunk(b"IDAT", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def test_a_bomb_is_refused_before_it_goes_off():
    with pytest.raises(UsageError):
        decode().run(bomb(20000, 20000))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_does_not_depend_on_pillows_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(UsageError, match="the picture is too large") as found:
        decode().run(bomb(20000, 20000))
    assert found.value.got == "20000 x 20000 px"


def test_another_pillow_is_refused():
    other = "pillow-12" if MAJOR != "12" else "pillow-13"
    with pytest.raises(UsageError, match="needs another Pillow") as found:
        conformance.make(catalogue()["decode_image"][other], other, {}).run(file(PIXELS))
    assert found.value.got == f"Pillow {version('Pillow')}"


def test_parameters_survive_json():
    for parameters in ({}, {"color": "GRAY", "exif_transpose": True}):
        made = decode(**parameters)
        assert decode(**json.loads(made.model_dump_json())) == made
    with pytest.raises(ValueError, match="extra"):
        decode(colour="RGB")


def test_there_is_no_graph():
    made = decode()
    assert type(made).caller
    for refused in (made.infer, lambda spec: made.emit(None, spec), made.oracle):  # type: ignore[arg-type]
        with pytest.raises(ContractError, match="runs in the caller's program") as found:
            refused(TensorSpec("uint8", (None,)))  # type: ignore[arg-type]
        assert found.value.expected == "`where: caller`"
