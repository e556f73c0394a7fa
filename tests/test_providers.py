"""Providers: where the steps run, what falls back, and who changes bits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import conformance
import demo
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner, Result
from onnx import ModelProto, helper, numpy_helper
from small import FED, picture, small
from sweeps import kernels as kernels_of_onnxruntime
from sweeps import providers as sweep

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import ContractError, ParityError, UsageError
from onnxprep.runtime import agreement, golden, kernels, verify, where
from onnxprep.runtime.closeness import apart
from onnxprep.runtime.placement import placement
from onnxprep.runtime.session import CPU, Session, full_name, known
from onnxprep.step import Claim, Step, catalogue
from onnxprep.tensor import Array

OPENVINO, CUDA = "OpenVINOExecutionProvider", "CUDAExecutionProvider"
on_openvino = pytest.mark.skipif(
    OPENVINO not in ort.get_available_providers(), reason="this onnxruntime has no OpenVINO: `.ci/parity providers`"
)
SPEC = FED.replace("rescale: {like: numpy}", "rescale: {like: torchvision-v1}\n  - normalize: {mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4], like: torchvision-v1}")  # fmt: skip
"""A division by 255 and one by the deviation: what providers like to turn into products."""
FIXED = SPEC.replace("shape: [N, H, W, 3]", "shape: [N, 24, 24, 3]").replace("bilinear, like: pillow-13", "nearest, like: pillow-13")  # fmt: skip
PLACED = [
    "CPUExecutionProvider  resize, rescale, normalize: CPU",
    "CPUExecutionProvider  to_layout: no nodes of its own, nothing to run",
]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.onnx, spec.yaml, fixed.yaml, picture.npy, and out.onnx with a golden."""
    place = tmp_path_factory.mktemp("providers")
    small(place)
    (place / "spec.yaml").write_text(SPEC)
    (place / "fixed.yaml").write_text(FIXED)
    np.save(place / "picture.npy", picture(place / "p.png", 24, 24)[None])
    onnxprep.export(place / "model.onnx", SPEC, place / "out.onnx", goldens=[{"image": np.load(place / "picture.npy")}])
    return place


def export(folder: Path, out: Path, *more: str | Path, spec: str = "spec.yaml") -> Result:
    return call("export", folder / "model.onnx", "--spec", folder / spec, "-o", out, "--force", *more)


def step_line(result: Result) -> str:
    (line,) = [line for line in result.stdout.splitlines() if "ExecutionProvider  " in line]
    return line


# where -------------------------------------------------------------------------------------------------------------


def test_every_step_runs_on_the_cpu_there(folder: Path, tmp_path: Path) -> None:
    said = "CPUExecutionProvider  resize, rescale, normalize: CPU; runs "
    assert step_line(export(folder, tmp_path / "o.onnx", "--provider", "cpu")) == f"{said}3 images"
    golden_too = export(folder, tmp_path / "o.onnx", "--provider", "cpu", "--golden", folder / "picture.npy")
    assert step_line(golden_too) == f"{said}4 images"
    assert step_line(export(folder, tmp_path / "o.onnx", "--provider", "cpu", "--no-run")) == f"{said}3 images"
    assert step_line(call("verify", folder / "out.onnx", "--provider", "cpu")) == f"steps   {said}3 images"
    found = json.loads(call("inspect", folder / "out.onnx", "--provider", "cpu", "--json").stdout)
    assert found["providers"] == PLACED


def test_without_a_provider_nothing_is_compared(folder: Path, tmp_path: Path) -> None:
    assert "ExecutionProvider" not in export(folder, tmp_path / "o.onnx").output
    assert "steps " not in call("verify", folder / "out.onnx").stdout


