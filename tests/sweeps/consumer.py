"""Runs what outcomes.py wrote in any ONNX Runtime: needs numpy and onnxruntime, nothing else, and no onnxprep.

    python consumer.py FOLDER [--write RESULTS]

Prints how many files gave the recorded bits, how many gave others, and what was refused, in the runtime's own words.
Exit status 1 where bits differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime


def digest(array: np.ndarray) -> str:
    """sha256 of dtype, shape and content; text as it reads."""
    array = np.asarray(array)
    content = repr(array.tolist()).encode() if array.dtype.kind in "OUS" else array.tobytes()
    kind = "text" if array.dtype.kind in "OUS" else array.dtype.str
    return hashlib.sha256(f"{kind}{array.shape}".encode() + content).hexdigest()


def outcome(model: bytes | str, inputs: dict[str, np.ndarray]) -> dict[str, str]:
    """The digest of every output, by name."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, map(digest, session.run(None, inputs)), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="the recorded files, in this ONNX Runtime")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path, help="folder for the result, as VERSION.json")
    given = parser.parse_args()
    found: dict[str, Counter[str]] = {}
    differing: list[str] = []
    refused: Counter[str] = Counter()
    for line in (given.folder / "index.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        group = found.setdefault(entry["group"], Counter())
        try:
            made = outcome(str(given.folder / entry["model"]), _inputs(given.folder, entry))
        except Exception as error:  # noqa: BLE001  # onnxruntime's errors have no common base; every one is counted
            group["refused"] += 1
            refused[reason(error)] += 1
            continue
        wrong = [name for name in entry["expected"] if made[name] != entry["expected"][name]]
        group["differing" if wrong else "equal"] += 1
        differing += [f"{entry['name']}: {name}" for name in wrong]
    result = {
        "onnxruntime": onnxruntime.__version__,
        "groups": {name: {k: counts[k] for k in ("equal", "differing", "refused")} for name, counts in found.items()},
        "differing": differing, "refused": dict(refused.most_common()),
    }  # fmt: skip
    text = json.dumps(result, indent=1, sort_keys=True) + "\n"
    print(text, end="")
    if given.write:
        (given.write / f"{onnxruntime.__version__}.json").write_text(text, "utf-8")
    sys.exit(bool(differing))


def reason(error: object) -> str:
    """What the runtime says, without where in its code it says so."""
    text = re.split(r"(?:&|bool|\()\) ", " ".join(str(error).split()))[-1]
    official = text.find("Current official support")
    return text[max(official, 0) :][:200]


def _inputs(folder: Path, entry: dict[str, dict[str, str]]) -> dict[str, np.ndarray]:
    arrays = {name: np.load(folder / file) for name, file in entry["inputs"].items()}
    return {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in arrays.items()}


if __name__ == "__main__":
    main()
