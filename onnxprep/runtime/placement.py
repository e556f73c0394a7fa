"""Placement: which provider runs the nodes of each step."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from onnxprep.runtime.session import short_name

_OURS = re.compile(r"onnxprep/(pre|post)\.(\d+)\.([^/\s]+)/")


def step_of(node: str) -> str:
    """The step that a node's name tells; ``""`` for a node that is not ours. What onnxruntime fuses keeps one name."""
    found = _OURS.search(node)
    return found[3] if found else ""


def _order(node: str) -> tuple[bool, int]:
    found = _OURS.search(node)
    return (found[1] == "post", int(found[2])) if found else (True, -1)


@dataclass(frozen=True)
class Placement:
    """Where the nodes of our steps run.

    Attributes:
        steps: step -> provider -> how many of its nodes; a step without a node that is left to run is not in it.
        compiled: providers that made one node of several and did not say of which.
    """

    steps: Mapping[str, Mapping[str, int]]
    compiled: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """``resize: CPU 40, OpenVINO 3; rescale, normalize: OpenVINO``."""
        placed = groupby(self.steps, key=lambda step: _shown(self.steps[step]))
        parts = [f"{', '.join(steps)}: {where}" for where, steps in placed]
        parts += [f"other nodes of these: compiled by {short_name(provider)}" for provider in self.compiled]
        return "; ".join(parts) or "no node of ours is left to run"


def _shown(where: Mapping[str, int]) -> str:
    if len(where) == 1:
        return short_name(next(iter(where)))
    return ", ".join(f"{short_name(provider)} {count}" for provider, count in sorted(where.items()))


def placement(nodes: Iterable[tuple[str, str]], provider: str, *, profiled: bool = False) -> Placement:
    """By step, from (node, provider).

    Args:
        nodes: what a session was assigned, or what a profile says has run.
        provider: the one that was asked for.
        profiled: whether it is a profile, where what a provider compiled stands under a name of its own.
    """
    steps: dict[str, Counter[str]] = {}
    compiled = set()
    for node, where in sorted(nodes, key=lambda item: _order(item[0])):
        step = step_of(node)
        if step:
            steps.setdefault(step, Counter())[where] += 1
        elif profiled and where == provider and provider in node:
            compiled.add(where)
    return Placement(steps, tuple(sorted(compiled)))
