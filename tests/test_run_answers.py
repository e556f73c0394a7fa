"""``onnxprep run``: answers as tables, and drawn on the picture."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from demo import PICTURE as DIGIT
from demo import exported as digits
from detector import FOLDER, LABELS, SPEC, expected, exported, giving, picture, pixels, raw
from PIL import Image

from onnxprep.cli import main
from onnxprep.runtime.answers import ClassMask, Detection, Detections, answered
from onnxprep.runtime.drawing import color_of, drawing
from onnxprep.spec.document import Spec
from onnxprep.tensor import Array


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds in every picture what the network found in the wide one."""
    folder = tmp_path_factory.mktemp("answers")
    return exported(folder / "out.onnx", giving(folder, raw("wide")))


@pytest.fixture(scope="module")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finds nothing anywhere."""
    folder = tmp_path_factory.mktemp("blind")
    return exported(folder / "out.onnx", giving(folder, raw("wide") * np.float32(0)))


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def good(*arguments: str | Path) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def refused(*arguments: str | Path) -> str:
    result = call(*arguments)
    assert result.exit_code in (2, 4), (result.stdout, result.exception)
    return f"{result.exit_code} {result.stderr[result.stderr.index('error:') :]}"


def with_spec(folder: Path, *changes: tuple[str, str], answer: Array | None = None) -> Path:
    """An export of a changed spec, whose labels are written out."""
    text = SPEC.read_text("utf-8").replace("file: labels.txt", f"names: [{', '.join(LABELS)}]")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return exported(folder / "changed.onnx", giving(folder, raw("wide") if answer is None else answer), text)


# tables ---------------------------------------------------------------------------------------------------------------


def test_detections_are_rows(model: Path) -> None:
    wanted = expected("wide")
    name, head, *rows = good("run", model, picture("wide")).splitlines()
    assert name == str(picture("wide"))
    assert head.split()[:6] == ["label", "score", "x1", "y1", "x2", "y2"]
    assert head.endswith("px of the picture")
    assert [row.split() for row in rows] == [
        [LABELS[number], f"{score:.4f}", *(f"{at:.1f}" for at in box)]
        for number, score, box in zip(wanted["classes"], wanted["scores"], wanted["boxes"], strict=True)
    ]


def test_json_is_every_output_as_before(model: Path) -> None:
    outputs = json.loads(good("run", model, picture("wide"), "--json"))[0]["outputs"]
    assert {name: len(value[0]) if isinstance(value[0], list) else 1 for name, value in outputs.items()} == {
        "labels": 50, "nms.scores": 50, "scale_boxes": 50, "nms.counts": 1,
    }  # fmt: skip


def test_nothing_found_is_a_row(blind: Path) -> None:
    lines = good("run", blind, picture("small")).splitlines()
    assert [line.strip() for line in lines[2:]] == ["nothing found"]


def test_every_image_of_a_batch_has_a_table(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "batch.npy", np.stack([pixels("wide")] * 2))
    lines = [line.strip() for line in good("run", model, tmp_path / "batch.npy").splitlines()]
    first, second = lines.index("image 0"), lines.index("image 1")
    assert lines[first + 1 : second] == lines[second + 1 :]
    assert len(lines[second + 1 :]) == 1 + len(expected("wide")["boxes"])


def test_without_the_way_back_the_table_says_so(tmp_path: Path) -> None:
    changes = ("  - scale_boxes: {frame: letterbox, like: ultralytics}\n", ""), ("scale_boxes, ", "nms.boxes, ")
    plain = with_spec(tmp_path, *changes)
    head, *rows = good("run", plain, picture("wide")).splitlines()[1:]
    assert head.endswith("as the model gives it")
    assert len(rows) == len(expected("wide")["boxes"])
    message = refused("run", plain, picture("wide"), "--draw", tmp_path / "drawn.png")
    assert message.startswith(f"4 error: {plain}: the boxes lie in what the model saw, not in the picture")
    assert not (tmp_path / "drawn.png").exists()


def test_numbers_of_classes_where_there_are_no_names(tmp_path: Path) -> None:
    numbered = with_spec(tmp_path, ("outputs: [labels", "outputs: [nms.classes"))
    rows = good("run", numbered, picture("wide")).splitlines()[2:]
    assert [row.split()[0] for row in rows] == [str(number) for number in expected("wide")["classes"]]


PACK = "  - {operation: pack_detections, inputs: [scale_boxes, nms.scores, nms.classes, nms.counts], parameters: {layout: LAYOUT}}\n"


@pytest.mark.parametrize("layout", ["fixed", "variable"])
@pytest.mark.parametrize(("told", "counts"), [("labels, ", ", pack_detections.counts"), ("", "")])
def test_packed_detections_are_the_same_rows(layout: str, told: str, counts: str, model: Path, tmp_path: Path) -> None:
    ways = ("  - {operation: labels", PACK.replace("LAYOUT", layout) + "  - {operation: labels")
    outputs = ("[labels, nms.scores, scale_boxes, nms.counts]", f"[{told}pack_detections.detections{counts}]")
    packed = good("run", with_spec(tmp_path, ways, outputs), picture("wide")).splitlines()
    rows = [row.split() for row in good("run", model, picture("wide")).splitlines()[1:]]
    if not told:
        rows[1:] = [[str(LABELS.index(name)), *row] for name, *row in rows[1:]]
    assert [row.split() for row in packed[1:]] == rows
    if told:
        good("run", tmp_path / "changed.onnx", picture("wide"), "--draw", tmp_path / "packed.png")
        good("run", model, picture("wide"), "--draw", tmp_path / "boxes.png")
        assert (tmp_path / "packed.png").read_bytes() == (tmp_path / "boxes.png").read_bytes()


@pytest.mark.parametrize("layout", ["fixed", "variable"])
def test_packed_and_nothing_found(layout: str, tmp_path: Path) -> None:
    ways = ("  - {operation: labels", PACK.replace("LAYOUT", layout) + "  - {operation: labels")
    outputs = ("[labels, nms.scores, scale_boxes, nms.counts]", "[pack_detections.detections]")
    none = with_spec(tmp_path, ways, outputs, answer=raw("wide") * np.float32(0))
    lines = good("run", none, picture("wide")).splitlines()
    assert [line.strip() for line in lines[2:]] == ["nothing found"]


def test_boxes_scaled_before_they_are_selected(tmp_path: Path, model: Path) -> None:
    changes = (
        ("  - scale_boxes: {frame: letterbox, like: ultralytics}\n", ""),
        ("  - nms:", "  - {operation: scale_boxes, inputs: [decode_boxes.boxes], parameters: {frame: letterbox, like: ultralytics}}\n  - nms:"),
        ("scale_boxes, ", "nms.boxes, "),
    )  # fmt: skip
    early = with_spec(tmp_path, *changes[::-1])
    head, *rows = good("run", early, picture("wide")).splitlines()[1:]
    assert head.endswith("px of the picture")
    assert len(rows) == len(expected("wide")["boxes"])


@pytest.mark.parametrize("form", ["xywh", "cxcywh"])
@pytest.mark.parametrize("layout", ["", "fixed", "variable"])
def test_boxes_in_another_form_are_the_same_rows(form: str, layout: str, model: Path, tmp_path: Path) -> None:
    """What COCO's files want, say: tables and drawings show corners all the same."""
    ways = f"  - convert_boxes: {{in_format: xyxy, out_format: {form}, like: torchvision}}\n"
    ways += PACK.replace("LAYOUT", layout).replace("scale_boxes", "convert_boxes") if layout else ""
    outputs = "labels, pack_detections.detections" if layout else "labels, nms.scores, convert_boxes, nms.counts"
    changes = (
        ("  - {operation: labels", ways + "  - {operation: labels"),
        ("labels, nms.scores, scale_boxes, nms.counts", outputs),
    )
    other = with_spec(tmp_path, *changes)
    rows = [row.split() for row in good("run", other, picture("wide"), "--draw", tmp_path / "a.png").splitlines()[1:]]
    wanted = [row.split() for row in good("run", model, picture("wide")).splitlines()[1:]]
    assert [row[:2] for row in rows] == [row[:2] for row in wanted]
    got, corners = (np.array([row[2:] for row in table[1:]], float) for table in (rows, wanted))
    np.testing.assert_allclose(got, corners, rtol=0, atol=0.11)


