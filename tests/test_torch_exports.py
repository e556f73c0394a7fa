"""Models as torch exports them, by both exporters: attached, run against their parts, and stripped to the same bytes."""

from __future__ import annotations

import pytest
from battery import NAMINGS, through

pytest.importorskip("torch", reason="torch is not installed: `pip install onnxprep[parity]`")
pytest.importorskip("torchvision", reason="torchvision is not installed: `pip install onnxprep[parity]`")

from torch_models import NETWORKS, Exporter, exported

EXPORTERS = [
    Exporter(dynamo=dynamo, opset=opset) for dynamo, opset in ((False, 11), (False, 17), (True, 18), (True, 23))
]
"""``tests/sweeps/models.py torch`` takes every opset of both."""
SINCE = {"vit": 14, "text_encoder": 14}
"""The older exporter has no attention before these opsets."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exporter", EXPORTERS, ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_torch_export_runs_as_its_parts_and_comes_back(name: str, exporter: Exporter) -> None:
    if exporter.opset < SINCE.get(name, 0):
        pytest.skip(f"{name} needs opset {SINCE[name]}")
    data = exported(name, exporter)
    for naming in NAMINGS:
        found = through(data, naming)
        assert found.outcome.lost == []
        assert found.compared >= 3, found.not_run
        assert found.differing == []
        assert found.exact
