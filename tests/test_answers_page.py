"""docs/answers.md: every spec there joins the model named above it, and its steps load in ONNX Runtime."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from onnxprep.graph.split import split
from onnxprep.runtime.session import Session
from onnxprep.spec.bind import bind
from onnxprep.spec.document import Spec
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
