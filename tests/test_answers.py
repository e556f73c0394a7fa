"""From scores to answers in one file: the classic triple, several labels, yes or no, text, and what goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import conformance
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from small import SPEC, picture, small
from steps import build, run, session

import onnxprep
from onnxprep.errors import ContractError, SpecError
from onnxprep.spec.document import Spec
from onnxprep.step import Step, catalogue
from onnxprep.tensor import Array, TensorSpec

NAMES = ["cat", "dog", "Bär", "鳥", "no", "owl", "ox", "ant", "", "bee"]
TRIPLE = """postprocess:
  - {operation: softmax, outputs: [probabilities]}
  - {operation: argmax, outputs: [best, confidence]}
  - {operation: labels, outputs: [predictions], parameters: {file: labels.txt}}
outputs: [predictions, confidence, probabilities, logits]
"""


def step(operation: str, like: str = "", **parameters: Any) -> Step:
    return conformance.make(catalogue()[operation][like], like, parameters)


def passing(folder: Path, *shape: int | str) -> Path:
    """A model that gives ``scores`` as they come in."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "scores")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["scores"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def answers(folder: Path, shape: tuple[int | str, ...], post: str, x: Array) -> dict[str, Array]:
    """What a file with these steps behind such a model makes of scores."""
    (folder / "spec.yaml").write_text(f"onnxprep: 1\npostprocess: {post}\n", "utf-8")
    onnxprep.export(passing(folder, *shape), folder / "spec.yaml", folder / "out.onnx", force=True)
    return onnxprep.Pipeline(folder / "out.onnx")(x=x)


def refused(folder: Path, shape: tuple[int | str, ...], post: str) -> ContractError:
    with pytest.raises(ContractError) as caught:
        answers(folder, shape, post, np.zeros(0, np.float32))
    return caught.value


# one label ------------------------------------------------------------------------------------------------------------


def test_the_classic_triple_and_the_models_own_output(tmp_path: Path) -> None:
    """Photo in; predictions, confidence, probabilities and logits out, as a loop around the model makes them."""
    image = picture(tmp_path / "p.png")[None]
    names = [name or "nothing" for name in NAMES]
    (tmp_path / "labels.txt").write_text("\n".join(names), "utf-8")
    (tmp_path / "spec.yaml").write_text(SPEC + TRIPLE, "utf-8")
    onnxprep.export(small(tmp_path), tmp_path / "spec.yaml", tmp_path / "out.onnx")
    made = onnxprep.Pipeline(tmp_path / "out.onnx")(image=image)
    assert list(made) == ["predictions", "confidence", "probabilities", "logits"]

    (pixels,) = session(onnxprep.build(SPEC)).run(None, {"image": image})
    (logits,) = session(onnx.load(tmp_path / "model.onnx")).run(None, {"x": pixels})
    powers = np.exp(logits.astype(np.float64) - logits.max())
    probabilities = powers / powers.sum()
    np.testing.assert_array_equal(made["logits"], logits)
    np.testing.assert_allclose(made["probabilities"], probabilities, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(made["confidence"], made["probabilities"].max(1))
    assert made["predictions"].tolist() == [names[logits.argmax()]]


def test_none_of_the_classes(tmp_path: Path) -> None:
    """A best class that is not good enough gets the name of none."""
    x = np.log(np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.1, 0.1, 0.8]], np.float32))
    post = "[softmax, argmax, {keep_above: {value: 0.5}}, {labels: {names: [a, b, c], default: unknown}}]"
    made = answers(tmp_path, ("N", 3), post, x)
    assert made["labels"].tolist() == ["a", "unknown", "c"]
    np.testing.assert_allclose(made["keep_above.values"], [0.7, 0, 0.8], atol=1e-6)


# several labels, yes or no ----------------------------------------------------------------------------------------------


