"""Runs single steps: what the conformance suite and the sweeps share."""

from __future__ import annotations

import onnx
import onnxruntime as ort
from onnx import helper

from onnxprep.emit import type_proto
from onnxprep.graph.fragment import emit_steps
from onnxprep.spec.plan import PlannedStep
from onnxprep.step import Step
from onnxprep.tensor import Array, TensorSpec


def build(steps: list[Step], inputs: list[TensorSpec], opset: int = 17) -> onnx.ModelProto:
    """A model of the steps in a chain; the first takes all inputs (x0, x1, ...), each other the outputs before it."""
    values = {f"x{i}": spec for i, spec in enumerate(inputs)}
    names, specs, planned = tuple(values), tuple(inputs), []
    for k, step in enumerate(steps):
        frames = names[len(step.inputs) :] if k == 0 else ()
        names, specs = names[: len(step.inputs)], specs[: len(step.inputs)]
        gives = step.infer(*specs)
        outputs = tuple(f"y{k}.{port}" for port in step.outputs)
        planned.append(PlannedStep("pre", k, step.operation, step, names, outputs, specs, gives, frames))
        names, specs = outputs, gives
    fragment = emit_steps(planned, values, {n: n for n in values}, opset, names)
    outs = [f"out{i}" for i in range(len(names))]
    nodes = [
        *fragment.nodes,
        *(helper.make_node("Identity", [fragment.tensors[n]], [o]) for n, o in zip(names, outs, strict=True)),
    ]
    graph = helper.make_graph(
        nodes, "steps",
        [helper.make_value_info(n, type_proto(s)) for n, s in values.items()],
        [helper.make_value_info(o, type_proto(s)) for o, s in zip(outs, specs, strict=True)],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def session(model: onnx.ModelProto, threads: int = 1, *, optimised: bool = True) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # a run that is meant to fail is asserted, not printed
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model: onnx.ModelProto, *arrays: Array) -> list[Array]:
    return session(model).run(None, {f"x{i}": a for i, a in enumerate(arrays)})  # type: ignore[no-any-return]
