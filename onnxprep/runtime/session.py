"""Sessions: the only module that imports onnxruntime."""

from __future__ import annotations

import ctypes
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as states

from onnxprep.errors import ContractError, UsageError
from onnxprep.tensor import NARROW, Array

CPU = "CPUExecutionProvider"
_NARROW = {f"tensor({name.replace('_', '')})": np.dtype(name) for name in NARROW}
"""ORT's names of floats that it neither takes from NumPy nor gives to it."""
_PACKAGES = {
    "cuda": "onnxruntime-gpu", "tensorrt": "onnxruntime-gpu", "dml": "onnxruntime-directml",
    "openvino": "onnxruntime-openvino", "qnn": "onnxruntime-qnn",
}  # fmt: skip
"""Provider -> the package that brings it."""
_SILENT = 4  # its log holds names from the model, unescaped; what matters is in the error that it raises
_STATES: tuple[type[Exception], ...] = tuple(
    state
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented",
                 "RuntimeException", "EPFail", "NoModel", "ModelLoaded", "EngineError")
    if isinstance(state := getattr(states, name, None), type) and issubclass(state, Exception)
)  # fmt: skip
"""What ORT raises; every one is an Exception of its own without a common base."""

_ERRORS: tuple[type[Exception], ...] = (*_STATES, ValueError, TypeError, RuntimeError)
"""With what its Python side raises: texts of a model that are not UTF-8 are a ValueError."""


class Session:
    """A loaded model: named arrays in, named arrays out.

    Args:
        model: a file, or a model in memory.
        providers: by full or short name; the CPU by default.
        threads: threads inside an operator; 0 leaves the choice to onnxruntime.
        folder: where the external data of a model in memory lies.
        called: what errors call the file, if not by its path.
        profile: a folder to keep a profile of its runs in, for ``profiled``.

    Raises:
        ContractError: ORT does not load the model, or falls back from the first provider to another, as it does in silence.
        UsageError: a provider that this ORT does not have, or a path that it cannot take.
    """

    def __init__(
        self,
        model: ModelProto | Path,
        providers: Sequence[str] = (),
        *,
        threads: int = 0,
        folder: Path | None = None,
        called: str = "",
        profile: Path | None = None,
    ) -> None:
        asked = known(providers)
        if asked != (CPU,):
            ort.set_default_logger_severity(_SILENT)  # where they write, whatever the session's own options say
        options = ort.SessionOptions()
        options.log_severity_level = _SILENT
        options.intra_op_num_threads = threads
        if folder is not None:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", _utf8(folder))
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = _utf8(profile / "profile")
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        source = _utf8(model) if isinstance(model, Path) else model.SerializeToString()
        try:
            # its own fall-back prints to stdout, and would hide that the provider asked for does not work
            self._session = ort.InferenceSession(source, options, providers=list(asked), enable_fallback=0)
            self.inputs = {value.name: tuple(value.shape) for value in self._session.get_inputs()}
            self.outputs = [value.name for value in self._session.get_outputs()]
            self._narrow = {
                value.name: _NARROW[value.type]
                for value in (*self._session.get_inputs(), *self._session.get_outputs())
                if value.type in _NARROW
            }
            self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        except _ERRORS as error:
            got = _on_one_line(error, str(source) if called else "", called)
            raise ContractError("ONNX Runtime does not load it", got=got) from None
        self.providers: list[str] = self._session.get_providers()
        if self.providers[0] != asked[0]:
            raise ContractError(
                "onnxruntime fell back to another provider",
                at=asked[0],
                expected=asked[0],
                got=", ".join(self.providers),
                hint="its device, its driver or its libraries are not here",
            )

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """The named outputs, all of them unless some are named.

        Raises:
            ContractError: ORT refuses the inputs or fails on them.
        """
        names = self.outputs if outputs is None else list(outputs)
        try:
            if self._narrow.keys() & {*names, *feeds}:
                results = self._run_narrow(names, feeds)
            else:
                results = self._session.run(names, dict(feeds), _quiet())
        except _ERRORS as error:
            raise _not_run(error) from None
        return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}

    def _run_narrow(self, names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
        """Narrow floats pass as the bytes that they are."""
        given = {name: self._value(name, array) for name, array in feeds.items()}
        made = self._session.run_with_ort_values(list(names), given, _quiet())
        return [self._array(name, value) for name, value in zip(names, made, strict=True)]

    def _value(self, name: str, array: Array) -> ort.OrtValue:
        if name not in self._narrow:
            return ort.OrtValue.ortvalue_from_numpy(array)
        dtype = self._narrow[name]
        if array.dtype != dtype:
            raise TypeError(f"{name} is {array.dtype}, not {dtype}")
        bits = np.ascontiguousarray(array).view(f"u{dtype.itemsize}").reshape(array.shape)
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, helper.np_dtype_to_tensor_dtype(dtype))

    def _array(self, name: str, value: ort.OrtValue) -> Array:
        if name not in self._narrow:
            return np.asarray(value.numpy())
        dtype, shape = self._narrow[name], tuple(value.shape())
        content = ctypes.string_at(value.data_ptr(), math.prod(shape) * dtype.itemsize)
        return np.frombuffer(content, dtype).reshape(shape)

    def assigned(self) -> list[tuple[str, str]] | None:
        """(node, provider) of every node that is left to run; ``None`` where this onnxruntime does not tell."""
        told = getattr(self._session, "get_provider_graph_assignment_info", None)
        if told is None:
            return None
        return [(str(node.name), str(part.ep_name)) for part in told() for node in part.get_nodes()]

    def profiled(self) -> list[tuple[str, str]]:
        """(node, provider) of every node that has run; ends the profile. What a provider compiled has its own name."""
        events = json.loads(Path(self._session.end_profiling()).read_text("utf-8"))
        ran = {e["name"]: e["args"]["provider"] for e in events if "provider" in e.get("args", {})}
        return [(name.removesuffix("_kernel_time"), provider) for name, provider in ran.items()]


