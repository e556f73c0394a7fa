"""More awkward models: nesting, types, names, versions, and what other tools leave behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from awkward import I64, MODELS, B, F, awkward, graph, info, model, node, simple, weights
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import (  # fmt: skip
    ModelProto,
    SparseTensorProto,
    StringStringEntryProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

Kind = TensorProto.DataType


def value(name: str, kind: TypeProto) -> ValueInfoProto:
    return helper.make_value_info(name, kind)


def constant(name: str, array: object, dtype: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.array(array, dtype), name)


# nesting -----------------------------------------------------------------------------------------------------------


@awkward
def three_deep_reads_the_input() -> ModelProto:
    """If in Loop in Scan, and only the innermost reads x, which gives up its name."""
    then = graph([node("Add", ["state", "x"], ["t"])], [], [info("t", None)])
    other = graph([node("Sub", ["state", "x"], ["e"])], [], [info("e", None)])
    loop = graph(
        [node("Identity", ["going"], ["on"]), node("If", ["going"], ["next"], then_branch=then, else_branch=other)],
        [info("trip", (), I64), info("going", (), B), info("state", (2, 3))],
        [info("on", (), B), info("next", (2, 3))],
    )
    scan = graph(
        [node("Add", ["carry", "row"], ["sum"]), node("Loop", ["two", "", "sum"], ["end"], body=loop), node("Relu", ["end"], ["out"])],
        [info("carry", (2, 3)), info("row", (3,))], [info("end", (2, 3)), info("out", (2, 3))],
    )  # fmt: skip
    nodes = [node("Scan", ["zeros", "rows"], ["last", "y"], body=scan, num_scan_inputs=1)]
    first = [constant("two", 2, np.int64), constant("zeros", np.zeros((2, 3))), constant("rows", np.ones((4, 3)))]
    return model(graph(nodes, [info("x", (2, 3))], [info("last", (2, 3)), info("y", (4, 2, 3))], first))


@awkward
def input_read_by_a_subgraph_only() -> ModelProto:
    then = graph([node("Mul", ["x", "w"], ["t"])], [], [info("t")])
    other = graph([node("Identity", ["x"], ["e"])], [], [info("e")])
    nodes = [node("If", ["yes"], ["y"], then_branch=then, else_branch=other)]
    return model(graph(nodes, [info("x")], [info("y")], [weights("w"), constant("yes", True, np.bool_)]))


@awkward
def branch_gives_an_outer_tensor_as_it_is() -> ModelProto:
    """A branch without a node: its output is a tensor of the graph around it."""
    then = graph([], [], [info("x")])
    other = graph([node("Neg", ["x"], ["e"])], [], [info("e")])
    nodes = [node("If", ["yes"], ["y"], then_branch=then, else_branch=other)]
    return model(graph(nodes, [info("x")], [info("y")], [constant("yes", False, np.bool_)]))


@awkward
def weights_inside_branches() -> ModelProto:
    then = graph([node("Add", ["x", "inner"], ["t"])], [], [info("t")], [weights("inner", 3)])
    other = graph(
        [node("Add", ["x", "inner2"], ["e"])], [], [info("e")], [weights("inner2", 4)], value_info=[info("e")]
    )
    nodes = [node("If", ["yes"], ["y"], then_branch=then, else_branch=other)]
    return model(graph(nodes, [info("x")], [info("y")], [constant("yes", True, np.bool_)]))


@awkward
def same_names_in_both_branches() -> ModelProto:
    """Siblings may share names; both are called as the tests call their own."""
    then = graph([node("Add", ["x", "w"], ["pre_x"], name="n")], [], [info("pre_x")])
    other = graph([node("Sub", ["x", "w"], ["pre_x"], name="n")], [], [info("pre_x")])
    nodes = [node("If", ["yes"], ["y"], name="n", then_branch=then, else_branch=other)]
    return model(graph(nodes, [info("x")], [info("y")], [weights("w"), constant("yes", True, np.bool_)]))


@awkward
def sequence_map_with_a_body() -> ModelProto:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(F, None))
    body = graph([node("Add", ["part", "x"], ["sum"])], [info("part", None)], [info("sum", None)])
    nodes = [
        node("SequenceConstruct", ["x", "x"], ["parts"]), node("SequenceMap", ["parts"], ["sums"], body=body),
        node("ConcatFromSequence", ["sums"], ["y"], axis=0),
    ]  # fmt: skip
    return model(graph(nodes, [info("x")], [info("y", ("twice", 3)), value("sums", kind)]))


@awkward
def functions_calling_functions() -> ModelProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    then, other = (
        graph([node("Neg", ["a"], ["t"])], [], [info("t", None)]),
        graph([node("Abs", ["a"], ["x"])], [], [info("x", None)]),
    )
    inner = helper.make_function(
        "mine", "Inner", ["a", "c"], ["b"],
        [node("If", ["c"], ["b"], then_branch=then, else_branch=other)], opsets, doc_string="x", value_info=[info("b", None)],
    )  # fmt: skip
    middle = node("Elu", ["x"], ["h"])
    attribute = middle.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    attribute.doc_string = "x"
    outer = helper.make_function(
        "mine", "Outer", ["x", "c"], ["y"], [middle, node("Inner", ["h", "c"], ["y"], domain="mine")], opsets,
        attribute_protos=[helper.make_attribute("slope", 0.5)],
    )  # fmt: skip
    outer.metadata_props.add(key="k", value="x")
    nodes = [node("Outer", ["x", "yes"], ["y"], domain="mine")]
    made = graph(nodes, [info("x")], [info("y")], [constant("yes", True, np.bool_)])
    return model(made, ir=10, imports={"": 17, "mine": 1}, functions=[inner, outer])


# inputs and outputs ------------------------------------------------------------------------------------------------


@awkward
def five_inputs_of_which_two_are_fed() -> ModelProto:
    nodes = [
        node("Add", ["kept_1", "x"], ["a"]), node("Mul", ["a", "kept_2"], ["b"]), node("Sub", ["b", "z"], ["c"]),
        node("Max", ["c", "kept_3"], ["y"]),
    ]  # fmt: skip
    return model(
        graph(nodes, [info(name) for name in ("kept_1", "x", "kept_2", "z", "kept_3")], [info("y"), info("b")])
    )


@awkward
def optional_input() -> ModelProto:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(F, ["N", 3]))
    then = graph([node("OptionalGetElement", ["kept_maybe"], ["t"])], [], [info("t")])
    other = graph([node("Identity", ["x"], ["e"])], [], [info("e")])
    nodes = [
        node("OptionalHasElement", ["kept_maybe"], ["there"]), node("If", ["there"], ["h"], then_branch=then, else_branch=other),
        node("Add", ["h", "x"], ["y"]), node("Optional", ["y"], ["perhaps"]),
    ]  # fmt: skip
    return model(graph(nodes, [value("kept_maybe", kind), info("x")], [info("y"), value("perhaps", kind)]))


@awkward
def nothing_but_initializers() -> ModelProto:
    """No input and no node: steps can only come behind it."""
    return model(graph([], [], [info("w", (3,))], [weights("w")]))


@awkward
def input_with_a_default() -> ModelProto:
    """Since IR 4 an initializer that is also an input is only its default; callers may give another."""
    made = simple()
    made.input.append(info("w", (3,)))
    return model(made)


@awkward
def input_and_output_say_different_things_of_one_tensor() -> ModelProto:
    made = graph(
        [node("Relu", ["x"], ["y"])], [info("x")], [info("x", ("M", 3)), info("y")], value_info=[info("x", ("K", 3))]
    )
    made.input[0].doc_string, made.output[0].doc_string = "what comes in", "what goes out"
    made.value_info[0].metadata_props.add(key="from", value="value_info")
    return model(made)


@awkward
def scalar_input() -> ModelProto:
    return model(graph([node("Add", ["x", "one"], ["y"])], [info("x", ())], [info("y", ())], [constant("one", 1)]))


@awkward
def empty_axes() -> ModelProto:
    nodes = [node("Concat", ["x", "nothing"], ["y"], axis=0)]
    nothing = numpy_helper.from_array(np.zeros((0, 3), np.float32), "nothing")
    return model(graph(nodes, [info("x", (0, 3))], [info("y", (0, 3))], [nothing]))


@awkward
def negative_and_unknown_lengths() -> ModelProto:
    made = simple()
    made.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    made.output[0].type.tensor_type.shape.dim[0].Clear()
    made.value_info[0].type.tensor_type.shape.dim[0].dim_param = ""
    return model(made)


@awkward
def symbols_with_odd_characters() -> ModelProto:
    nodes = [node("Relu", ["x"], ["y"]), node("Concat", ["x", "x"], ["double"], axis=0)]
    odd = "N*2 + {batch}/\n'\"\\€\x00"
    return model(graph(nodes, [info("x", (odd, 3))], [info("y", (odd, 3)), info("double", (f"2*{odd}", 3))]))


@awkward
def map_outputs() -> ModelProto:
    """As sklearn's converters write classifiers."""
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(I64, helper.make_tensor_type_proto(F, [])))
    nodes = [
        node("LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", coefficients=[1.0, 0, 0, 0, 1, 0, 0, 0, 1],
             intercepts=[0.0, 0, 0], classlabels_ints=[0, 1, 2], post_transform="SOFTMAX"),
        node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
    ]  # fmt: skip
    outputs = [info("label", ("N",), I64), value("probabilities", kind)]
    return model(graph(nodes, [info("x")], outputs), imports={"ai.onnx.ml": 1, "": 11})