def test_a_profile_tells_where_what_was_assigned_is_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before onnxruntime 1.24."""
    monkeypatch.setattr(Session, "assigned", lambda _: None)
    found = json.loads(call("inspect", folder / "out.onnx", "--provider", "cpu", "--json").stdout)
    assert found["providers"] == PLACED


def test_parts_that_a_provider_compiled_are_said() -> None:
    ours, prefix = "onnxprep/pre.1.b/Add_0", "onnxprep/pre.0.a"
    found = placement([(ours, OPENVINO), (f"{prefix}/Mul_1/Fused", CPU), (f"{prefix}/Mul_2", OPENVINO), ("Conv", CPU)], OPENVINO)  # fmt: skip
    assert found.text == "a: CPU 1, OpenVINO 1; b: OpenVINO"
    named = [(f"{OPENVINO}_subgraph_1", OPENVINO), (ours, CPU), ("Conv", CPU)]
    assert placement(named, OPENVINO, profiled=True).text == "b: CPU; other nodes of these: compiled by OpenVINO"
    assert placement([], OPENVINO).text == "no node of ours is left to run"


# falling back ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_silent_fall_back_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime lists CUDA, as its GPU build does where there is no GPU, and makes a session on the CPU."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.raises(ContractError, match="fell back to another provider") as raised:
        Session(folder / "out.onnx", [CUDA])
    assert raised.value.got == CPU
    assert call("run", folder / "out.onnx", folder / "picture.npy", "--provider", "cuda").exit_code == 4
    assert call("prove", folder / "spec.yaml", "--provider", "cuda").exit_code == 4
    result = export(folder, tmp_path / "o.onnx", "--provider", "cuda")
    assert result.exit_code == 4
    assert "CUDAExecutionProvider: onnxruntime fell back to another provider" in result.stderr
    assert not (tmp_path / "o.onnx").exists()
    assert export(folder, tmp_path / "o.onnx", "--provider", "cuda", "--no-run").exit_code == 4
    assert call("verify", folder / "out.onnx", "--provider", "cuda").exit_code == 5
    inspected = call("inspect", folder / "out.onnx", "--provider", "cuda")
    assert inspected.exit_code == 0
    assert "fell back to another provider: CPUExecutionProvider" in inspected.stdout
    assert "rescale: a kernel for every node" in inspected.stdout


@pytest.mark.parametrize(
    ("asked", "package"),
    [("cuda", "onnxruntime-gpu"), ("TensorrtExecutionProvider", "onnxruntime-gpu"), ("DirectML", "onnxruntime-directml"), ("dml", "onnxruntime-directml"), ("OpenVINO", "onnxruntime-openvino")],
)  # fmt: skip
def test_the_package_that_brings_a_provider_is_named(monkeypatch: pytest.MonkeyPatch, asked: str, package: str) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(UsageError) as error:
        known([asked])
    assert error.value.hint.startswith(f"{package} brings it: install it in an environment of its own")


def test_directml_is_another_name_of_dml(monkeypatch: pytest.MonkeyPatch) -> None:
    assert full_name("directml") == full_name("dml") == "DmlExecutionProvider"
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["DmlExecutionProvider", CPU])
    assert known(["DirectML"]) == ("DmlExecutionProvider",)


def test_a_provider_that_is_not_here_is_exit_2(folder: Path, tmp_path: Path) -> None:
    for arguments in (["--provider", "nosuch"], ["--provider", "nosuch", "--no-run"]):
        assert export(folder, tmp_path / "o.onnx", *arguments).exit_code == 2
    assert call("inspect", folder / "out.onnx", "--provider", "nosuch").exit_code == 2
    assert not (tmp_path / "o.onnx").exists()


# changed bits ------------------------------------------------------------------------------------------------------


def products_for_quotients(model: ModelProto) -> ModelProto:
    """What OpenVINO makes of a float division by a constant."""
    changed = ModelProto()
    changed.CopyFrom(model)
    constants = {node.output[0]: node for node in changed.graph.node if node.op_type == "Constant"}
    for node in changed.graph.node:
        divisor = constants.get(node.input[1]) if node.op_type == "Div" else None
        if divisor is not None and numpy_helper.to_array(divisor.attribute[0].t).dtype == np.float32:
            value = np.float32(1) / numpy_helper.to_array(divisor.attribute[0].t)
            divisor.attribute[0].t.CopyFrom(numpy_helper.from_array(value))
            node.op_type = "Mul"
    return changed


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that multiplies where it should divide, beside the right one."""
    monkeypatch.setattr(agreement, "_session", lambda model, _: Session(products_for_quotients(model)))


@pytest.mark.usefixtures("hasty")
def test_a_provider_that_changes_bits_is_named_with_the_step_and_the_ulp(folder: Path, tmp_path: Path) -> None:
    result = export(folder, tmp_path / "o.onnx", "--provider", "cpu")
    assert result.exit_code == 0, result.output
    assert "; largest difference from the CPU on 3 images: rescale 1 ulp (" in step_line(result)
    assert "resize" not in step_line(result).partition("largest")[2]
    assert (
        "warning: CPUExecutionProvider: rescale changes bits that are claimed to be exact: up to 1 ulp" in result.stderr
    )
    (tmp_path / "o.onnx").unlink()
    for arguments in (["--strict"], ["--strict", "--no-run"]):
        strict = export(folder, tmp_path / "o.onnx", "--provider", "cpu", *arguments)
        assert strict.exit_code == 5, strict.output
        assert "CPUExecutionProvider: rescale: changes bits" in strict.stderr
        assert not (tmp_path / "o.onnx").exists()
    verified = call("verify", folder / "out.onnx", "--provider", "cpu")
    assert verified.exit_code == 5
    assert "CPUExecutionProvider: rescale: changes bits" in verified.stderr


