"""A small part of every sweep; each file is a program that runs the whole."""

from __future__ import annotations

import front_end
import numpy as np
import pytest
import sizes
import tap_tables

pytestmark = pytest.mark.sweep


def test_front_end():
    rows = front_end.sweep(count=6, seed=1, names=["china"])
    assert [r.interpolation for r in rows] == list(front_end.FILTERS)
    assert all(r.floats >= 8 * 3 * 224 * 224 and r.tall and r.batches for r in rows)
    assert sum(r.differing for r in rows) == 0


@pytest.mark.parametrize("interpolation", sizes.FILTERS)
def test_sizes(interpolation: str):
    compared, differing = sizes.sweep(interpolation, 25, seed=1)
    assert compared > 100_000
    assert differing == 0


@pytest.mark.parametrize("interpolation", sizes.FILTERS[1:])
def test_tap_tables(interpolation: str):
    rng = np.random.default_rng(1)
    cases = [(1, 1), (1, 9), (2, 1), (640, 224), (224, 512), (1080, 256), (4032, 299), (500, 3), (31, 31), (9, 2)]
    cases += [(int(a), int(b)) for a, b in rng.integers(1, 700, (60, 2))]
    assert [(length, new, wrong) for length, new, _, wrong in tap_tables.compare(interpolation, cases) if wrong] == []