def tree(version: int) -> ModelProto:
    nodes = [
        node(
            "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2],
            nodes_featureids=[1, 0, 0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.5, 0, 0],
            nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0], target_nodeids=[1, 2],
            target_ids=[0, 0], target_weights=[-1.25, 3.5],
        )
    ]  # fmt: skip
    return model(graph(nodes, [info("x")], [info("y", ("N", 1))]), ir=6, imports={"ai.onnx.ml": version})


@awkward
def trees_only_ml_1() -> ModelProto:
    return tree(1)


@awkward
def trees_only_ml_3() -> ModelProto:
    return tree(3)


@awkward
def operators_of_onnxruntime() -> ModelProto:
    nodes = [
        node("Gelu", ["x"], ["h"], domain="com.microsoft"),
        node("BiasGelu", ["h", "w"], ["y"], domain="com.microsoft"),
    ]
    return model(graph(nodes, [info("x")], [info("y")], [weights("w")]), imports={"": 17, "com.microsoft": 1})


@awkward
def imports_that_nothing_uses() -> ModelProto:
    result = model(simple(), imports={"ai.onnx.ml": 3, "com.example.none": 9, "": 17})
    result.opset_import.add(domain="", version=17)
    return result


@awkward
def two_hundred_outputs() -> ModelProto:
    nodes = [node("Relu", ["x"], [f"r{k}"]) for k in range(200)]
    return model(graph(nodes, [info("x")], [info(f"r{k}") for k in range(200)]))


