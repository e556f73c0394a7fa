"""decode_image: a picture file to pixels, in the caller's program."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, Literal, NoReturn

import numpy as np

from onnxprep.errors import ContractError, UsageError
from onnxprep.step import Case, Claim, Ops, Step, Value, parameter
from onnxprep.tensor import Array, Tensor, TensorSpec

_MOST_PIXELS = 178_956_970  # where Pillow stops warning of a decompression bomb and refuses
_MODES = {"RGB": "RGB", "RGBA": "RGBA", "GRAY": "L"}


class DecodeImage(Step):
    """``y = asarray(Image.open(x).convert(mode))``, run by the caller: no graph decodes a file.

    Input: the bytes of a picture file.
    Output: uint8 [H, W, C], HWC, in the wanted colour.
    Rounds: as Pillow and the decoder that came with it do.
    Source: Pillow, Image.open and Image.convert; ImageOps.exif_transpose before that where it is asked for.
    Raises: UsageError where the bytes are no picture, a truncated one or one of more than 178 956 970 pixels, or where
        the Pillow of this family is not installed; ContractError where a graph is to be made of it.
    """

    operation: ClassVar[str] = "decode_image"
    claims: ClassVar = {
        "pillow-13": Claim("Pillow", ">=13,<14", "Image.open(x).convert(mode)"),
        "pillow-12": Claim("Pillow", ">=12,<13", "Image.open(x).convert(mode)"),
    }
    caller: ClassVar[bool] = True

    color: Literal["RGB", "GRAY", "RGBA"] = parameter("what Pillow converts to; from RGBA to RGB it drops alpha", "RGB")
    exif_transpose: bool = parameter("whether the orientation that the file declares is applied", default=False)

    def run(self, data: bytes) -> Array:
        """The pixels.

        Raises:
            UsageError: the bytes are no picture that can be decoded, or another Pillow is installed.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            what = f"{type(data).__name__} {str(data)[:80]!r}" if isinstance(data, str) else type(data).__name__
            _refuse("not the content of a picture file", what, "its bytes, as `Path(...).read_bytes()` gives them")
        self._refuse_other_pillow()
        from PIL import Image, ImageOps, UnidentifiedImageError

        damage = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
        try:
            with quiet(), Image.open(io.BytesIO(data), formats=safe_formats()) as picture:
                width, height = picture.size
                if width * height > _MOST_PIXELS:
                    _refuse("the picture is too large", f"{width} x {height} px", f"at most {_MOST_PIXELS} px")
                turned = ImageOps.exif_transpose(picture) if self.exif_transpose else picture
                pixels = np.asarray(turned.convert(_MODES[self.color]))
        except damage as error:
            why = "of no known format" if isinstance(error, UnidentifiedImageError) else f"({error})"
            _refuse("not a picture, or a damaged one", f"{len(data)} bytes {why}", "a picture file that Pillow reads")
        return pixels.reshape(*pixels.shape[:2], -1)

    def _refuse_other_pillow(self) -> None:
        wanted = self.like.removeprefix("pillow-")
        try:
            installed = version("Pillow")
        except PackageNotFoundError:
            installed = "none"
        if installed.partition(".")[0] != wanted:
            raise UsageError(
                f"decode_image like {self.like} needs another Pillow",
                expected=f"Pillow {wanted}",
                got=f"Pillow {installed}",
                hint=f"pip install 'pillow>={wanted},<{int(wanted) + 1}'",
            )

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:  # noqa: ARG002
        """There is no tensor to begin with.

        Raises:
            ContractError: always.
        """
        _refuse_graph()

    def emit(self, op: Ops, *inputs: Value) -> Value:  # noqa: ARG002
        """No nodes.

        Raises:
            ContractError: always.
        """
        _refuse_graph()

    def oracle(self, *inputs: Tensor) -> Array:  # noqa: ARG002
        """``run`` is Pillow itself.

        Raises:
            ContractError: always.
        """
        _refuse_graph()

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """None: there is no graph to compare."""
        return iter(())


def safe_formats() -> list[str]:
    """Pillow's formats but those that it has other programs read: Ghostscript, for one, would run what the file says."""
    from PIL import Image

    Image.init()
    return [name for name in Image.ID if name not in ("EPS", "WMF", "BUFR", "GRIB", "HDF5")]


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow warns of damaged and of large pictures before it refuses them; only the refusal counts here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refuse(problem: str, got: str, expected: str) -> NoReturn:
    raise UsageError(problem, expected=expected, got=got)


def _refuse_graph() -> NoReturn:
    raise ContractError(
        "decode_image runs in the caller's program",
        expected="`where: caller`",
        got="a step of the graph",
        hint="decode first and feed the pixels; onnxprep's own runtime does both",
    )
