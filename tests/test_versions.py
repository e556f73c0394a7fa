"""Every opset from 7 and every IR version from 3 that the installed ONNX Runtime loads, and what is too new for it."""

from __future__ import annotations

from pathlib import Path

import conformance
import numpy as np
import onnxruntime as ort
import pytest
from awkward import graph, info, model, node, weights
from onnx import ModelProto
from plans import run

import onnxprep
from onnxprep.errors import ContractError
from onnxprep.graph.parse import parse
from onnxprep.graph.undo import Stripped, strip
from onnxprep.runtime.newest import newest

NEWEST_IR, NEWEST = newest()
SPEC = {
    "onnxprep": 1, "inputs": [{"name": "rows", "dtype": "float64", "shape": ["N", 3]}],
    "preprocess": [{"to_dtype": {"dtype": "float32"}}], "postprocess": [{"to_dtype": {"dtype": "int32", "rounding": "trunc"}}],
    "outputs": ["to_dtype_2", "to_dtype"],
}  # fmt: skip
ROWS = np.random.default_rng(5).normal(0, 9, (4, 3))


def plain(opset: int, ir: int) -> ModelProto:
    """Operators that mean the same at every opset."""
    nodes = [node("Add", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "m"], ["y"])]
    matrix = weights("m", 1)
    matrix.dims[:] = [3, 1]
    made = graph(nodes, [info("x")], [info("y", ("N", 1))], [weights("w"), matrix])
    if ir < 4:
        made.input.extend([info("w", (3,)), info("m", (3, 1))])
    return model(made, opset=opset, ir=ir)


def old(opset: int) -> ModelProto:
    """Attributes that became inputs by opset 11."""
    nodes = [node("Clip", ["x"], ["c"], min=-1.0, max=2.0), node("Pad", ["c"], ["y"], pads=[0, 1, 0, 1])]
    return model(graph(nodes, [info("x")], [info("y", ("N", 5))]), opset=opset, ir=4)


def through(made: ModelProto, folder: Path, *, upgrade: bool = False) -> tuple[Stripped, list[str], ModelProto]:
    source, out = folder / "model.onnx", folder / "out.onnx"
    source.write_bytes(made.SerializeToString())
    report = onnxprep.export(source, SPEC, out, upgrade_opset=upgrade)
    written = parse(out.read_bytes())
    got, x = run(written, {"rows": ROWS}), ROWS.astype(np.float32)
    assert got["to_dtype"].tobytes() == x.tobytes()
    assert got["to_dtype_2"].tobytes() == np.trunc(run(made, {"x": x})["y"]).astype(np.int32).tobytes()
    return strip(written), report.contract, written


@pytest.mark.parametrize(
    ("opset", "ir"),
    [*((opset, 3 + (opset - 7) % (NEWEST_IR - 2)) for opset in range(7, NEWEST + 1)), *((17, ir) for ir in range(3, NEWEST_IR + 1))],
)  # fmt: skip
def test_every_opset_and_ir_version_goes_through(opset: int, ir: int, tmp_path: Path) -> None:
    """Steps need 11 here: below, the number is raised and proven, and strip gives the old one back."""
    made = plain(opset, ir)
    stripped, contract, written = through(made, tmp_path)
    assert (written.opset_import[0].version, written.ir_version) == (max(11, opset), ir)
    how = f"opset {opset} -> 11 (restamped, proven equal)" if opset < 11 else f"opset {opset}"
    assert contract[-1] == how
    assert stripped.exact
    assert stripped.data == made.SerializeToString()


@pytest.mark.parametrize("opset", range(7, 11))
def test_old_operators_are_named_and_rewritten_on_request_only(opset: int, tmp_path: Path) -> None:
    with pytest.raises(ContractError) as caught:
        through(old(opset), tmp_path)
    assert "Clip at opset 11: attribute max is gone" in str(caught.value)
    assert "Pad at opset 11: attribute pads is gone" in str(caught.value)
    assert "or --upgrade-opset rewrites" in caught.value.hint
    stripped, contract, written = through(old(opset), tmp_path, upgrade=True)
    assert written.opset_import[0].version == 11
    assert contract[-1] == f"opset {opset} -> 11 (upgraded, proven equal; strip cannot give the original back)"
    assert stripped.state == "changed"


def test_the_range_is_what_the_installed_runtime_loads() -> None:
    assert conformance.newest_opset() == NEWEST
    assert (26 if tuple(map(int, ort.__version__.split(".")[:2])) >= (1, 31) else 21) <= NEWEST


@pytest.mark.parametrize(("opset", "ir"), [(NEWEST + 1, 8), (NEWEST + 2, 8), (17, NEWEST_IR + 1), (99, 99)])
def test_what_is_too_new_is_said_in_numbers(opset: int, ir: int, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(plain(opset, ir).SerializeToString())
    with pytest.raises(ContractError) as caught:
        onnxprep.export(tmp_path / "model.onnx", SPEC, tmp_path / "out.onnx", run=False)
    assert caught.value.problem == "is newer than what the installed ONNX Runtime loads"
    assert caught.value.expected.startswith(
        f"IR version {NEWEST_IR} or lower and opset {NEWEST} or lower (onnxruntime "
    )
    assert caught.value.got == f"IR version {ir} and opset {opset}"
    assert not (tmp_path / "out.onnx").exists()


def test_what_is_too_old_is_said(tmp_path: Path) -> None:
    """ONNX Runtime loads some models of opset 6, but promises nothing."""
    (tmp_path / "model.onnx").write_bytes(plain(6, 3).SerializeToString())
    with pytest.raises(ContractError) as caught:
        onnxprep.export(tmp_path / "model.onnx", SPEC, tmp_path / "out.onnx")
    assert "opset 6 is older than what was reviewed (7)" in caught.value.got
