"""README's commands, run as they stand there: every ``sh`` block that follows a line ``<!-- run -->``.

They run in a copy of the project, with the interpreter that runs the tests in place of a new ``.venv``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"^<!-- run -->\s*^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"(?:python3 -m venv|\.venv/bin/(?:python -m )?pip install)\b[^&;\n]*")
NOT_COPIED = (".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")


def blocks() -> list[str]:
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


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.split("\n", 1)[0][:40])
def test_readme_command(block: str, tmp_path: Path) -> None:
    copy, written = tmp_path / "copy", tmp_path / "written"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    written.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", here(block, written)],
        cwd=copy,
        env=os.environ | {"PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, f"{block}\n{finished.stdout}\n{finished.stderr}"
    printed = PRINTED.findall(README.read_text("utf-8").split(block, 1)[1])
    if printed:
        got = finished.stdout.replace(f"{written}/", "/tmp/")  # noqa: S108
        assert printed[0] in got, got
