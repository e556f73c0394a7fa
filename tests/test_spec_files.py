"""Lists that a spec takes from files, and long ones that are kept beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from documents import refused

from onnxprep.errors import SpecError
from onnxprep.spec.document import Spec

LABELS = "onnxprep: 1\npostprocess:\n  - argmax\n  - labels: {file: %s}\n"


def with_file(folder: Path, name: str, content: bytes) -> Spec:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (folder / "spec.yaml").write_text(LABELS % name)
    return Spec.load(folder / "spec.yaml")


def names_of(spec: Spec) -> list[str]:
    return list(spec.postprocess[1].parameters["names"])


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        ("\ufeffBär\n青\n".encode(), ["Bär", "青"]),
        (b" a \n\tb\n", [" a ", "\tb"]),
        ("a\u2028b\nc\x0bd\n".encode(), ["a\u2028b", "c\x0bd"]),
        (b"no\nnull\n1\n", ["no", "null", "1"]),
    ],
)
def test_a_file_is_one_entry_per_line(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    assert names_of(with_file(tmp_path, "names/labels.txt", content)) == lines


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\n\nb\n", "line 2 is empty"),
        (b"a\n \t\n", "line 2 is empty"),
        (b"", "line 1 is empty"),
        (b"a\n\n", "line 2 is empty"),
        (b"a\xff\n", '"labels.txt": is not UTF-8 text'),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_file(tmp_path, "labels.txt", content)
    assert (caught.value.at, caught.value.problem) == ("postprocess[1].parameters.file", problem)


@pytest.mark.parametrize(
    "name",
    ["../labels.txt", "/etc/hostname", "sub/../../labels.txt", "link.txt", "out/labels.txt", "circle", '"a\\0b"'],
)
def test_a_file_outside_the_folder_is_not_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "specs"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "labels.txt").write_text("secret\n")
    (folder / "link.txt").symlink_to(tmp_path / "labels.txt")
    (folder / "out").symlink_to(tmp_path)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "spec.yaml").write_text(LABELS % name)
    with pytest.raises(SpecError) as caught:
        Spec.load(folder / "spec.yaml")
    assert caught.value.at == "postprocess[1].parameters.file"
    assert "leads out" in caught.value.problem or name == "circle"
    assert "secret" not in str(caught.value)


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "names.txt").write_text("a\n")
    (tmp_path / "labels.txt").symlink_to("data/names.txt")
    (tmp_path / "spec.yaml").write_text(LABELS % "labels.txt")
    assert names_of(Spec.load(tmp_path / "spec.yaml")) == ["a"]


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for name in ("labels.txt", ".", '""'):
        (tmp_path / "spec.yaml").write_text(LABELS % name)
        with pytest.raises(SpecError) as caught:
            Spec.load(tmp_path / "spec.yaml")
        assert caught.value.at == "postprocess[1].parameters.file"
        assert "directory" in caught.value.problem
        missing = "write it beside the spec, one name per line, or leave the step out"
        assert caught.value.hint == (missing if name == "labels.txt" else "")  # the others are the folder itself
    error = refused("postprocess: [argmax, {labels: {file: labels.txt}}]\n")
    assert "has no folder" in error.problem
    error = refused("postprocess: [argmax, {labels: {file: labels.txt, names: [a]}}]\n")
    assert (error.at, error.problem) == ("postprocess[1].parameters.file", "stands beside `names`")


def test_the_spec_holds_contents_and_no_paths(tmp_path: Path) -> None:
    one = with_file(tmp_path, "a.txt", b"cat\ndog\n")
    other = with_file(tmp_path, "b/c.txt", b"cat\r\ndog")
    assert one.dump() == other.dump()
    assert ".txt" not in one.dump()


def long_list(count: int = 9000) -> list[str]:
    return [f"class {i}" for i in range(count)]


def test_a_long_list_is_kept_beside_the_spec(tmp_path: Path) -> None:
    spec = with_file(tmp_path, "labels.txt", "\n".join(long_list()).encode())
    text, files = spec.stored()
    ((digest, content),) = files.items()
    assert content == "\n".join(long_list()) + "\n"
    assert digest == hashlib.sha256(content.encode()).hexdigest()
    assert json.loads(text)["postprocess"][1]["parameters"] == {"default": None, "file": f"sha256:{digest}"}
    assert len(text) < 1000
    assert len(spec.dump()) > 100_000
    assert Spec.load(text, files=files) == spec == Spec.load(spec.dump())
    assert Spec.load(text, files=files).stored() == (text, files)


def test_the_limit_is_64_kb_of_text() -> None:
    def stored(names: list[str]) -> dict[str, str]:
        return Spec.load({"onnxprep": 1, "postprocess": ["argmax", {"labels": {"names": names}}]}).stored()[1]

    assert stored(["é" * 32767 + "a"]) == {}
    assert len(stored(["é" * 32768])) == 1


@pytest.mark.parametrize("odd", ["", "  ", "a\nb", "a\r"])
def test_a_long_list_that_no_file_could_say_stays_in_the_spec(odd: str) -> None:
    spec = Spec.load({"onnxprep": 1, "postprocess": ["argmax", {"labels": {"names": [*long_list(), odd]}}]})
    text, files = spec.stored()
    assert files == {}
    assert Spec.load(text) == spec


def test_a_stored_list_that_is_missing_or_changed_is_refused(tmp_path: Path) -> None:
    text, files = with_file(tmp_path, "labels.txt", "\n".join(long_list()).encode()).stored()
    ((digest, content),) = files.items()
    for known_only in (True, False):
        for found, problem in (({}, "is missing"), ({digest: content + "more\n"}, "does not match its digest")):
            with pytest.raises(SpecError) as caught:
                Spec.load(text, files=found, known_only=known_only)
            assert caught.value.at == "postprocess[1].parameters.file"
            assert caught.value.problem == f"the content sha256:{digest[:16]}... {problem}"
