"""Small models with everything that splicing tools lose or trip over; each is a function named after its difficulty."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import (
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    TrainingInfoProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)  # fmt: skip

F, I64, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL

MODELS: dict[str, Callable[[], ModelProto]] = {}


def awkward(function: Callable[[], ModelProto]) -> Callable[[], ModelProto]:
    MODELS[function.__name__] = function
    return function


def info(name: str, shape: object = ("N", 3), kind: int = F) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: object) -> NodeProto:
    return helper.make_node(operator, inputs, outputs, **attributes)


def weights(name: str, seed: int = 0) -> TensorProto:
    return numpy_helper.from_array(np.random.default_rng(seed).standard_normal((3,)).astype(np.float32), name)


def graph(
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    initializer: list[TensorProto] | None = None,
    **more: object,
) -> GraphProto:
    return helper.make_graph(nodes, "body", inputs, outputs, initializer or [], **more)


def model(
    made: GraphProto, opset: int = 17, ir: int = 8, imports: Mapping[str, int] | None = None, **more: object
) -> ModelProto:
    opsets = [helper.make_opsetid(domain, number) for domain, number in (imports or {"": opset}).items()]
    return helper.make_model(made, opset_imports=opsets, ir_version=ir, **more)


def simple(**more: object) -> GraphProto:
    nodes = [node("Add", ["x", "w"], ["h"], name="first"), node("Relu", ["h"], ["y"], name="second")]
    return graph(nodes, [info("x")], [info("y")], [weights("w")], value_info=[info("h")], **more)


@awkward
def symbolic_dims() -> ModelProto:
    return model(simple())


@awkward
def old_ir_with_weights_as_inputs() -> ModelProto:
    made = simple()
    made.input.insert(0, info("w", (3,)))
    made.input.append(info("b", (3,)))
    made.initializer.append(weights("b", 1))
    made.node[1].input[0] = "hb"
    made.node.insert(1, node("Mul", ["h", "b"], ["hb"]))
    return model(made, opset=9, ir=3)


@awkward
def if_reads_the_input() -> ModelProto:
    then = graph([node("Add", ["x", "w"], ["t"])], [], [info("t")])
    other = graph([node("Mul", ["x", "x"], ["e"])], [], [info("e")])
    nodes = [
        node("ReduceSum", ["x"], ["s"], keepdims=0), node("Greater", ["s", "zero"], ["c"]),
        node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]  # fmt: skip
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    return model(graph(nodes, [info("x")], [info("y")], [weights("w"), zero]))


@awkward
def loop_reads_the_input() -> ModelProto:
    body = graph(
        [node("Identity", ["going"], ["on"]), node("Add", ["state", "x"], ["next"])],
        [info("trip", (), I64), info("going", (), B), info("state")],
        [info("on", (), B), info("next")],
    )
    nodes = [node("Loop", ["three", "", "start"], ["y"], body=body), node("Identity", ["zeros"], ["unused"])]
    nodes.insert(0, node("Mul", ["x", "zeros"], ["start"]))
    three = numpy_helper.from_array(np.array(3, np.int64), "three")
    zeros = numpy_helper.from_array(np.zeros(3, np.float32), "zeros")
    return model(graph(nodes, [info("x")], [info("y")], [three, zeros]))


@awkward
def scan_reads_the_input() -> ModelProto:
    body = graph([node("Add", ["state", "row"], ["sum"]), node("Sub", ["sum", "x"], ["out"])], [info("state", (3,)), info("row", (3,))], [info("sum", (3,)), info("out", ("N", 3))])  # fmt: skip
    nodes = [node("Scan", ["w", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    return model(graph(nodes, [info("x", (2, 3))], [info("y", (2, 2, 3))], [weights("w")]))


@awkward
def collision_only_inside_a_branch() -> ModelProto:
    """The tests' own names, used deep inside."""
    inner = graph([node("Identity", ["in_x"], ["scaled"])], [], [info("scaled")])
    outer = graph(
        [node("Neg", ["x"], ["in_x"]), node("If", ["yes"], ["pre_x"], then_branch=inner, else_branch=inner)],
        [], [info("pre_x")],
    )  # fmt: skip
    other = graph([node("Abs", ["x"], ["abs"])], [], [info("abs")])
    nodes = [node("If", ["yes"], ["h"], then_branch=outer, else_branch=other), node("Relu", ["h"], ["y"])]
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model(graph(nodes, [info("x")], [info("y")], [yes]))


