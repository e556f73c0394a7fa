"""Which kernels a provider has, from the table that ONNX Runtime generates of itself.

    python tests/sweeps/kernels.py OperatorKernels.md --commit HASH --provider CUDA > onnxprep/runtime/kernel_tables/cuda.json

``OperatorKernels.md`` is ``docs/OperatorKernels.md`` of github.com/microsoft/onnxruntime at that commit. Kept are the
operators of ai.onnx that our steps are made of; one that the file does not list for the provider has no kernel there.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

SOURCE = "docs/OperatorKernels.md of github.com/microsoft/onnxruntime"
_SPELLING = {"float": "float32", "double": "float64"}
NO_KERNEL = frozenset({"Constant"})
"""What no provider runs: onnxruntime makes them initializers."""
UNTYPED = {
    "CUDA": {"NonMaxSuppression": [{"from": 11, "to": None, "types": {}}, {"from": 10, "to": 10, "types": {}}]},
}
"""Kernels that the file leaves out, of the CPU too, because they name no types; CUDA's stands in
onnxruntime/core/providers/cuda/object_detection/non_max_suppression.cc."""


def rows(text: str, provider: str) -> dict[str, list[dict[str, Any]]]:
    """Operator of ai.onnx -> its kernels, newest first: opsets, and the dtypes of every type name."""
    section = text.partition(f"## Operators implemented by {provider}ExecutionProvider\n")[2].partition("\n## ")[0]
    domain = section.partition("|**Operator Domain:** *ai.onnx*|")[2].partition("|**Operator Domain:**")[0]
    found: dict[str, list[dict[str, Any]]] = {}
    name = ""
    for line in domain.splitlines():
        cells = line.split("|")
        if len(cells) < 6 or not cells[3].strip():
            continue
        name = cells[1].strip() or name
        first, last = _opsets(cells[3])
        found.setdefault(name, []).append({"from": first, "to": last, "types": _types(cells[4])})
    return found


def _opsets(cell: str) -> tuple[int, int | None]:
    """``13+``, ``[6, 12]`` or ``13``."""
    numbers = [int(number) for number in re.findall(r"\d+", cell)]
    return numbers[0], None if cell.strip().endswith("+") else numbers[-1]


def _types(cell: str) -> dict[str, list[str]]:
    types = {}
    for part in cell.split("<br/>"):
        name, _, listed = part.partition("=")
        dtypes = re.findall(r"(?<!seq\()tensor\((\w+)\)", listed)
        types[name.strip().strip("*")] = sorted(_SPELLING.get(dtype, dtype) for dtype in dtypes)
    return types


def operators() -> set[str]:
    """Every operator in the graph of a conformance case, at every opset that is tested."""
    import conformance

    from onnxprep.step import catalogue

    found = set()
    for subject in conformance.subjects(catalogue()):
        for opset in conformance.opsets(subject.step_class):
            for known in (True, False):
                graph = conformance.model_of(subject, opset, known=known).graph
                found |= {node.op_type for node in conformance._nodes(graph)}
    return found - NO_KERNEL


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--provider", default="CUDA")
    given = parser.parse_args()
    found = rows(given.table.read_text("utf-8"), given.provider) | UNTYPED.get(given.provider, {})
    kept = {operator: found.get(operator, []) for operator in sorted(operators())}
    table = {"provider": f"{given.provider}ExecutionProvider", "source": SOURCE, "commit": given.commit}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items()]
    listed = ",\n".join(f"  {json.dumps(operator)}: {json.dumps(kernels)}" for operator, kernels in kept.items())
    print("{\n" + ",\n".join(lines) + ',\n "operators": {\n' + listed + "\n }\n}")


if __name__ == "__main__":
    main()
