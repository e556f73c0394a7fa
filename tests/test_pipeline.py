"""Pipeline: named arrays in, named arrays out."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from demo import FOLDER, MODEL, PICTURE, SPEC, exported, pixels
from onnx import TensorProto, helper
from small import DECODE, HEAD, STEPS, small
from small import SPEC as SMALL

import onnxprep
from onnxprep.errors import ContractError, UsageError

PICTURES = sorted((FOLDER / "pictures").glob("*.png"))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> onnxprep.Pipeline:
    return onnxprep.Pipeline(exported(tmp_path_factory.mktemp("pipeline") / "demo.onnx"))


def test_a_list_of_differently_sized_pictures_gives_lists(pipeline: onnxprep.Pipeline) -> None:
    images = [pixels(path) for path in PICTURES]
    assert len({image.shape for image in images}) > 1
    made = pipeline(image=images)
    assert [labels.shape for labels in made["labels"]] == [(1, 3)] * len(images)
    for image, labels, values in zip(images, made["labels"], made["top_k.values"], strict=True):
        alone = pipeline(image=image[None])
        assert alone["labels"].tolist() == labels.tolist()
        assert alone["top_k.values"].tobytes() == values.tobytes()


def test_a_batch_of_one_size_is_one_array(pipeline: onnxprep.Pipeline) -> None:
    batch = np.concatenate([pixels()[None]] * 3)
    made = pipeline(image=batch)
    assert made["labels"].shape == (3, 3)
    assert len({tuple(row) for row in made["labels"].tolist()}) == 1


def test_spec_and_names(pipeline: onnxprep.Pipeline) -> None:
    assert pipeline.spec.name == "demo-digits"
    assert (pipeline.inputs, pipeline.outputs) == (("image",), ("labels", "top_k.values"))
    pipeline.verify()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "image: is missing"),
        ({"imgae": pixels()[None]}, "did you mean `image`?"),
        ({"image": [[[[1, 2], [3]]]]}, "image: is no array"),
        ({"image": pixels()[None], "more": pixels()}, "more: is not an input"),
        ({"image": pixels()[None].astype(np.float32)}, "image: is float32"),
        ({"image": pixels()}, "one picture is image[None]"),
        ({"image": [pixels()], "other": [pixels(), pixels()]}, "lists of"),
        ({"image": pixels()[None][..., :2]}, "image: has the shape [1, 111, 94, 2]"),
    ],
)
def test_wrong_inputs_are_named(pipeline: onnxprep.Pipeline, inputs: dict[str, object], message: str) -> None:
    with pytest.raises(onnxprep.OnnxprepError) as error:
        pipeline(**inputs)
    assert message in str(error.value)


CALLERS = """
  - {operation: draw, where: caller, name: draw, inputs: [labels], outputs: [sentence], parameters: {size: 12}}
