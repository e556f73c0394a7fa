"""Runs every example of docs/format.md.

The info string of a block says what it is: ``yaml valid`` loads; ``yaml invalid`` does not, for the reason in its first
line; ``yaml bound`` and ``yaml unfit`` the same once joined to the last ``json model``; ``json canonical`` is the
canonical JSON of the last valid example, ``text digest`` its digest; ``text NAME.txt`` a file beside the examples.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from onnxprep.errors import OnnxprepError
from onnxprep.spec import fields
from onnxprep.spec.bind import Signature, bind
from onnxprep.spec.document import Spec
from onnxprep.spec.reading import read
from onnxprep.spec.schema import schema

PAGE = Path(__file__).parents[1] / "docs" / "format.md"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# what only the whole document, its files, its arithmetic or its text can show
UNSEEN = (
    "stands twice", "anchors", "is not a value here", "does not belong", "tags are", "has C = ", 'is "NHHW"',
    "is 5.0", "is 0", "earlier step", "nothing to start", "names 1 values", "used by nothing", "after the graph",
    "leads out", "reserved for the frame", "size.rule: is missing", "is 1.0",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """One fenced block; ``line`` counts from 1."""

    line: int
    kind: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.kind)

    @property
    def refused(self) -> str:
        """Where and why, of an example that is wrong."""
        if self.words[0] == "json":
            return self.words[2]
        return self.text.splitlines()[0].removeprefix("# refused: ")


def blocks() -> list[Block]:
    page = PAGE.read_text(encoding="utf-8")
    return [Block(page.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in _BLOCK.finditer(page)]


def of_kind(*kinds: str) -> Any:
    found = [block for block in blocks() if " ".join(block.words[:2]) in kinds]
    return pytest.mark.parametrize("block", found, ids=[f"line {block.line}" for block in found])


def with_results() -> Iterator[tuple[Block, Block]]:
    """Each example whose canonical form or digest stands below it."""
    example = None
    for block in blocks():
        if block.kind in ("yaml valid", "yaml bound"):
            example = block
        elif block.kind in ("json canonical", "text digest") and example is not None:
            yield example, block


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    beside = tmp_path / "specs"
    beside.mkdir()
    for block in blocks():
        if block.words[0] == "text" and block.words[1].endswith(".txt"):
            (beside / block.words[1]).write_text(block.text, encoding="utf-8")
            (tmp_path / block.words[1]).write_text(block.text, encoding="utf-8")
    return beside


def load(block: Block, folder: Path) -> Spec:
    """From a file, so that ``file`` works; errors then name the text as if there were none."""
    path = folder / "spec.yaml"
    path.write_text(block.text, encoding="utf-8")
    return Spec.load(path)


def joined(block: Block, spec: Spec) -> Spec:
    (model,) = (json.loads(b.text) for b in blocks() if b.kind == "json model")
    sides = {
        side: {name: fields.tensor(written, name) for name, written in tensors.items()}
        for side, tensors in model.items()
    }
    return bind(spec, Signature(**sides))


def place_and_problem(error: OnnxprepError) -> str:
    return str(error).splitlines()[0]


@of_kind("yaml valid", "yaml bound")
def test_a_valid_example_loads(block: Block, folder: Path) -> None:
    spec = load(block, folder)
    if block.kind == "yaml bound":
        spec = joined(block, spec)
    assert Spec.load(spec.dump()) == spec


@of_kind("yaml invalid", "json invalid")
def test_an_invalid_example_is_refused_for_the_reason_it_states(block: Block, folder: Path) -> None:
    with pytest.raises(OnnxprepError) as caught:
        load(block, folder)
    path = str(folder / "spec.yaml")
    assert place_and_problem(caught.value).replace(path, "the spec") == block.refused


@of_kind("yaml unfit")
def test_an_unfit_example_loads_and_is_refused_with_the_model(block: Block, folder: Path) -> None:
    spec = load(block, folder)
    with pytest.raises(OnnxprepError) as caught:
        joined(block, spec)
    assert place_and_problem(caught.value) == block.refused


@pytest.mark.parametrize(
    ("example", "result"), list(with_results()), ids=[f"line {result.line}" for _, result in with_results()]
)
def test_the_canonical_form_and_the_digest_are_those_on_the_page(example: Block, result: Block, folder: Path) -> None:
    spec = load(example, folder)
    if example.kind == "yaml bound":
        spec = joined(example, spec)
    if result.kind == "text digest":
        assert result.text.strip() == spec.digest
        return
    shown = json.loads("".join(result.text.splitlines()))
    whole = json.loads(spec.dump())
    if "name" not in shown:  # the page shows what the digest covers
        whole.pop("name", None)
    written = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    assert "".join(result.text.splitlines()) == written


def test_a_canonical_form_with_a_name_is_the_dump_itself(folder: Path) -> None:
    pairs = [(e, r) for e, r in with_results() if r.kind == "json canonical" and '"name":"d' in r.text]
    assert pairs
    for example, result in pairs:
        assert load(example, folder).dump() == "".join(result.text.splitlines())


@of_kind("yaml valid", "yaml bound", "yaml unfit")
def test_the_schema_accepts_a_valid_example(block: Block) -> None:
    jsonschema.Draft202012Validator(schema()).validate(read(block.text))


@of_kind("yaml invalid")
def test_the_schema_refuses_what_it_can_see(block: Block) -> None:
    if any(part in block.refused for part in UNSEEN):
        return
    assert not jsonschema.Draft202012Validator(schema()).is_valid(read(block.text))


def test_every_block_has_a_kind_that_is_run() -> None:
    kinds = {"yaml valid", "yaml invalid", "yaml bound", "yaml unfit", "json invalid", "json canonical", "json model"}
    found = [b for b in blocks() if b.words[0] != "text"]
    assert len(found) > 40
    assert {" ".join(b.words[:2]) for b in found} == kinds
    assert [b.kind for b in blocks() if b.words[0] == "text"] == ["text labels.txt", "text digest"]
