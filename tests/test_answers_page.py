"""docs/answers.md: every spec there joins the model named above it, and its steps load in ONNX Runtime."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from onnx import helper

from onnxprep.emit import type_proto
from onnxprep.graph.attach import attach
from onnxprep.graph.fit import fit
from onnxprep.graph.fragment import without_unused
from onnxprep.graph.split import split
from onnxprep.runtime.session import Session
from onnxprep.spec.bind import bind
from onnxprep.spec.document import Spec
from onnxprep.spec.messages import did_you_mean
from onnxprep.spec.plan import Signature, plan
from onnxprep.tensor import Dim, TensorSpec

PAGE = Path(__file__).parents[1] / "docs" / "answers.md"
BLOCK = re.compile(r"^<!-- model ([^\n]*) -->\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE.read_text("utf-8"))


def described(text: str) -> TensorSpec:
    dtype, *dims = text.split()
    shape: tuple[Dim, ...] = tuple(int(dim) if dim.isdigit() else dim for dim in dims)
    return TensorSpec(dtype, shape)


def test_every_spec_stands_below_a_model() -> None:
    assert len(BLOCKS) == PAGE.read_text("utf-8").count("```yaml") >= 6


@pytest.mark.parametrize(("model", "text"), BLOCKS, ids=[f"block {k}" for k in range(len(BLOCKS))])
def test_a_spec_fits_its_model(model: str, text: str) -> None:
    known = json.loads(model)
    inputs, outputs = ({name: described(t) for name, t in known[side].items()} for side in ("inputs", "outputs"))
    signature = Signature(inputs, outputs)
    planned = plan(bind(Spec.load(text), signature), signature)
    parts = split(planned)
    assert parts
    for part in parts:
        assert Session(part.model).outputs


@pytest.mark.parametrize(("model", "text"), BLOCKS, ids=[f"block {k}" for k in range(len(BLOCKS))])
def test_no_node_in_the_file_is_for_nothing(model: str, text: str) -> None:
    """ONNX Runtime warns about constants that nothing reads, in every program that loads the file."""
    known = json.loads(model)
    infos = {
        side: [helper.make_value_info(name, type_proto(described(t))) for name, t in known[side].items()]
        for side in ("inputs", "outputs")
    }
    body = [helper.make_node("Body", list(known["inputs"]), list(known["outputs"]), domain="test")]
    graph = helper.make_graph(body, "g", infos["inputs"], infos["outputs"])
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("test", 1)])
    joined = attach(whole, fit(Spec.load(text), whole).plan)
    kept = without_unused(joined.graph.node, {info.name for info in joined.graph.output})
    assert [node.name for node in joined.graph.node if node not in kept] == []


@pytest.mark.parametrize(
    ("word", "known"),
    [("yolo11", "yolov8"), ("yolov11", "yolov8"), ("rtdetr", "transformers-rt-detr"), ("iou", "iou_threshold")],
)
def test_words_of_other_libraries_lead_to_ours(word: str, known: str) -> None:
    words = ["yolov10", "yolov5", "yolov8", "transformers-detr", "transformers-rt-detr", "iou_threshold"]
    assert did_you_mean(word, words) == f"here it is called `{known}`"
