"""Emitter: the only file that knows how nodes are built.

Nodes are written as NodeProtos directly. onnxscript's GraphBuilder was weighed and put aside: it numbers nodes across
the whole graph, shares initializers between steps, leaves a type error as "no type", and turns ``Mul(uint8, 0.5)`` into
a multiplication by 0. Here every node is typed by ONNX's own schema and inference the moment it is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.defs import OpSchema, SchemaError, get_schema
from onnx.shape_inference import InferenceError, infer_node_outputs

from onnxprep.step import Value
from onnxprep.tensor import Array, Dim, TensorSpec

_AXES_AS_INPUT = {
    "Squeeze": 13, "Unsqueeze": 13, "ReduceSum": 13,
    "ReduceL1": 18, "ReduceL2": 18, "ReduceLogSum": 18, "ReduceLogSumExp": 18, "ReduceMax": 18, "ReduceMean": 18,
    "ReduceMin": 18, "ReduceProd": 18, "ReduceSumSquare": 18,
}  # fmt: skip
"""Operators whose attribute ``axes`` became an input, and since which opset (ONNX's changelog)."""


def element_type(dtype: str) -> int:
    """ONNX's number for a dtype in NumPy spelling."""
    if dtype == "string":
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def dtype_of(element: int) -> str:
    """NumPy spelling of an ONNX element type (ml_dtypes' for what NumPy lacks); ONNX's own where there is none."""
    name = str(TensorProto.DataType.Name(element)).lower()
    if name in ("undefined", "string"):
        return name
    try:
        return str(helper.tensor_dtype_to_np_dtype(element).name)
    except KeyError:
        return name


def type_proto(spec: TensorSpec) -> onnx.TypeProto:
    """The description as ONNX writes it."""
    return helper.make_tensor_type_proto(element_type(spec.dtype), spec.shape)


def spec_of(proto: onnx.TypeProto) -> TensorSpec:
    """An ONNX tensor type as our description: dtype and shape, no axis names."""
    tensor = proto.tensor_type
    dims: tuple[Dim, ...] | None = None
    if tensor.HasField("shape"):
        dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim)
    return TensorSpec(dtype_of(tensor.elem_type), dims)


