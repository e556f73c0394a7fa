"""Lengths that a file declares inside its graph: ONNX Runtime believes them, so they are true, or are not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from awkward import graph, info, model, node
from demo import MODEL, SPEC, pixels
from onnx import ModelProto, TensorProto, helper
from onnx.shape_inference import infer_shapes

import onnxprep
from onnxprep.errors import ContractError, ParityError
from onnxprep.graph.metadata import onnxprep_nodes
from onnxprep.runtime.session import Session
from onnxprep.tensor import Array

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


def after(folder: Path, made: ModelProto, post: str) -> Session:
    """The model with a step behind it."""
    onnx.save(made, folder / "model.onnx")
    onnxprep.export(folder / "model.onnx", f"onnxprep: 1\npostprocess:\n  - {post}\n", folder / "out.onnx", run=False)
    onnxprep.verify(folder / "out.onnx")
    return Session(folder / "out.onnx")


@pytest.mark.parametrize("shape", [["N", 4], ["M", 4], [1, 4], [4, 3], ["A", "B"], None])
@pytest.mark.parametrize("post", ["softmax", "to_dtype: {dtype: float16}", "to_dtype: {dtype: float64}", "argmax"])
def test_a_model_that_declares_its_output_wrongly_keeps_its_numbers(
    shape: list[str | int] | None, post: str, tmp_path: Path
) -> None:
    nodes = [node("Abs", ["x"], ["a"]), node("Neg", ["a"], ["s"]), node("Concat", ["s", "s"], ["y"], axis=0)]
    made = model(graph(nodes, [info("x", ["N", 4])], [info("y", shape)]))
    wanted = np.concatenate([-ROWS, -ROWS])
    assert Session(made).run({"x": ROWS})["y"].tobytes() == wanted.tobytes(), "alone it runs"
    (got, *_) = after(tmp_path, made, post).run({"x": ROWS}).values()
    assert got.shape[0] == 6
    if post.startswith("to_dtype"):
        assert got.tobytes() == wanted.astype(got.dtype).tobytes()


RESIZED = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: 2, interpolation: bilinear, like: pillow-13}
  - rescale: {like: numpy}
  - to_layout: {layout: NCHW}
"""


def test_a_size_that_the_model_does_not_take_is_refused_at_run_time(tmp_path: Path) -> None:
    """Mean times width: with a width that is believed and not there, a wrong number."""
    nodes = [
        node("Shape", ["x"], ["s"]), node("Gather", ["s", "three"], ["w"]), node("Cast", ["w"], ["f"], to=1),
        node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=0), node("Mul", ["m", "f"], ["y"]),
    ]  # fmt: skip
    three = helper.make_tensor("three", TensorProto.INT64, [], [3])
    onnx.save(model(graph(nodes, [info("x", [1, 3, 2, 2])], [info("y", ["K"])], [three])), tmp_path / "model.onnx")
    report = onnxprep.export(tmp_path / "model.onnx", RESIZED, tmp_path / "out.onnx")
    assert any("cannot prove" in warning for warning in report.warnings)
    onnxprep.verify(tmp_path / "out.onnx")
    pipeline = onnxprep.Pipeline(tmp_path / "out.onnx")
    square = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    assert pipeline(image=square)["y"].shape == (1,)
    with pytest.raises(ContractError, match="another height, width or number than the model takes") as caught:
        pipeline(image=np.concatenate([square, square], axis=2))
    assert caught.value.at == "preprocess"
    assert onnxprep.strip(tmp_path / "out.onnx", tmp_path / "back.onnx").exact


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("served") / "out.onnx"
    onnxprep.export(MODEL, SPEC, out, goldens=[{"image": pixels()[None]}])
    return out


def narrowed(name: str, *dims: int) -> Callable[[ModelProto], None]:
    def change(made: ModelProto) -> None:
        for declared in [declared for declared in made.graph.value_info if declared.name == name]:
            made.graph.value_info.remove(declared)
        made.graph.value_info.append(info(name, dims))

    return change


def in_a_branch(made: ModelProto) -> None:
    branching = next(node for node in onnxprep_nodes(made) if node.op_type == "If")
    for attribute in branching.attribute:
        attribute.g.output[0].type.tensor_type.shape.dim.add(dim_value=1)


@pytest.mark.parametrize(
    "change",
    [narrowed("logits", 1, 45), narrowed("logits", 7, 45), narrowed("pixel_values", 1, 3, 40, 40), in_a_branch],
    ids=["output", "another output", "input", "branch"],
)
def test_a_length_that_somebody_declared_later_is_found(
    served: Path, tmp_path: Path, change: Callable[[ModelProto], None]
) -> None:
    made = onnx.load(served)
    change(made)
    onnx.save(made, tmp_path / "changed.onnx")
    with pytest.raises(ParityError, match=r"another type or shape than the nodes give|is not as the spec makes it"):
        onnxprep.verify(tmp_path / "changed.onnx")


@pytest.mark.parametrize("data_prop", [False, True])
def test_lengths_that_are_inferred_change_nothing(served: Path, tmp_path: Path, data_prop: bool) -> None:
    onnx.save(infer_shapes(onnx.load(served), data_prop=data_prop), tmp_path / "inferred.onnx")
    onnxprep.verify(tmp_path / "inferred.onnx")
    two: Array = np.concatenate([pixels()[None]] * 2)
    got, wanted = (onnxprep.Pipeline(path)(image=two)["labels"] for path in (tmp_path / "inferred.onnx", served))
    assert got.tolist() == wanted.tolist()
    assert len(got) == 2