def test_a_claim_that_leaves_room_is_no_broken_one(folder: Path) -> None:
    near, far = (apart(np.float32([1, x]), np.float32([1, 1])) for x in (1 + 2**-23, 1.5))
    assert near.within(Claim("", "", "", ulp=1))
    assert near.within(Claim("", "", "", absolute=1e-6))
    assert not near.within(Claim("", "", ""))
    assert not far.within(Claim("", "", "", ulp=1))
    assert not far.within(Claim("", "", "", absolute=1e-6))
    bounded = {"rescale": Claim("", "", "", ulp=1)}
    assert agreement._broken({"rescale": near, "normalize": far}, bounded) == ""  # the bound, not the step, is wide
    assert agreement._broken({"normalize": far}, bounded) == "normalize"


APART = {
    "equal": ([1.0, np.nan], [1.0, np.nan], "float32", 0, 0.0),
    "a sign of zero": ([0.0], [-0.0], "float32", 1, 0.0),
    "halves": ([1.0], [1 + 2**-10], "float16", 1, 2**-10),
    "doubles": ([1.0, 2.0], [1.0, 2 - 2**-52], "float64", 1, 2**-52),
    "a number and none": ([1.0], [np.nan], "float32", 1, np.inf),
    "bytes": ([1, 255], [1, 0], "uint8", 1, 255.0),
    "truths": ([True], [False], "bool", 1, 0.0),
    "nothing": ([], [], "float32", 0, 0.0),
}


@pytest.mark.parametrize("name", APART)
def test_apart(name: str) -> None:
    got, want, dtype, differing, largest = APART[name]
    found = apart(np.array(got, dtype), np.array(want, dtype))
    assert (found.differing, found.largest) == (differing, largest)
    both = found + found
    assert (both.differing, both.largest) == (2 * differing, largest)


def test_other_shapes_are_apart() -> None:
    assert apart(np.zeros(3), np.zeros((1, 3))).largest == np.inf
    assert apart(np.zeros(3), np.zeros(3, np.float32)).differing == 3


