"""What a model takes and gives, as far as it is made of tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from onnx import ModelProto, ValueInfoProto

from onnxprep.emit import spec_of
from onnxprep.errors import ContractError
from onnxprep.spec.plan import Signature
from onnxprep.tensor import Dim, TensorSpec

_LONGEST = 2**16


def signature(model: ModelProto) -> Signature:
    """The model's real inputs (those no initializer stands for) and outputs.

    Sequences, maps and optionals are no part of it: they stay graph inputs and outputs as they are.
    """
    initialized = initialized_names(model)
    return Signature(
        inputs=_tensors(info for info in model.graph.input if info.name not in initialized),
        outputs=_tensors(model.graph.output),
    )


def initialized_names(model: ModelProto) -> set[str]:
    """Names of the main graph's initializers, dense and sparse."""
    dense = {tensor.name for tensor in model.graph.initializer}
    return dense | {tensor.values.name for tensor in model.graph.sparse_initializer}


def is_tensor(info: ValueInfoProto) -> bool:
    """Whether the value is an ordinary tensor."""
    return bool(info.type.HasField("tensor_type"))


def described(info: ValueInfoProto) -> TensorSpec:
    """Our description of a tensor input or output; a negative length means unknown, as old exporters write it."""
    if not info.name:
        raise ContractError("has an input or output without a name", at="model")
    if len(info.name) > _LONGEST:
        expected = f"at most {_LONGEST:,} characters"
        raise ContractError("has an input or output with a name beyond all use", at="model", expected=expected)
    try:
        spec = spec_of(info.type)
    except ValueError as error:
        raise ContractError(
            "has an element type that this ONNX does not know", at=info.name, got=str(info.type.tensor_type.elem_type)
        ) from error
    return replace(spec, shape=None if spec.shape is None else tuple(_known(dim) for dim in spec.shape))


def _known(dim: Dim) -> Dim:
    return None if isinstance(dim, int) and dim < 0 else dim


def _tensors(infos: Iterable[ValueInfoProto]) -> dict[str, TensorSpec]:
    return {info.name: described(info) for info in infos if is_tensor(info)}
