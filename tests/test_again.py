"""Exporting a file that has steps: they are replaced, or with ``--stack`` become part of the body."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from awkward import MODELS
from click.testing import CliRunner
from demo import FOLDER, MODEL, SPEC, exported, pixels
from plans import planned
from test_attach import ROWS, around, fitted, relu

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ContractError, ParityError
from onnxprep.graph import metadata
from onnxprep.graph.attach import attach
from onnxprep.graph.names import any_of_ours
from onnxprep.graph.stack import stack, unstack
from onnxprep.tensor import Array

FLIP = """onnxprep: 1
name: flipped
inputs: [{name: %s, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - flip: {direction: horizontal}
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("once") / "once.onnx")


def other(folder: Path) -> Path:
    """The demo's spec with another normalisation."""
    (folder / "labels.txt").write_bytes((FOLDER / "labels.txt").read_bytes())
    spec = folder / "other.yaml"
    spec.write_text(SPEC.read_text().replace("0.485, 0.456, 0.406", "0.5, 0.5, 0.5"))
    return spec


def test_new_steps_replace_the_old_ones(once: Path, tmp_path: Path) -> None:
    spec = other(tmp_path)
    onnxprep.export(MODEL, spec, tmp_path / "direct.onnx")
    report = onnxprep.export(once, spec, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "direct.onnx").read_bytes()
    assert "replaces the steps of spec 00776669c288864c; its golden samples are not kept" in report.contract
    onnxprep.verify(tmp_path / "again.onnx")
    assert onnxprep.strip(tmp_path / "again.onnx", tmp_path / "back.onnx").exact
    assert (tmp_path / "back.onnx").read_bytes() == MODEL.read_bytes()


def test_check_and_plan_look_below_the_steps(once: Path, tmp_path: Path) -> None:
    for command in ("check", "plan"):
        result = CliRunner().invoke(main, [command, str(other(tmp_path)), "--model", str(once)])
        assert result.exit_code == 0, result.output
        assert "replaces the steps of spec" in result.output


def test_a_body_that_was_changed_since_is_not_built_upon(once: Path, tmp_path: Path) -> None:
    model = onnx.load(once)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ContractError, match="changed since") as caught:
        onnxprep.export(tmp_path / "changed.onnx", SPEC, tmp_path / "out.onnx")
    assert "strip" in caught.value.hint
    assert not (tmp_path / "out.onnx").exists()


def test_an_original_that_protobuf_writes_otherwise_stays_only_equal(tmp_path: Path) -> None:
    data = MODEL.read_bytes()
    (tmp_path / "odd.onnx").write_bytes(data + onnx.ModelProto(producer_name="later").SerializeToString())
    odd = (tmp_path / "odd.onnx").read_bytes()
    onnxprep.export(tmp_path / "odd.onnx", SPEC, tmp_path / "once.onnx")
    onnxprep.export(tmp_path / "once.onnx", SPEC, tmp_path / "twice.onnx")
    for name in ("once", "twice"):
        stripped = onnxprep.strip(tmp_path / f"{name}.onnx", tmp_path / f"{name}.back.onnx")
        assert (stripped.exact, stripped.state) == (False, "equal")
        assert stripped.data != odd
    assert (tmp_path / "once.onnx").read_bytes() == (tmp_path / "twice.onnx").read_bytes()


@pytest.mark.parametrize("name", ["image", "mirrored"])
def test_stacked_steps_run_one_after_the_other(once: Path, tmp_path: Path, name: str) -> None:
    spec, out = tmp_path / "flip.yaml", tmp_path / "stacked.onnx"
    spec.write_text(FLIP % name)
    result = CliRunner().invoke(main, ["export", str(once), "--spec", str(spec), "-o", str(out), "--stack"])
    assert result.exit_code == 0, result.output
    assert "its own steps stay" in result.stdout
    picture = pixels()[None]
    got = onnxprep.Pipeline(out)(**{name: picture})
    wanted = onnxprep.Pipeline(once)(image=picture[:, :, ::-1].copy())
    assert {k: v.tolist() for k, v in got.items()} == {k: v.tolist() for k, v in wanted.items()}
    onnxprep.verify(out)
    assert onnxprep.Pipeline(out).spec.name == "flipped"
    below = "the original file, byte for byte, which has steps of its own"
    assert f"gives {below}" in CliRunner().invoke(main, ["inspect", str(out)]).stdout
    stripped = CliRunner().invoke(main, ["strip", str(out), "-o", str(tmp_path / "back.onnx")])
    assert stripped.stdout == f"wrote {tmp_path / 'back.onnx'}: {below}\n"
    assert (tmp_path / "back.onnx").read_bytes() == once.read_bytes()
    onnxprep.verify(tmp_path / "back.onnx")
    assert "of its own" not in CliRunner().invoke(main, ["inspect", str(once)]).stdout