def test_a_golden_names_the_first_step_of_the_provider(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps differ there; the first in the graph is named, not the first in the alphabet."""
    model = onnx.load(folder / "out.onnx")
    (sample,) = golden.load({e.key: e.value for e in model.metadata_props}["onnxprep.golden"], folder)
    assert list(sample.steps) != ["resize", "rescale", "normalize", "to_layout"]  # sorted by name
    true = verify.step_arrays

    def steps(model: ModelProto, trace: Any, inputs: Any, providers: Any = ()) -> dict[str, Array]:
        return true(products_for_quotients(model) if providers == [CUDA] else model, trace, inputs)

    monkeypatch.setattr(verify, "step_arrays", steps)
    with pytest.raises(ParityError) as raised:
        verify._steps(model, sample, "samples[0]", CUDA)
    assert raised.value.at == "samples[0].steps.rescale"
    assert "(on CUDAExecutionProvider)" in raised.value.problem
    assert raised.value.got.startswith("up to 1 ulp (")
    assert raised.value.got.endswith("from the CPU, which gives what was recorded")
    assert list(verify._steps(model, sample, "samples[0]", CPU))[:3] == ["resize", "rescale", "normalize"]


def test_images_that_the_steps_refuse_are_left_out(folder: Path, tmp_path: Path) -> None:
    """The second made-up image is too small for the crop; the others are not."""
    crop = "  - crop: {top: 60, left: 0, height: 10, width: 8}\n"
    spec = SPEC.replace("  - resize", f"{crop}  - resize")
    (tmp_path / "spec.yaml").write_text(spec)
    result = call("export", folder / "model.onnx", "--spec", tmp_path / "spec.yaml", "-o", tmp_path / "o.onnx", "--provider", "cpu")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert step_line(result).endswith("; runs 2 images")
    (tmp_path / "spec.yaml").write_text(spec.replace("height: 10", "height: 9000"))
    none = call("export", folder / "model.onnx", "--spec", tmp_path / "spec.yaml", "-o", tmp_path / "p.onnx", "--provider", "cpu")  # fmt: skip
    assert none.exit_code == 0, none.output
    assert "; no image was run: `crop` does not work on this input" in step_line(none)


# the table ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "available", lambda provider: provider == CPU)


def counted(path: Path, step: str) -> Iterator[str]:
    """Nodes of a step as they stand in the file, those of branches too, without constants."""
    waiting = [onnx.load(path).graph]
    while waiting:
        graph = waiting.pop()
        yield from (node.name for node in graph.node if step in node.name and node.op_type != "Constant")
        waiting += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]


@pytest.mark.usefixtures("bare")
def test_inspect_says_what_cuda_leaves_to_the_cpu(tmp_path: Path) -> None:
    result = call("inspect", demo.exported(tmp_path / "demo.onnx"), "--provider", "CUDA", "--provider", "tensorrt")
    assert result.exit_code == 0, result.output
    said = result.stdout
    assert "CUDAExecutionProvider  is not in this onnxruntime" in said
    assert "OperatorKernels.md of github.com/microsoft/onnxruntime, commit 001d12d2623f" in said
    resize = next(line for line in said.splitlines() if "resize: no kernel for" in line)
    assert "MatMulInteger uint8 int32" in resize
    assert "labels: no kernel for 1 of 3 nodes, which run on the CPU: Gather string int64" in said
    assert "normalize: a kernel for every node" in said
    assert "nodes inside branches and loops count, constants do not" in said
    assert "CUDAExecutionProvider  center_crop, to_layout: no nodes of their own, nothing to run" in said
    assert "of 399 nodes" in resize
    assert len(list(counted(tmp_path / "demo.onnx", "/pre.0.resize/"))) == 399
    assert (
        f"TensorrtExecutionProvider  is not in this onnxruntime {ort.__version__} (onnxruntime-gpu brings it), and"
        in said
    )
    assert "and onnxprep has no table of its kernels" in said


def first_case(step_class: type[Step], like: str) -> ModelProto:
    subject = conformance.subjects_of(step_class, like)[0]
    return conformance.model_of(subject, max(17, step_class.min_opset), known=True)


def test_the_table_knows_what_steps_are_made_of() -> None:
    table = kernels.table(CUDA)
    assert table is not None
    used = {
        node.op_type
        for cls, like in conformance.families(catalogue())
        if not cls.caller
        for node in conformance._nodes(first_case(cls, like).graph)
    }  # fmt: skip
    assert len(used) > 40
    assert used - {"Constant"} <= set(table.operators)


def one_node(operator: str, dtype: int, opset: int, domain: str = "") -> ModelProto:
    node = helper.make_node(operator, ["x"], ["y"], "onnxprep/pre.0.s/N_0", domain=domain)
    values = [helper.make_tensor_value_info(name, dtype, [2]) for name in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, opset)], ir_version=8)


def test_a_kernel_fits_by_dtype_and_by_the_operators_own_version() -> None:
    table = kernels.Table("P", "S", "C", {
        "Abs": [{"from": 13, "to": None, "types": {"T": ["float32"]}}, {"from": 6, "to": 12, "types": {"T": ["float64"]}}],
        "Identity": [{"from": 14, "to": None, "types": {}}],
        "Neg": [],
    })  # fmt: skip
    float32, float64 = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
    lacking = {
        ("Abs", float32, 17): "", ("Abs", float64, 17): "Abs float64",
        ("Abs", float64, 11): "", ("Abs", float32, 11): "Abs float32",
        ("Identity", float32, 15): "", ("Identity", float32, 16): "Identity float32",  # a new version of it at 16
        ("Neg", float32, 17): "Neg float32", ("Sqrt", float32, 17): "Sqrt, which is not in the table",
    }  # fmt: skip
    for (operator, dtype, opset), expected in lacking.items():
        (_, line) = kernels.lines(one_node(operator, dtype, opset), table)
        assert line == (f"s: no kernel for 1 of 1 nodes, which run on the CPU: {expected}" if expected else "s: a kernel for every node"), operator  # fmt: skip


MARKDOWN = """
## Operators implemented by OtherExecutionProvider

|**Operator Domain:** *ai.onnx*||||
|Abs|*in* X:**T**|1+|**T** = tensor(bool)|

## Operators implemented by CUDAExecutionProvider

| Op Name | Parameters | OpSet Version | Types Supported |
|---------|------------|---------------|-----------------|
|**Operator Domain:** *ai.onnx*||||
|Abs|*in* X:**T**<br> *out* Y:**T**|13+|**T** = tensor(double), tensor(float)|
|||[6, 12]|**T** = tensor(float)|
|If|*in* cond:**B**<br> *out* outputs:**V**|19|**B** = tensor(bool)<br/> **V** = seq(tensor(float)), tensor(uint8)|
| |
|**Operator Domain:** *com.microsoft*||||
|Gelu|*in* X:**T**|1+|**T** = tensor(float)|
"""


def test_the_table_is_read_as_onnxruntime_writes_it() -> None:
    assert kernels_of_onnxruntime.rows(MARKDOWN, "CUDA") == {
        "Abs": [
            {"from": 13, "to": None, "types": {"T": ["float32", "float64"]}},
            {"from": 6, "to": 12, "types": {"T": ["float32"]}},
        ],
        "If": [{"from": 19, "to": 19, "types": {"B": ["bool"], "V": ["uint8"]}}],
    }


# other runtimes ----------------------------------------------------------------------------------------------------

REFERENCE = [
    "normalize",
    "rescale",
    "to_layout",
    "convert_color",
    "center_crop",
    "pad",
    "flip",
    "softmax",
    "top_k",
    "labels",
]


@pytest.mark.parametrize("operation", REFERENCE)
def test_onnx_reference_evaluator_runs_what_we_emit(operation: str) -> None:
    for like in catalogue()[operation]:
        row = sweep.family("reference", "", operation, like)
        assert row.graphs > 0
        assert not row.refused
        assert not row.wrong
        assert row.equal == row.graphs or operation == "softmax", row


def test_the_sweep_counts_what_differs() -> None:
    row = sweep.Row("a", "b", 4)
    row.compare([np.float32([1, 2])], [np.float32([1, 2])])
    row.compare([np.float32([1, 2])], [np.float32([1, 2 + 2**-22])])
    row.compare([np.uint8([1])], [np.uint8([3])])
    row.refused[sweep.reason(RuntimeError("x: node 7 not found in graph cache"))] += 1
    assert (row.equal, row.wrong, row.ulp, row.largest) == (1, 1, 1, 2.0)
    assert "4 graphs of 1 families: 3 run, 1 with the CPU's bits, 1 with floats that are nearly those, 1 with wrong" in sweep.summary([row])  # fmt: skip


# OpenVINO ----------------------------------------------------------------------------------------------------------


@on_openvino
def test_openvino_is_told_from_the_cpu(folder: Path, tmp_path: Path) -> None:
    result = export(folder, tmp_path / "o.onnx", "--provider", "OpenVINO", "--golden", folder / "picture.npy", spec="fixed.yaml")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert step_line(result).startswith(f"{OPENVINO}  resize, rescale, normalize: OpenVINO; ")
    assert "largest difference from the CPU on 4 images: rescale 1 ulp" in step_line(result)
    assert f"warning: {OPENVINO}: rescale changes bits" in result.stderr
    verified = call("verify", tmp_path / "o.onnx", "--provider", "openvino")
    assert verified.exit_code == 5
    assert f"samples[0].steps.rescale: gives other bits than were recorded (on {OPENVINO})" in verified.stderr
    assert "from the CPU, which gives what was recorded" in verified.stderr
    assert call("verify", tmp_path / "o.onnx", "--provider", "cpu").exit_code == 0
    assert export(folder, tmp_path / "n.onnx", "--provider", "OpenVINO", "--strict", spec="fixed.yaml").exit_code == 5
    assert not (tmp_path / "n.onnx").exists()
    assert "rescale, normalize: OpenVINO" in call("inspect", tmp_path / "o.onnx", "--provider", "OpenVINO").stdout


@on_openvino
def test_what_openvino_does_not_load_is_exit_4_and_names_it(folder: Path, tmp_path: Path) -> None:
    """Pillow's resize of any size holds branches that read tensors from outside of them."""
    result = export(folder, tmp_path / "o.onnx", "--provider", "OpenVINO")
    assert result.exit_code == 4
    assert f"{OPENVINO}: ONNX Runtime does not load it" in result.stderr
    assert "not found in graph cache" in result.stderr
    inspected = call("inspect", folder / "out.onnx", "--provider", "OpenVINO")
    assert inspected.exit_code == 0
    assert "does not do it: ONNX Runtime does not load it" in inspected.stdout


@pytest.mark.parametrize("operation", ["rescale", "center_crop", "resize"])
def test_openvino_reads_what_we_emit(operation: str) -> None:
    openvino = pytest.importorskip("openvino", reason="openvino is not installed: `.ci/parity providers`")
    core = openvino.Core()
    for like, step_class in catalogue()[operation].items():
        subject = conformance.subjects_of(step_class, like)[0]
        for lengths in (True, False):
            model = conformance.model_of(subject, max(17, step_class.min_opset), known=lengths)
            read = core.read_model(model.SerializeToString())
            assert len(read.outputs) == len(model.graph.output)
