"""prove: what it compares, what it says before it runs, and that it fails where a claim does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from onnxprep.cli import main
from onnxprep.runtime import prove as module
from onnxprep.runtime.closeness import closeness
from onnxprep.step import Claim, catalogue
from onnxprep.tensor import Tensor

SPEC = """
onnxprep: 1
like: numpy
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: [60, 80], interpolation: bicubic, like: pillow-13}
  - center_crop: {size: 56}
  - rescale
  - normalize: {mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]}
  - to_layout: {layout: NCHW}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def prove(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["prove", *map(str, arguments)])


def test_every_step_and_all_of_them(spec: Path):
    result = prove(spec, "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["rows"]
    assert [row["name"].split()[-1] for row in rows] == [
        "resize", "center_crop", "rescale", "normalize", "to_layout", "row",
    ]  # fmt: skip
    assert all(row["found"]["values"] > 9000 and row["found"]["differing"] == 0 for row in rows)
    assert rows[0]["library"].startswith("Pillow 13.")


def test_on_pictures_of_the_user(spec: Path, tmp_path: Path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i, sides in enumerate(((90, 70), (300, 61))):
        Image.fromarray(rng.integers(0, 256, (*sides, 3)).astype(np.uint8)).save(folder / f"{i}.png")
    result = prove(spec, "--images", folder)
    assert result.exit_code == 0, result.stderr
    assert "5 of 5 steps proven on 2 inputs" in result.stdout


def test_a_broken_claim_is_exit_5_and_names_the_step(spec: Path, monkeypatch: pytest.MonkeyPatch):
    step = catalogue()["normalize"]["numpy"]
    honest = step.oracle
    monkeypatch.setattr(step, "oracle", lambda self, x: honest(self, x) + np.float32(1e-6))
    result = prove(spec)
    assert result.exit_code == 5
    assert result.stderr.startswith("error: preprocess[3] normalize: the claim does not hold")


def test_an_end_to_end_difference_is_exit_5(spec: Path, monkeypatch: pytest.MonkeyPatch):
    """Each step may be right on what the graph gives it, and the graph of all of them wrong."""
    step = catalogue()["center_crop"]["numpy"]
    monkeypatch.setattr(
        catalogue()["resize"]["pillow-13"], "emit_window",
        lambda self, op, x, crop: step.emit(crop, op, type(self).emit(self, op, x)) if crop.size != 56 else _shifted(self, op, x),
    )  # fmt: skip

    def _shifted(resize, op, x):
        y = resize.emit(op, x)
        return op.Slice(y, op.int64([0, 0]), op.int64([56, 56]), op.int64([2, 3]))

    result = prove(spec)
    assert result.exit_code == 5
    assert "error: the steps in a row: the claim does not hold" in result.stderr


def test_what_is_missing_is_said_before_it_runs(spec: Path, monkeypatch: pytest.MonkeyPatch):
    real = module.installed_version
    monkeypatch.setattr(module, "installed_version", lambda name: None if name == "Pillow" else real(name))
    result = prove(spec)
    assert result.exit_code == 0
    assert "warning: preprocess[0]: Pillow >=13,<14 is not installed: cannot be proven here" in result.stderr
    assert "4 of 5 steps proven" in result.stdout


def test_another_version_is_said_before_it_runs(spec: Path, monkeypatch: pytest.MonkeyPatch):
    real = module.installed_version
    monkeypatch.setattr(module, "installed_version", lambda name: "14.1.0" if name == "Pillow" else real(name))
    result = prove(spec)
    assert "warning: preprocess[0]: Pillow 14.1.0 is outside of the claim, Pillow >=13,<14" in result.stderr
    assert "4 of 5 steps proven" in result.stdout
    assert (result.exit_code, prove(spec, "--strict").exit_code) == (0, 5)


@pytest.mark.parametrize(
    ("text", "exit_code", "error"),
    [
        (SPEC.replace("60, 80", "20, 20").replace("{size: 56}", "{size: 56}"), 4, "error: preprocess[1]: `center_crop`"),
        (SPEC[: SPEC.index("preprocess")] + "preprocess: []\n", 3, "error: preprocess"),
    ],
)  # fmt: skip
def test_specs_that_cannot_be_proven(tmp_path: Path, text: str, exit_code: int, error: str):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    result = prove(path)
    assert (result.exit_code, result.stderr[: len(error)]) == (exit_code, error)


def test_folders_that_are_none(spec: Path, tmp_path: Path):
    assert prove(spec, "--images", tmp_path / "nowhere").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert "holds no picture" in prove(spec, "--images", tmp_path / "empty").stderr
    (tmp_path / "empty" / "a.png").write_text("no picture")
    assert "is not a picture" in prove(spec, "--images", tmp_path / "empty").stderr


def test_closeness():
    exact, loose = Claim("", "", ""), Claim("", "", "", absolute=0.5)
    a, b = np.array([0.0, 1.0, np.nan, 3.0]), np.array([-0.0, 1.4, np.nan, np.nan])
    assert (closeness(a, b, exact).differing, closeness(a, b, exact).outside) == (3, 3)
    assert closeness(a, b, loose).outside == 1
    assert closeness(a, b[:3], loose).outside == 4
    one = np.array([1.0, 2.0], np.float32)
    assert closeness(np.nextafter(one, np.float32(9)), one, Claim("", "", "", ulp=1)).outside == 0
    assert closeness(one + np.float32(1e-6), one, Claim("", "", "", ulp=1)).outside == 2


def test_oracles_get_what_the_graph_makes(spec: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[int, ...]] = []
    step = catalogue()["rescale"]["numpy"]
    honest = step.oracle

    def watched(self: object, x: Tensor):
        seen.append(x.array.shape)
        return honest(self, x)

    monkeypatch.setattr(step, "oracle", watched)
    assert prove(spec).exit_code == 0
    assert set(seen) == {(1, 56, 56, 3)}


def test_a_library_that_refuses_is_a_broken_claim(spec: Path, monkeypatch: pytest.MonkeyPatch):
    def refuses(self: object, x: Tensor):
        raise RuntimeError("no such thing")

    monkeypatch.setattr(catalogue()["rescale"]["numpy"], "oracle", refuses)
    result = prove(spec)
    assert result.exit_code == 5
    assert "preprocess[2] rescale: the library refuses what the graph takes" in result.stderr
    assert "RuntimeError: no such thing" in result.stderr


def test_one_document_even_where_a_claim_breaks(spec: Path, monkeypatch: pytest.MonkeyPatch):
    step = catalogue()["normalize"]["numpy"]
    honest = step.oracle
    monkeypatch.setattr(step, "oracle", lambda self, x: honest(self, x) + np.float32(1e-6))
    result = prove(spec, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"], document["exit_code"]) == (5, False, 5)
    assert document["error"]["at"] == "preprocess[3] normalize"


def test_images_that_are_too_small_are_refused_by_both(tmp_path: Path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC[: SPEC.index("  - resize")] + "  - crop: {top: 0, left: 0, height: 100, width: 100}\n")
    result = prove(path)
    assert result.exit_code == 0, result.stderr
    assert "more refused by graph and library" in result.stdout


def test_an_empty_batch_proves_nothing(spec: Path, tmp_path: Path):
    folder = tmp_path / "empty"
    folder.mkdir()
    np.save(folder / "none.npy", np.zeros((0, 70, 70, 3), np.uint8))
    assert "is empty" in prove(spec, "--images", folder).stderr
