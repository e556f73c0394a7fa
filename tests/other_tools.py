"""Tools that people run on ONNX files, each as a function from file to file, called as its documentation shows it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from google.protobuf import json_format
from onnx import ModelProto

OURS = "onnxprep/"
NEWER = 21
"""The opset that converters convert to."""

Feeds = Sequence[dict[str, Any]]
Apply = Callable[[Path, Path, Feeds], Path | None]


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes:
        name: what the table calls it.
        package: the distribution that holds it.
        apply: source, target and inputs to calibrate with; gives the file where it is not the target.
        quantises: whether numbers of the body are meant to change.
    """

    name: str
    package: str
    apply: Apply
    quantises: bool = False

    @property
    def missing(self) -> str:
        """The distribution's module, where it is not installed."""
        module = self.package.replace("-", "_")
        return "" if importlib.util.find_spec(module) else module

    @property
    def version(self) -> str:
        return f"{self.package} {version(self.package)}"

    def __call__(self, source: Path, target: Path, feeds: Feeds) -> Path:
        """Runs it; what it prints and warns about is its own business."""
        with quiet(), contextlib.chdir(target.parent):  # several leave files where they are run
            return self.apply(source, target, feeds) or target


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Warnings, logs and prints of a tool are dropped, and what its imports put into ``sys.path`` goes again."""
    path, level = list(sys.path), logging.root.manager.disable
    sys.path += _imported_by_their_bare_names()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _silent_descriptors():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        sys.path[:] = path


def _imported_by_their_bare_names() -> list[str]:
    """Where onnxruntime.transformers keeps modules that it imports as ``fusion_utils``: it says so once only."""
    found = importlib.util.find_spec("onnxruntime.transformers")
    return list(found.submodule_search_locations or ()) if found else []


@contextlib.contextmanager
def _silent_descriptors() -> Iterator[None]:
    """C++ prints past Python."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def on_model(change: Callable[[ModelProto], ModelProto | None]) -> Apply:
    """From a function of models to one of files; a function that gives nothing has changed what it got."""

    def apply(source: Path, target: Path, _: Feeds) -> None:
        model = onnx.load(source)
        target.write_bytes((change(model) or model).SerializeToString())

    return apply


def our_nodes(source: Path) -> list[str]:
    """What quantisers are told to leave alone."""
    return [node.name for node in onnx.load(source, load_external_data=False).graph.node if node.name.startswith(OURS)]


# onnxruntime -------------------------------------------------------------------------------------------------------


def optimised(level: str) -> Apply:
    def apply(source: Path, target: Path, _: Feeds) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
        options.optimized_model_filepath = str(target)
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])

    return apply


def ort_format(source: Path, target: Path, _: Feeds) -> Path:
    from onnxruntime.tools.convert_onnx_models_to_ort import OptimizationStyle, convert_onnx_models_to_ort

    folder = target.parent / f"{target.stem}.format"
    folder.mkdir()
    convert_onnx_models_to_ort(source, output_dir=folder, optimization_styles=[OptimizationStyle.Fixed])
    return folder / f"{source.stem}.ort"


def pre_processed(source: Path, target: Path, _: Feeds) -> None:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(source), str(target))


class _Reader:
    """What quantize_static calls a CalibrationDataReader."""

    def __init__(self, feeds: Iterable[dict[str, Any]]) -> None:
        self.feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.feeds, None)


def quantised_dynamic(*, exclude: bool) -> Apply:
    def apply(source: Path, target: Path, _: Feeds) -> None:
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(source, target, nodes_to_exclude=our_nodes(source) if exclude else [])

    return apply


def quantised_static(*, exclude: bool) -> Apply:
    def apply(source: Path, target: Path, feeds: Feeds) -> None:
        from onnxruntime.quantization import CalibrationDataReader, quantize_static

        reader = type("Reader", (_Reader, CalibrationDataReader), {})(feeds)
        quantize_static(source, target, reader, nodes_to_exclude=our_nodes(source) if exclude else [])

    return apply


def four_bits(model: ModelProto) -> ModelProto:
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantiser = MatMulNBitsQuantizer(model, bits=4, block_size=32, is_symmetric=True)
    quantiser.process()
    return quantiser.model.model


def half_by_ort(*, block: bool, keep_io: bool = True) -> Apply:
    def apply(source: Path, target: Path, _: Feeds) -> None:
        from onnxruntime.transformers.float16 import convert_float_to_float16

        blocked = our_nodes(source) if block else None
        onnx.save(
            convert_float_to_float16(onnx.load(source), keep_io_types=keep_io, node_block_list=blocked), str(target)
        )

    return apply


def symbolic_shapes(model: ModelProto) -> ModelProto:
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    return SymbolicShapeInference.infer_shapes(model, auto_merge=True)


def fixed_batch(model: ModelProto) -> None:
    from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

    make_dim_param_fixed(model.graph, "N", 1)


# onnx --------------------------------------------------------------------------------------------------------------


def converted(model: ModelProto) -> ModelProto:
    from onnx import version_converter

    return version_converter.convert_version(model, NEWER)


def prefixed(model: ModelProto) -> ModelProto:
    from onnx import compose  # noqa: TID251  # other people use it

    return compose.add_prefix(model, "p/")


