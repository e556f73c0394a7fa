"""What the installed ONNX Runtime is too old for, said before anything else fails on it."""

from __future__ import annotations

from functools import cache

import onnx
from onnx import ModelProto, TensorProto, helper

from onnxprep.errors import ContractError
from onnxprep.graph.opset import default_opset
from onnxprep.runtime.session import Session, version

_OLD = (3, 7)  # an IR version and an opset that every ONNX Runtime loads


def refuse_newer(model: ModelProto, at: str) -> None:
    """Raises a ContractError for an IR version or an ai.onnx opset that the installed onnxruntime does not load."""
    ir, opset = model.ir_version, default_opset(model)
    if _loads(ir, _OLD[1]) and (opset is None or _loads(_OLD[0], opset)):
        return
    newest_ir, newest_opset = newest()
    raise ContractError(
        "is newer than what the installed ONNX Runtime loads", at=at,
        expected=f"IR version {newest_ir} or lower and opset {newest_opset} or lower (onnxruntime {version()})",
        got=f"IR version {ir} and opset {opset}" if opset is not None else f"IR version {ir}",
        hint=f"export the model at opset {newest_opset}, or install a newer onnxruntime",
    )  # fmt: skip


@cache
def newest() -> tuple[int, int]:
    """The newest IR version and ai.onnx opset that ONNX describes and the installed onnxruntime loads."""
    irs = range(onnx.IR_VERSION, _OLD[0], -1)
    opsets = range(onnx.defs.onnx_opset_version(), _OLD[1], -1)
    ir = next((number for number in irs if _loads(number, _OLD[1])), _OLD[0])
    return ir, next((number for number in opsets if _loads(_OLD[0], number)), _OLD[1])


def _loads(ir: int, opset: int) -> bool:
    """Whether a model without a node loads, with these numbers."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([], "nothing", [value], [value])
    imports = [helper.make_opsetid("", opset)]
    try:
        Session(helper.make_model(graph, opset_imports=imports, ir_version=ir))
    except ContractError:
        return False
    return True
