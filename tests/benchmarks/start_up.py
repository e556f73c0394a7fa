"""How long it takes to start, beside the packages it builds on: ``python tests/benchmarks/start_up.py``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "fixtures" / "demo"
_ROUNDS = 11
_PRINT = "import sys; print(' '.join(n for n in ('onnx', 'onnxruntime', 'onnxscript', 'numpy') if n in sys.modules))"
_CLICK = "import sys; from onnxprep.cli import main; sys.argv[0] = 'onnxprep'\ntry: main()\nexcept SystemExit: pass\n"


def programs() -> dict[str, list[str]]:
    """What is started: a line for the table, and arguments of the interpreter."""
    spec, model = str(DEMO / "spec.yaml"), str(DEMO / "classifier.onnx")
    return {
        "`python -c pass`": ["-c", "pass"],
        '`python -c "import onnx"`': ["-c", "import onnx"],
        '`python -c "import onnxruntime"`': ["-c", "import onnxruntime"],
        '`python -c "import onnxprep"`': ["-c", "import onnxprep"],
        "`onnxprep --help`": ["-c", _CLICK, "--help"],
        "`onnxprep check SPEC`": ["-c", _CLICK, "check", spec],
        "`onnxprep check SPEC --model MODEL`": ["-c", _CLICK, "check", spec, "--model", model],
    }


def seconds(arguments: list[str]) -> float:
    """Wall time of one start."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def loaded(arguments: list[str]) -> str:
    """Which of the heavy packages are imported at the end."""
    code = arguments[1] + "\n" + _PRINT
    finished = subprocess.run([sys.executable, "-c", code, *arguments[2:]], check=True, capture_output=True, text=True)
    return finished.stdout.splitlines()[-1] or "none"


def main() -> None:
    """Rows of a Markdown table: medians of starts in turn."""
    found = programs()
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(_ROUNDS):
        for name, arguments in found.items():
            times[name].append(seconds(arguments))
    base = statistics.median(times['`python -c "import onnx"`'])
    print("| started | s | beside `import onnx` | imports |\n|---|---:|---:|---|")
    for name, arguments in found.items():
        middle = statistics.median(times[name])
        print(f"| {name} | {middle:.3f} | {middle / base:.2f} | {loaded(arguments)} |", flush=True)


if __name__ == "__main__":
    main()