def test_other_outputs_are_shown_as_before(tmp_path: Path) -> None:
    both = with_spec(tmp_path, ("nms.counts]", "nms.counts, nms.indices, nms.boxes, output0]"))
    lines = [line.strip() for line in good("run", both, picture("wide")).splitlines()]
    heads = [line.split()[:2] for line in lines[2 + len(expected("wide")["boxes"]) :]]
    assert heads == [["nms.indices:", "int64[1,"], ["nms.boxes:", "float32[1,"], ["output0:", "float32[1,"]]


def test_what_is_not_counted_is_shown_as_before(tmp_path: Path) -> None:
    lines = good("run", with_spec(tmp_path, (", nms.counts]", "]")), picture("wide")).splitlines()
    assert "px of the picture" not in lines[1]
    assert any(line.strip().startswith("scale_boxes: float32[1, 50, 4]") for line in lines)


def test_classification_is_shown_as_before(tmp_path: Path) -> None:
    lines = good("run", digits(tmp_path / "digits.onnx"), DIGIT).splitlines()
    assert lines[1:3] == [
        "  labels                        top_k.values",
        "  3 blue                            0.982386",
    ]


def test_a_cycle_in_a_stored_spec_ends() -> None:
    document = {
        "onnxprep": 1,
        "postprocess": [
            {"operation": "softmax", "name": "a", "inputs": ["b"]},
            {"operation": "softmax", "name": "b", "inputs": ["a"]},
        ],
        "outputs": ["a"],
    }
    told = answered(Spec.load(document), {"a": np.zeros((1, 2), np.float32)})
    assert (told.images, list(told.rest)) == ((), ["a"])