# types -------------------------------------------------------------------------------------------------------------


def typed_input(
    kind: int, *, opset: int = 21, ir: int = 10, shape: tuple[object, ...] = ("N", 4)
) -> Callable[[], ModelProto]:
    """Takes x of that type; gives it as it is, and cast to float32."""

    def made() -> ModelProto:
        number = kind not in (Kind.STRING, Kind.FLOAT)
        nodes = [
            node("Identity", ["x"], ["same"]),
            node("Cast" if number else "Shape", ["x"], ["y"], **({"to": F} if number else {})),
        ]
        outputs = [info("same", shape, kind), info("y", shape, F) if number else info("y", (2,), I64)]
        return model(graph(nodes, [info("x", shape, kind)], outputs), opset=opset, ir=ir)

    return made


for name in (
    "FLOAT16",
    "DOUBLE",
    "INT8",
    "UINT8",
    "INT16",
    "UINT16",
    "INT32",
    "INT64",
    "UINT32",
    "UINT64",
    "BOOL",
    "STRING",
):
    MODELS[f"input_of_{name.lower()}"] = typed_input(Kind.Value(name))


@awkward
def inputs_of_types_that_numpy_lacks() -> ModelProto:
    """They stay graph inputs."""
    kinds = {
        "bfloat16": Kind.BFLOAT16,
        "float8e4m3fn": Kind.FLOAT8E4M3FN,
        "float8e5m2": Kind.FLOAT8E5M2,
        "int4": Kind.INT4,
    }
    nodes = [node("Cast", [f"kept_{name}"], [f"as_{name}"], to=F) for name in kinds]
    inputs = [info(f"kept_{name}", (2,), kind) for name, kind in kinds.items()]
    return model(graph([*nodes, node("Relu", ["x"], ["y"])], [*inputs, info("x")], [*(info(f"as_{name}", (2,)) for name in kinds), info("y")]), opset=21, ir=10)  # fmt: skip