def test_several_labels_per_image(tmp_path: Path) -> None:
    """Names of everything above the threshold, best first; "" where there are fewer."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 2, (20, 10)).astype(np.float32)
    names = str(NAMES).replace("'", '"')
    post = (
        f'[sigmoid, {{top_k: {{k: 4}}}}, {{keep_above: {{value: 0.75}}}}, {{labels: {{names: {names}, default: "-"}}}}]'
    )
    made = answers(tmp_path, ("N", 10), post, x)
    for row, got in zip(x, made["labels"], strict=True):
        above = [k for k in np.argsort(-row, kind="stable") if 1 / (1 + np.exp(-float(row[k]))) > 0.75]
        assert got.tolist() == ([NAMES[k] for k in above] + ["-"] * 4)[:4]
    assert {"-", "cat"} < set(made["labels"].ravel())


@pytest.mark.parametrize("shape", [("N",), ("N", 1)])
def test_yes_or_no(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    """One logit for two classes: NaN is no."""
    x = np.array([-3, 2, 0, np.nan, np.inf, -np.inf, 0.1], np.float32).reshape([-1, *shape[1:]])
    post = "[sigmoid, {threshold: {value: 0.5}}, {labels: {names: [no, yes]}}]"
    made = answers(tmp_path, shape, post, x)
    assert made["labels"].ravel().tolist() == ["no", "yes", "no", "no", "yes", "no", "yes"]
    assert made["labels"].shape == x.shape


def test_a_threshold_on_scores_is_one_on_probabilities_but_where_these_are_rounded() -> None:
    """What the documentation of sigmoid says: they part within 2e-7 of 0 only."""
    near = np.geomspace(1e-9, 1e-3, 20001).astype(np.float32)
    x = np.concatenate([-near, near, np.random.default_rng(2).normal(0, 9, 20000).astype(np.float32)])
    (p,) = run(build([step("sigmoid")], [TensorSpec("float32", ("N",))]), x)
    for above, positive in ((p > 0.5, x > 0), (p >= 0.5, x >= 0)):
        parted = np.abs(x[above != positive])
        assert len(parted) > 0
        assert parted.max() < 2e-7


# labels of what was found -----------------------------------------------------------------------------------------------

FOUND = TensorSpec("int64", ("N", 100), None, None, (-1.0, 2.0))


def test_labels_of_detections() -> None:
    classes = np.array([[2, 0, -1, -1], [1, -1, -1, -1], [-1, -1, -1, -1]])
    spec = TensorSpec("int64", ("N", 4), None, None, (-1.0, 2.0))
    (got,) = run(build([step("labels", names=["a", "b", "c"], default="")], [spec]), classes)
    assert got.tolist() == [["c", "a", "", ""], ["b", "", "", ""], ["", "", "", ""]]


def test_labels_of_detections_need_a_name_for_nothing() -> None:
    with pytest.raises(ContractError, match="has no name for -1, which stands where nothing was found") as caught:
        step("labels", names=["a", "b", "c"]).infer(FOUND)
    assert caught.value.hint == '`default: ""`'
    with pytest.raises(ContractError, match="has the wrong number of names") as short:
        step("labels", names=["a", "b"], default="").infer(FOUND)
    assert short.value.expected == "3 names, one per class"


def test_labels_of_yes_and_no_are_two() -> None:
    with pytest.raises(ContractError, match="has the wrong number of names") as caught:
        step("labels", names=["yes"]).infer(TensorSpec("bool", ("N",)))
    assert caught.value.hint == "the name of false, then that of true"


@pytest.mark.parametrize("count", [9, 11])
def test_a_file_with_the_wrong_number_of_lines(tmp_path: Path, count: int) -> None:
    (tmp_path / "labels.txt").write_text("".join(f"name {k}\n" for k in range(count)))
    error = refused(
        tmp_path, ("N", 10), "[{top_k: {k: 3}}, {keep_above: {value: 0}}, {labels: {file: labels.txt, default: x}}]"
    )
    assert error.at == "postprocess[2].parameters.file"
    assert error.expected == "10 names, one per class"
    assert error.got == f"{count} names, 'name 0' to 'name {count - 1}', the lines of \"labels.txt\""


def test_more_than_there_are(tmp_path: Path) -> None:
    error = refused(tmp_path, ("N", 4), "[softmax, {top_k: {k: 5}}]")
    assert "has fewer than 5 classes" in error.problem
    assert error.got == "float32[N, 4] 0..1"
    names = answers(tmp_path, ("N", 4), "[{top_k: {k: 4}}, {operation: labels, inputs: [top_k.indices], parameters: {names: [a, b, c, d]}}]",
                    np.array([[1, 3, 2, 0]], np.float32))  # fmt: skip
    assert names["labels"].tolist() == [["b", "c", "a", "d"]]


# what is no number, and nothing at all ------------------------------------------------------------------------------------

CHAIN = "[softmax, {top_k: {k: 3}}, {operation: labels, inputs: [top_k.indices], parameters: {names: [a, b, c, d, e]}}]"


def test_nan_among_scores_gives_names_and_says_nan(tmp_path: Path) -> None:
    """Three different names all the same, and NaN as their probability; the other images do not notice."""
    x = np.random.default_rng(3).normal(0, 1, (6, 5)).astype(np.float32)
    whole = answers(tmp_path, ("N", 5), CHAIN, x)
    x[1, 2], x[3], x[4, 0], x[5] = np.nan, np.nan, np.inf, -np.inf
    made = answers(tmp_path, ("N", 5), CHAIN, x)
    for row in (0, 2):
        for port in ("labels", "top_k.values"):
            assert made[port][row].tolist() == whole[port][row].tolist()
    for row in (1, 3, 4, 5):
        assert len(set(made["labels"][row])) == 3
        assert set(made["labels"][row]) < set("abcde")
        assert np.isnan(made["top_k.values"][row]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [4, 33, 1000])
def test_indices_stay_indices_where_nan_stands(dtype: str, classes: int) -> None:
    """argmax and top_k without softmax: existing classes, each with its own score, no class twice."""
    rng = np.random.default_rng(classes)
    x = np.where(rng.random((50, classes)) < 0.4, np.nan, rng.normal(0, 1, (50, classes))).astype(dtype)
    given = [TensorSpec(dtype, ("N", classes))]
    index, value = run(build([step("argmax")], given), x)
    assert ((index >= 0) & (index < classes)).all()
    np.testing.assert_array_equal(value, np.take_along_axis(x, index[:, None], 1)[:, 0])
    values, indices = run(build([step("top_k", k=4)], given), x)
    assert ((indices >= 0) & (indices < classes)).all()
    np.testing.assert_array_equal(values, np.take_along_axis(x, indices, 1))
    assert all(len(set(row)) == 4 for row in indices.tolist())


def test_no_image_at_all(tmp_path: Path) -> None:
    """Empty arrays of the right dtypes and ranks."""
    nothing = np.zeros((0, 5), np.float32)
    made = answers(tmp_path, ("N", 5), CHAIN, nothing)
    assert (made["labels"].shape, made["top_k.values"].shape) == ((0, 3), (0, 3))
    assert made["top_k.values"].dtype == np.float32
    kept = "[sigmoid, {top_k: {k: 2}}, {keep_above: {value: 0.5}}, {labels: {names: [a, b, c, d, e], default: ''}}]"
    assert answers(tmp_path, ("N", 5), kept, nothing)["labels"].shape == (0, 2)
    triple = "[softmax, argmax, {labels: {names: [a, b, c, d, e]}}]"
    assert answers(tmp_path, ("N", 5), triple, nothing)["labels"].shape == (0,)


# measured quantities ------------------------------------------------------------------------------------------------------


def test_targets_in_their_own_units(tmp_path: Path) -> None:
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    rng = np.random.default_rng(4)
    data = rng.normal([40.0, -3.0, 1e5], [12.0, 0.01, 3e4], (200, 3))
    x = rng.normal(0, 1, (7, 3)).astype(np.float32)
    standard, minmax = StandardScaler().fit(data), MinMaxScaler((-1, 1)).fit(data)
    told = f"mean: {standard.mean_.tolist()}, std: {standard.scale_.tolist()}"
    made = answers(tmp_path, ("N", 3), f"[{{denormalize: {{{told}}}}}]", x)
    np.testing.assert_allclose(
        made["denormalize"], x.astype(np.float64) * standard.scale_ + standard.mean_, rtol=1e-6, atol=1e-6
    )
    told = f"min: {minmax.min_.tolist()}, scale: {minmax.scale_.tolist()}, like: sklearn-minmax"
    made = answers(tmp_path, ("N", 3), f"[{{denormalize: {{{told}}}}}]", x)
    np.testing.assert_allclose(made["denormalize"], minmax.inverse_transform(x), rtol=2e-7)


@pytest.mark.parametrize(
    ("parameters", "at", "problem"),
    [
        ("mean: [1.0, 2.0], std: [3.0]", "std", "has 1 numbers"),
        ("min: [1.0], scale: [0.0], like: sklearn-minmax", "scale[0]", "is 0"),
        ("mean: [1.0], variance: [-1.0], like: keras", "variance[0]", "is -1.0"),
        ("mean: [1e39], std: [1.0]", "mean[0]", "is beyond float32"),
    ],
)
def test_numbers_that_denormalize_nothing(parameters: str, at: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.load(f"onnxprep: 1\npostprocess: [{{denormalize: {{{parameters}}}}}]\n")
    assert (caught.value.at, caught.value.problem) == (f"postprocess[0].parameters.{at}", problem)


def test_as_many_numbers_as_targets(tmp_path: Path) -> None:
    error = refused(tmp_path, ("N", 4), "[{denormalize: {mean: [1.0, 2.0], std: [3.0, 4.0]}}]")
    assert (error.problem, error.expected) == ("`denormalize` has another number of targets", "2 on the last axis")
    answers(tmp_path, ("N", 4), "[{denormalize: {mean: [1.0], std: [3.0]}}]", np.zeros((2, 4), np.float32))


# text -----------------------------------------------------------------------------------------------------------------


def paddle(x: Array, texts: list[str], *, blank: int = 0) -> list[tuple[str, float]]:
    """What PaddleOCR makes of probabilities: CTCLabelDecode with is_remove_duplicate, in plain loops."""
    made = []
    for scores in x:
        best = [int(row.argmax()) for row in scores]
        kept = [t for t, k in enumerate(best) if k != blank and (t == 0 or k != best[t - 1])]
        confidence = float(np.mean([scores[t].max() for t in kept])) if kept else 0.0
        made.append(("".join(texts[best[t]] for t in kept), confidence))
    return made


@pytest.mark.parametrize("time", [25, "T"])
def test_a_line_of_text(tmp_path: Path, time: int | str) -> None:
    """A dictionary as PaddleOCR has them, an ideographic space and a space among its lines; the model is of opset 17."""
    letters = [*"abß青い鳥", "\u3000", " ", "e\u0301"]
    (tmp_path / "letters.txt").write_text("".join(f"{letter}\n" for letter in letters), "utf-8")
    rng = np.random.default_rng(5)
    x = rng.random((9, 25, 11)).astype(np.float32)
    x[:, :, 0] += rng.random((9, 25)).astype(np.float32) * 0.9
    x[3:6, 1:] = np.repeat(x[3:6, 1::3], 3, axis=1)  # the same for three steps of time
    x[8, :, 0] = 9
    post = "[{ctc_greedy: {blank: 0}}, {join_characters: {file: letters.txt, blank: 0, space: true}}]"
    made = answers(tmp_path, ("N", time, 11), post, x)
    wanted = paddle(x, ["", *letters, " "])
    assert made["join_characters"].tolist() == [text for text, _ in wanted]
    np.testing.assert_allclose(made["ctc_greedy.score"], [score for _, score in wanted], rtol=0, atol=1e-6)
    assert made["ctc_greedy.counts"].tolist()[8] == 0
    assert wanted[8] == ("", 0.0)
    assert max(len(text) for text, _ in wanted) > 12
    assert len({text for text, _ in wanted}) > 7


@pytest.mark.parametrize("blank", ["", "\u3000", " "])
def test_a_long_dictionary_comes_back(tmp_path: Path, blank: str) -> None:
    """Beyond what stands in the spec itself; a line of blanks keeps it there, an empty one is a mistake."""
    letters = [chr(0x4E00 + k) for k in range(25000)]
    letters[77] = blank or letters[77]
    (tmp_path / "letters.txt").write_text("\n".join(letters), "utf-8")
    path = tmp_path / "spec.yaml"
    path.write_text("onnxprep: 1\npostprocess: [{join_characters: {file: letters.txt}}]\n")
    spec = Spec.load(path)
    assert spec.postprocess[0].parameters["characters"] == letters
    stored, files = spec.stored()
    assert len(files) == (not blank)
    assert Spec.load(stored, files=files) == Spec.load(spec.dump()) == spec
    (tmp_path / "letters.txt").write_text("a\n\nb\n")
    with pytest.raises(SpecError, match="line 2 is empty"):
        Spec.load(path)


def test_empty_text(tmp_path: Path) -> None:
    """No image, no step of time."""
    post = "[{ctc_greedy: {blank: -1}}, {join_characters: {characters: [a, b], blank: -1}}]"
    for shape in ((0, 7, 3), (2, 0, 3), (0, 0, 3)):
        made = answers(tmp_path, ("N", "T", 3), post, np.zeros(shape, np.float32))
        assert made["join_characters"].tolist() == [""] * shape[0]
        assert made["ctc_greedy.score"].tolist() == [0.0] * shape[0]
        assert made["ctc_greedy.counts"].tolist() == [0] * shape[0]


def test_text_of_nothing_and_of_what_is_no_character() -> None:
    running = session(build([step("join_characters", characters=["a", "b"])], [TensorSpec("int64", ("N", "T"))], 20))
    assert running.run(None, {"x0": np.array([[-1, -7, -1], [1, -1, 0]])})[0].tolist() == ["", "ba"]
    fails = (ort.capi.onnxruntime_pybind11_state.InvalidArgument, ort.capi.onnxruntime_pybind11_state.RuntimeException)
    with pytest.raises(fails, match="Gather"):
        running.run(None, {"x0": np.array([[0, 2]])})


def test_the_dictionary_of_another_model(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("a\nb\nc\n")
    error = refused(
        tmp_path, ("N", "T", 6), "[{ctc_greedy: {blank: 0}}, {join_characters: {file: letters.txt, blank: 0}}]"
    )
    assert error.at == "postprocess[1].parameters.file"
    assert error.problem == "`join_characters` has the wrong number of characters"
    assert error.expected == "5 characters, one per class besides the blank"
    assert error.got == "3 characters, 'a' to 'c', the lines of \"letters.txt\""
    assert error.hint == "is the blank among them (`blank`), or a space behind them (`space: true`)?"
    error = refused(tmp_path, ("N", "T", 6), "[{ctc_greedy: {blank: 6}}]")
    assert error.problem == "`ctc_greedy` has no class 6"


def test_keras_finds_the_same() -> None:
    ops = pytest.importorskip("keras", reason="keras is not installed").ops
    rng = np.random.default_rng(6)
    for blank in (0, 3):
        x = rng.normal(0, 1, (4, 30, 4)).astype(np.float32)
        decoded, scores = ops.ctc_decode(x, np.full(4, 30), strategy="greedy", mask_index=blank)
        ids, _, score = run(
            build([step("ctc_greedy", "tensorflow", blank=blank)], [TensorSpec("float32", ("N", "T", 4))]), x
        )
        np.testing.assert_array_equal(ids, np.asarray(decoded)[0])
        np.testing.assert_array_equal(score, np.asarray(scores)[:, 0])
