"""resize like torchvision: what the conformance cases are too small for, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import pytest
from steps import build, session

from onnxprep.emit import Emitter
from onnxprep.errors import ContractError, SpecError
from onnxprep.numerics.taps import bands, outputs_per_block
from onnxprep.numerics.taps_int16 import SIGNED, UNSIGNED, digits, int16_table
from onnxprep.spec.messages import validated
from onnxprep.step import Step, Value, catalogue
from onnxprep.steps.image.arithmetic import lengths
from onnxprep.steps.image.resize._geometry import Geometry
from onnxprep.steps.image.resize._library import resized_sides
from onnxprep.steps.image.resize._torch.tables import Int16Axes
from onnxprep.tensor import Tensor, TensorSpec

RNG = np.random.default_rng(20261121)


def make(operation: str, like: str = "torchvision-v2", **parameters: Any) -> Step:
    return validated(catalogue()[operation][like], parameters, like)


def image(*shape: Any, layout: str = "NHWC") -> TensorSpec:
    return TensorSpec("uint8", shape, layout, None, (0.0, 255.0))


# the arithmetic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("kept", ["all", "some"])
def test_tables_of_the_graph_are_those_of_numpy(interpolation: str, kept: str):
    """Weights, units and indices for reductions from 1/3 to 300, with the outputs that a crop leaves."""
    op = Emitter("t", 17)
    side, new, start, count = (Value(name, TensorSpec("int64", (1,))) for name in ("side", "new", "start", "count"))
    whole = Geometry(side, new, lengths(0), new)
    axes = Int16Axes(op, whole if kept == "all" else Geometry(side, new, start, count), interpolation, None)
    values = [axes.index, axes.edges, axes.digits(), axes.operands("float")[1], axes.few]
    inputs = (side, new) if kept == "all" else (side, new, start, count)
    graph = onnx.helper.make_graph(
        [*op.nodes, *(onnx.helper.make_node("Identity", [v.name], [f"out{i}"]) for i, v in enumerate(values))],
        "tables",
        [onnx.helper.make_tensor_value_info(v.name, onnx.TensorProto.INT64, [1]) for v in inputs],
        [onnx.helper.make_empty_tensor_value_info(f"out{i}") for i in range(len(values))],
    )
    running = session(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))
    base = UNSIGNED if interpolation == "bilinear" else SIGNED
    sizes = [(int(n), int(m)) for n, m in np.exp(RNG.uniform(0, 6.5, (60, 2)))] + [(6000, 20), (1, 1), (2, 1), (64, 64)]
    for length, resized in sizes:
        first = int(RNG.integers(0, resized)) if kept == "some" else 0
        wanted = int(RNG.integers(1, resized - first + 1)) if kept == "some" else resized
        feeds = {"side": [length], "new": [resized], "start": [first], "count": [wanted]}
        index, edges, made, units, few = running.run(None, {v.name: np.array(feeds[v.name]) for v in inputs})
        block = outputs_per_block(length // resized)
        # in the graph the last block is filled with outputs behind the wanted ones, as far as there are any
        filled = min(-(-wanted // block) * block, resized - first)
        taps, power = int16_table(length, resized, interpolation, first, filled)
        band, place = bands(taps, block), f"{length} -> {resized}, {first} + {wanted}"
        assert edges.tolist() == [band.begin, band.end], place
        span = band.index.shape[1]  # that of the graph is the widest of all blocks, wanted or not
        np.testing.assert_array_equal(index[0, :, :span], band.index, place)
        np.testing.assert_array_equal(made[0, ..., :span], digits(band.weights, base), place)
        assert (made[0, ..., span:] == base.zero).all(), place
        assert units[0].tolist() == [1 / power, base.base / power], place
        assert few == (power <= 2**15), place


@pytest.mark.parametrize("interpolation", ["nearest", "nearest_exact", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("antialias", [True, False])
def test_large_reductions_and_many_images(interpolation: str, antialias: bool):
    """More taps than one float32 sum of digits holds, and batches whose rows are resized in several chunks."""
    pytest.importorskip("torchvision")
    if interpolation == "lanczos" and not antialias:
        pytest.skip("torchvision refuses it")
    for shape, size in (((1, 3000, 3, 3), [2, 5]), ((1, 4, 9000, 1), [3, 8]), ((5, 300, 40, 3), [260, 33])):
        step = make("resize", size=size, interpolation=interpolation, antialias=antialias)
        array = RNG.integers(0, 256, shape, dtype=np.uint8)
        want = step.oracle(Tensor(array, image(*shape)))
        for spec in (image(*shape), image("N", "H", "W", shape[3])):
            (got,) = session(build([step], [spec])).run(None, {"x0": array})
            np.testing.assert_array_equal(got, want, str(spec))


# sizes ------------------------------------------------------------------------------------------------------------

RULES: list[dict[str, Any]] = [
    {"shorter_edge": 256, "rule": "half_even"}, {"shorter_edge": 256, "multiple": 1, "rule": "shorter_round_ceil"},
    {"shorter_edge": 37, "multiple": 32, "rule": "shorter_round_ceil"}, {"shorter_edge": 736, "rule": "ppocr_det"},
    {"shorter_edge": 736, "max_size": 1000, "rule": "ppocr_det"}, {"longest_edge": 960, "rule": "ppocr_det"},
    {"longest_edge": 960, "max_size": 900, "enlarge": True, "rule": "ppocr_det"},
    {"fit": [48, 320], "max_width": 3200, "rule": "ppocr_rec"}, {"fit": [48, 320], "max_width": 400, "rule": "ppocr_rec"},
]  # fmt: skip


@pytest.mark.parametrize("size", RULES, ids=json.dumps)
def test_rule_is_the_library_s(size: dict[str, Any]):
    step: Any = make("resize", size=size, interpolation="nearest")
    running = session(build([step], [image(1, "H", "W", 1)]))
    sides = [(480, 640), (37, 37), (64, 500), (500, 64), (5, 900), (96, 1600), (41, 33)]
    for height, width in sides + [(int(h), int(w)) for h, w in RNG.integers(20, 1200, (20, 2))]:
        try:
            want = resized_sides(step.size, height, width)
        except ModuleNotFoundError as error:
            pytest.skip(str(error))
        spec = step.infer(image(1, height, width, 1))[0]
        assert (spec.dim("H"), spec.dim("W")) == want, (height, width)
        if height * width < 100_000:
            assert running.run(None, {"x0": np.zeros((1, height, width, 1), np.uint8)})[0].shape[1:3] == want


# what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("like", ["torchvision-v2", "transformers-torchvision"])
def test_five_channels_are_refused(like: str):
    step = make("resize", like, size=[5, 5], interpolation="bilinear")
    for spec in (image(8, 9, 5, layout="HWC"), image("C", 8, 9, layout="CHW")):
        with pytest.raises(ContractError, match="too many channels"):
            step.infer(spec)


def test_filters_that_a_family_lacks_are_refused():
    for like, interpolation in (("torchvision-v2", "box"), ("transformers-torchvision", "hamming")):
        with pytest.raises(SpecError, match="interpolation"):
            make("resize", like, size=[5, 5], interpolation=interpolation)
    with pytest.raises(SpecError, match="antialias"):
        make("resize", size=[5, 5], interpolation="lanczos", antialias=False)