@awkward
def collision_with_everything() -> ModelProto:
    nodes = [
        node("Neg", ["x"], ["in_x"], name="in_x"), node("Add", ["in_x", "scaled"], ["pre_x"]),
        node("Relu", ["pre_x"], ["out_y"]), node("Identity", ["out_y"], ["y"]),
    ]  # fmt: skip
    return model(graph(nodes, [info("x")], [info("y")], [weights("scaled")], value_info=[info("in_x"), info("pre_x")]))


@awkward
def local_functions_with_their_own_opset() -> ModelProto:
    function = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    nodes = [node("Twice", ["x"], ["h"], domain="mine"), node("Relu", ["h"], ["y"])]
    return model(graph(nodes, [info("x")], [info("y")]), imports={"": 17, "mine": 1}, functions=[function])


@awkward
def function_overloads() -> ModelProto:
    functions = []
    for overload, operator in (("up", "Abs"), ("down", "Neg")):
        function = FunctionProto(name="Turn", domain="mine", overload=overload)
        function.input.append("a")
        function.output.append("b")
        function.node.append(node(operator, ["a"], ["b"]))
        function.opset_import.append(helper.make_opsetid("", 17))
        functions.append(function)
    nodes = [node("Turn", ["x"], ["h"], domain="mine"), node("Turn", ["h"], ["y"], domain="mine")]
    nodes[0].overload, nodes[1].overload = "up", "down"
    return model(graph(nodes, [info("x")], [info("y")]), ir=10, imports={"": 17, "mine": 1}, functions=functions)


@awkward
def input_passed_straight_to_an_output() -> ModelProto:
    return model(graph([node("Relu", ["x"], ["y"])], [info("x")], [info("x"), info("y")]))


@awkward
def nothing_but_an_input() -> ModelProto:
    return model(graph([], [info("x")], [info("x")]))


@awkward
def duplicate_output() -> ModelProto:
    return model(graph([node("Relu", ["x"], ["y"])], [info("x")], [info("y"), info("y")]))


@awkward
def texts_everywhere() -> ModelProto:
    made = simple(doc_string="about the graph — with a dash")
    made.metadata_props.add(key="graph", value="1")
    made.node[0].metadata_props.add(key="node", value="2")
    made.node[0].doc_string = "first"
    made.input[0].doc_string = "the input"
    made.input[0].metadata_props.add(key="input", value="3")
    made.input[0].type.denotation = "TENSOR"
    made.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    made.output[0].metadata_props.add(key="output", value="4")
    result = model(
        made, domain="org.example", model_version=7, doc_string="doc", producer_name="p", producer_version="1"
    )
    for key, value in (("b", "1"), ("a", "2"), ("b", "3"), ("spec", "€\n")):
        result.metadata_props.add(key=key, value=value)
    return result


@awkward
def quantization_annotation() -> ModelProto:
    made = simple()
    for name in ("x", "h"):
        annotation = made.quantization_annotation.add(tensor_name=name)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    return model(made)


@awkward
def sparse_initializer() -> ModelProto:
    values = numpy_helper.from_array(np.array([1.5, -2.0], np.float32), "w")
    indices = numpy_helper.from_array(np.array([0, 2], np.int64), "w_indices")
    made = simple()
    del made.initializer[:]
    made.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=[3]))
    return model(made)


@awkward
def training_info() -> ModelProto:
    result = model(simple())
    training = TrainingInfoProto()
    training.algorithm.CopyFrom(graph([node("Sub", ["w", "y"], ["in_x"])], [], [info("in_x", None)]))
    training.algorithm.name = "step"
    training.update_binding.add(key="w", value="in_x")
    result.training_info.append(training)
    return result


@awkward
def device_configuration() -> ModelProto:
    result = model(simple(), ir=11)
    result.configuration.add(name="two", num_devices=2)
    placed = result.graph.node[0].device_configurations.add(configuration_id="two")
    placed.sharding_spec.add(tensor_name="x")
    return result


