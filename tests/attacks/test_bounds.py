"""What bounds time and memory, one by one."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest

import onnxprep
from onnxprep.errors import ContractError, SpecError
from onnxprep.graph.contract import _Classes
from onnxprep.runtime import arrays
from onnxprep.runtime.spill import spill
from onnxprep.spec.reading import MAX_VALUES, read


def test_a_yaml_document_holds_so_many_values() -> None:
    assert len(read("- a\n" * 1000)) == 1000
    with pytest.raises(SpecError, match="holds too many values"):
        read("- a\n" * MAX_VALUES)


def naive(pairs: list[tuple[int | str, int | str]]) -> list[set[tuple[str, int | str]]] | None:
    """Classes of equal lengths by trying all; ``None`` where one would have two numbers."""
    classes: list[set[tuple[str, int | str]]] = []
    for ours, theirs in pairs:
        merged = {("number" if isinstance(v, int) else side, v) for side, v in (("ours", ours), ("theirs", theirs))}
        meeting = [found for found in classes if found & merged]
        merged = merged.union(*meeting)
        if sum(side == "number" for side, _ in merged) > 1:
            return None
        if any(side != "number" for side, _ in merged):
            classes = [*(found for found in classes if found not in meeting), merged]
    return classes


@pytest.mark.parametrize("seed", range(50))
def test_equal_lengths_are_found_as_by_trying_all(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        pairs = [
            (rng.choice([1, 2, "a", "b", "c"]), rng.choice([1, 2, "a", "b", "c"])) for _ in range(rng.randint(1, 8))
        ]
        classes = _Classes()
        clash = any(classes.join(*pair) for pair in pairs)
        expected = naive(pairs)
        assert clash == (expected is None)
        assert expected is None or classes._members == expected


def test_many_lengths_take_little_time() -> None:
    start, classes = time.process_time(), _Classes()
    for k in range(16_384):  # 256 inputs of 64 axes
        assert not classes.join(f"a{k}", f"b{k}")
        assert not classes.join(f"a{k}", f"c{k % 7}")
    assert time.process_time() - start < 2


def test_what_inflates_to_much_lies_beside_the_model(tmp_path: Path) -> None:
    packed = arrays.packed(np.zeros(65 * 2**20, np.uint8))
    document = {"samples": [{"inputs": {"x": packed}, "values": {}}]}
    text, files, _ = spill(document, tmp_path / "model.onnx", [], force=False)
    assert [path.name for path in files] == ["input_0.pb"]
    assert "zlib" not in text


@pytest.mark.parametrize(
    ("shape", "step"),
    [
        ([1, 2**18 + 1, 8, 3], {"invert": {"like": "pillow-13"}}),
        ([2**31 - 1, 2**10, 8, 3], {"invert": {"like": "pillow-13"}}),
        ([1, 8, 8, 3], {"pad": {"padding": 2**18, "like": "torchvision-v1"}}),
    ],
)
def test_sizes_that_no_memory_holds_are_refused(shape: list[int], step: dict[str, object]) -> None:
    image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "RGB", "shape": shape}
    with pytest.raises(ContractError, match="works on what no memory holds"):
        onnxprep.build({"onnxprep": 1, "inputs": [image], "preprocess": [step]})


def test_a_long_border_of_an_unknown_image_is_counted_by_the_graph() -> None:
    image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": "RGB", "shape": ["N", "H", "W", 3]}
    step = {"pad": {"padding": 2**23, "padding_mode": "edge", "like": "torchvision-v1"}}
    assert onnxprep.build({"onnxprep": 1, "inputs": [image], "preprocess": [step]}).ByteSize() < 2**20
