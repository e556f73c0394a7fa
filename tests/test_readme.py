"""README's commands, run as they stand there: every ``sh`` and ``python`` block that follows a line ``<!-- run -->``.

They run one after the other in a copy of the project, with the interpreter that runs the tests in place of a new ``.venv``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from onnxprep import Spec

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"^<!-- run -->\s*^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPEC = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"(?:python3 -m venv|\.venv/bin/(?:python -m )?pip install)\b[^&;\n]*")
NOT_COPIED = (".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(README.read_text("utf-8")) if README.is_file() else []


def here(block: str, folder: Path) -> str:
    """The block for this interpreter: nothing is installed, and what it writes to /tmp lands in ``folder``."""
    block = INSTALL.sub("true ", block.replace("\\\n", " ")).replace("/tmp/", f"{folder}/")  # noqa: S108
    return block.replace(".venv/bin/", f"{Path(sys.executable).parent}/")


def test_readme_has_commands_to_run() -> None:
    assert blocks()


def test_here() -> None:
    block = "python3 -m venv .venv && \\\n.venv/bin/pip install -q -e '.[test]' && .venv/bin/onnxprep -o /tmp/a\n"
    assert here(block, Path("/x")) == f"true &&  true && {Path(sys.executable).parent}/onnxprep -o /x/a\n"


def run(language: str, block: str, copy: Path, written: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    finished = subprocess.run(
        [*program, here(block, written)],
        cwd=copy,
        env=os.environ | {"PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, f"{block}\n{finished.stdout}\n{finished.stderr}"
    return finished.stdout.replace(f"{written}/", "/tmp/")  # noqa: S108


def test_readme_commands_run_and_print_what_is_shown(tmp_path: Path) -> None:
    copy, written = tmp_path / "copy", tmp_path / "written"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    written.mkdir()
    outputs = [run(language, block, copy, written) for language, block in blocks()]
    shown = PRINTED.findall(README.read_text("utf-8"))
    assert (len(shown), len(outputs)) == (2, 3)
    for text, output in zip(shown, outputs, strict=False):
        assert text in output, output
    assert "(1, 3, 40, 40)" in outputs[2]


def test_the_spec_in_readme_loads(tmp_path: Path) -> None:
    (text,) = SPEC.findall(README.read_text("utf-8"))
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    (tmp_path / "spec.yaml").write_text(text)
    assert len(Spec.load(tmp_path / "spec.yaml").preprocess) == 5


def test_the_models_in_readme_are_those_measured() -> None:
    files = sorted((ROOT / "fixtures" / "models").glob("*.json"))
    models = [model for file in files for model in json.loads(file.read_text("utf-8"))["models"]]
    assert not any(model["lost"] or model["differing"] or not model["exact"] for model in models)
    text, fields = README.read_text("utf-8"), sum(model["fields"] for model in models)
    assert f"Of [{len(models)} awkward, real and exported models]" in text
    assert f"field of {fields:,} is lost" in text