def test_one_long_label_hides_no_other_row(tmp_path: Path) -> None:
    long = with_spec(tmp_path, (f"{LABELS[0]},", f"{'x' * 5000},"))
    rows = good("run", long, picture("wide")).splitlines()[2:]
    scores = [f"{score:.4f}" for score in expected("wide")["scores"]]
    short = [(row, score) for row, score in zip(rows, scores, strict=True) if "xxx" not in row]
    assert len(rows) > len(short) > 0
    assert all(score in row and len(row) < 200 for row, score in short)


def test_a_class_beyond_all_numbers_is_no_warning() -> None:
    text = SPEC.read_text("utf-8").replace("file: labels.txt", f"names: [{', '.join(LABELS)}]")
    text = text.replace("  - {operation: labels", PACK.replace("LAYOUT", "fixed") + "  - {operation: labels")
    spec = Spec.load(text.replace("[labels, nms.scores, scale_boxes, nms.counts]", "[pack_detections.detections]"))
    with warnings.catch_warnings(action="error"):
        ((found,),) = answered(spec, {"pack_detections.detections": np.full((1, 2, 6), 1e30, np.float32)}).images
    assert len(found.lines) == 3


# drawings -------------------------------------------------------------------------------------------------------------


TAG = (24, 120)
"""More than the height and width of a tag, px."""


def drawn(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))


def around(box: tuple[int, int, int, int], width: int) -> tuple[slice, slice]:
    """Where a box and its tag may lie."""
    left, top, right, bottom = box
    first = max(min(left, width - TAG[1]), 0)
    return slice(max(top - TAG[0], 0), bottom + 1), slice(first, max(right + 1, left + TAG[1]))


