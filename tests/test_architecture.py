"""Imports point one way. The order below is the architecture; this test is its only enforcement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import onnxprep

ROOT = Path(onnxprep.__path__[0])
ORDER = (
    ("errors", "tensor", "numerics", "ops"),
    ("step",),
    ("steps",),
    ("spec",),
    ("emit",),
    ("graph",),
    ("runtime",),
    ("importers",),
    ("cli",),
)
"""From the innermost to the outermost; a module may import its own level and those before it."""
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
OUTSIDE = {"__init__", "__main__"}
"""The front door, which may import everything, lazily."""
MAY_USE_ONNX = LEVEL["emit"]


def modules() -> list[tuple[str, ast.Module]]:
    """Dotted path inside the package and syntax tree of every file."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found.append((name, ast.parse(path.read_text("utf-8"), str(path))))
    return found


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            # "from onnxprep import graph" imports the module onnxprep.graph
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def violations(name: str, tree: ast.Module) -> list[str]:
    """What is wrong with one module, in words."""
    part = name.split(".", maxsplit=1)[0]
    if part in OUTSIDE:
        return []
    if part not in LEVEL:
        return [f"onnxprep.{name} has no place in the architecture: {' <- '.join(map(', '.join, ORDER))}"]
    wrong = [*_imports(name, part, tree), *_constructs(name, part, tree)]
    return [f"onnxprep.{name}, line {line}: {problem}" for line, problem in sorted(wrong)]


def _imports(name: str, part: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for line, imported in imports(tree):
        package, *inner = imported.split(".")
        if package == "onnxprep" and inner and inner[0] in LEVEL and LEVEL[inner[0]] > LEVEL[part]:
            yield line, f"{part} imports onnxprep.{inner[0]}, which stands outside of it"
        if package == "onnxruntime" and part != "runtime":
            yield line, "imports onnxruntime, which only onnxprep.runtime may"
        if package == "onnx" and LEVEL[part] < MAY_USE_ONNX:
            yield line, f"imports onnx, which {part} has to do without"


def _constructs(name: str, part: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, "an assert, which python -O removes; raise an error of onnxprep.errors"
        called = node.func if isinstance(node, ast.Call) else None
        named = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if named in ("make_node", "NodeProto") and part not in ("emit", "graph"):
            yield node.lineno, f"{named}: nodes are built in emit.py and graph/ only"


def test_imports_point_one_way():
    wrong = [problem for name, tree in modules() for problem in violations(name, tree)]
    assert not wrong, "\n".join(wrong)


def test_files_are_short():
    """A step, and what several families of one share in private modules; anything else."""
    lengths = {path.relative_to(ROOT): len(path.read_text("utf-8").splitlines()) for path in ROOT.rglob("*.py")}
    long = {str(path): n for path, n in lengths.items() if n > _limit(path)}
    assert not long, f"more than 180 lines for a step, 250 for a part of one, 400 for anything: {long}"


def _limit(path: Path) -> int:
    if path.parts[0] != "steps":
        return 400
    return 250 if any(part.startswith("_") for part in path.parts) else 180


def test_the_front_door_is_lazy():
    """What ``import onnxprep`` imports at once is light."""
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    checking = {
        inner for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }  # fmt: skip
    at_once = [
        name
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node not in checking
        for _, name in imports(ast.Module([node], []))
    ]
    assert not [name for name in at_once if name.split(".")[0] in ("onnx", "onnxruntime", "numpy")], at_once


PLANTED = {
    ("tensor", "from onnxprep.step import Step"): "line 1: tensor imports onnxprep.step, which stands outside of it",
    ("numerics.taps", "import onnxprep.steps.image"): "numerics imports onnxprep.steps, which stands outside of it",
    ("spec.plan", "from onnxprep import graph"): "spec imports onnxprep.graph, which stands outside of it",
    ("importers.timm", "from onnxprep.cli import main"): "importers imports onnxprep.cli, which stands outside of it",
    ("graph.splice", "def f():\n    import onnxruntime as ort"): "line 2: imports onnxruntime, which only",
    ("steps.image.crop", "from onnx import helper"): "imports onnx, which steps has to do without",
    ("spec.plan", "import onnx.helper"): "imports onnx, which spec has to do without",
    ("graph.splice", "x = 1\nassert x"): "line 2: an assert, which python -O removes",
    ("runtime.golden", "helper.make_node('Add', [], [])"): "make_node: nodes are built in emit.py and graph/ only",
    ("cli.main", "from onnx import NodeProto\nNodeProto()"): "line 2: NodeProto: nodes are built in emit.py",
    ("utilities", ""): "onnxprep.utilities has no place in the architecture",
}


@pytest.mark.parametrize(("module", "expected"), PLANTED.items())
def test_a_planted_violation_is_found(module: tuple[str, str], expected: str):
    name, source = module
    (problem,) = violations(name, ast.parse(source))
    assert expected in problem


def test_what_is_allowed_passes():
    for name, source in (
        ("cli.main", "from onnxprep.importers import timm\nfrom onnxprep.runtime import pipeline"),
        ("step", "from onnxprep.tensor import Tensor"),
        ("graph.splice", "from onnx import helper\nhelper.make_node('Add', [], [])"),
        ("runtime.session", "import onnxruntime"),
        ("__main__", "from onnxprep.cli import main"),
    ):
        assert not violations(name, ast.parse(source)), name
