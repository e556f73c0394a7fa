"""What is told before it is too late: weights that are not there, numbers that cannot be raised, steps that are replaced."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from awkward import graph, info, model, node
from click.testing import CliRunner, Result
from demo import FOLDER, MODEL, SPEC, exported
from onnx import helper

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ContractError, UsageError


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """The demo with its weights in a file, exported beside it."""
    onnx.save(
        onnx.load(MODEL),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=100,
    )
    onnxprep.export(tmp_path / "model.onnx", SPEC, tmp_path / "served.onnx")
    return tmp_path / "served.onnx"


def test_verify_says_what_it_does_not_read(outside: Path) -> None:
    size = (outside.parent / "weights.bin").stat().st_size
    assert f"weights weights.bin, {size:,} bytes: there, and not read" in onnxprep.verify(outside).lines


@pytest.mark.parametrize("command", ["verify", "run", "strip"])
@pytest.mark.parametrize(("keep", "problem"), [(None, "is missing"), (10, "is too short")])
def test_weights_that_are_not_there_are_named(outside: Path, command: str, keep: int | None, problem: str) -> None:
    weights = outside.parent / "weights.bin"
    content = weights.read_bytes()
    weights.unlink()
    if keep is not None:
        weights.write_bytes(content[:keep])
    more = {"verify": [], "run": [FOLDER / "pictures" / "1350-blue.png"], "strip": ["-o", outside.parent / "back.onnx"]}
    result = call(command, outside, *more[command])
    assert result.exit_code == 2, result.output
    assert f"weights.bin: the model's external data {problem}" in result.stderr


def test_pipeline_names_them_too(outside: Path) -> None:
    (outside.parent / "weights.bin").unlink()
    with pytest.raises(UsageError, match="external data is missing"):
        onnxprep.Pipeline(outside)


SPEC_OF_ROWS = """onnxprep: 1
inputs: [{name: rows, dtype: float32, layout: NC, shape: [N, 3]}]
postprocess:
  - softmax
"""


def test_check_says_that_a_number_cannot_be_raised(tmp_path: Path) -> None:
    nodes = [helper.make_node("Upsample", ["x", "scales"], ["y"])]
    scales = helper.make_tensor("scales", 1, [2], [1.0, 2.0])
    onnx.save(model(graph(nodes, [info("x")], [info("y")], [scales]), opset=9, ir=4), tmp_path / "old.onnx")
    (tmp_path / "spec.yaml").write_text(SPEC_OF_ROWS)
    result = call("check", tmp_path / "spec.yaml", "--model", tmp_path / "old.onnx")
    assert (
        "warning: the steps need opset 11, the model has 9, and its number cannot be raised: Upsample" in result.stderr
    )
    assert (
        call("export", tmp_path / "old.onnx", "--spec", tmp_path / "spec.yaml", "-o", tmp_path / "o.onnx").exit_code
        == 4
    )
    onnx.save(
        model(graph([node("Relu", ["x"], ["y"])], [info("x")], [info("y")]), opset=9, ir=4), tmp_path / "plain.onnx"
    )
    assert "cannot be raised" not in call("check", tmp_path / "spec.yaml", "--model", tmp_path / "plain.onnx").output


def test_a_spec_for_stacking_is_told_that_steps_are_replaced(tmp_path: Path) -> None:
    once = exported(tmp_path / "once.onnx")
    flip = "inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]\n"
    spec = f"onnxprep: 1\n{flip}preprocess:\n  - flip: {{direction: horizontal}}\n"
    with pytest.raises(ContractError, match="does not fit the model's input") as caught:
        onnxprep.export(once, spec, tmp_path / "out.onnx")
    assert caught.value.hint.endswith("the model's own steps are replaced; --stack keeps them")
    onnxprep.export(once, spec, tmp_path / "out.onnx", stack=True)