@pytest.mark.parametrize("name", ["wide", "tall"])
def test_boxes_are_drawn_where_they_are(model: Path, name: str, tmp_path: Path) -> None:
    good("run", model, picture(name), "--draw", tmp_path / "drawn.png")
    made, given = drawn(tmp_path / "drawn.png"), pixels(name)
    assert made.shape == given.shape
    found = json.loads(good("run", model, picture(name), "--json"))[0]["outputs"]
    touched, alone = np.zeros(given.shape[:2], int), 0
    boxes = []
    for k in range(found["nms.counts"][0]):
        x1, y1, x2, y2 = found["scale_boxes"][0][k]
        boxes.append((int(x1), int(y1), int(np.ceil(x2)) - 1, int(np.ceil(y2)) - 1))
        touched[around(boxes[k], given.shape[1])] += 1
    for k, (left, top, right, bottom) in enumerate(boxes):
        if touched[around(boxes[k], given.shape[1])].max() == 1:  # its tag may lie inside, where there is no room above
            color, below = color_of(LABELS.index(found["labels"][0][k])), slice(min(top + TAG[0], bottom), bottom + 1)
            for edge in (made[bottom, left : right + 1], made[below, left], made[below, right]):
                assert (edge == color).all()
            alone += 1
    assert alone
    touched = touched > 0
    assert (made[~touched] == given[~touched]).all()
    assert (made != given).any()


def test_the_picture_in_the_docs_is_drawn_so(model: Path, tmp_path: Path) -> None:
    good("run", model, picture("wide"), "--draw", tmp_path / "drawn.png")
    made, shown = drawn(tmp_path / "drawn.png"), drawn(FOLDER.parents[1] / "docs" / "detector.png")
    assert (made == shown).all(axis=2).mean() > 0.99  # letters depend on the release of Pillow


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jpeg", ".webp"])
def test_every_format(model: Path, suffix: str, tmp_path: Path) -> None:
    good("run", model, picture("small"), "--draw", tmp_path / f"drawn{suffix}")
    with Image.open(tmp_path / f"drawn{suffix}") as made:
        assert (made.format, made.size) == (
            {".png": "PNG", ".webp": "WEBP"}.get(suffix, "JPEG"),
            pixels("small").shape[1::-1],
        )


def test_nothing_found_draws_the_picture_as_it_is(blind: Path, tmp_path: Path) -> None:
    good("run", blind, picture("wide"), "--draw", tmp_path / "drawn.png")
    assert (drawn(tmp_path / "drawn.png") == pixels("wide")).all()


def test_drawn_turned_as_the_model_saw_it(tmp_path: Path, model: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels("wide")).save(tmp_path / "turned.png", exif=exif)
    good("run", model, tmp_path / "turned.png", "--draw", tmp_path / "drawn.png")
    assert drawn(tmp_path / "drawn.png").shape == pixels("wide").shape
    decoder = "  - {operation: decode_image, where: caller, inputs: [file], outputs: [image], parameters: {like: pillow-13, exif_transpose: true}}\n"
    turning = with_spec(tmp_path, ("preprocess:\n", f"preprocess:\n{decoder}"))
    good("run", turning, tmp_path / "turned.png", "--draw", tmp_path / "upright.png")
    assert drawn(tmp_path / "upright.png").shape == pixels("wide").transpose(1, 0, 2).shape


@pytest.mark.parametrize(("color", "layout"), [("BGR", "NHWC"), ("RGB", "NCHW")])
def test_colours_and_layouts_of_the_input(color: str, layout: str, tmp_path: Path) -> None:
    shape = "[N, H, W, 3]" if layout == "NHWC" else "[N, 3, H, W]"
    declared = ("layout: NHWC, color: RGB, shape: [N, H, W, 3]", f"layout: {layout}, color: {color}, shape: {shape}")
    none = with_spec(tmp_path, declared, answer=raw("wide") * np.float32(0))
    good("run", none, picture("wide"), "--draw", tmp_path / "drawn.png")
    assert (drawn(tmp_path / "drawn.png") == pixels("wide")).all()


