"""Opset numbers: what may be raised without touching the body, proven on the operators themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from awkward import MODELS, graph, model, node
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.defs import get_all_schemas_with_history, get_schema
from plans import Newer, Scale, planned, run

from onnxprep.errors import ContractError
from onnxprep.graph import changes
from onnxprep.graph.names import inside
from onnxprep.graph.opset import (
    default_opset,
    needs,
    refusals,
    restampable,
    restamped,
    upgraded,
)
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import signature
from onnxprep.tensor import Array, TensorSpec

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))
NEWEST = 26
X4 = np.random.default_rng(0).standard_normal((2, 4, 9, 9)).astype(np.float32)
X2 = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
KERNEL = np.random.default_rng(2).standard_normal((4, 4, 3, 3)).astype(np.float32)
ROW = np.random.default_rng(3).uniform(0.5, 1.5, 4).astype(np.float32)

Single = tuple[str, int, list[Array | None], dict[str, object], int]
"""Operator, opset, inputs (the first is the graph's, the others are weights), attributes, number of outputs."""


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


def singles() -> list[Single]:
    plain = [
        "Abs", "Acos", "Acosh", "Asin", "Atan", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "GlobalAveragePool", "GlobalMaxPool",
        "HardSigmoid", "Identity", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "Neg", "Reciprocal", "Relu", "Selu",
        "Shape", "Sigmoid", "Sign", "Sin", "Size", "Softmax", "Hardmax", "Softplus", "Softsign", "Sqrt", "Tanh", "Transpose",
        "Flatten", "Squeeze", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare", "Clip",
        "MeanVarianceNormalization", "IsNaN", "NonZero", "Dropout", "ArgMax", "ArgMin", "GlobalLpPool",
    ]  # fmt: skip
    found: list[Single] = [(name, 9, [X4], {}, 1) for name in plain]
    found += [(name, 9, [X4, X4[::-1].copy()], {}, 1) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Greater", "Less", "Pow", "PRelu")]  # fmt: skip
    found += [
        ("Softmax", 9, [X4], {"axis": 3}, 1), ("Softmax", 11, [X4], {"axis": -1}, 1), ("Softmax", 11, [X4], {"axis": 1}, 1),
        ("LogSoftmax", 11, [X4], {"axis": -1}, 1), ("Hardmax", 11, [X4], {"axis": -1}, 1), ("Hardmax", 11, [X4], {"axis": 2}, 1),
        ("Clip", 9, [X4], {"min": -1.0, "max": 1.0}, 1), ("Clip", 11, [X4, floats(-1).reshape(()), floats(1).reshape(())], {}, 1),
        ("ReduceMean", 11, [X4], {"axes": [1]}, 1), ("ReduceSum", 11, [X4], {"axes": [1]}, 1), ("ReduceMax", 18, [X4, ints(1)], {}, 1),
        ("Squeeze", 9, [X4[:, :1]], {"axes": [1]}, 1), ("Unsqueeze", 9, [X4], {"axes": [0]}, 1), ("Unsqueeze", 13, [X4, ints(0)], {}, 1),
        ("Split", 9, [X4], {"axis": 1}, 2), ("Split", 9, [X4], {"axis": 1, "split": [1, 3]}, 2), ("Split", 13, [X4, ints(1, 3)], {"axis": 1}, 2),
        ("Split", 13, [X4], {"axis": 1}, 2), ("Pad", 9, [X2], {"pads": [0, 1, 0, 1]}, 1), ("Pad", 11, [X2, ints(0, 1, 0, 1)], {"mode": "reflect"}, 1),
        ("Slice", 9, [X2], {"starts": [1], "ends": [3]}, 1), ("Slice", 10, [X2, ints(1), ints(3)], {}, 1),
        ("TopK", 9, [X2], {"k": 2}, 2), ("TopK", 10, [X2, ints(2)], {}, 2), ("TopK", 11, [X2, ints(2)], {"largest": 0}, 2),
        ("Resize", 10, [X4, floats(1, 1, 1.5, 1.5)], {"mode": "linear"}, 1), ("Resize", 10, [X4, floats(1, 1, 1.5, 1.5)], {"mode": "nearest"}, 1),
        ("Resize", 11, [X4, floats(), floats(1, 1, 1.5, 1.5)], {"mode": "linear"}, 1),
        ("Resize", 11, [X4, floats(), floats(1, 1, 1.5, 1.5)], {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}, 1),
        ("Resize", 13, [X4, None, None, ints(2, 4, 5, 14)], {"mode": "cubic", "coordinate_transformation_mode": "align_corners"}, 1),
        ("Upsample", 7, [X4], {"scales": [1.0, 1.0, 2.0, 2.0], "mode": "linear"}, 1), ("Upsample", 9, [X4, floats(1, 1, 2, 2)], {"mode": "linear"}, 1),
        ("Conv", 9, [X4, KERNEL], {}, 1), ("Conv", 9, [X4, KERNEL], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 1),
        ("ConvTranspose", 9, [X4, KERNEL], {"strides": [2, 2]}, 1),
        ("ConvTranspose", 9, [X4, KERNEL], {"strides": [2, 2], "output_shape": [18, 18]}, 1), ("ConvTranspose", 9, [X4, KERNEL], {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, 1),
        ("MaxPool", 8, [X4], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 2),
        ("MaxPool", 10, [X4], {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1}, 1),
        ("AveragePool", 7, [X4], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 1), ("AveragePool", 7, [X4], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 1),
        ("AveragePool", 10, [X4], {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1, "count_include_pad": 1}, 1),
        ("LpPool", 11, [X4], {"kernel_shape": [3, 3]}, 1), ("LRN", 9, [X4], {"size": 3}, 1),
        ("BatchNormalization", 7, [X4, ROW, ROW, ROW, ROW], {}, 1), ("BatchNormalization", 9, [X4, ROW, ROW, ROW, ROW], {}, 1), ("BatchNormalization", 14, [X4, ROW, ROW, ROW, ROW], {}, 1),
        ("InstanceNormalization", 9, [X4, ROW, ROW], {}, 1), ("GroupNormalization", 18, [X4, floats(1, 2), floats(0, 1)], {"num_groups": 2}, 1),
        ("LayerNormalization", 17, [X4, floats(*range(9))], {}, 1),
        ("Dropout", 9, [X4], {"ratio": 0.3}, 1), ("Dropout", 9, [X4], {}, 2), ("Dropout", 12, [X4, floats(0.3).reshape(())], {}, 1),
        ("Gemm", 7, [X2, X2.T.copy(), X2[:, :3].copy()], {}, 1), ("Gemm", 11, [X2, X2.T.copy()], {}, 1), ("MatMul", 9, [X4, X4[::-1].copy()], {}, 1),
        ("Reshape", 9, [X4, ints(0, -1)], {}, 1), ("Expand", 9, [X2, ints(2, 3, 5)], {}, 1), ("Tile", 9, [X2, ints(2, 1)], {}, 1),
        ("Gather", 9, [X4, ints(1, 0)], {}, 1), ("GatherElements", 11, [X2, np.zeros((3, 5), np.int64)], {}, 1), ("GatherND", 11, [X2, np.array([[0], [2]], np.int64)], {}, 1),
        ("Scatter", 9, [X2, np.zeros((1, 5), np.int64), X2[:1]], {}, 1), ("ScatterElements", 11, [X2, np.zeros((1, 5), np.int64), X2[:1].copy()], {}, 1), ("ScatterND", 11, [X2, np.array([[0]], np.int64), X2[1:2].copy()], {}, 1),
        ("Concat", 9, [X4, X4], {"axis": 1}, 1), ("DepthToSpace", 9, [X4], {"blocksize": 2}, 1), ("SpaceToDepth", 9, [X4[:, :, :8, :8].copy()], {"blocksize": 2}, 1),
        ("Cast", 9, [X4], {"to": TensorProto.INT64}, 1), ("Cast", 9, [X2], {"to": TensorProto.STRING}, 1), ("Cast", 9, [X2], {"to": TensorProto.FLOAT16}, 1),
        ("Equal", 11, [X4, X4], {}, 1), ("CumSum", 11, [X2, ints(1).reshape(())], {}, 1), ("OneHot", 9, [ints(1, -1, 2), ints(3), floats(0, 1)], {}, 1), ("OneHot", 11, [ints(1, -1, 2), ints(3), floats(0, 1)], {}, 1),
        ("Compress", 9, [X2, np.array([True, False, True])], {"axis": 0}, 1), ("Where", 9, [X2 > 0, X2, -X2], {}, 1), ("Not", 9, [X2 > 0], {}, 1), ("And", 9, [X2 > 0, X2 > 1], {}, 1),
        ("Mod", 10, [ints(5, -5), ints(3, 3)], {}, 1), ("Round", 11, [X2 * 4], {}, 1), ("Range", 11, [floats(0).reshape(()), floats(5).reshape(()), floats(1).reshape(())], {}, 1),
        ("RoiAlign", 10, [X4, floats(1, 1, 5, 5).reshape(1, 4), ints(0)], {"output_height": 3, "output_width": 3}, 1), ("RoiAlign", 16, [X4, floats(1, 1, 5, 5).reshape(1, 4), ints(0)], {}, 1),
        ("GridSample", 16, [X4, np.random.default_rng(4).uniform(-1, 1, (2, 3, 3, 2)).astype(np.float32)], {}, 1),
        ("NonMaxSuppression", 10, [np.random.default_rng(5).uniform(0, 9, (1, 8, 4)).astype(np.float32), np.random.default_rng(6).uniform(0, 1, (1, 2, 8)).astype(np.float32), ints(3), floats(0.5)], {}, 1),
        ("QuantizeLinear", 10, [X4, floats(0.1).reshape(()), np.array(128, np.uint8)], {}, 1), ("DequantizeLinear", 10, [np.arange(9, dtype=np.uint8), floats(0.1).reshape(()), np.array(128, np.uint8)], {}, 1),
        ("QuantizeLinear", 13, [X4, ROW, np.arange(4, dtype=np.uint8)], {"axis": 1}, 1),
        ("LSTM", 7, [X4[:, :, 0], np.random.default_rng(7).standard_normal((1, 12, 9)).astype(np.float32), np.random.default_rng(8).standard_normal((1, 12, 3)).astype(np.float32)], {"hidden_size": 3}, 3),
        ("GRU", 7, [X4[:, :, 0], np.random.default_rng(7).standard_normal((1, 9, 9)).astype(np.float32), np.random.default_rng(8).standard_normal((1, 9, 3)).astype(np.float32)], {"hidden_size": 3}, 2),
        ("Constant", 9, [], {"value": numpy_helper.from_array(X2)}, 1), ("ConstantOfShape", 9, [ints(2, 3)], {}, 1), ("EyeLike", 9, [X2], {}, 1),
        ("Shape", 13, [X4], {}, 1), ("Shape", 15, [X4], {"start": 1}, 1), ("Einsum", 12, [X2], {"equation": "ij->ji"}, 1), ("DFT", 17, [X2.reshape(1, 15, 1)], {"axis": 1}, 1),
        ("Unique", 11, [X2], {}, 1), ("Attention", 23, [X4[:, :, :, :8].copy()] * 3, {}, 1), ("MaxUnpool", 9, [floats(1, 2).reshape(1, 1, 1, 2), ints(0, 3).reshape(1, 1, 1, 2)], {"kernel_shape": [1, 2], "strides": [1, 2]}, 1),
    ]  # fmt: skip
    return found


def single(case: Single) -> tuple[ModelProto, dict[str, Array]]:
    operator, opset, inputs, attributes, outputs = case
    names = ["" if value is None else f"i{k}" for k, value in enumerate(inputs)]
    made: NodeProto = node(operator, names, [f"o{k}" for k in range(outputs)], **attributes)
    given = [
        helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(inputs[0].dtype), inputs[0].shape)
    ] if inputs and inputs[0] is not None else []  # fmt: skip
    rest = [
        numpy_helper.from_array(value, name)
        for name, value in zip(names[1:], inputs[1:], strict=True)
        if value is not None
    ]
    types = [onnx.ValueInfoProto(name=name) for name in made.output]
    body = graph([made], given, types, rest)
    return model(body, opset), ({"i0": inputs[0]} if given and inputs[0] is not None else {})


CHANGES_MEANING = {
    ("Softmax", 9, 13), ("LogSoftmax", 9, 13), ("Hardmax", 9, 13), ("Softmax", 11, 13), ("Hardmax", 11, 13), ("Resize", 10, 11),
    ("Upsample", 7, 9), ("RoiAlign", 10, 16), ("GroupNormalization", 18, 21),
}  # fmt: skip
"""(operator, its opset, the opset of the change): the same node, another meaning; each must be refused."""


@pytest.mark.parametrize("case", singles(), ids=lambda case: f"{case[0]}-{case[1]}")
def test_what_may_be_raised_gives_equal_bits(case: Single) -> None:
    """Every operator alone, at every number up to the newest: where nothing is said against it, the bits are equal."""
    made, feeds = single(case)
    before = run(made, feeds)
    for opset in range(case[1] + 1, NEWEST + 1):
        if restampable(made, opset):
            continue
        try:
            after = run(restamped(made, opset), feeds)
        except (ort.capi.onnxruntime_pybind11_state.Fail, ort.capi.onnxruntime_pybind11_state.NotImplemented, ort.capi.onnxruntime_pybind11_state.InvalidGraph):  # fmt: skip
            continue  # a runtime that refuses is a runtime that says so
        for name, array in before.items():
            same = (
                after[name].tolist() == array.tolist()
                if array.dtype == object
                else after[name].tobytes() == array.tobytes()
            )
            assert same, (opset, name)


@pytest.mark.parametrize(("operator", "opset", "change"), sorted(CHANGES_MEANING))
def test_known_changes_of_meaning_are_refused(operator: str, opset: int, change: int) -> None:
    for case in singles():
        if case[:2] == (operator, opset) and case[3].get("axis") != -1:
            assert restampable(single(case)[0], change), case
            assert restampable(single(case)[0], NEWEST), case


def test_most_of_the_operators_can_be_raised_far() -> None:
    """The review must not be a refusal of everything."""
    raised = sum(not restampable(single(case)[0], NEWEST) for case in singles())
    assert raised > len(singles()) / 2


def test_the_schema_review_covers_every_operator() -> None:
    """Judged by schemas alone, for any node; the list is what a reviewer reads."""
    versions: dict[str, list[int]] = {}
    for schema in get_all_schemas_with_history():
        if schema.domain == "" and schema.since_version <= changes.REVIEWED_TO:
            versions.setdefault(schema.name, []).append(schema.since_version)
    refused = set()
    for operator, found in versions.items():
        for old, new in zip(sorted(found), sorted(found)[1:], strict=False):
            if new > 7 and list(changes.between(get_schema(operator, old, ""), get_schema(operator, new, ""), None)):
                refused.add((operator, new))
    assert {("Softmax", 13), ("Resize", 11), ("Clip", 11), ("Upsample", 10), ("GridSample", 20), ("DFT", 20)} <= refused
    assert not {("Conv", 11), ("Relu", 14), ("MaxPool", 12), ("Reshape", 14), ("Gemm", 11), ("Concat", 11)} & refused
    tables = changes._HARMLESS_ADDITIONS.keys() | changes._HARMLESS_REMOVALS.keys() | changes._CHANGED_MEANINGS.keys()
    assert tables <= {(operator, version) for operator, found in versions.items() for version in found}


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_real_models_of_opset_9_can_be_raised_to_11(path: Path) -> None:
    made = parse(path.read_bytes())
    assert restampable(made, 11) == []
    (name,) = signature(made).inputs
    feeds = {name: np.random.default_rng(4).standard_normal((1, 3, 224, 224)).astype(np.float32)}
    before, after = run(made, feeds), run(restamped(made, 11), feeds)
    assert [array.tobytes() for array in before.values()] == [array.tobytes() for array in after.values()]
    other = restamped(made, 11)
    other.opset_import[0].version = 9
    assert other.SerializeToString() == path.read_bytes(), "only the number differs"


def test_reasons_name_operator_number_and_change() -> None:
    made = single(("Softmax", 11, [X4], {"axis": 1}, 1))[0]
    assert restampable(made, 12) == []
    assert restampable(made, 13) == [
        "Softmax at opset 13: works along one axis; before, on everything from that axis on"
    ]
    assert restampable(single(("Pad", 9, [X2], {"pads": [0, 1, 0, 1]}, 1))[0], 11) == [
        "Pad at opset 11: attribute pads is gone",
        "Pad at opset 11: attribute value is gone",
        "Pad at opset 11: input pads is new",
    ]


def test_subgraphs_are_judged_too() -> None:
    made = MODELS["if_reads_the_input"]()
    assert restampable(made, 18) == []
    (branch, _) = inside(made.graph.node[2])
    branch.node.append(node("ReduceMean", ["t"], ["u"], axes=[0]))
    assert restampable(made, 18) == ["ReduceMean at opset 18: attribute axes is gone"]


def test_what_is_refused_whatever_the_nodes() -> None:
    assert "functions" in restampable(MODELS["local_functions_with_their_own_opset"](), 18)[0]
    assert "newer than what was reviewed" in restampable(MODELS["symbolic_dims"](), 27)[0]
    assert "is higher" in restampable(MODELS["symbolic_dims"](), 11)[0]
    assert restampable(MODELS["symbolic_dims"](), 17) == []
    assert restampable(MODELS["no_standard_domain"](), 17) == []
    assert "no such operator" in restampable(model(graph([node("Mine", ["x"], ["y"])], [], [])), 18)[0]


def test_the_models_own_number() -> None:
    assert default_opset(MODELS["symbolic_dims"]()) == 17
    assert default_opset(MODELS["standard_domain_by_its_long_name"]()) == 17
    assert default_opset(MODELS["no_standard_domain"]()) is None
    twice = MODELS["symbolic_dims"]()
    twice.opset_import.add(domain="ai.onnx", version=17)
    assert default_opset(twice) == 17
    assert [entry.version for entry in restamped(twice, 18).opset_import] == [18, 18]
    twice.opset_import[1].version = 18
    with pytest.raises(ContractError, match="more than once"):
        default_opset(twice)
    with pytest.raises(ContractError, match="only be raised"):
        restamped(MODELS["symbolic_dims"](), 11)


def test_what_the_steps_need() -> None:
    rows = TensorSpec("float32", ("N", 3))
    made = MODELS["symbolic_dims"]()
    plan = planned({"i": rows}, [("s", Scale(), ("i",))], made, {"x": "s"}, {"o": "y"}, [("n", Newer(), ("o",))], ["n"])
    assert (needs(plan), needs(plan, "pre"), needs(plan, "post"), needs(planned({"i": rows}, []))) == (11, 7, 11, 0)


# rewriting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_rewritten_real_model_gives_equal_bits(path: Path) -> None:
    made = parse(path.read_bytes())
    (name,) = signature(made).inputs
    feeds = {name: np.random.default_rng(4).standard_normal((1, 3, 224, 224)).astype(np.float32)}
    after = upgraded(made, 17)
    assert default_opset(after) == 17
    assert [a.tobytes() for a in run(made, feeds).values()] == [a.tobytes() for a in run(after, feeds).values()]


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("local_functions_with_their_own_opset", "functions"),
        ("sparse_initializer", "sparse"),
        ("training_info", "training"),
        ("quantization_annotation", "quantization"),
        ("texts_everywhere", "metadata"),
        ("device_configuration", "device"),
        ("no_standard_domain", "no ai.onnx"),
    ],
)
def test_rewriting_is_refused_where_something_would_be_lost(case: str, why: str) -> None:
    with pytest.raises(ContractError, match="cannot be rewritten") as caught:
        upgraded(MODELS[case](), 18)
    assert why in caught.value.got


@pytest.mark.parametrize(
    "case", [case for case in singles() if (case[0], case[1]) in {("Hardmax", 9), ("Resize", 10), ("Upsample", 9), ("GroupNormalization", 18)}],
    ids=lambda case: f"{case[0]}-{case[1]}",
)  # fmt: skip
def test_rewriting_is_refused_where_the_converter_is_wrong(case: Single) -> None:
    made = single(case)[0]
    (reason,) = refusals(made, 21)
    assert case[0] in reason
    (_, other) = inside(MODELS["if_reads_the_input"]().graph.node[2])
    assert refusals(made, case[1]) == []
    assert other.node


def test_a_converter_that_gives_up_is_a_typed_error() -> None:
    made = model(graph([node("Mine", ["x"], ["y"])], [helper.make_tensor_value_info("x", 1, [1])], [helper.make_tensor_value_info("y", 1, [1])]))  # fmt: skip
    with pytest.raises(ContractError, match="gave up"):
        upgraded(made, 18)