@awkward
def output_without_shape() -> ModelProto:
    made = simple()
    made.output[0].type.tensor_type.ClearField("shape")
    return model(made)


@awkward
def unknown_fields() -> ModelProto:
    """What a future ONNX may add: field 999, text, in model, graph, node, input and opset import."""
    extra = bytes([0xBA, 0x3E, 3]) + b"new"
    result = model(simple())
    for part in (result.graph.node[0], result.graph.input[0], result.graph.value_info[0], result.opset_import[0]):
        part.MergeFromString(extra)
    result.graph.MergeFromString(extra)
    result.MergeFromString(extra)
    return ModelProto.FromString(result.SerializeToString())


@awkward
def several_inputs() -> ModelProto:
    nodes = [node("Add", ["x", "mask"], ["h"]), node("Mul", ["h", "z"], ["y"]), node("Sub", ["x", "z"], ["y2"])]
    return model(graph(nodes, [info("mask"), info("x"), info("z")], [info("y"), info("y2")]))


@awkward
def sequences() -> ModelProto:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(F, ["N", 3]))
    zero = numpy_helper.from_array(np.array(0, np.int64), "zero")
    nodes = [
        node("SequenceAt", ["parts", "zero"], ["part"]), node("Add", ["x", "part"], ["y"]),
        node("SequenceConstruct", ["x", "y"], ["pair"]),
    ]  # fmt: skip
    inputs = [helper.make_value_info("parts", kind), info("x")]
    return model(graph(nodes, inputs, [info("y"), helper.make_value_info("pair", kind)], [zero]))


@awkward
def colliding_symbols() -> ModelProto:
    """The tests' inputs say [N, 3]; here N is another axis."""
    nodes = [node("Transpose", ["w"], ["t"]), node("MatMul", ["x", "t"], ["y"])]
    matrix = numpy_helper.from_array(np.eye(3, dtype=np.float32), "w")
    return model(graph(nodes, [info("x", ("batch", "N"))], [info("y", ("batch", "N"))], [matrix]))


@awkward
def unusual_initializers() -> ModelProto:
    made = simple()
    made.initializer.append(helper.make_tensor("half", TensorProto.FLOAT16, [2], [1.0, 2.0]))
    made.initializer.append(helper.make_tensor("four", TensorProto.INT4, [3], [1, -2, 3]))
    made.initializer.append(helper.make_tensor("eight", TensorProto.FLOAT8E4M3FN, [2], [1.0, 2.0]))
    made.initializer.append(helper.make_tensor("text", TensorProto.STRING, [2], [b"a", b"\xff"]))
    made.initializer.append(helper.make_tensor("empty", F, [0], []))
    return model(made, ir=10)


@awkward
def no_standard_domain() -> ModelProto:
    nodes = [node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[1.0], scale=[2.0])]
    return model(graph(nodes, [info("x")], [info("y")]), imports={"ai.onnx.ml": 1})


@awkward
def standard_domain_by_its_long_name() -> ModelProto:
    return model(simple(), imports={"ai.onnx": 17})


@awkward
def value_info_of_inputs_and_outputs() -> ModelProto:
    made = simple()
    made.value_info.extend([info("y"), info("x")])
    return model(made)


@awkward
def output_is_a_weight() -> ModelProto:
    made = simple()
    made.output.append(info("w", (3,)))
    return model(made)


@awkward
def input_that_nobody_reads() -> ModelProto:
    made = simple()
    made.input.append(info("spare"))
    return model(made)


@awkward
def inputs_and_outputs_left_out() -> ModelProto:
    nodes = [node("Clip", ["x", "", "one"], ["h"]), node("Dropout", ["h", "", ""], ["y", ""])]
    one = numpy_helper.from_array(np.ones((), np.float32), "one")
    return model(graph(nodes, [info("x")], [info("y")], [one]))


@awkward
def names_as_other_frameworks_write_them() -> ModelProto:
    nodes = [node("Relu", ["gpu_0/data:0"], ["StatefulPartitionedCall/y.1::2"])]
    return model(graph(nodes, [info("gpu_0/data:0")], [info("StatefulPartitionedCall/y.1::2")]))