def _not_run(error: BaseException) -> ContractError:
    """Our nodes carry the name of their step, and most that fail are there to refuse an image that does not fit it."""
    step = re.search(r"onnxprep/(pre|post)\.(\d+)\.([^/']+)/", str(error))
    if step is None and "onnxprep/pre.feed." in str(error):
        return ContractError(
            "the steps give another height, width or number than the model takes", at="preprocess", got=_on_one_line(error),
            hint="`check --model` says where that could not be proven; a size of [height, width] or a crop settles it",
        )  # fmt: skip
    if step is None:
        return ContractError("ONNX Runtime does not run it", got=_on_one_line(error))
    side, index, name = step.groups()
    if "re-use buffer" in str(error):  # ONNX Runtime trusts the lengths that a file declares of its tensors
        return ContractError(
            f"`{name}` makes another shape than the file declares", at=f"{side}process[{index}]", got=_on_one_line(error),
            hint="a tool has inferred shapes, wrongly: use the file as it was exported",
        )  # fmt: skip
    problem = f"`{name}` does not work on this input: too small for it, or another number of channels"
    return ContractError(problem, at=f"{side}process[{index}]", got=_on_one_line(error))


def known(providers: Sequence[str]) -> tuple[str, ...]:
    """Providers by their full names; none means the CPU. ``cuda`` is short for ``CUDAExecutionProvider``.

    Raises:
        UsageError: one that this onnxruntime does not have.
    """
    available = {name.lower().removesuffix("executionprovider"): name for name in ort.get_available_providers()}
    found = []
    for asked in providers:
        short = _shortest(asked)
        if short not in available:
            expected, package = ", ".join(sorted(available)), brought_by(short)
            hint = f"{package} brings it: install it in an environment of its own, in the place of onnxruntime"
            problem = f"onnxruntime has no provider {asked!r} here"
            raise UsageError(problem, at="--provider", expected=expected, hint=hint if package else "")
        found.append(available[short])
    return tuple(dict.fromkeys(found)) or (CPU,)


def full_name(asked: str) -> str:
    """A provider that onnxruntime has a name for, installed here or not.

    Raises:
        UsageError: there is none of that name.
    """
    names = {name.lower().removesuffix("executionprovider"): str(name) for name in ort.get_all_providers()}
    short = _shortest(asked)
    if short not in names:
        raise UsageError(
            f"is no provider of onnxruntime: {asked!r}", at="--provider", expected=", ".join(sorted(names))
        )
    return names[short]


def _shortest(asked: str) -> str:
    """``cuda`` for ``CUDAExecutionProvider``; DirectML's provider is called Dml."""
    short = asked.lower().removesuffix("executionprovider")
    return "dml" if short == "directml" else short


def available(provider: str) -> bool:
    """Whether this onnxruntime was built with a provider; whether it works, only a session tells."""
    return provider in ort.get_available_providers()


def brought_by(provider: str) -> str:
    """The package that has a provider; ``""`` where we know of none."""
    return _PACKAGES.get(_shortest(provider), "")


def short_name(provider: str) -> str:
    """``CUDA`` for ``CUDAExecutionProvider``."""
    return provider.removesuffix("ExecutionProvider")


def version() -> str:
    """The installed onnxruntime."""
    return str(ort.__version__)


def _quiet() -> ort.RunOptions:
    options = ort.RunOptions()
    options.log_severity_level = _SILENT
    return options


def _utf8(path: Path) -> str:
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        problem = "has a name that is not UTF-8, and ONNX Runtime takes no other"
        raise UsageError(problem, at=text, expected="a path in UTF-8", hint="rename it") from None
    return text


def _on_one_line(error: BaseException, path: str = "", called: str = "") -> str:
    text = str(error).replace(path, called) if path else str(error)
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:120]} ... {text[-275:]}"  # the reason stands at the end