def test_three_layers_come_off_one_by_one(once: Path, tmp_path: Path) -> None:
    spec, layers = tmp_path / "flip.yaml", [once]
    spec.write_text(FLIP % "image")
    for k in range(3):
        layers.append(tmp_path / f"layer{k}.onnx")
        onnxprep.export(layers[-2], spec, layers[-1], stack=True)
        onnxprep.verify(layers[-1])
    flipped, three = (onnxprep.Pipeline(path)(image=pixels()[None])["top_k.values"] for path in (layers[1], layers[3]))
    assert flipped.tobytes() == three.tobytes(), "flipped three times is flipped once"
    for below, above in pairwise(layers):
        onnxprep.strip(above, tmp_path / "back.onnx", force=True)
        assert (tmp_path / "back.onnx").read_bytes() == below.read_bytes()


@pytest.mark.parametrize("case", MODELS)
def test_stacking_renames_every_place_and_back(case: str) -> None:
    made = MODELS[case]()
    joined = attach(made, fitted(around(made, "old"), made))
    metadata.write(joined, {metadata.SPEC: "{}"})
    copy = onnx.ModelProto.FromString(joined.SerializeToString())
    stack(copy)
    assert not any_of_ours(copy)
    assert not metadata.read(copy)
    stack(copy)
    unstack(copy)
    unstack(copy)
    assert copy.SerializeToString() == joined.SerializeToString()


def test_steps_of_the_caller_are_not_stacked_upon() -> None:
    model = attach(relu(), planned({"image": ROWS}, [], relu(), {"x": "image"}, {"y": "y"}, (), ["y"]))
    metadata.write(model, {metadata.CALLER: "decode_image"})
    with pytest.raises(ContractError, match="run by the caller"):
        stack(model)


def test_the_input_is_never_the_output(once: Path) -> None:
    before = once.read_bytes()
    result = CliRunner().invoke(main, ["export", str(once), "--spec", str(SPEC), "-o", str(once), "--force"])
    assert result.exit_code == 2
    assert once.read_bytes() == before


def test_stacking_changes_no_numbers_of_the_body(once: Path, tmp_path: Path) -> None:
    model = onnx.load(once)
    stack(model)
    onnx.save(model, tmp_path / "renamed.onnx")
    picture = np.random.default_rng(5).integers(0, 256, (2, 61, 47, 3), dtype=np.uint8)
    got, wanted = (_run(path, picture) for path in (tmp_path / "renamed.onnx", once))
    assert got == wanted


def _run(path: Path, picture: Array) -> list[object]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [output.tolist() for output in session.run(None, {"image": picture})]


def test_replacing_the_top_layer_leaves_those_below(once: Path, tmp_path: Path) -> None:
    (tmp_path / "flip.yaml").write_text(FLIP % "image")
    (tmp_path / "other.yaml").write_text((FLIP % "image").replace("horizontal", "vertical"))
    onnxprep.export(once, tmp_path / "flip.yaml", tmp_path / "first.onnx", stack=True)
    onnxprep.export(once, tmp_path / "other.yaml", tmp_path / "direct.onnx", stack=True)
    report = onnxprep.export(tmp_path / "first.onnx", tmp_path / "other.yaml", tmp_path / "second.onnx")
    assert any(line.endswith("the steps below them stay") for line in report.contract)
    assert (tmp_path / "second.onnx").read_bytes() == (tmp_path / "direct.onnx").read_bytes()
    onnxprep.verify(tmp_path / "second.onnx")
    assert onnxprep.strip(tmp_path / "second.onnx", tmp_path / "back.onnx").exact
    assert (tmp_path / "back.onnx").read_bytes() == once.read_bytes()


def test_stacking_leaves_the_names_that_callers_know(tmp_path: Path) -> None:
    made = relu()
    made.graph.input[0].name = made.graph.node[0].input[0] = "onnxprep.x"
    before = made.SerializeToString()
    stack(made)
    assert made.SerializeToString() == before


def test_a_key_of_the_users_in_our_place_is_named(tmp_path: Path) -> None:
    model = onnx.load(MODEL)
    model.metadata_props.add(key="onnxprep.note", value="mine")
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ContractError, match="a key of the model's own in our place") as caught:
        onnxprep.export(tmp_path / "model.onnx", SPEC, tmp_path / "out.onnx")
    assert caught.value.at.endswith("onnxprep.note")


@pytest.mark.parametrize("lost", ["onnxprep-stacked.spec", "onnxprep-stacked."])
def test_verify_finds_what_was_done_to_the_layer_below(once: Path, tmp_path: Path, lost: str) -> None:
    (tmp_path / "flip.yaml").write_text(FLIP % "image")
    onnxprep.export(once, tmp_path / "flip.yaml", tmp_path / "stacked.onnx", stack=True)
    model = onnx.load(tmp_path / "stacked.onnx")
    for entry in [entry for entry in model.metadata_props if entry.key.startswith(lost)]:
        model.metadata_props.remove(entry)
    onnx.save(model, tmp_path / "lost.onnx")
    with pytest.raises(ParityError, match="of the steps below: is"):
        onnxprep.verify(tmp_path / "lost.onnx")
