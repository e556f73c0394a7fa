"""What tests of several files need.

They run in several processes and any order: each draws the same numbers whatever ran before it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from onnxprep.step import catalogue


@pytest.fixture(autouse=True)
def _same_numbers(request: pytest.FixtureRequest) -> None:
    """Winds a module's ``RNG`` back."""
    rng = getattr(request.module, "RNG", None)
    if isinstance(rng, np.random.Generator):
        rng.bit_generator.state = np.random.default_rng(20261121).bit_generator.state


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a distribution with steps on the path: the same way a user's own steps come in."""
    folder = tmp_path / "site"
    info = folder / "more_steps-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more-steps\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    count = 0

    def put(source: str) -> None:
        nonlocal count
        count += 1
        name = f"more_steps_{count}"
        (folder / f"{name}.py").write_text(source)
        (info / "entry_points.txt").write_text(f"[onnxprep.steps]\nmore = {name}\n")
        catalogue.cache_clear()

    yield put
    catalogue.cache_clear()
    for module in [name for name in sys.modules if name.startswith("more_steps_")]:
        del sys.modules[module]


@pytest.fixture
def signals_are_heard() -> Iterator[None]:
    """A child ignores what its parent ignores: SIGHUP under nohup, SIGINT in the background of a script."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
