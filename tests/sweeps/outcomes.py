"""What every conformance case gives here, as digests: two versions of ONNX Runtime have to print the same.

    python tests/sweeps/outcomes.py > here.txt      in one environment, and in the other; then compare the files

One line per case: at 13, 17 and the step's own lowest opset, with lengths known and with symbols.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import conformance
from recorded import digest
from steps import session

from onnxprep.step import catalogue


def main() -> None:
    for subject in conformance.subjects(catalogue()):
        lowest = subject.step_class.min_opset
        for opset in sorted({lowest, max(13, lowest), max(17, lowest)}):
            for known in (True, False):
                running = session(conformance.model_of(subject, opset, known=known))
                made = conformance.outcome(running, subject.case.inputs)
                told = " ".join(digest(array) if array.dtype != object else str(array.tolist()) for array in made)
                print(subject, opset, "known" if known else "symbols", told)
        conformance.model_of.cache_clear()


if __name__ == "__main__":
    main()
