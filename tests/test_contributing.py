"""The step in docs/contributing.md, taken from there, passes the suite as a stranger's step would."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import conformance
import pytest

from onnxprep.step import Step, collect

PAGE = Path(__file__).parents[1] / "docs" / "contributing.md"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Step]:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "example_step.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("example_step", None)
    ((families,),) = [list(collect([importlib.import_module("example_step")]).values())]
    return next(iter(families.values()))


def test_the_example_passes_the_suite(example: type[Step]) -> None:
    (like,) = example.claims
    subjects = conformance.subjects_of(example, like)
    assert len(subjects) == 2
    for subject in subjects:
        conformance.check_graph_equals_oracle(subject)
        conformance.check_infer_tells_the_truth(subject)
        conformance.check_survives_json(subject)
        conformance.check_same_step_same_bytes(subject)
        conformance.check_standard_operators_only(subject)
    conformance.check_every_parameter_matters(example, like)
    conformance.check_wrong_input_is_refused(subjects[0])
    conformance.check_documented(example)
    conformance.check_oracle_stands_alone(example)


def test_the_example_is_the_step_that_comes_with_the_package() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert code == (PAGE.parents[1] / "onnxprep/steps/image/invert.py").read_text("utf-8")
