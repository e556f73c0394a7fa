"""What samples do not reach: NaN and infinities, chains of casts, images that are too small, indices outside."""

from __future__ import annotations

import itertools
from typing import Any

import conformance
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from steps import build, run, session

from onnxprep.emit import Emitter
from onnxprep.errors import ContractError
from onnxprep.step import Step, Value, Window, catalogue
from onnxprep.tensor import Array, Tensor, TensorSpec

NEWEST = conformance.newest_opset()
RUN_FAILS = (
    ort.capi.onnxruntime_pybind11_state.Fail,
    ort.capi.onnxruntime_pybind11_state.InvalidArgument,
    ort.capi.onnxruntime_pybind11_state.RuntimeException,
)


def step(operation: str, like: str = "", **parameters: Any) -> Step:
    return conformance.make(catalogue()[operation][like], like, parameters)


def bits(array: Array) -> Array:
    return np.where(np.isnan(array), np.array(np.nan, array.dtype), array).view(f"u{array.dtype.itemsize}")


# to_dtype ---------------------------------------------------------------------------------------------------------

INTEGERS, FLOATS = ("uint8", "int8", "int32", "int64"), ("float16", "float32", "float64")
SPECIAL = [
    np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 99.9999999999, 127.5, 128.0, -128.5, -129.0, 254.5,
    255.0, 255.5, 256.0, 65504.0, 65519.9, 65520.0, 2147483520.0, 2147483647.0, 2147483648.0, -2147483648.0,
    9.223372036854775e18, 9.3e18, -9.3e18, 1e300, -1e300, 1e-300, 5e-324, 1 + 2**-11, 1 + 2**-11 + 2**-30,
    1 + 2**-24 + 2**-50, 16777217.0, 9007199254740993.0, 2049.0, 2**-25 + 2**-40,
]  # fmt: skip


def special(dtype: str) -> Array:
    if dtype == "bool":
        return np.array([True, False])
    if dtype in FLOATS:
        with np.errstate(over="ignore"):
            return np.array(SPECIAL).astype(dtype)
    limits = np.iinfo(dtype)
    near = [limits.min, limits.min + 1, -1, 0, 1, 2, 126, 127, 128, 255, 256, 2049, limits.max - 1, limits.max]
    return np.array([n for n in near if limits.min <= n <= limits.max], dtype)


def to_dtype(source: str, dtype: str, rounding: str) -> Step | None:
    parameters = {"rounding": rounding} if source in FLOATS and dtype in INTEGERS else {}
    made = step("to_dtype", dtype=dtype, **parameters)
    try:
        made.infer(TensorSpec(source, (None,)))
    except ContractError:
        return None
    return made


@pytest.mark.parametrize("opset", [11, 17, NEWEST])
@pytest.mark.parametrize("rounding", ["trunc", "half_even"])
@pytest.mark.parametrize("source", [*INTEGERS, *FLOATS, "bool"])
def test_chains_of_casts_keep_every_rounding(source: str, rounding: str, opset: int):
    """ONNX Runtime merges Casts; not these."""
    seen = 0
    for middle, last in itertools.product((*INTEGERS, *FLOATS), repeat=2):
        first, second = to_dtype(source, middle, rounding), to_dtype(middle, last, rounding)
        if first is None or second is None:
            continue
        x = special(source)
        given = TensorSpec(source, (len(x),))
        (between,) = first.infer(given)
        inner = first.oracle(Tensor(x, given))
        assert isinstance(inner, np.ndarray)
        want = second.oracle(Tensor(inner, between))
        assert isinstance(want, np.ndarray)
        (got,) = run(build([first, second], [given], opset), x)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want, err_msg=f"{source} -> {middle} -> {last}")
        seen += 1
    assert seen >= 39


@pytest.mark.parametrize("source", FLOATS)
def test_nan_becomes_0_and_the_rest_saturates(source: str):
    x = np.array([np.nan, np.inf, -np.inf, 2.5, -2.5], source)
    for dtype, most in (("uint8", 255), ("int8", 127)):
        (got,) = run(build([step("to_dtype", dtype=dtype, rounding="half_even")], [TensorSpec(source, (5,))]), x)
        assert got.tolist() == [0, most, np.iinfo(dtype).min, 2, 0 if dtype == "uint8" else -2]


@pytest.mark.parametrize(
    ("source", "parameters", "problem"),
    [
        ("float32", {"dtype": "uint8"}, "needs a rounding"),
        ("uint8", {"dtype": "float32", "rounding": "trunc"}, "has nothing to round"),
        ("float64", {"dtype": "float16"}, "would round twice"),
        ("string", {"dtype": "uint8"}, "does not work on string"),
    ],
)
def test_casts_that_are_refused(source: str, parameters: dict[str, str], problem: str):
    with pytest.raises(ContractError, match=problem):
        step("to_dtype", **parameters).infer(TensorSpec(source, (3,)))