def test_an_array_is_a_picture_too_and_a_batch_is_none(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", pixels("small")[None])
    np.save(tmp_path / "two.npy", np.stack([pixels("small")] * 2))
    good("run", model, picture("small"), "--draw", tmp_path / "a.png")
    good("run", model, tmp_path / "one.npy", "--draw", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    for files in ([tmp_path / "two.npy"], [picture("wide"), picture("small")]):
        message = refused("run", model, *files, "--draw", tmp_path / "c.png")
        assert "c.png: can show one picture only" in message
        assert "got:      2 of them" in message
    assert not (tmp_path / "c.png").exists()


def test_force_and_what_is_never_replaced(model: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.png"
    shutil.copy(picture("small"), given)
    out = tmp_path / "drawn.png"
    out.write_text("mine")
    assert "drawn.png: exists" in refused("run", model, given, "--draw", out)
    assert out.read_text() == "mine"
    good("run", model, given, "--draw", out, "--force")
    assert drawn(out).shape == pixels("small").shape
    link = tmp_path / "link.png"
    link.symlink_to(model)
    for own in (given, link):
        before = own.read_bytes()
        assert "is the input too" in refused("run", model, given, "--draw", own, "--force")
        assert own.read_bytes() == before


def test_a_side_that_the_format_does_not_have(blind: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.zeros((1, 200, 17_000, 3), np.uint8))
    message = refused("run", blind, tmp_path / "long.npy", "--draw", tmp_path / "drawn.webp")
    assert "expected: a picture that fits the format, or a name that ends in .png" in message
    assert not (tmp_path / "drawn.webp").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("drawn.gif", "is no name of a picture"), ("none/drawn.png", "there is no such folder"), ("drawn", "is no name")],
)
def test_where_nothing_can_be_drawn_to(model: Path, name: str, message: str, tmp_path: Path) -> None:
    assert message in refused("run", model, picture("small"), "--draw", tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_model_that_finds_nothing_to_draw(tmp_path: Path) -> None:
    message = refused("run", digits(tmp_path / "digits.onnx"), DIGIT, "--draw", tmp_path / "drawn.png")
    assert message.startswith(f"4 error: {tmp_path / 'digits.onnx'}: gives nothing that can be drawn")


def test_without_pillow_it_says_how_to_get_it(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", pixels("small")[None])
    code = (
        "import sys; sys.modules['PIL'] = None\nfrom onnxprep.cli import main\n"
        f"main(['run', {str(model)!r}, {str(tmp_path / 'one.npy')!r}, '--draw', {str(tmp_path / 'a.png')!r}])\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert "drawing needs Pillow\n  hint:     pip install 'onnxprep[images]'" in finished.stderr


GRAY = np.full((60, 80, 3), 100, np.uint8)


@pytest.mark.parametrize(
    "box",
    [
        (-1e30, -5.0, 1e30, 1e9), (70.0, 50.0, 10.0, 20.0), (np.nan, 0.0, 5.0, 5.0), (0.0, 0.0, np.inf, 5.0),
        (200.0, 200.0, 300.0, 300.0), (5.0, 5.0, 5.0, 5.0),
    ],
)  # fmt: skip
def test_any_numbers_can_be_drawn(box: tuple[float, float, float, float]) -> None:
    answer = Detections((Detection("a\nb\x1b[31m\ud800" * 30, 2, float("nan"), box), Detection("", 0, None, box)), True)
    made = np.asarray(drawing(GRAY, [answer]))
    assert made.shape == GRAY.shape
    assert (made == GRAY).all() == (not np.isfinite(box).all())
    assert np.asarray(drawing(GRAY[:1, :1], [answer])).shape == (1, 1, 3)


def test_the_best_lies_on_top() -> None:
    box = (10.0, 30.0, 50.0, 50.0)
    answer = Detections((Detection("best", 1, 0.9, box), Detection("worse", 2, 0.5, box)), True)
    made = np.asarray(drawing(GRAY, [answer]))
    assert made[49, 30].tolist() == list(color_of(1))
    assert not (made == color_of(2)).all(axis=2)[:, 10].any()


def test_a_mask_is_laid_over_the_picture() -> None:
    classes = np.zeros((60, 80), np.uint8)
    classes[10:20, 30:50] = 3
    mask = ClassMask("mask", classes)
    made = np.asarray(drawing(GRAY, [mask]))
    assert (made[0, 0] == 50).all()
    assert made[15, 40].tolist() == [(100 + part) // 2 for part in color_of(3)]
    assert (made[classes == 3] == made[15, 40]).all()
    assert mask.shares == {0: 1 - 200 / 4800, 3: 200 / 4800}
    assert [line.split()[:3] for line in mask.lines[1:]] == [["class", "0", "95.83%"], ["class", "3", "4.17%"]]


def test_masks_of_classes_are_rows_and_drawn() -> None:
    text = SPEC.read_text("utf-8").partition("postprocess:")[0] + "postprocess:\n"
    step = "  - {operation: segmentation_mask, inputs: [maps], outputs: [shapes], parameters: {like: torch, interpolation: nearest, frame: letterbox}}\n"
    spec = Spec.load(text + step + "outputs: [shapes, maps]\n", known_only=False)
    outputs = {"shapes": np.zeros((2, 60, 80), np.uint8), "maps": np.zeros((2, 3, 48, 48), np.float32)}
    outputs["shapes"][1, :30] = 2
    told = answered(spec, outputs)
    assert list(told.rest) == ["maps"]
    (first,), (second,) = told.images
    assert [line.split()[:3] for line in first.lines] == [["shapes", "share", "of"], ["class", "0", "100.00%"]]
    assert [line.split()[:3] for line in second.lines[1:]] == [["class", "0", "50.00%"], ["class", "2", "50.00%"]]
    made = np.asarray(drawing(GRAY, [second]))
    assert made[0, 0].tolist() == [(100 + part) // 2 for part in color_of(2)]
    assert made[59, 0].tolist() == [50, 50, 50]


MASKING = '''
from typing import ClassVar
from onnxprep.step import Claim, Step

class Covering(Step):
    """A mask for every box, from something else of each."""
    operation: ClassVar[str] = "covering"
    claims: ClassVar = {"": Claim("none", "", "")}
    inputs: ClassVar[tuple[str, ...]] = ("protos", "indices", "boxes")
    outputs: ClassVar[tuple[str, ...]] = ("masks",)
'''
COVERING = "  - {operation: covering, inputs: [protos, nms.indices, scale_boxes]}\n"


@pytest.mark.parametrize("rows", [3, 2, 1])
def test_masks_of_detections(rows: int, install: Callable[[str], None]) -> None:
    install(MASKING)
    text = SPEC.read_text("utf-8").replace("file: labels.txt", f"names: [{', '.join(LABELS)}]")
    spec = Spec.load(text.replace("outputs: [labels", f"{COVERING}outputs: [covering, labels"))
    masks = np.zeros((1, rows, 60, 80), np.uint8)
    masks[0, 0, 30:50, 30:50] = 1
    boxes = np.array([[[30, 30, 50, 50], [0, 40, 9, 50], [0, 0, 0, 0]]], np.float32)
    outputs = {
        "covering": masks, "labels": np.array([["star", "ring", ""]], object), "nms.counts": np.array([2]),
        "scale_boxes": boxes, "nms.scores": np.array([[0.9, 0.5, 0.0]], np.float32),
    }  # fmt: skip
    told = answered(spec, outputs)
    ((answer,),) = told.images
    assert list(told.rest) == ([] if rows > 1 else ["covering"])  # fewer masks than detections are none of them
    assert [row.split() for row in answer.lines[1:]] == [
        ["star", "0.9000", "30.0", "30.0", "50.0", "50.0", *(["400"] if rows > 1 else [])],
        ["ring", "0.5000", "0.0", "40.0", "9.0", "50.0", *(["0"] if rows > 1 else [])],
    ]
    made = np.asarray(drawing(GRAY, [answer]))
    inside = [(100 + part) // 2 for part in color_of(LABELS.index("star"))] if rows > 1 else [100, 100, 100]
    assert made[47, 40].tolist() == inside
    assert made[46, 4].tolist() == [100, 100, 100]


def test_colours_of_classes_differ_and_stay() -> None:
    colors = [color_of(number) for number in range(20)]
    assert len(set(colors)) == 20
    assert colors[:2] == [(242, 36, 36), (36, 96, 242)]
    assert min(max(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in pairwise(colors)) > 100