def half_network(opset: int) -> ModelProto:
    """ONNX Runtime has no float16 kernels for most of it, and merges the Casts that it puts around them."""
    matrix = numpy_helper.from_array(np.random.default_rng(0).standard_normal((4, 4)).astype(np.float16), "m")
    nodes = [node("MatMul", ["x", "m"], ["h"]), node("Exp", ["h"], ["e"]), node("Softmax", ["h"], ["y"], axis=-1)]
    outputs = [info(name, ("N", 4), Kind.FLOAT16) for name in ("e", "h", "y")]
    return model(graph(nodes, [info("x", ("N", 4), Kind.FLOAT16)], outputs, [matrix]), opset=opset, ir=6)


for number in (11, 13, 17, 21):
    MODELS[f"float16_network_of_opset_{number}"] = lambda number=number: half_network(number)  # type: ignore[misc]


@awkward
def quantised_with_scales_and_annotations() -> ModelProto:
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]), node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        node("DequantizeLinear", ["w8", "scale", "wzero"], ["wd"]), node("MatMul", ["d", "wd"], ["m"]),
        node("QuantizeLinear", ["m", "scale", "zero"], ["mq"]), node("DequantizeLinear", ["mq", "scale", "zero"], ["y"]),
    ]  # fmt: skip
    first = [
        constant("scale", 0.05), constant("zero", 3, np.uint8), constant("wzero", 0, np.int8),
        constant("w8", np.arange(-4, 5).reshape(3, 3), np.int8),
    ]  # fmt: skip
    made = graph(nodes, [info("x")], [info("y")], first)
    for tensor in ("x", "m", "y", "w8"):
        annotation = made.quantization_annotation.add(tensor_name=tensor)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scale")
        annotation.quant_parameter_tensor_names.add(key="ZERO_POINT_TENSOR", value="zero")
    return model(made, opset=13)


