"""What other tools leave of the steps, and how the steps take to what other tools have made, as docs/tools.md tells it.

    python tests/sweeps/tools.py            prints it
    python tests/sweeps/tools.py --write    writes fixtures/tools/found.json, from which the page is made

Needs the distributions of the extra ``tools``. About three minutes.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

from other_tools import TOOLS
from survival import after, before, subjects

FOUND = Path(__file__).parents[2] / "fixtures" / "tools" / "found.json"


def main() -> None:
    missing = sorted({tool.missing for tool in TOOLS if tool.missing})
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; pip install 'onnxprep[tools]'")
    versions = {name: version(name) for name in sorted({tool.package for tool in TOOLS})}
    found: dict[str, Any] = {"versions": versions, "platform": platform.machine(), "after": {}, "before": {}}
    for subject in subjects():
        with tempfile.TemporaryDirectory() as folder:
            found["after"][subject.name] = [after(tool, subject, Path(folder))[0].to_dict() for tool in TOOLS]
            found["before"][subject.name] = [before(tool, subject, Path(folder)).to_dict() for tool in TOOLS]
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if "--write" in sys.argv:
        FOUND.write_text(text, "utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