# crops ------------------------------------------------------------------------------------------------------------


def image(height: int, width: int, dtype: str = "uint8") -> Array:
    return np.random.default_rng(height * 100 + width).integers(1, 256, (1, height, width, 3)).astype(dtype)


PADDING = ["timm", "torchvision-v1", "torchvision-v2", "transformers-pil", "transformers-torchvision"]


@pytest.mark.parametrize("like", PADDING)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("fill", [0, 7])
def test_center_crop_places_every_difference(like: str, dtype: str, fill: int):
    """The rule of each family, written out for one axis, in all differences from -7 to 7 px of both axes."""
    made = step("center_crop", like, size=8, fill=fill)
    running = session(build([made], [TensorSpec(dtype, (1, "H", "W", 3), "NHWC", "RGB")]))
    for height, width in itertools.product(range(1, 16), repeat=2):
        x = image(height, width, dtype)
        rows, columns = (place(like, length) for length in (height, width))
        padded = np.pad(x, ((0, 0), (8, 8), (8, 8), (0, 0)), constant_values=fill)
        want = padded[:, 8 + rows : 16 + rows, 8 + columns : 16 + columns]
        (got,) = running.run(None, {"x0": x})
        np.testing.assert_array_equal(got, want, err_msg=f"{height} x {width}")


