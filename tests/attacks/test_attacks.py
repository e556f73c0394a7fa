"""Specs, models and files that try to hurt: a typed error, in time, in little memory, and nothing written.

Each is met with one of the commands that could read it here, and with all of them, in processes of their own, by
``tests/sweeps/attacks.py``, to which the large ones are left.
"""

from __future__ import annotations

import hostile_exported
import hostile_inputs
import hostile_models
import hostile_specs
import pytest
from attack import CHECK, EXPORT, SECONDS, Attack, Outcome, Server, folder, here, problems

CASES: dict[str, Attack] = {
    **hostile_specs.CASES, **hostile_models.CASES, **hostile_exported.CASES, **hostile_inputs.CASES,
}  # fmt: skip
SLOW = (
    "MB", "deep", "bomb", "laughs", "4 *", "10**6 lines", "million", "hundred thousand", "100000", "20000", "50000", "2**31 x",
)  # fmt: skip
"""In the names of those that take more than a few tenths of a second."""
QUICK = [name for name, attack in CASES.items() if attack.seconds == SECONDS and not any(word in name for word in SLOW)]


@pytest.mark.parametrize("name", QUICK)
def test_it_is_refused_in_so_many_words(name: str) -> None:
    attack = CASES[name]
    command = attack.commands[len(name) % len(attack.commands)]
    with folder(attack) as work:
        outcome = here(command, work)
        assert not problems(attack, command, outcome), (command, outcome)


HEAVY = {
    "billion laughs": CHECK, "7 MB of steps": CHECK, "labels: 4 * 10**6 lines": EXPORT, "a node name of 10 MB": EXPORT,
    "undo: a million inputs": "inspect exported.onnx", "golden: a bomb that says so": "verify exported.onnx",
}  # fmt: skip


def test_it_takes_little_time_and_memory() -> None:
    with Server() as server:
        for name, command in HEAVY.items():
            with folder(CASES[name]) as work:
                outcome = server.outside(command, work)
            assert not problems(CASES[name], command, outcome), (name, command, outcome.text[:500])
            assert outcome.megabytes > 10  # it was measured


PLANTED = {
    "exit 1": Outcome(1, "error: x"), "exit 0": Outcome(0, "fine"), "exit -11": Outcome(-11, "error: x"),
    "says nothing": Outcome(4, "no"), "prints a traceback": Outcome(2, "error: Traceback (most recent call last)"),
    "prints the name of a class": Outcome(3, "error: KeyError"), "prints control characters": Outcome(3, "error: \x1b[1m"),
    "prints half a surrogate pair": Outcome(3, "error: \udc9b"), "prints a line of its own from a file": Outcome(3, "error: a\nFORGED"),
    "prints 300000 characters": Outcome(3, "error: " + "a" * 299_993), "writes ['a']": Outcome(3, "error: x", frozenset({"a"})),
    "writes ['out.onnx']": Outcome(3, "error: x", frozenset({"out.onnx"})),
    "takes 2.1 s": Outcome(3, "error: x", seconds=2.1), "takes 600 MB": Outcome(3, "error: x", megabytes=600),
}  # fmt: skip


@pytest.mark.parametrize("problem", PLANTED)
def test_what_must_not_be_is_found(problem: str) -> None:
    attack = Attack(lambda _: None, ())
    assert problems(attack, "check", PLANTED[problem]) == [problem]
    assert not problems(attack, "check", Outcome(3, "error: x"))
