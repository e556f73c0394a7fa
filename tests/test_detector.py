"""The small detector: one file gives what training's own functions gave, for pictures of any size."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from detector import FOLDER, LABELS, NAMES, expected, exported, giving, picture, pixels, raw

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ContractError
from onnxprep.tensor import Array

MOST = 50  # max_detections
PX, SCORE = 1e-3, 1e-5
"""How far the network in ONNX Runtime may be from torch's, of which every sum is rounded in another order."""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> onnxprep.Pipeline:
    return onnxprep.Pipeline(exported(tmp_path_factory.mktemp("detector") / "out.onnx"))


def padded(rows: Array) -> Array:
    """Rows [n, ...] as the only image of a batch, filled up with zeros."""
    filled = np.zeros((1, MOST, *rows.shape[1:]), rows.dtype)
    filled[0, : len(rows)] = rows
    return filled


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bits_as_ultralytics_makes_of_the_same_output(name: str, tmp_path: Path) -> None:
    model = exported(tmp_path / "out.onnx", giving(tmp_path, raw(name)))
    made, wanted = onnxprep.Pipeline(model)(image=pixels(name)[None]), expected(name)
    assert made["nms.counts"].tolist() == [len(wanted["boxes"])] != [0]
    assert made["scale_boxes"].dtype == made["nms.scores"].dtype == np.float32
    found = made["nms.counts"][0]
    assert made["scale_boxes"][0, :found].tobytes() == wanted["boxes"].tobytes()
    assert made["nms.scores"].tobytes() == padded(wanted["scores"]).tobytes()
    names = [LABELS[number] for number in wanted["classes"]]
    assert made["labels"][0].tolist() == names + [""] * (MOST - len(names))


@pytest.mark.parametrize("name", NAMES)
def test_from_pixels_to_the_answer_of_training(pipeline: onnxprep.Pipeline, name: str) -> None:
    made, wanted = pipeline(image=pixels(name)[None]), expected(name)
    found = len(wanted["boxes"])
    assert made["nms.counts"].tolist() == [found]
    assert made["labels"][0, :found].tolist() == [LABELS[number] for number in wanted["classes"]]
    assert np.abs(made["scale_boxes"][0, :found] - wanted["boxes"]).max() <= PX
    assert np.abs(made["nms.scores"][0, :found] - wanted["scores"]).max() <= SCORE


@pytest.mark.parametrize("name", NAMES)
def test_the_shapes_that_were_drawn_are_found(name: str) -> None:
    found = expected(name)
    free = list(range(len(found["boxes"])))
    for label, *box in found["drawn"]:
        fitting = [k for k in free if LABELS[found["classes"][k]] == label and iou(found["boxes"][k], box) > 0.7]
        assert fitting, (label, box)
        free.remove(fitting[0])
    assert not free


def iou(a: Array, b: list[float]) -> float:
    width, height = (max(0.0, min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(width * height / (sum(areas) - width * height))


def test_pictures_of_several_sizes_and_a_batch(pipeline: onnxprep.Pipeline) -> None:
    alone = [pipeline(image=pixels(name)[None]) for name in NAMES]
    listed = pipeline(image=[pixels(name) for name in NAMES])
    for k in range(len(NAMES)):
        assert all(listed[name][k].tolist() == alone[k][name].tolist() for name in pipeline.outputs)
    batch = np.stack([pixels("wide"), pixels("wide")[:, ::-1], np.zeros_like(pixels("wide")), pixels("wide")])
    made = pipeline(image=batch)
    assert made["nms.counts"][2] == 0
    assert made["nms.counts"].tolist()[::3] == alone[0]["nms.counts"].tolist() * 2
    assert np.abs(made["scale_boxes"][[0, 3]] - alone[0]["scale_boxes"]).max() <= PX


def test_nothing_found_is_well_formed(pipeline: onnxprep.Pipeline) -> None:
    made = pipeline(image=np.full((1, 33, 200, 3), 128, np.uint8))
    assert {name: array.shape for name, array in made.items()} == {
        "labels": (1, MOST), "nms.scores": (1, MOST), "scale_boxes": (1, MOST, 4), "nms.counts": (1,),
    }  # fmt: skip
    assert not made["nms.counts"].any()
    assert not made["nms.scores"].any()
    assert set(made["labels"].ravel()) == {""}


# steps of the caller behind it -----------------------------------------------------------------------------------------

DRAW = """  - operation: draw_boxes
    where: caller
    inputs: [scale_boxes, nms.counts]
    outputs: [drawing]
    parameters: {thickness: 2}
  - {operation: store, where: caller, inputs: [drawing], outputs: [key]}
"""


def with_callers(folder: Path) -> Path:
    text = (Path(__file__).parent.parent / "fixtures" / "detector" / "spec.yaml").read_text("utf-8")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), "utf-8")
    (folder / "spec.yaml").write_text(text.replace("outputs: [labels", DRAW + "outputs: [labels"), "utf-8")
    return exported(folder / "out.onnx", giving(folder, raw("wide")), folder / "spec.yaml")


def test_caller_steps_get_boxes_and_each_others_values(tmp_path: Path) -> None:
    seen: list[Array] = []

    def draw_boxes(boxes: Array, counts: Array) -> str:
        seen.append(boxes[0, : counts[0]])
        return "a drawing"

    callers = {"draw_boxes": draw_boxes, "store": lambda drawing: drawing.upper()}
    pipeline = onnxprep.Pipeline(with_callers(tmp_path), callers=callers)
    assert pipeline.outputs[-2:] == ("drawing", "key")
    assert pipeline(image=pixels("wide")[None])["key"] == "A DRAWING"
    assert seen[0].tobytes() == expected("wide")["boxes"].tobytes()


@pytest.mark.parametrize(("given", "lacking"), [({}, "draw_boxes"), ({"draw_boxes": str}, "store")])
def test_a_caller_step_behind_the_boxes_that_nobody_runs_is_refused(
    given: dict[str, type], lacking: str, tmp_path: Path
) -> None:
    with pytest.raises(ContractError) as error:
        onnxprep.Pipeline(with_callers(tmp_path), callers=given)
    assert (error.value.at, error.value.expected) == (lacking, f"callers={{{lacking!r}: function}}")


def test_run_says_which_caller_step_it_lacks(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["run", str(with_callers(tmp_path)), str(picture("wide"))])
    assert result.exit_code == 4
    assert result.stderr.startswith("error: draw_boxes: the caller must run `draw_boxes`, and nothing here does\n")
    assert "from Python, `onnxprep.Pipeline(model, callers=...)`" in result.stderr


def test_the_quality_told_is_the_one_measured() -> None:
    measured = json.loads((FOLDER / "heldout.json").read_text("utf-8"))
    text = (FOLDER / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text.partition("<!-- quality -->")[2], re.MULTILINE))
    told = {name.partition(" of ")[0] if "px" not in name else name: value for name, value in rows.items()}
    assert (told["precision"], told["recall"]) == tuple(f"{measured[name]:.1%}" for name in ("precision", "recall"))
    assert told["recall of shapes of 20 px and more in the network's input"] == f"{measured['recall_of_large']:.1%}"
    assert told["mean IoU"] == f"{measured['mean_iou']:.3f}"
    assert f"| {measured['pictures']} held-out pictures, {measured['shapes']} shapes | |" in text
