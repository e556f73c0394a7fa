"""Drawing: answers on the picture that they were found in, what ``onnxprep run --draw`` writes."""

from __future__ import annotations

import colorsys
import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxprep.errors import ContractError, UsageError
from onnxprep.runtime.answers import Answer, ClassMask, Detection, Detections, answered
from onnxprep.runtime.beside import weights
from onnxprep.runtime.files import Draft, check_output, read_model, reason
from onnxprep.runtime.running import Run
from onnxprep.tensor import Array, TensorSpec

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_GOLDEN = (math.sqrt(5) - 1) / 2  # of a turn: hues of neighbouring classes lie far apart
_LONGEST = 40  # characters of a label
_THINNEST, _SMALLEST = 2, 11
"""Lines, px, and letters, px, where the picture is small."""

Color = tuple[int, int, int]


def check_drawing(out: Path, model: Path, read: Sequence[Path], *, force: bool) -> None:
    """Refuses what cannot be drawn to, before anything runs.

    Args:
        out: the picture to be written.
        model: what runs; neither it nor its weights are overwritten.
        read: the files that it runs on, which are not overwritten either.
        force: whether another file may be replaced.

    Raises:
        UsageError: as said, or it is no name of a picture, or Pillow is not installed.
    """
    if out.suffix.lower() not in _FORMATS:
        raise UsageError("is no name of a picture", at=str(out), expected=f"a name that ends in {', '.join(_FORMATS)}")
    _refuse_without_pillow(out)
    beside = weights(read_model(model)[0], model) if os.path.lexists(out) else ()
    check_output(out, [model, *beside, *read], force=force)


def draw_run(runs: Sequence[Run], model: Path, out: Path, *, force: bool) -> None:
    """Writes the picture of the only run with the answers on it.

    Raises:
        UsageError: it ran on several pictures, or on none; the file cannot be written.
        ContractError: no output can be drawn, or what it tells does not lie in the picture.
    """
    if len(runs) != 1:
        raise _several(out, len(runs))
    (run,) = runs
    answers = answered(run.spec, run.outputs).images
    pixels = _picture(run, out)
    drawable = answers[0] if answers else ()
    if not drawable:
        expected = "boxes and counts (or a mask) among the outputs, from steps that this release knows"
        raise ContractError("gives nothing that can be drawn", at=str(model), expected=expected)
    for answer in drawable:
        _refuse_elsewhere(answer, pixels, model)
    made = io.BytesIO()
    try:
        drawing(pixels, drawable).save(made, _FORMATS[out.suffix.lower()])
    except (OSError, ValueError) as error:  # longer sides than the format has
        expected = "a picture that fits the format, or a name that ends in .png"
        raise UsageError(reason(error), at=str(out), expected=expected) from None
    with Draft(out, force=force) as draft:
        draft.write(made.getvalue())
        draft.keep()


def drawing(pixels: Array, answers: Sequence[Answer]) -> Image:
    """Pixels, uint8 [H, W, 3], RGB, with masks laid over them, then boxes, then their names; the best on top."""
    from PIL import Image, ImageDraw  # noqa: PLC0415  # an extra

    for answer in answers:
        if isinstance(answer, ClassMask):
            pixels = _overlaid(pixels, answer.classes)
    found = [one for answer in answers if isinstance(answer, Detections) for one in reversed(answer.found)]
    pixels = np.array(pixels)
    for one in found:
        if one.mask is not None:
            _cover(pixels, one.mask, color_of(one.number))
    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    for part in (_box, _tag):
        for one in found:
            if np.isfinite(one.box).all():
                part(pen, image.size, one)
    return image


