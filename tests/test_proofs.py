"""docs/claims.md says what was compared: every promise has its proof, made with a version that the claim covers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import conformance
import pytest
from packaging.specifiers import SpecifierSet

from onnxprep.step import Step, catalogue

PROOFS = Path(__file__).parents[1] / "fixtures" / "proofs"
FAMILIES = [(cls, like) for cls, like in conformance.families(catalogue()) if not cls.caller]


def proof(operation: str, like: str) -> dict[str, Any]:
    return json.loads((PROOFS / operation / f"{like or 'any'}.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("step_class", "like"), FAMILIES, ids=lambda v: v.operation if isinstance(v, type) else v or "any"
)
def test_every_claim_has_its_proof(step_class: type[Step], like: str):
    claim, found = step_class.claims[like], proof(step_class.operation, like)
    assert found["promise"] == claim.tolerance
    assert found["cases"] + found["refused"] >= 300
    assert all(count >= 300 for count in found["kinds"].values())
    library, version = found["library"].split(" ")
    assert (library, version in SpecifierSet(claim.versions)) == (claim.library, True)
    if claim.tolerance == "bit-exact":
        assert found["differing"] == 0


def test_there_are_no_proofs_of_what_is_gone():
    known = {f"{cls.operation}/{like or 'any'}.json" for cls, like in FAMILIES}
    there = {path.relative_to(PROOFS).as_posix() for path in PROOFS.rglob("*.json")}
    assert {path for path in there if not path.startswith("pipelines/")} == known


CHAINS = sorted((PROOFS / "pipelines").glob("*.json"))


@pytest.mark.parametrize("path", CHAINS, ids=lambda path: path.stem)
def test_every_chain_was_compared_on_eight_photos(path: Path):
    found = json.loads(path.read_text("utf-8"))
    assert found["photos"] >= 8
    assert found["images"] >= 20 * found["photos"]
    assert found["differing"] == 0 or found["promise"] != "bit-exact"


def test_the_chains_are_there():
    names = " ".join(path.stem for path in CHAINS)
    for part in (
        "torchvision-v1",
        "torchvision-v2",
        "timm",
        "vit",
        "clip",
        "convnext",
        "letterbox",
        "caffe",
        "by-hand-a",
        "by-hand-c",
    ):
        assert part in names
