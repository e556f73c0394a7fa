"""bfloat16 and float8: models that take them, steps that make them, and how they pass ONNX Runtime's Python side."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from awkward import graph, info, model, node
from click.testing import CliRunner
from conformance import newest_opset
from onnx import ModelProto, TensorProto, helper

import onnxprep
from onnxprep.cli import main
from onnxprep.emit import Emitter, element_type, type_proto
from onnxprep.errors import ContractError
from onnxprep.runtime.session import Session
from onnxprep.step import Value
from onnxprep.steps.image.to_dtype import ToDtype
from onnxprep.tensor import NARROW, Array, Tensor, TensorSpec

SPEC = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, 2, 3, 3]}]
preprocess:
  - rescale: {like: torchvision-v1}
  - to_layout: {layout: NCHW}
"""


def numbers() -> Array:
    """Every float16, its neighbours in float32, ties between narrow floats, and what is too large for them."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    rng = np.random.default_rng(3)
    spread = rng.standard_normal(20000).astype(np.float32) * np.exp2(rng.uniform(-140, 127, 20000)).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        near = [np.nextafter(halves, np.float32(end)) for end in (np.inf, -np.inf)]
    return np.concatenate([halves, *near, spread, np.float32([np.inf, -np.inf, np.nan, 3.4e38, 3.3895314e38])])


def graph_of(step: ToDtype, source: str, opset: int) -> Session:
    """The step between casts from and to float32, which is what NumPy knows; both are exact."""
    op = Emitter("step", opset)
    x = Value("x", TensorSpec(source, ("N",)))
    y = step.emit(op, x)
    nodes = list(op.nodes)
    given = "float32" if source in NARROW else source
    if source in NARROW:
        unbounded = {} if source == "bfloat16" else {"saturate": 0}  # infinity stays infinity
        nodes.insert(0, node("Cast", ["x32"], ["x"], to=element_type(source), **unbounded))
    nodes.append(node("Cast", [y.name], ["y"], to=TensorProto.FLOAT))
    inputs = [helper.make_value_info("x32" if source in NARROW else "x", type_proto(TensorSpec(given, ("N",))))]
    made = helper.make_graph(nodes, "g", inputs, [info("y", ("N",))])
    return Session(helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9))


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("source", ["float32", "float16", "uint8", "int8", "bool"])
def test_to_narrow_floats_as_ml_dtypes_does(source: str, dtype: str) -> None:
    step = ToDtype(dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        x = (
            numbers()
            if source == "float32"
            else numbers().astype(np.float16)
            if source == "float16"
            else np.arange(-300, 300).astype(source)
        )
    wanted = step.oracle(Tensor(x, TensorSpec(source, x.shape)))
    assert wanted.dtype == np.dtype(dtype)
    for opset in {step.needed_opset, 21, newest_opset()}:
        got = graph_of(step, source, opset).run({"x": x})["y"]
        np.testing.assert_array_equal(got, wanted.astype(np.float32), err_msg=f"opset {opset}")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", *NARROW])
@pytest.mark.parametrize("source", NARROW)
def test_from_narrow_floats(source: str, dtype: str) -> None:
    """All 256 or 65536 numbers."""
    wide = np.dtype(source).itemsize == 2
    x = (np.arange(65536, dtype=np.uint16) if wide else np.arange(256, dtype=np.uint8)).view(source)
    step = ToDtype(dtype=dtype, rounding="half_even" if dtype in ("uint8", "int32") else None)
    wanted = step.oracle(Tensor(x, TensorSpec(source, x.shape)))
    with np.errstate(invalid="ignore", over="ignore"):
        wanted = wanted.astype(np.float32)
        got = graph_of(step, source, newest_opset()).run({"x32": x.astype(np.float32)})["y"]
    np.testing.assert_array_equal(got, wanted)


def taking(dtype: str) -> ModelProto:
    """Casts what it gets to float32; gives that, and what it got."""
    kind, nodes = (
        element_type(dtype),
        [node("Cast", ["x"], ["y"], to=TensorProto.FLOAT), node("Identity", ["x"], ["z"])],
    )
    shape = ("N", 3, 2, 3)
    outputs = [info("y", shape), info("z", shape, kind)]
    return model(graph(nodes, [info("x", shape, kind)], outputs), opset=19, ir=9)


@pytest.mark.parametrize("dtype", NARROW)
def test_a_model_that_takes_narrow_floats(dtype: str, tmp_path: Path) -> None:
    onnx.save(taking(dtype), tmp_path / "model.onnx")
    (tmp_path / "spec.yaml").write_text(SPEC)
    refused = CliRunner().invoke(main, ["check", str(tmp_path / "spec.yaml"), "--model", str(tmp_path / "model.onnx")])
    assert refused.exit_code == 4
    assert f"add `to_dtype: {{dtype: {dtype}}}`" in refused.stderr
    (tmp_path / "spec.yaml").write_text(SPEC + f"  - to_dtype: {{dtype: {dtype}}}\n")
    picture = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 3), dtype=np.uint8)
    out = tmp_path / "out.onnx"
    onnxprep.export(tmp_path / "model.onnx", tmp_path / "spec.yaml", out, goldens=[{"image": picture}])
    onnxprep.verify(out)
    got = onnxprep.Pipeline(out)(image=picture)
    wanted = (picture.transpose(0, 3, 1, 2) / np.float32(255)).astype(dtype)
    assert got["y"].tobytes() == wanted.astype(np.float32).tobytes()
    assert got["z"].dtype == wanted.dtype
    assert got["z"].tobytes() == wanted.tobytes()
    assert onnxprep.strip(out, tmp_path / "back.onnx").exact


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_floats_pass_in_and_out(dtype: str) -> None:
    x = np.arange(36).reshape(2, 3, 2, 3).astype(dtype)
    session = Session(taking(dtype))
    assert session.run({"x": x})["z"].tobytes() == x.tobytes()
    assert session.run({"x": x}, ["y"])["y"].tobytes() == x.astype(np.float32).tobytes()
    assert session.run({"x": x[:0]})["z"].shape == (0, 3, 2, 3)
    with pytest.raises(ContractError, match="does not run it"):
        session.run({"x": x.astype(np.float32)})


def test_our_table_of_largest_numbers_is_ml_dtypes() -> None:
    from onnxprep.steps.image.to_dtype import _LARGEST

    assert {name: float(ml_dtypes.finfo(name).max) for name in _LARGEST} == _LARGEST