@awkward
def initializers_of_every_type() -> ModelProto:
    made = simple()
    for name, kind in Kind.items():
        if name in ("UNDEFINED", "STRING", *NOT_LOADED):
            continue
        tensor = made.initializer.add(name=f"of_{name}", data_type=kind, doc_string=name)
        tensor.dims.append(4)
        tensor.raw_data = bytes(range(1, 1 + (4 * _bits(name) + 7) // 8))
    return model(made, opset=25, ir=13)


NOT_LOADED = ("UINT2", "INT2", "FLOAT6E2M3", "FLOAT6E3M2")
"""Element types that ONNX Runtime 1.31 does not load."""


@awkward
def initializers_that_onnxruntime_does_not_know() -> ModelProto:
    made = simple()
    for name in sorted(set(Kind.keys()).intersection(NOT_LOADED)):
        tensor = made.initializer.add(name=f"of_{name}", data_type=Kind.Value(name))
        tensor.dims.append(4)
        tensor.raw_data = bytes(4)
    return model(made, opset=26, ir=13)


def _bits(name: str) -> int:
    widths = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8, "COMPLEX64": 64, "COMPLEX128": 128, "BFLOAT16": 16, "FLOAT4E2M1": 4}
    digits = "".join(c for c in name.removeprefix("U").removeprefix("INT").removeprefix("FLOAT")[:2] if c.isdigit())
    return widths.get(name) or int(digits)


@awkward
def every_way_to_store_a_tensor() -> ModelProto:
    made = simple()
    made.initializer.append(helper.make_tensor("as_floats", F, [2], [1.5, -0.0]))
    made.initializer.append(helper.make_tensor("as_int32s", Kind.FLOAT16, [2], [1.0, 2.0]))
    made.initializer.append(helper.make_tensor("as_doubles", Kind.DOUBLE, [2], [1.0, float("nan")]))
    made.initializer.append(helper.make_tensor("as_uint64s", Kind.UINT64, [1], [2**64 - 1]))
    made.initializer.append(helper.make_tensor("of_no_length", F, [0, 3], []))
    made.initializer.append(helper.make_tensor("text", Kind.STRING, [2], [b"\x00\xff", b""]))
    return model(made)


@awkward
def sparse_tensors_wherever_they_can_stand() -> ModelProto:
    def sparse(name: str) -> SparseTensorProto:
        values = constant(name, [1.5, -2.0])
        return SparseTensorProto(values=values, indices=constant(f"{name}_at", [0, 2], np.int64), dims=[3])

    made = graph(
        [node("Constant", [], ["c"], sparse_value=sparse("")), node("Add", ["x", "c"], ["h"]), node("Add", ["h", "in_x"], ["y"])],
        [info("x")], [info("y")],
    )  # fmt: skip
    made.sparse_initializer.append(sparse("in_x"))
    return model(made)


# names and texts ---------------------------------------------------------------------------------------------------


def renamed(input_name: str, output_name: str) -> ModelProto:
    nodes = [node("Relu", [input_name], [output_name], name=input_name), node("Neg", [input_name], ["other"])]
    return model(graph(nodes, [info(input_name)], [info(output_name), info("other")]))


@awkward
def very_long_names() -> ModelProto:
    return renamed("x" * 20_000, "y" * 20_000)


@awkward
def names_in_unicode_and_with_blanks() -> ModelProto:
    return renamed("картинка 画像 \t🐓", "выход/\n'\"\\")


@awkward
def names_that_begin_as_ours_do() -> ModelProto:
    return renamed("onnxprep", "onnxprep.output")


@awkward
def one_name_for_nodes_and_tensors() -> ModelProto:
    nodes = [
        node("Relu", ["x"], ["h"], name="x"),
        node("Neg", ["h"], ["y"], name="y"),
        node("Abs", ["h"], ["z"], name=""),
    ]
    return model(graph(nodes, [info("x")], [info("y"), info("z")], value_info=[info("h"), info("h")]))


@awkward
def value_info_of_tensors_that_do_not_exist() -> ModelProto:
    """Some are called as the tests call their own."""
    return model(
        graph([node("Relu", ["x"], ["y"])], [info("x")], [info("y")], value_info=[info("in_x"), info("gone", None)])
    )


@awkward
def texts_with_nul() -> ModelProto:
    made = simple(doc_string="a\x00b")
    made.node[0].doc_string = "\x00"
    made.input[0].doc_string = "before\x00after"
    result = model(made, producer_name="p\x00q", doc_string="")
    result.metadata_props.add(key="k\x00l", value="\x00")
    result.metadata_props.add(key="", value="")
    result.metadata_props.add(key="no value")
    return result


@awkward
def keys_of_other_tools() -> ModelProto:
    result = model(simple(), producer_name="pytorch", producer_version="2.13.0")
    texts = {
        "names": "{0: 'person', 1: 'cäfé'}", "stride": "32", "imgsz": "[640, 640]", "task": "detect", "author": "Ultralytics",
        "olive": '{"passes": []}', "onnx.infer": "onnxruntime.quant", "onnx.quant.pre_process": "onnxruntime.quant",
        "Image.BitmapPixelFormat": "Bgr8", "pkg.torch.export.graph_signature": "x" * 5000,
    }  # fmt: skip
    for key, text in texts.items():
        result.metadata_props.add(key=key, value=text)
    return result


@awkward
def attributes_of_every_kind() -> ModelProto:
    """On a node that ONNX Runtime cannot know: compared field by field only."""
    custom = node(
        "Anything", ["x"], ["y"], domain="com.example", f=1.5, i=-3, s="text", fs=[1.0, 2.0], ints=[1, 2], strings=["a", "b"],
        t=weights("t"), g=graph([], [], []),
    )  # fmt: skip
    custom.attribute.append(helper.make_attribute("tensors", [weights("a"), weights("b")]))
    custom.attribute.append(helper.make_attribute("graphs", [graph([node("Neg", ["x"], ["n"])], [], [info("n")])] * 2))
    custom.attribute.append(helper.make_attribute("type", helper.make_tensor_type_proto(F, ["N"])))
    custom.attribute.append(helper.make_attribute("types", [helper.make_tensor_type_proto(F, [])]))
    custom.attribute.add(name="other", ref_attr_name="outer", type=2, doc_string="of a function around it")
    return model(graph([custom], [info("x")], [info("y")]), imports={"": 17, "com.example": 1})


@awkward
def unknown_fields_at_every_level() -> ModelProto:
    """A field of a future ONNX in every message that the model has, with every wire type."""
    result = MODELS["texts_everywhere"]()
    result.functions.extend(MODELS["functions_calling_functions"]().functions)
    result.graph.quantization_annotation.add(tensor_name="x")
    extra = b"\xba\x3e\x03new" + b"\xb8\x3e\x07" + b"\xb9\x3e" + bytes(8) + b"\xbd\x3e" + bytes(4)
    for message in list(_messages(result)):
        message.MergeFromString(extra)
    return ModelProto.FromString(result.SerializeToString())


def _messages(message: Message) -> list[Message]:
    found = [message]
    for field, inner in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for one in inner if field.is_repeated else [inner]:
                found += _messages(one)
    return found


@awkward
def weights_in_files_of_their_own() -> ModelProto:
    """``EXTERNAL`` is what the files hold."""
    made = simple()
    for k, tensor in enumerate((made.initializer[0], made.initializer.add(name="second", data_type=F, dims=[3]))):
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in {"location": "weights.bin", "offset": str(64 * k), "length": "12", "checksum": "00"}.items():
            tensor.external_data.append(StringStringEntryProto(key=key, value=text))
    return model(made)


EXTERNAL = {"weights.bin": np.arange(1, 33, dtype=np.float32).tobytes()}


# versions ----------------------------------------------------------------------------------------------------------


@awkward
def opset_7_with_old_operators() -> ModelProto:
    """Attributes that have become inputs since, and batch norm as it was."""
    nodes = [
        node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"], spatial=1), node("Clip", ["n"], ["c"], min=-1.0, max=2.0),
        node("Pad", ["c"], ["p"], pads=[0, 1, 0, 1]), node("Slice", ["p"], ["cut"], starts=[0, 1], ends=[100, 4], axes=[0, 1]),
        node("ReduceSum", ["cut"], ["sum"], axes=[1], keepdims=1), node("Softmax", ["cut"], ["soft"]), node("Mul", ["soft", "sum"], ["y"]),
    ]  # fmt: skip
    first = [weights(name, k) for k, name in enumerate("sbm")] + [constant("v", [1, 2, 3])]
    made = graph(nodes, [*(info(name, (3,)) for name in "sbmv"), info("x")], [info("y")], first)
    return model(made, opset=7, ir=3)


@awkward
def opset_8_scan_with_a_batch_axis() -> ModelProto:
    body = graph([node("Add", ["state", "row"], ["sum"]), node("Identity", ["sum"], ["out"])], [info("state", (3,)), info("row", (3,))], [info("sum", (3,)), info("out", (3,))])  # fmt: skip
    nodes = [
        node("Unsqueeze", ["x"], ["xs"], axes=[0]),
        node("Scan", ["", "start", "xs"], ["last", "y"], body=body, num_scan_inputs=1),
    ]
    return model(
        graph(nodes, [info("x", (2, 3))], [info("y", (1, 2, 3))], [constant("start", np.zeros((1, 3)))]), opset=8, ir=4
    )


@awkward
def newest_that_onnxruntime_loads() -> ModelProto:
    return model(simple(), opset=26, ir=13)


@awkward
def newer_than_onnxruntime_loads() -> ModelProto:
    return model(simple(), opset=28, ir=14)
