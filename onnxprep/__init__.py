"""A model's pre- and post-processing inside its ONNX file, bit for bit as the training library computes it.

Every name is loaded on first use, so that ``onnxprep --help`` imports neither onnx nor onnxruntime.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxprep.errors import ContractError, OnnxprepError, ParityError, SpecError, UsageError
    from onnxprep.runtime.build import build, strip
    from onnxprep.runtime.export import export
    from onnxprep.runtime.pipeline import Pipeline
    from onnxprep.runtime.verify import verify
    from onnxprep.spec.document import Spec

_PLACES = {
    "ContractError": "onnxprep.errors",
    "OnnxprepError": "onnxprep.errors",
    "ParityError": "onnxprep.errors",
    "Pipeline": "onnxprep.runtime.pipeline",
    "Spec": "onnxprep.spec.document",
    "SpecError": "onnxprep.errors",
    "UsageError": "onnxprep.errors",
    "build": "onnxprep.runtime.build",
    "export": "onnxprep.runtime.export",
    "strip": "onnxprep.runtime.build",
    "verify": "onnxprep.runtime.verify",
}

__all__ = [
    "ContractError",
    "OnnxprepError",
    "ParityError",
    "Pipeline",
    "Spec",
    "SpecError",
    "UsageError",
    "build",
    "export",
    "strip",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'onnxprep' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