class Emitter:
    """Implements ``Ops`` for one step: numbers, types and checks its nodes, and writes each for the model's opset."""

    def __init__(self, prefix: str, opset: int) -> None:
        self.opset = opset
        self.nodes: list[NodeProto] = []
        self._prefix = prefix
        self._count = 0
        self._open: list[list[NodeProto]] = [self.nodes]  # innermost graph last
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Value] = {}
        self._data: dict[str, TensorProto] = {}

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if not operator[:1].isupper():
            raise AttributeError(operator)

        def add(*inputs: Value | None, outputs: int = 1, **attributes: Any) -> Any:
            self._refuse_numbers(operator, inputs)
            shim = _SHIMS.get(operator)
            shimmed = shim(self, *inputs, **attributes) if shim else None
            return self._node(operator, inputs, outputs, attributes) if shimmed is None else shimmed

        return add

    # constants ------------------------------------------------------------------------------------------------

    def constant(self, value: Any, dtype: str) -> Value:
        """A Constant node, placed outside any branch; equal constants of the step share one."""
        array = _array(value, dtype)
        content = "\0".join(map(repr, array.ravel())).encode() if dtype == "string" else array.tobytes()
        key = (dtype, array.shape, content)
        if key not in self._constants:
            tensor = numpy_helper.from_array(array)
            name = self._name("Constant")
            self.nodes.append(helper.make_node("Constant", [], [name], name, value=tensor))
            self._constants[key] = Value(name, TensorSpec(dtype, tuple(array.shape)))
            self._data[name] = tensor
        return self._constants[key]

    def int64(self, value: Any) -> Value:
        """``constant(value, "int64")``."""
        return self.constant(value, "int64")

    def float32(self, value: Any) -> Value:
        """``constant(value, "float32")``."""
        return self.constant(value, "float32")

    def float64(self, value: Any) -> Value:
        """``constant(value, "float64")``."""
        return self.constant(value, "float64")

    def known(self, value: Value) -> Array | None:
        """The content of a constant; ``None`` for what is computed only when the graph runs."""
        tensor = self._data.get(value.name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    # shapes, branches, loops ----------------------------------------------------------------------------------

    def size(self, x: Value, letters: str) -> Value:
        """Lengths of named axes as int64 [len(letters)]; a constant where all are known."""
        dims = [x.spec.dim(letter) for letter in letters]
        if all(isinstance(d, int) for d in dims):
            return self.int64(dims)
        axes = [x.spec.axis(letter) for letter in letters]
        first, last = axes[0], axes[-1] + 1
        if axes == list(range(first, last)):
            return _as_value(self.Shape(x, start=first, end=last))
        return _as_value(self.Gather(self.Shape(x), self.int64(axes), axis=0))

    def branch(self, condition: Value, then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        """If: both sides emit into a graph of their own and see everything outside."""
        name = self._name("If")
        yes, yes_value = self._graph(f"{name}.then", [], lambda: [then()])
        no, no_value = self._graph(f"{name}.else", [], lambda: [otherwise()])
        a, b = yes_value[0].spec, no_value[0].spec
        if a.dtype != b.dtype:
            raise TypeError(f"{name}: one branch gives {a}, the other {b}")
        self._append(helper.make_node("If", [condition.name], [name], name, then_branch=yes, else_branch=no))
        return Value(name, TensorSpec(a.dtype, _common(a.shape, b.shape)))

    def loop(self, count: Value, body: Callable[[Value], Value]) -> Value:
        """Loop over ``count`` trips; the results, all of one shape, are stacked along a new first axis."""
        name = self._name("Loop")
        trip, going = Value(f"{name}.trip", TensorSpec("int64", ())), Value(f"{name}.going", TensorSpec("bool", ()))
        graph, values = self._graph(f"{name}.body", [trip, going], lambda: [going, body(trip)])
        # ORT 1.31 fails on an empty condition once the Loop stands in an If that it inlines: always a real constant
        start = self.constant(True, "bool")
        self._append(helper.make_node("Loop", [count.name, start.name], [name], name, body=graph))
        return _stacked(name, values[1])

    def repeat(self, most: Value, state: Value, body: Callable[[Value], tuple[Value, Value, Value]]) -> Value:
        """Loop with a state, until ``body`` says so or ``most`` trips are made; the results are stacked."""
        name = self._name("Loop")
        trip, going = Value(f"{name}.trip", TensorSpec("int64", ())), Value(f"{name}.going", TensorSpec("bool", ()))
        own = Value(f"{name}.state", state.spec)
        graph, values = self._graph(f"{name}.body", [trip, going, own], lambda: list(body(own)))
        start = self.constant(True, "bool")
        inputs = [most.name, start.name, state.name]
        self._append(helper.make_node("Loop", inputs, [f"{name}.last", name], name, body=graph))
        return _stacked(name, values[2])

    def _graph(
        self, name: str, inputs: Sequence[Value], emit: Callable[[], list[Value]]
    ) -> tuple[GraphProto, list[Value]]:
        nodes: list[NodeProto] = []
        self._open.append(nodes)
        results = []
        for value in emit():
            made_here = any(value.name in node.output for node in nodes)
            results.append(value if made_here else _as_value(self.Identity(value)))
        self._open.pop()
        # only the element type is declared: a shape here would have to be right for every trip
        outputs = [helper.make_tensor_value_info(v.name, element_type(v.spec.dtype), None) for v in results]
        given = [helper.make_tensor_value_info(v.name, element_type(v.spec.dtype), v.spec.shape) for v in inputs]
        return helper.make_graph(nodes, name, given, outputs), results

    # nodes ----------------------------------------------------------------------------------------------------

    def _name(self, operator: str) -> str:
        name = f"{self._prefix}/{operator}_{self._count}"
        self._count += 1
        return name

    def _append(self, node: NodeProto) -> None:
        self._open[-1].append(node)

    def _refuse_numbers(self, operator: str, inputs: Sequence[Value | None]) -> None:
        for i, value in enumerate(inputs):
            if value is not None and not isinstance(value, Value):
                raise TypeError(
                    f"{operator} input {i} is a bare {type(value).__name__}: {value!r}; "
                    "op.float32(...), op.int64(...) or op.constant(..., dtype) states its dtype"
                )

    def _node(self, operator: str, inputs: Sequence[Value | None], outputs: int, attributes: dict[str, Any]) -> Any:
        try:
            schema = get_schema(operator, self.opset, "")
        except SchemaError as error:
            raise TypeError(f"{self._prefix}: opset {self.opset} has no operator {operator}") from error
        written = {key: _attribute(key, value) for key, value in attributes.items() if value is not None}
        name = self._name(operator)
        names = [name] if outputs == 1 else [f"{name}:{i}" for i in range(outputs)]
        node = helper.make_node(operator, ["" if v is None else v.name for v in inputs], names, name, **written)
        types = self._types(schema, node, inputs)
        self._append(node)
        values = tuple(Value(n, spec_of(types[n])) for n in names)
        return values[0] if outputs == 1 else values

    def _types(self, schema: OpSchema, node: NodeProto, inputs: Sequence[Value | None]) -> dict[str, onnx.TypeProto]:
        self._check(schema, node, inputs)
        known = {v.name: type_proto(v.spec) for v in inputs if v is not None}
        data = {name: self._data[name] for name in known if name in self._data}
        imports = [helper.make_opsetid("", self.opset)]
        try:
            types = infer_node_outputs(schema, node, known, data, opset_imports=imports)
        except InferenceError as error:
            given = ", ".join(f"{v.spec}" for v in inputs if v is not None)
            raise TypeError(f"{node.name}({given}): {error}") from error
        for i, name in enumerate(node.output):
            if name not in types:
                raise TypeError(f"{node.name}: output {i} has no type")
        return types

    def _check(self, schema: OpSchema, node: NodeProto, inputs: Sequence[Value | None]) -> None:
        """Attribute names, number of inputs and dtypes against the schema; ONNX's inference skips some of these."""
        unknown = {a.name for a in node.attribute} - set(schema.attributes)
        if unknown:
            raise TypeError(f"{node.name}: opset {self.opset} has no attribute {', '.join(sorted(unknown))}")
        if not schema.min_input <= len(inputs) <= schema.max_input:
            raise TypeError(f"{node.name}: takes {schema.min_input} to {schema.max_input} inputs, got {len(inputs)}")
        for i, value in enumerate(inputs):
            formal = schema.inputs[min(i, len(schema.inputs) - 1)]
            if value is not None and formal.types and f"tensor({_onnx_name(value.spec.dtype)})" not in formal.types:
                raise TypeError(f"{node.name}: input {i} may not be {value.spec.dtype} at opset {self.opset}")


def _stacked(name: str, result: Value) -> Value:
    """What a Loop makes of the result of every trip."""
    shape = result.spec.shape
    return Value(name, TensorSpec(result.spec.dtype, None if shape is None else (None, *shape)))


def _as_value(value: Any) -> Value:
    if not isinstance(value, Value):
        raise TypeError(f"one output was expected, got {value!r}")
    return value


def _array(value: Any, dtype: str) -> Array:
    if dtype == "string":
        return np.asarray(value, dtype=object)
    array = np.asarray(value)
    wanted = np.dtype(dtype)
    cast = array.astype(wanted)
    if wanted.kind in "iub" and not np.array_equal(cast, array):
        raise TypeError(f"{value!r} is not exactly representable as {dtype}")
    return np.ascontiguousarray(cast).reshape(array.shape)


def _attribute(key: str, value: Any) -> Any:
    if key == "to":
        return element_type(value)
    if isinstance(value, np.ndarray):
        return numpy_helper.from_array(value)
    return list(value) if isinstance(value, tuple) else value


def _onnx_name(dtype: str) -> str:
    """As schemas spell it: ``float``, ``float8e4m3fn``."""
    return str(TensorProto.DataType.Name(element_type(dtype))).lower()


def _common(a: tuple[Dim, ...] | None, b: tuple[Dim, ...] | None) -> tuple[Dim, ...] | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


# shims: one way of writing for every opset -------------------------------------------------------------------------


def _axes(operator: str) -> Callable[..., Any]:
    def shim(op: Emitter, x: Value, *, axes: Sequence[int] | None = None, **attributes: Any) -> Any:
        if axes is None or op.opset < _AXES_AS_INPUT[operator]:
            return op._node(operator, [x], 1, {"axes": axes, **attributes})  # noqa: SLF001  # same module
        return op._node(operator, [x, op.int64(list(axes))], 1, attributes)  # noqa: SLF001

    return shim


def _split(op: Emitter, x: Value, *, split: Sequence[int], axis: int = 0) -> Any:
    inputs, attributes = ([x], {"split": list(split)}) if op.opset < 13 else ([x, op.int64(list(split))], {})
    return op._node("Split", inputs, len(split), {"axis": axis, **attributes})  # noqa: SLF001


def _shape(op: Emitter, x: Value, *, start: int = 0, end: int | None = None) -> Any:
    if op.opset >= 15 or (start == 0 and end is None):
        return None
    whole = op.Shape(x)
    return op.Slice(whole, op.int64([start]), op.int64([2**62 if end is None else end]), op.int64([0]))


def _extreme(keeps_first: str) -> Callable[..., Any]:
    """Before opset 12 Max and Min took floats only; ONNX Runtime's for int64 are wrong between 2**31 and 2**32."""

    def shim(op: Emitter, a: Value, b: Value) -> Any:
        if a.spec.dtype.startswith("float") or (op.opset >= 12 and a.spec.dtype != "int64"):
            return None
        return op.Where(getattr(op, keeps_first)(a, b), a, b)

    return shim


def _clip(op: Emitter, x: Value, low: Value, high: Value) -> Any:
    whole = x.spec.dtype == "float32" or (op.opset >= 12 and x.spec.dtype != "int64")
    return None if whole else op.Min(op.Max(x, low), high)


def _or_equal(strict: str, opposite: str) -> Callable[..., Any]:
    """Opset 11 has neither, and ONNX before 1.20 does not tell what type they give."""

    def shim(op: Emitter, a: Value, b: Value) -> Any:
        if a.spec.dtype.startswith("float"):  # Not(Less) would be true for NaN
            return op.Or(getattr(op, strict)(a, b), op.Equal(a, b))
        return op.Not(getattr(op, opposite)(a, b))

    return shim


def _softmax(op: Emitter, x: Value, *, axis: int = -1) -> Any:
    """Before opset 13 Softmax flattened everything from ``axis`` on: the axis is then moved last and back."""
    if op.opset >= 13 or axis == -1:
        return None
    rank = x.spec.rank
    if rank is None:
        raise TypeError("Softmax below opset 13 on an axis other than the last needs a known rank")
    if axis % rank == rank - 1:
        return op.Softmax(x, axis=-1)
    order = [i for i in range(rank) if i != axis % rank] + [axis % rank]
    back = [order.index(i) for i in range(rank)]
    return op.Transpose(op.Softmax(op.Transpose(x, perm=order), axis=-1), perm=back)


_SHIMS: dict[str, Callable[..., Any]] = {
    **{operator: _axes(operator) for operator in _AXES_AS_INPUT},
    "Split": _split,
    "Shape": _shape,
    "Max": _extreme("Greater"),
    "Min": _extreme("Less"),
    "Clip": _clip,
    "GreaterOrEqual": _or_equal("Greater", "Less"),
    "LessOrEqual": _or_equal("Less", "Greater"),
    "Softmax": _softmax,
}