def place(like: str, length: int) -> int:
    """Where the crop of 8 begins; below 0 in the padding."""
    if length >= 8:
        return (length - 8) // 2 if like.startswith("transformers") else round((length - 8) / 2)
    return -((8 - length + 1) // 2) if like == "transformers-pil" else -((8 - length) // 2)


@pytest.mark.parametrize("opset", [11, NEWEST])
@pytest.mark.parametrize(
    ("operation", "like", "parameters"),
    [("center_crop", "numpy", {"size": [4, 5]}), ("crop", "", {"top": 2, "left": 1, "height": 4, "width": 5})],
)
def test_an_image_that_is_too_small_fails(operation: str, like: str, parameters: dict[str, Any], opset: int):
    made = step(operation, like, **parameters)
    running = session(build([made], [TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB")], opset))
    needed = (4, 5) if operation == "center_crop" else (6, 6)
    for height, width in itertools.product(range(1, 10), repeat=2):
        if height >= needed[0] and width >= needed[1]:
            assert running.run(None, {"x0": image(height, width)})[0].shape == (1, 4, 5, 3)
            continue
        with pytest.raises(RUN_FAILS, match="Reshape"):
            running.run(None, {"x0": image(height, width)})
        with pytest.raises(ContractError, match="image"):
            made.infer(TensorSpec("uint8", (1, height, width, 3), "NHWC", "RGB"))


CROPS = [
    ("center_crop", like, {"size": size}) for like in [*PADDING, "numpy"] for size in ([5, 6], [9, 3], [12, 12])
] + [("crop", "", {"top": 1, "left": 2, "height": 5, "width": 4})]


@pytest.mark.parametrize(("operation", "like", "parameters"), CROPS)
def test_windows_say_what_a_crop_keeps(operation: str, like: str, parameters: dict[str, Any]):
    """Whoever computes just the window and pads it gets what the crop gives; whatever is known beforehand."""
    made = step(operation, like, **parameters)
    for height, width in ((9, 9), (5, 6), (12, 4), (13, 15), (20, 20)):
        x = image(height, width).transpose(0, 3, 1, 2)
        spec = TensorSpec("uint8", x.shape, "NCHW", "RGB")
        try:
            (want,) = run(build([made], [spec]), x)
        except ContractError:
            want = None
        for known, least in itertools.product((True, False), ((height, width), (0, 0), (height, 0), (0, width))):
            got, window = through_window(made, x, known=known, least=least)
            if window is None:
                assert want is None or not known or least != (height, width)
                continue
            assert want is not None
            np.testing.assert_array_equal(got, want, err_msg=f"{height} x {width}, known {known}, at least {least}")


def through_window(made: Step, x: Array, *, known: bool, least: tuple[int, int]) -> tuple[Array | None, Window | None]:
    op = Emitter("test", 17)
    size = op.int64(x.shape[2:]) if known else Value("size", TensorSpec("int64", (2,)))
    window = made.window(op, size, least)
    if window is None:
        return None, None
    image_value = Value("x", TensorSpec("uint8", (1, 3, None, None), "NCHW", "RGB"))
    kept = op.Slice(image_value, window.start, op.Add(window.start, window.size), op.int64([2, 3]))
    y = made.pad_window(op, kept, window)
    helper = onnx.helper
    graph = helper.make_graph(
        op.nodes,
        "window",
        [
            helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, [1, 3, None, None]),
            helper.make_tensor_value_info("size", onnx.TensorProto.INT64, [2]),
        ],
        [
            helper.make_tensor_value_info(y.name, onnx.TensorProto.UINT8, None),
            helper.make_tensor_value_info(window.size.name, onnx.TensorProto.INT64, None),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    got, sides = session(model).run(None, {"x": x, "size": np.array(x.shape[2:])})
    assert all(told in (None, side) for told, side in zip(window.sizes, sides.tolist(), strict=True))
    return got, window


def test_a_known_size_needs_no_arithmetic():
    for like in [*PADDING, "numpy"]:
        model = build([step("center_crop", like, size=4)], [TensorSpec("uint8", (1, 3, 7, 9), "NCHW", "RGB")])
        kinds = [node.op_type for node in model.graph.node if node.op_type not in ("Constant", "Identity")]
        assert kinds == ["Slice"], like
    model = build([step("center_crop", "timm", size=4)], [TensorSpec("uint8", (1, 3, 4, 4), "NCHW", "RGB")])
    assert [node.op_type for node in model.graph.node] == ["Identity"]


# scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [11, 12, 17, NEWEST])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threshold_of_nan_and_of_neighbours(dtype: str, opset: int):
    value = np.dtype(dtype).type(0.3)
    x = np.array([np.nan, np.inf, -np.inf, value, np.nextafter(value, 1), np.nextafter(value, 0)], dtype)
    for compare, want in ((">", [0, 1, 0, 0, 1, 0]), (">=", [0, 1, 0, 1, 1, 0])):
        (got,) = run(build([step("threshold", value=0.3, compare=compare)], [TensorSpec(dtype, (6,))], opset), x)
        assert got.tolist() == [bool(w) for w in want]


def test_argmax_takes_the_first_of_equals_and_infinities():
    x = np.array([[1, np.inf, 3, np.inf], [4, 4, 4, -np.inf], [-np.inf] * 4], np.float32)
    indices, values = run(build([step("argmax")], [TensorSpec("float32", ("N", 4))]), x)
    assert indices.tolist() == [1, 0, 0]
    assert values.tolist() == [np.inf, 4, -np.inf]


@pytest.mark.parametrize("opset", [11, 12, NEWEST])
def test_integers_around_2_to_the_31(opset: int):
    """ONNX Runtime's Max, Min and Clip of int64 are wrong there; no graph of ours has them."""
    x = np.array([2**31, 2**31 - 1, 2**31 + 5, 2**32, -(2**31) - 1, 3 * 2**31, 7, -7, 2**62], np.int64)
    given = [TensorSpec("int64", (9,))]
    for dtype in ("uint8", "int8", "int32"):
        made = step("to_dtype", dtype=dtype)
        limits = np.iinfo(dtype)
        (got,) = run(build([made], given, opset), x)
        assert got.tolist() == [min(max(int(n), limits.min), limits.max) for n in x]
    (got,) = run(build([step("labels", names=["a"], default="?")], given, opset), x)
    assert got.tolist() == ["?"] * 9


def test_top_k_puts_the_lower_index_first():
    rng = np.random.default_rng(3)
    running = session(build([step("top_k", k=20)], [TensorSpec("float32", (None, 50))]))
    for _ in range(50):
        x = rng.integers(0, 4, (3, 50)).astype(np.float32)
        values, indices = running.run(None, {"x0": x})
        order = np.argsort(-x, 1, kind="stable")[:, :20]
        np.testing.assert_array_equal(indices, order)
        np.testing.assert_array_equal(values, np.take_along_axis(x, order, 1))


def test_top_k_of_too_few_classes():
    with pytest.raises(ContractError, match="has fewer than 5 classes along axis -1") as short:
        step("top_k", k=5).infer(TensorSpec("float32", (1, 4)))
    assert short.value.hint == ""
    with pytest.raises(ContractError) as turned:
        step("top_k", k=5).infer(TensorSpec("float32", (8, 1000, 1, 1)))
    assert turned.value.hint == "are the classes along another one? `axis: 1`"
    step("top_k", k=5, axis=1).infer(TensorSpec("float32", (8, 1000, 1, 1)))
    running = session(build([step("top_k", k=5)], [TensorSpec("float32", (1, None))]))
    with pytest.raises(RUN_FAILS, match="TopK"):
        running.run(None, {"x0": np.zeros((1, 4), np.float32)})


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_labels_outside_the_names(dtype: str):
    strict, lenient = step("labels", names=["a", "b"]), step("labels", names=["a", "b"], default="?")
    x = np.array([0, 1, -1, 2, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype)
    (got,) = run(build([lenient], [TensorSpec(dtype, (6,))]), x)
    assert got.tolist() == ["a", "b", "?", "?", "?", "?"]
    running = session(build([strict], [TensorSpec(dtype, (1,))]))
    assert running.run(None, {"x0": x[:1]})[0].tolist() == ["a"]
    for outside in x[2:]:
        with pytest.raises(RUN_FAILS, match="Gather"):
            running.run(None, {"x0": np.array([outside])})


def test_labels_of_the_wrong_length():
    (indices, _) = step("argmax").infer(TensorSpec("float32", ("N", 1000)))
    assert indices == TensorSpec("int64", ("N",), range=(0.0, 999.0))
    step("labels", names=[str(i) for i in range(1000)]).infer(indices)
    for length in (999, 1001):
        with pytest.raises(ContractError, match="has the wrong number of names") as found:
            step("labels", names=[str(i) for i in range(length)]).infer(indices)
        assert found.value.expected == "1000 names, one per class"
        assert found.value.got == f"{length} names, '0' to '{length - 1}'"
    (_, indices) = step("top_k", k=5).infer(TensorSpec("float32", (1, 1000)))
    with pytest.raises(ContractError, match="has the wrong number of names"):
        step("labels", names=["one"]).infer(indices)


def test_prediction_confidence_and_probabilities():
    scores = np.random.default_rng(5).standard_normal((4, 6)).astype(np.float32)
    names = ["cat", "dog", "Bär", "鳥", "no", "owl"]
    given = [TensorSpec("float32", ("N", 6))]
    probabilities = run(build([step("softmax")], given), scores)[0]
    best, confidence = run(build([step("softmax"), step("argmax")], given), scores)
    (predictions,) = run(build([step("softmax"), step("argmax"), step("labels", names=names)], given), scores)
    np.testing.assert_array_equal(best, scores.argmax(1))
    np.testing.assert_array_equal(confidence, probabilities.max(1))
    assert predictions.tolist() == [names[i] for i in scores.argmax(1)]
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_softmax_in_float64_is_rounded_once():
    x = np.random.default_rng(6).standard_normal((200, 1000)).astype(np.float32) * 8
    made = step("softmax", precision="float64")
    (got,) = run(build([made], [TensorSpec("float32", ("N", 1000))]), x)
    want = made.oracle(Tensor(x, TensorSpec("float32", x.shape)))
    assert isinstance(want, np.ndarray)
    np.testing.assert_array_equal(bits(got), bits(want))


def test_a_float16_that_is_worked_on_in_float32_was_rounded():
    """ONNX Runtime casts back where a kernel has no float16; it may not merge that with our Cast."""
    x = np.array([2049, 1 + 2**-12, 65519], np.float32)
    for opset in (11, 17, NEWEST):
        model = build([step("to_dtype", dtype="float16")], [TensorSpec("float32", (3,))], opset)
        model.graph.node[-1].op_type = "Abs"
        assert run(model, x)[0].tolist() == [2048, 1, 65504]


# bytes ------------------------------------------------------------------------------------------------------------

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


@pytest.mark.parametrize(
    ("like", "want"),
    [
        ("torchvision-v1", EVERY_BYTE.astype(np.float32) / np.float32(255)),
        ("timm", EVERY_BYTE.astype(np.float32) / np.float32(255)),
        ("numpy", EVERY_BYTE.astype(np.float32) / np.float32(255)),
        ("torchvision-v2", EVERY_BYTE.astype(np.float32) * np.float32(1 / 255)),
        ("transformers-pil", (EVERY_BYTE.astype(np.float64) * (1 / 255)).astype(np.float32)),
        ("transformers-torchvision", EVERY_BYTE.astype(np.float32) * np.float32(1 / 255)),
    ],
)
def test_rescale_of_every_byte(like: str, want: Array):
    spec = TensorSpec("uint8", EVERY_BYTE.shape, "NHWC", "GRAY")
    (got,) = run(build([step("rescale", like)], [spec]), EVERY_BYTE)
    np.testing.assert_array_equal(bits(got), bits(want))


def test_std_is_refused_in_words():
    for std, problem in (([0.2, 0.0], "is 0 in float32"), ([0.2, 1e-60], "is 0 in float32"), ([0.2], "has 1 numbers")):
        with pytest.raises(ValueError, match=problem):
            step("normalize", "numpy", mean=[0.1, 0.2], std=std)
    with pytest.raises(ContractError, match="does not work on uint8") as found:
        step("normalize", "numpy", mean=[0.5], std=[0.5]).infer(TensorSpec("uint8", (1, 1, 4, 4), "NCHW", "GRAY"))
    assert found.value.hint == "put `rescale` before it"


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64"])
def test_softmax_names_the_cast_that_it_needs(dtype: str) -> None:
    scores = TensorSpec(dtype, ("N", 4))
    with pytest.raises(ContractError) as error:
        step("softmax").infer(scores)
    assert error.value.hint == "put `to_dtype: {dtype: float32}` before it"
    step("softmax").infer(*step("to_dtype", dtype="float32").infer(scores))
