"""A few hundred of the inputs of fuzz.py, others than its own run has."""

from __future__ import annotations

import fuzz
import pytest

pytestmark = pytest.mark.sweep
FIRST = 10**6


@pytest.fixture(scope="module")
def found() -> dict[str, fuzz.Tally]:
    return fuzz.sweep({kind: max(20, count // 150) for kind, count in fuzz.COUNTS.items()}, FIRST)


def test_nothing_but_our_own_errors(found: dict[str, fuzz.Tally]) -> None:
    assert [problem for tally in found.values() for problem in tally.uncaught] == []
    assert sum(tally.tried for tally in found.values()) >= 150


def test_changed_ones_go_far(found: dict[str, fuzz.Tally]) -> None:
    for kind, stage in (
        ("document changed", "built"),
        ("fields changed", "attached"),
        ("stored texts changed", "verified"),
    ):
        assert found[kind].stages[stage] > 0, (kind, found[kind].stages)


def test_what_is_not_ours_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for problem in (KeyError("x"), RecursionError(), MemoryError(), UserWarning("x")):

        def failing(*_: object, problem: Exception = problem) -> None:
            raise problem

        monkeypatch.setitem(fuzz.KINDS, "text", (fuzz.any_text, failing))
        assert len(fuzz.sweep({"text": 1})["text"].uncaught) == 1

    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    monkeypatch.setitem(fuzz.KINDS, "text", (fuzz.any_text, endless))
    assert "TooLong" in fuzz.sweep({"text": 1})["text"].uncaught[0]
