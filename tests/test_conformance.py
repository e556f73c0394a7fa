"""Every operation, every family, every case, every promise. A new step is tested the moment its file exists."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import conformance
import pytest
from closeness import difference
from conformance import Subject
from recorded import FOLDER, file_of, key, question, recordings, unpack

from onnxprep.step import Sample, Step, catalogue

SUBJECTS = conformance.subjects(catalogue())
ADDITIONAL = conformance.additional(catalogue())
each_case = pytest.mark.parametrize("subject", SUBJECTS, ids=str)
each_family = pytest.mark.parametrize(
    ("step_class", "like"),
    [(cls, like) for cls, like in conformance.families(catalogue()) if not cls.caller],
    ids=lambda value: value.operation if isinstance(value, type) else value or "any",
)
each_class = pytest.mark.parametrize(
    "step_class", dict.fromkeys(cls for cls, _ in conformance.families(catalogue())), ids=lambda cls: cls.__name__
)


@each_case
def test_graph_equals_oracle(subject: Subject):
    conformance.check_graph_equals_oracle(subject)


@pytest.mark.parametrize("subject", ADDITIONAL, ids=str)
def test_random_case(subject: Subject):
    conformance.check_random_case(subject)


@each_case
def test_infer_tells_the_truth(subject: Subject):
    conformance.check_infer_tells_the_truth(subject)


@each_case
def test_survives_json(subject: Subject):
    conformance.check_survives_json(subject)


@each_case
def test_same_step_same_bytes(subject: Subject):
    conformance.check_same_step_same_bytes(subject)


@each_case
def test_standard_operators_only(subject: Subject):
    conformance.check_standard_operators_only(subject)


CROPS = [s for s in SUBJECTS if s.step_class.window is not Step.window]
FUSING = [s for s in SUBJECTS if s.step_class.emit_window is not Step.emit_window]


@pytest.mark.parametrize("subject", FUSING, ids=str)
def test_crop_behind_is_exact(subject: Subject):
    conformance.check_crop_behind_is_exact(subject, CROPS)


@each_family
def test_every_parameter_matters(step_class: type[Step], like: str):
    conformance.check_every_parameter_matters(step_class, like)


@each_family
def test_wrong_input_is_refused(step_class: type[Step], like: str):
    conformance.check_wrong_input_is_refused(conformance.subjects_of(step_class, like)[0])


@each_class
def test_documented(step_class: type[Step]):
    conformance.check_documented(step_class)


@each_class
def test_oracle_stands_alone(step_class: type[Step]):
    conformance.check_oracle_stands_alone(step_class)


def test_another_process_gives_the_same_bytes():
    program = "import conformance, json; from onnxprep.step import catalogue; print(json.dumps(conformance.fingerprints(catalogue())))"
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(Path(__file__).parent)}
    there = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(there.stdout) == conformance.fingerprints(catalogue())


def asked_of(subject: Subject) -> list[tuple[Sample, ...]]:
    return [subject.case.inputs] if subject in ADDITIONAL else conformance.questions(subject)


@pytest.mark.parametrize("subject", [*SUBJECTS, *ADDITIONAL], ids=str)
def test_recordings_are_what_the_library_says(subject: Subject):
    step = subject.step()
    for samples in asked_of(subject):
        entry = recordings(step.operation, step.like).get(key(question(step, samples)))
        said = conformance.answer_here(step, samples)
        if entry is not None and said:  # else the graph is held against the recording itself
            for now, then in zip(said, map(unpack, entry["outputs"]), strict=True):
                assert not difference(now, then, step.promise())


def test_there_are_no_recordings_of_cases_that_are_gone():
    asked = {key(question(s.step(), samples)) for s in [*SUBJECTS, *ADDITIONAL] for samples in asked_of(s)}
    files = {file_of(cls.operation, like) for cls, like in conformance.families(catalogue())}
    assert set(FOLDER.rglob("*.json")) <= files, "a family is gone: delete its recordings"
    every = [entry for cls, like in conformance.families(catalogue()) for entry in recordings(cls.operation, like)]
    assert not [entry for entry in every if entry not in asked], "run fixtures/conformance/make.py"
