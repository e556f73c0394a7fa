"""Proof of whole chains: a spec's graph against the library's own calls, on random parts of photos.

    python tests/sweeps/end_to_end.py [part of a name] [--crops 20] [--write]

Ten photos, or the two that come with scikit-learn where scikit-image is not installed; of each that many random
rectangles, H and W unknown to the graph. ``--write`` keeps the result in ``fixtures/proofs/pipelines``. Exit status 1
where a value differs by more than is promised.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import numpy as np
import onnxruntime
from pipelines import Pipeline, pipelines
from steps import session

import onnxprep
from onnxprep.runtime.libraries import installed_version
from onnxprep.tensor import Array

PROOFS = Path(__file__).parents[2] / "fixtures" / "proofs" / "pipelines"
LIBRARIES = (
    "Pillow",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "opencv-python-headless",
    "keras",
    "tensorflow",
    "numpy",
)


@dataclass
class Found:
    """What was compared."""

    name: str
    promise: str
    libraries: str
    onnxruntime: str = onnxruntime.__version__
    platform: str = f"{platform.system()} {platform.machine()}"
    photos: int = 0
    images: int = 0
    values: int = 0
    differing: int = 0
    largest_difference: float = 0.0
    wrong_shapes: int = 0


def photos() -> Iterator[Array]:
    """RGB, of at least 300 px."""
    from sklearn.datasets import load_sample_images

    yield from load_sample_images().images
    try:
        import skimage.data
    except ModuleNotFoundError:
        return
    for name in (
        "astronaut",
        "chelsea",
        "coffee",
        "rocket",
        "immunohistochemistry",
        "hubble_deep_field",
        "retina",
        "colorwheel",
    ):
        yield getattr(skimage.data, name)()


def rectangles(photo: Array, count: int, rng: np.random.Generator) -> Iterator[Array]:
    """Random parts with sides of 24 px and more; a quarter of them taller than twice their width."""
    for i in range(count):
        height, width = (int(24 * (side / 24) ** rng.uniform(0.2, 1)) for side in photo.shape[:2])
        if i % 4 == 0:
            width = max(24, int(height / rng.uniform(2, 4)))
        top, left = (
            int(rng.integers(0, side - n + 1))
            for side, n in zip(photo.shape, (height, min(width, photo.shape[1])), strict=False)
        )
        yield np.ascontiguousarray(photo[top : top + height, left : left + width])


def compare(pipeline: Pipeline, crops: int, seed: int = 1) -> Found:
    """One chain on all photos."""
    library = pipeline.library()
    running = session(onnxprep.build(pipeline.spec))
    named = [f"{name} {installed_version(name)}" for name in LIBRARIES if installed_version(name)]
    found = Found(pipeline.name, f"within {pipeline.bound:g}" if pipeline.bound else "bit-exact", ", ".join(named))
    rng = np.random.default_rng(seed)
    for photo in photos():
        found.photos += 1
        for part in rectangles(photo, crops, rng):
            image = np.ascontiguousarray(part[..., ::-1]) if pipeline.color == "BGR" else part
            (got,) = running.run(None, {"image": image[None]})
            want = library(image)[None]
            found.images += 1
            found.values += want.size
            if got.shape != want.shape or got.dtype != want.dtype:
                found.wrong_shapes += 1
                continue
            found.differing += int((got != want).sum())
            found.largest_difference = max(found.largest_difference, float(np.abs(got - want).max()))
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="?", default="")
    parser.add_argument("--crops", type=int, default=20)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    failed = 0
    print(f"{'chain':<62} {'photos':>6} {'images':>6} {'values':>12} {'differing':>10} {'max':>9}")
    for pipeline in pipelines():
        if given.part not in pipeline.name:
            continue
        found = compare(pipeline, given.crops)
        wrong = found.wrong_shapes or found.largest_difference > pipeline.bound
        failed += bool(wrong)
        row = f"{found.name:<62} {found.photos:>6} {found.images:>6} {found.values:>12,} {found.differing:>10,}"
        print(f"{row} {found.largest_difference:>9.2g}{'  BROKEN' if wrong else ''}", flush=True)
        if given.write and not wrong:
            PROOFS.mkdir(parents=True, exist_ok=True)
            file = re.sub(r"[^a-z0-9]+", "-", found.name.lower()).strip("-")
            (PROOFS / f"{file}.json").write_text(json.dumps(asdict(found), indent=1) + "\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