def extracted(source: Path, target: Path, _: Feeds) -> None:
    graph = onnx.load(source).graph
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [info.name for info in graph.input if info.name not in initialized]
    onnx.utils.extract_model(str(source), str(target), inputs, [info.name for info in graph.output])


def with_external_data(source: Path, target: Path, _: Feeds) -> None:
    location = f"{target.name}.data"
    onnx.save(onnx.load(source), target, save_as_external_data=True, location=location)


def with_all_data_external(source: Path, target: Path, _: Feeds) -> None:
    """The constants of nodes, too, however small: what ``convert_attribute`` does."""
    more = {"location": f"{target.name}.data", "size_threshold": 0, "convert_attribute": True}
    onnx.save(onnx.load(source), target, save_as_external_data=True, **more)


def through_json(model: ModelProto) -> ModelProto:
    return json_format.Parse(json_format.MessageToJson(model), ModelProto())


def through_text(model: ModelProto) -> ModelProto:
    from onnx import parser, printer  # noqa: TID251  # other people use it

    return parser.parse_model(printer.to_text(model))


def in_text_format(model: ModelProto) -> ModelProto:
    serialise, parse = (
        getattr(onnx.serialization.registry.get("textproto"), n) for n in ("serialize_proto", "deserialize_proto")
    )
    return parse(serialise(model), ModelProto())


# onnxscript and others ---------------------------------------------------------------------------------------------


def optimised_by_onnxscript(model: ModelProto) -> ModelProto:
    import onnxscript.optimizer

    return onnxscript.optimizer.optimize(model)


def converted_by_onnxscript(model: ModelProto) -> ModelProto:
    import onnx_ir
    import onnxscript.version_converter

    made = onnx_ir.from_proto(model)
    onnxscript.version_converter.convert_version(made, NEWER, fallback=True)
    return onnx_ir.to_proto(made)


def loaded_and_saved(source: Path, target: Path, _: Feeds) -> None:
    import onnx_ir

    onnx_ir.save(onnx_ir.load(source), target)


def half_by_converter(*, keep_io: bool = True) -> Callable[[ModelProto], ModelProto]:
    def change(model: ModelProto) -> ModelProto:
        from onnxconverter_common import float16

        return float16.convert_float_to_float16(model, keep_io_types=keep_io)

    return change


def simplified(model: ModelProto) -> ModelProto:
    import onnxsim

    return onnxsim.simplify(model)[0]


def slimmed(model: ModelProto) -> ModelProto:
    import onnxslim

    return onnxslim.slim(model)


TOOLS: tuple[Tool, ...] = (
    Tool("optimized_model_filepath, BASIC", "onnxruntime", optimised("BASIC")),
    Tool("optimized_model_filepath, EXTENDED", "onnxruntime", optimised("EXTENDED")),
    Tool("optimized_model_filepath, ALL", "onnxruntime", optimised("ALL")),
    Tool("convert_onnx_models_to_ort", "onnxruntime", ort_format),
    Tool("quant_pre_process", "onnxruntime", pre_processed),
    Tool("quantize_dynamic", "onnxruntime", quantised_dynamic(exclude=False), quantises=True),
    Tool("quantize_dynamic, ours excluded", "onnxruntime", quantised_dynamic(exclude=True), quantises=True),
    Tool("quantize_static", "onnxruntime", quantised_static(exclude=False), quantises=True),
    Tool("quantize_static, ours excluded", "onnxruntime", quantised_static(exclude=True), quantises=True),
    Tool("MatMulNBitsQuantizer, 4 bits", "onnxruntime", on_model(four_bits), quantises=True),
    Tool("transformers.float16", "onnxruntime", half_by_ort(block=False), quantises=True),
    Tool("transformers.float16, ours blocked", "onnxruntime", half_by_ort(block=True), quantises=True),
    Tool("symbolic_shape_infer", "onnxruntime", on_model(symbolic_shapes)),
    Tool("make_dynamic_shape_fixed, N = 1", "onnxruntime", on_model(fixed_batch)),
    Tool("shape_inference", "onnx", on_model(onnx.shape_inference.infer_shapes)),
    Tool(f"version_converter, opset {NEWER}", "onnx", on_model(converted)),
    Tool("compose.add_prefix", "onnx", on_model(prefixed)),
    Tool("utils.extract_model", "onnx", extracted),
    Tool("save, external data", "onnx", with_external_data),
    Tool("save, external data, constants too", "onnx", with_all_data_external),
    Tool("JSON and back", "onnx", on_model(through_json)),
    Tool("protobuf text and back", "onnx", on_model(in_text_format)),
    Tool("ONNX text and back", "onnx", on_model(through_text)),
    Tool("load and save", "onnx-ir", loaded_and_saved),
    Tool("optimizer", "onnxscript", on_model(optimised_by_onnxscript)),
    Tool(f"version_converter, opset {NEWER}", "onnxscript", on_model(converted_by_onnxscript)),
    Tool("float16", "onnxconverter-common", on_model(half_by_converter()), quantises=True),
    Tool("simplify", "onnxsim", on_model(simplified)),
    Tool("slim", "onnxslim", on_model(slimmed)),
)