def color_of(number: int) -> Color:
    """The colour of a class, always the same."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.85, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def _refuse_without_pillow(out: Path) -> None:
    try:
        import PIL  # noqa: F401, PLC0415  # an extra
    except ImportError:
        raise UsageError("drawing needs Pillow", at=str(out), hint="pip install 'onnxprep[images]'") from None


def _several(out: Path, number: int) -> UsageError:
    expected, hint = "one picture", "call it once for each"
    return UsageError("can show one picture only", at=str(out), expected=expected, got=f"{number} of them", hint=hint)


def _picture(run: Run, out: Path) -> Array:
    """The only picture as RGB, uint8 [H, W, 3], turned as the graph got it."""
    declared_all = run.spec.inputs
    images = {name: tensor for name, tensor in declared_all.items() if tensor.is_image and tensor.dtype == "uint8"}
    if len(images) != 1:
        got = ", ".join(f"{name} {tensor}" for name, tensor in declared_all.items()) or "no input"
        expected = "a spec with one input that is a uint8 image"
        raise UsageError("there is no picture to draw on", at=str(out), expected=expected, got=got)
    ((name, declared),) = images.items()
    array = np.asarray(run.fed[name])
    if str(declared.layout).startswith("N") and len(array) != 1:
        raise _several(out, len(array))
    return _rgb(array, declared)


def _rgb(array: Array, declared: TensorSpec) -> Array:
    layout = str(declared.layout)
    order = [layout.index(letter) for letter in "HWC"]
    pixels = array[0].transpose([k - 1 for k in order]) if layout.startswith("N") else array.transpose(order)
    if declared.color == "BGR":
        return pixels[..., ::-1]
    return pixels.repeat(3, 2) if pixels.shape[2] == 1 else pixels[..., :3]


def _refuse_elsewhere(answer: Answer, pixels: Array, model: Path) -> None:
    if isinstance(answer, Detections) and not answer.scaled:
        raise ContractError(
            "the boxes lie in what the model saw, not in the picture",
            at=str(model),
            expected="a step `scale_boxes` behind the one that selects them",
            hint="export it again: `{scale_boxes: {frame: NAME}}`, NAME being the last step that moves pixels",
        )
    if isinstance(answer, Detections):
        masks = [one.mask for one in answer.found if one.mask is not None]
        what, hint = "the masks are", "`instance_masks: {resolution: picture, frame: NAME}` makes them so"
    else:
        masks = [answer.classes]
        what, hint = (
            f"the mask {answer.name} is",
            "`segmentation_mask` with `frame` brings it back to the picture's size",
        )
    for mask in masks:
        if mask.shape != pixels.shape[:2]:
            expected, got = (f"{shape[1]} x {shape[0]} px" for shape in (pixels.shape, mask.shape))
            raise ContractError(
                f"{what} not as large as the picture", at=str(model), expected=expected, got=got, hint=hint
            )


def _overlaid(pixels: Array, classes: Array) -> Array:
    """Half picture, half the colour of the class; the first class, which often is none, is black."""
    numbers, index = np.unique(classes, return_inverse=True)
    colors = np.array([color_of(int(number)) if number else (0, 0, 0) for number in numbers], np.uint16)
    return ((pixels + colors[index.reshape(classes.shape)]) // 2).astype(np.uint8)


def _cover(pixels: Array, mask: Array, color: Color) -> None:
    """Half picture, half the colour, where the mask is; in place."""
    there = mask != 0
    pixels[there] = (pixels[there].astype(np.uint16) + np.array(color, np.uint16)) // 2


def _box(pen: ImageDraw, size: tuple[int, int], one: Detection) -> None:
    """The outline of a box, inside of it."""
    thick = max(_THINNEST, round(min(size) / 200))
    pen.rectangle(_pixels(one.box, size), outline=color_of(one.number), width=thick)


def _tag(pen: ImageDraw, size: tuple[int, int], one: Detection) -> None:
    """Label and score, above the box, or in it where there is no room."""
    from PIL import ImageFont  # noqa: PLC0415  # an extra

    name = "".join(c if c.isprintable() else "?" for c in one.label[:_LONGEST])
    text = " ".join(filter(None, (name, "" if one.score is None else f"{one.score:.2f}")))
    if not text:
        return
    color, (left, top, _, _) = color_of(one.number), _pixels(one.box, size)
    font = ImageFont.load_default(max(_SMALLEST, round(min(size) / 30)))
    _, _, width, height = (math.ceil(at) for at in pen.textbbox((0, 0), text, font))
    x = max(0, min(left, size[0] - width - 4))
    y = top - height - 3 if top >= height + 3 else min(top, size[1] - height - 3)
    pen.rectangle((x, y, x + width + 3, y + height + 2), fill=color)
    pen.text((x + 2, y + 1), text, fill=_readable(color), font=font)


def _pixels(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """First and last column and row that a box touches, inside the picture."""
    edges = []
    for k in (0, 1):
        low, high = sorted((box[k], box[k + 2]))
        first = min(max(math.floor(low), 0), size[k] - 1)
        edges.append((first, min(max(math.ceil(high) - 1, first), size[k] - 1)))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _readable(color: Color) -> Color:
    bright = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
    return (0, 0, 0) if bright else (255, 255, 255)
