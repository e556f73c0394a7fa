"""Text to data: what YAML and JSON may hold, and that no text breaks the reader."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onnxprep.errors import OnnxprepError, SpecError
from onnxprep.spec import presets
from onnxprep.spec.document import Spec
from onnxprep.spec.reading import MAX_BYTES, MAX_DEPTH, read, read_json
from onnxprep.step import catalogue

# scalars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("Off", "Off"), ("y", "y"), ("N", "N"),
        ("true", True), ("True", True), ("FALSE", False), ("tRue", "tRue"), ('"true"', "true"),
        ("~", None), ("null", None), ("NULL", None), ("", None), ("nil", "nil"), ("'null'", "null"), ('""', ""),
        ("1", 1), ("-3", -3), ("+4", 4), ("010", 10), ("0o17", 15), ("0xfF", 255), ("0b11", "0b11"), ("1_000", "1_000"),
        ("0o8", "0o8"), ("12e", "12e"), ("1:30", "1:30"), ("190:20:30", "190:20:30"), ("-0", 0), ("0x", "0x"),
        ("1.5", 1.5), ("1e-5", 1e-5), ("1E5", 1e5), (".5", 0.5), ("5.", 5.0), ("-1.e+3", -1000.0), (".", "."), ("-", "-"),
        ("2026-11-20", "2026-11-20"), ("2026-11-20 10:00:00", "2026-11-20 10:00:00"), ("=", "="), ("1e", "1e"),
        ("|\n  1\n", "1\n"), (">-\n  true\n", "true"), ("'1'", "1"), ("a b", "a b"), ("Bär", "Bär"), ("\\n", "\\n"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    (found,) = read(f"- {text}\n") if text != "-" else read("- '-'\n")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", ".NaN", "1e999", "-1e400"])
def test_numbers_that_are_not_finite_are_refused(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(f"a: 1\nb: {text}\n")
    assert caught.value.at == "line 2, column 4"
    assert text in caught.value.problem
    assert caught.value.expected == "a finite number"


def test_a_number_with_more_digits_than_python_takes_is_refused() -> None:
    with pytest.raises(SpecError, match="a number of 5000 digits is too large"):
        read(f"- {'7' * 5000}\n")
    with pytest.raises(SpecError, match="a number of 5000 digits is too large"):
        read_json(f"[{'7' * 5000}]")


# structure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("a: &x 1\n", "line 1, column 4", "anchors and aliases are not read"),
        ("a: *x\n", "line 1, column 4", "anchors and aliases are not read"),
        ("&x [1]\n", "line 1, column 1", "anchors and aliases are not read"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1, column 4", "tags are not read"),
        ("a: ! 1\n", "line 1, column 4", "tags are not read"),
        ("a: !mine {}\n", "line 1, column 4", "tags are not read"),
        ("<<: {a: 1}\n", "line 1, column 1", "merge keys are not read"),
        ("1: a\n", "line 1, column 1", "the key 1 is not text"),
        ("true: a\n", "line 1, column 1", "the key true is not text"),
        ("? [a]\n: b\n", "line 1, column 3", 'the key ["a"] is not text'),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1", 'the key "a" stands twice in one mapping'),
        ("a: 1\n---\nb: 2\n", "", "holds more than one YAML document"),
        ("", "", "is empty"),
        ("\n# only a comment\n", "", "is empty"),
        ("a: [1\n", "line 2, column 1", "is not YAML: did not find expected ',' or ']'"),
        ("a:\n\t- b\n", "line 2, column 1", "is not YAML: found character that cannot start any token"),
        ('"\\ud800"\n', "line 1, column 4", "is not YAML: found invalid Unicode character escape code"),
        ('{"a": 1, "a": 2}', "", 'the key "a" stands twice in one mapping'),
        ('{"a": NaN}', "", "NaN is not a value here"),
        ('{"a": -Infinity}', "", "-Infinity is not a value here"),
        ('{"a": 1e999}', "", "1e999 is too large for a 64-bit float"),
        ('{"a": "\\ud800"}', "", "text holds half a surrogate pair"),
        ('{"\\udfff": 1}', "", "text holds half a surrogate pair"),
        ("\ufeff" + '{"a": NaN}', "", "NaN is not a value here"),
        ('{"a": 1,, }', "line 1, column 9", "is not JSON: expecting property name enclosed in double quotes"),
    ],
)
def test_what_is_more_or_less_than_plain_data_is_refused(text: str, at: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)
    assert (caught.value.at, caught.value.problem) == (at, problem)


@pytest.mark.parametrize("text", ["a: \ud800\n", '{"a": "\ud800"}', "a: \0\n", "a: \x07\n"])
def test_characters_that_no_text_file_holds_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"surrogate|acceptable"):
        read(text)


def test_a_pair_of_escapes_is_one_character() -> None:
    assert read('{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_a_byte_order_mark_is_ignored() -> None:
    assert read('\ufeff{"a": 1}') == read("\ufeffa: 1\n") == {"a": 1}


def test_what_opens_like_json_may_be_yaml() -> None:
    assert read("{a: no, b: [1, 0o7], }") == {"a": "no", "b": [1, 7]}


# limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded_before_json_is_parsed(opening: str, closing: str) -> None:
    inner = "1"
    fits = opening * MAX_DEPTH + inner + closing * MAX_DEPTH
    assert read(fits) == json.loads(fits)
    with pytest.raises(SpecError) as caught:
        read(opening + fits + closing)
    assert caught.value.problem == "is nested too deeply"
    assert caught.value.expected == "at most 32 levels"
    with pytest.raises(SpecError, match="is nested too deeply"):
        read(opening * 1_000_000)


def test_depth_is_bounded_while_yaml_is_parsed() -> None:
    assert read("- " * MAX_DEPTH + "a\n")
    for text in ("- " * (MAX_DEPTH + 1) + "a\n", "- " * 500_000, "{a: " * 500_000):
        with pytest.raises(SpecError, match=r"nested too deeply|not JSON"):
            read(text)


def test_brackets_in_texts_do_not_count() -> None:
    text = json.dumps({"a": "[" * 100, "b": '\\"[[' * 50})
    assert read(text) == json.loads(text)


@pytest.mark.parametrize("filler", ["a", "é", "\U0001f600"])
def test_size_is_bounded_in_bytes(filler: str) -> None:
    quoted = 5  # - "..." and the line feed
    most = (MAX_BYTES - quoted) // len(filler.encode())
    assert len(read(f'- "{filler * most}"\n')[0]) == most
    with pytest.raises(SpecError, match="is too large"):
        read(f'- "{filler * (most + 1)}"\n')


@pytest.mark.parametrize(
    "text",
    ['{"' + '\\"' * 1_000_000, '{"' + '\\"' * 1_000_000 + "\\", "{" + '"' * 999_999, '"a' * 500_000, "? " * 500_000],
    ids=["escaped quotes", "and a backslash", "quotes", "quotes without brackets", "question marks"],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(SpecError):
        read(text)
    assert time.perf_counter() - start < 20  # a squared effort would take hours


# properties -------------------------------------------------------------------------------------------------------

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
_PLAIN = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS.filter(lambda key: key != "<<"), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
_TEXT_ONLY = st.recursive(
    _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_TEXTS.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_PLAIN)
def test_json_is_read_as_json_reads_it(value: Any) -> None:
    found = read_json(json.dumps(value))
    assert found == value
    assert repr(found) == repr(value)  # 1 is not 1.0, and 1 is not true


@given(_TEXT_ONLY)
def test_yaml_that_yaml_writes_is_the_same_data(value: Any) -> None:
    # quoted, as the writer follows YAML 1.1 and leaves bare what 1.2 reads as a number
    text = yaml.safe_dump(value, default_style='"', allow_unicode=False)
    assert read(text) == value


class Texts(list[str]):
    """Not printed whole with every failing example."""

    def __repr__(self) -> str:
        return "Texts"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Texts:
    folder = tmp_path_factory.mktemp("specs")
    (folder / "labels.txt").write_text("a\nb\n")
    found = Texts(presets.text(name) for name in presets.names())
    for k, text in enumerate(found[:]):
        (folder / f"{k}.yaml").write_text(text)
        found.append(Spec.load(folder / f"{k}.yaml").dump())
    return found


_PIECES = st.sampled_from(
    ["[", "]", "{", "}", ":", ": ", "- ", ",", '"', "'", "&a ", "*a", "!t ", "<<: ", "\n", "\n  ", "\t", "#", "|", ">",
     "0", "-1", "1e999", "1.0", "9" * 400, ".nan", "null", "true", "~", "\ud800", "\0", "\ufeff", "---", "...", "\\u",
     "operation: ", "like: ", "where: caller", "inputs: [a]", "outputs: []", "rule: [1]", "size: ", "é", "\u2028", "%"]
)  # fmt: skip
_EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), st.floats(0, 1), st.integers(0, 20), _PIECES), max_size=5, min_size=1
)


def edited(text: str, edits: list[tuple[float, int, float, int, str]]) -> str:
    """Each edit cuts out a few characters and puts in a piece and some text from elsewhere."""
    for place, cut, source, length, piece in edits:
        at, start = int(place * len(text)), int(source * len(text))
        text = text[:at] + piece + text[start : start + length] + text[at + cut :]
    return text


def loads_or_says_why(source: Any, *, known_only: bool) -> None:
    try:
        spec = Spec.load(source, known_only=known_only)
    except OnnxprepError as error:
        says_why(error)
    else:
        assert Spec.load(spec.dump(), known_only=known_only) == spec


def says_why(error: OnnxprepError) -> None:
    assert error.at
    assert error.problem
    assert len(str(error)) < 5000


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), edits=_EDITS, known_only=st.booleans())
def test_no_text_makes_loading_fail_in_another_way(
    texts: Texts, data: st.DataObject, edits: list[tuple[float, int, float, int, str]], known_only: bool
) -> None:
    text = edited(data.draw(st.sampled_from(texts)), edits)
    loads_or_says_why(text + "\n", known_only=known_only)


_VALUES = st.sampled_from(
    [None, True, 0, 1, -1, 2**63, 10**400, 1.5, -0.0, 1e308, "", "x", "a\nb", "..", "labels.txt", "sha256:", "softmax",
     [], {}, [1], {"a": 1}, [[]], [None], {"rule": [1]}, {"operation": 1}, {"shorter_edge": [], "rule": {}},
     {"fit": {}}, {"fit": [2, 3], "rule": {}}, {"multiple": 2.0, "rule": "smart"}, "é" * 300]
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), known_only=st.booleans())
def test_no_data_makes_loading_fail_in_another_way(texts: Texts, data: st.DataObject, known_only: bool) -> None:
    document = read(data.draw(st.sampled_from(texts)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)[1:] or [("onnxprep",)]))
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = json.loads(json.dumps(data.draw(_VALUES)))
    loads_or_says_why(document, known_only=known_only)


ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 7, 2**63, 10**400, 0.5, -0.0, 1e308, 1e-320, "", "bilinear", "a\nb", [], {}, [1], [0.0], [1e308],
    ["a"], [None], [[1]], [{}], [1, 2], [1, 2, 3], {"a": 1}, {"rule": []}, {"shorter_edge": 8}, {"shorter_edge": 8, "rule": []},
    {"shorter_edge": [], "rule": {}}, {"longest_edge": None, "rule": "floor"}, {"fit": 8}, {"fit": [8, 8], "rule": {}},
    {"multiple": 2.0, "rule": "smart"}, {"shorter_edge": 8, "rule": "torchvision", "max_size": "9"},
)  # fmt: skip
FORMS = [(operation, like) for operation, families in catalogue().items() for like in families]


@pytest.mark.parametrize(("operation", "like"), FORMS)
def test_no_value_of_a_parameter_makes_loading_fail_in_another_way(operation: str, like: str) -> None:
    cls = catalogue()[operation][like]
    where = {"where": "caller", "outputs": ["image"]} if cls.caller else {}
    for name in cls.parameters():
        for value in ODD:
            parameters = {name: value} | ({"like": like} if like else {})
            entry = {"operation": operation, "parameters": parameters, "inputs": ["image"], **where}
            image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "shape": [1, 8, 8, 3]}
            loads_or_says_why({"onnxprep": 1, "inputs": [image], "preprocess": [entry]}, known_only=True)


# the text of a file -----------------------------------------------------------------------------------------------


def test_the_place_of_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("onnxprep: 1\nname: a\nname: b\n")
    with pytest.raises(SpecError) as caught:
        Spec.load(path)
    assert caught.value.at == f"{path}, line 3, column 1"
    path.write_text("")
    with pytest.raises(SpecError) as caught:
        Spec.load(path)
    assert caught.value.at == str(path)


def test_a_file_that_is_too_large_or_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(OnnxprepError) as caught:
        Spec.load(path)
    assert (caught.value.exit_code, caught.value.at, caught.value.problem) == (2, str(path), "is too large")
    path.write_bytes(b"onnxprep: \xff\n")
    with pytest.raises(OnnxprepError) as caught:
        Spec.load(path)
    assert (caught.value.exit_code, caught.value.problem) == (2, "is not UTF-8 text")


@pytest.mark.parametrize("name", ["missing.yaml", "", ".", "a\0b", "x" * 5000])
def test_a_path_that_is_no_file_is_a_usage_error(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OnnxprepError) as caught:
        Spec.load(name)
    assert caught.value.exit_code == 2
    assert caught.value.problem
