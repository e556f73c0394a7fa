"""Single bytes changed in what export wrote: verify must exit 5 each time and say what and where."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from demo import EXPECTED, MODEL, SPEC, exported, pixels
from onnx import numpy_helper

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ParityError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("faults") / "demo.onnx")


def constants(model: onnx.ModelProto) -> Iterator[tuple[str, bytes]]:
    """Content of every constant of ours, labels one by one."""
    for node in model.graph.node:
        if node.name.startswith("onnxprep/") and node.op_type == "Constant":
            tensor = node.attribute[0].t
            for text in tensor.string_data:
                yield node.name, text
            if tensor.raw_data:
                yield node.name, tensor.raw_data


def places(data: bytes, content: bytes) -> Iterator[int]:
    start = data.find(content)
    while start >= 0:
        yield start
        start = data.find(content, start + 1)


def faults(path: Path, kind: str, count: int) -> Iterator[tuple[bytes, str]]:
    """``count`` files with one byte changed, each with a word that must be in the message."""
    data, rng = path.read_bytes(), random.Random(kind)
    loaded = onnx.load(path, load_external_data=False)
    stored = {entry.key: entry.value.encode() for entry in loaded.metadata_props}
    found = {
        "spec": [("onnxprep.spec", stored["onnxprep.spec"])],
        "golden": [("onnxprep.golden", stored["onnxprep.golden"])],
    }
    found["constant"] = [(name, content) for name, content in constants(loaded) if len(content) >= 8 or b" " in content]
    made = 0
    while made < count:
        where, content = rng.choice(found[kind])
        starts = list(places(data, content))
        if kind == "constant" and len(starts) != 1:
            continue  # the same bytes stand in the spec or in the body as well
        at = starts[0] + rng.randrange(len(content))
        byte = rng.choice([b for b in range(256) if b != data[at]])
        yield data[:at] + bytes([byte]) + data[at + 1 :], where
        made += 1


@pytest.mark.parametrize("kind", ["spec", "golden", "constant"])
def test_every_changed_byte_is_found_and_placed(model: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "changed.onnx"
    for data, where in faults(model, kind, 50):
        target.write_bytes(data)
        result = CliRunner().invoke(main, ["verify", str(target)])
        assert result.exit_code == 5, (kind, where, result.output, result.exception)
        assert where in result.stderr or where.split("/")[-1] in result.stderr, (where, result.stderr)


def test_a_sound_file_verifies(model: Path) -> None:
    checked = onnxprep.verify(model)
    assert any("holds on CPUExecutionProvider" in line for line in checked.lines)


def test_the_first_differing_constant_is_named_with_its_index(model: Path, tmp_path: Path) -> None:
    loaded = onnx.load(model)
    node = next(n for n in loaded.graph.node if "normalize/Constant" in n.name)
    changed = np.array(numpy_helper.to_array(node.attribute[0].t))
    changed.flat[1] += 1
    node.attribute[0].t.CopyFrom(numpy_helper.from_array(changed))
    target = tmp_path / "changed.onnx"
    target.write_bytes(loaded.SerializeToString())
    with pytest.raises(ParityError) as error:
        onnxprep.verify(target)
    assert error.value.at == node.name
    assert "index [1, 0, 0]" in error.value.problem


def test_a_wrong_training_tensor_stops_the_export(tmp_path: Path) -> None:
    wrong = np.load(EXPECTED)
    wrong[0, 2, 3, 1] = np.nextafter(wrong[0, 2, 3, 1], 9)
    out = tmp_path / "out.onnx"
    with pytest.raises(ParityError) as error:
        onnxprep.export(MODEL, SPEC, out, goldens=[{"image": pixels()[None]}], expect={"to_layout": wrong})
    assert "index [0, 2, 3, 1]" in error.value.problem
    assert list(tmp_path.iterdir()) == []


def test_a_changed_body_is_found_by_the_golden(model: Path, tmp_path: Path) -> None:
    loaded = onnx.load(model)
    weights = max(loaded.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.raw_data = bytes(len(weights.raw_data))
    target = tmp_path / "changed.onnx"
    target.write_bytes(loaded.SerializeToString())
    with pytest.raises(ParityError) as error:
        onnxprep.verify(target)
    assert error.value.at.startswith("samples[0].values.")