"""


def with_callers(folder: Path) -> Path:
    text = SPEC.read_text().replace("outputs: [labels", CALLERS.strip("\n") + "\noutputs: [labels")
    (folder / "labels.txt").write_text((FOLDER / "labels.txt").read_text())
    (folder / "spec.yaml").write_text(text)
    onnxprep.export(MODEL, folder / "spec.yaml", folder / "out.onnx")
    return folder / "out.onnx"


def test_a_caller_step_that_nobody_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="the caller must run `draw`"):
        onnxprep.Pipeline(with_callers(tmp_path))


def test_a_caller_step_runs_behind_the_graph(tmp_path: Path) -> None:
    pipeline = onnxprep.Pipeline(with_callers(tmp_path), callers={"draw": lambda labels: f"a {labels[0, 0]}"})
    assert pipeline(image=pixels()[None])["sentence"] == "a 3 blue"
    assert pipeline.outputs == ("labels", "top_k.values", "sentence")


@pytest.mark.parametrize(
    ("callers", "message"),
    [
        ({"draw": str, "drwa": str}, "did you mean `draw`?"),
        ({"draw": "a function"}, "callers['draw']: is str"),
        ({"draw": lambda logits: (logits, logits, logits)}, "draw: the caller's function gives something else"),
        ({"draw": lambda _: None}, "got:      NoneType"),
        ({"draw": lambda logits: logits}, "got:      ndarray"),
    ],
)
def test_a_wrong_function_of_the_caller_is_named(tmp_path: Path, callers: dict[str, Any], message: str) -> None:
    draw = "postprocess:\n  - {operation: draw, where: caller, inputs: [logits], outputs: [first, second]}\n"
    onnxprep.export(small(tmp_path), SMALL + draw, tmp_path / "out.onnx")
    with pytest.raises(onnxprep.OnnxprepError) as error:
        onnxprep.Pipeline(tmp_path / "out.onnx", callers=callers)(image=pixels()[None])
    assert message in str(error.value)


def test_callers_that_give_every_value_are_run(tmp_path: Path) -> None:
    draw = "postprocess:\n  - {operation: draw, where: caller, inputs: [logits], outputs: [first, second]}\n"
    onnxprep.export(small(tmp_path), SMALL + draw, tmp_path / "out.onnx")
    made = onnxprep.Pipeline(tmp_path / "out.onnx", callers={"draw": lambda _: ["a", "b"]})(image=pixels()[None])
    assert (made["first"], made["second"]) == ("a", "b")


@pytest.mark.parametrize("given", [None, 5, "picture.png", pixels()])
def test_a_decoder_takes_bytes_only(tmp_path: Path, given: object) -> None:
    onnxprep.export(small(tmp_path), HEAD + DECODE + STEPS, tmp_path / "out.onnx")
    pipeline = onnxprep.Pipeline(tmp_path / "out.onnx")
    with pytest.raises(UsageError, match="decode_image: not the content of a picture file"):
        pipeline(file=given)
    for data in (bytearray, memoryview):
        assert np.array_equal(
            pipeline(file=data(PICTURE.read_bytes()))["logits"], pipeline(image=pixels()[None])["logits"]
        )


def test_an_input_may_be_called_self(tmp_path: Path) -> None:
    onnxprep.export(small(tmp_path), SMALL.replace("name: image", "name: self"), tmp_path / "out.onnx")
    assert onnxprep.Pipeline(tmp_path / "out.onnx")(self=pixels()[None])["logits"].shape == (1, 10)


def adding(folder: Path) -> Path:
    """a + b, of any lengths that go together."""
    floats = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in "aby"]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "g", floats[:2], floats[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("shape", "a", "b", "message"),
    [
        ("[N, 3, H, W]", (2, 3, 4, 5), (1, 3, 4, 5), "N = 2 along axis 0, as along axis 0 of a"),
        ("[N, 3, H, W]", (2, 3, 4, 5), (2, 3, 4, 1), "W = 5 along axis 3, as along axis 3 of a"),
        ("[N, 3, H, H]", (1, 3, 4, 5), (1, 3, 4, 4), "H = 4 along axis 3, as along axis 2 of a"),
        ("[null, 3, null, null]", (2, 3, 4, 5), (1, 3, 1, 1), ""),
        ("[N, 3, H, W]", (2, 3, 4, 5), (2, 3, 4, 5), ""),
    ],
)
def test_equal_symbols_are_equal_lengths(
    tmp_path: Path, shape: str, a: tuple[int, ...], b: tuple[int, ...], message: str
) -> None:
    inputs = "".join(f"  - {{name: {n}, dtype: float32, layout: NCHW, shape: {shape}}}\n" for n in "ab")
    spec = f"onnxprep: 1\ninputs:\n{inputs}model: {{inputs: {{a: a, b: b}}}}\n"
    feeds = {"a": np.zeros(a, np.float32), "b": np.zeros(b, np.float32)}
    model = adding(tmp_path)
    onnxprep.export(model, spec, tmp_path / "out.onnx")
    pipeline = onnxprep.Pipeline(tmp_path / "out.onnx")
    if not message:
        assert pipeline(**feeds)["y"].shape == np.broadcast_shapes(a, b)
        return
    with pytest.raises(UsageError, match=message):
        pipeline(**feeds)
    with pytest.raises(UsageError, match=message):
        onnxprep.export(model, spec, tmp_path / "b.onnx", goldens=[feeds])


def test_no_such_file() -> None:
    with pytest.raises(UsageError, match="no such file"):
        onnxprep.Pipeline("nowhere.onnx")


def test_build_gives_the_same_bits_as_the_file_exported(tmp_path: Path) -> None:
    import onnxruntime as ort

    session = ort.InferenceSession(onnxprep.build(SPEC).SerializeToString(), providers=["CPUExecutionProvider"])
    (tensor,) = session.run(None, {"image": pixels(PICTURE)[None]})
    assert np.array_equal(tensor, np.load(FOLDER / "expected.npy"))


def test_the_public_names_are_these_and_few() -> None:
    assert onnxprep.__all__ == sorted(onnxprep.__all__)
    assert len(onnxprep.__all__) <= 12
    for name in onnxprep.__all__:
        assert getattr(onnxprep, name).__doc__


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, onnxprep; print({'onnx', 'onnxruntime', 'numpy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_every_public_function_says_what_it_raises_if_it_raises() -> None:
    for name in ("build", "export", "strip", "verify"):
        function = getattr(onnxprep, name)
        assert "Raises:" in function.__doc__
    module = importlib.import_module("onnxprep")
    assert ast.get_docstring(ast.parse(Path(str(module.__file__)).read_text()))
