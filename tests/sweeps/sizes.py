"""Proof of resize on random sizes and contents against the installed Pillow: ``python tests/sweeps/sizes.py [images] [seed]``.

Every filter; H, W, h and w of 1 to 400 px, some of them equal, tall or wide; noise, black and white, photos; one graph
for all images. Exit status 1 where a byte differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import numpy as np
import onnxruntime as ort
import PIL
from imagenet import make, photos
from PIL import Image
from steps import build, session

from onnxprep.tensor import Array, TensorSpec

FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
LIKE = f"pillow-{PIL.__version__.split('.')[0]}"
INPUT = TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB", (0.0, 255.0))


def any_size(rng: np.random.Generator, trial: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Sides before and after."""
    height, width, h, w = (int(n) for n in rng.integers(1, 400 if trial % 4 else 30, 4))
    match trial % 12:
        case 0:
            height, width = min(400, height * 30), max(1, width // 20)
        case 1:
            h = 1
        case 2:
            w = 1
        case 3:
            h = height
        case 4:
            w = width
        case 5:
            h, w = height, width
        case 6:
            h = max(1, height // int(rng.integers(2, 6)))
    return (height, width), (h, w)


def content(rng: np.random.Generator, sides: tuple[int, int], trial: int, pictures: list[Array]) -> Array:
    """A third each: photo, noise, black and white."""
    if trial % 3 == 0:
        picture = pictures[trial % len(pictures)]
        if picture.shape[0] >= sides[0] and picture.shape[1] >= sides[1]:
            return np.ascontiguousarray(picture[: sides[0], : sides[1]])
    noise = rng.integers(0, 256, (*sides, 3), dtype=np.uint8)
    return noise if trial % 3 == 1 else np.where(noise < 128, 0, 255).astype(np.uint8)


def sweep(interpolation: str, count: int, seed: int) -> tuple[int, int]:
    """(bytes compared, bytes that differ). A new output size is a new graph; each is used for 5 inputs."""
    rng, pictures, compared, differing = np.random.default_rng(seed), list(photos().values()), 0, 0
    running: ort.InferenceSession | None = None
    for trial in range(count):
        sides, new = any_size(rng, trial)
        if running is None or trial % 5 == 0:
            size = new
            running = session(build([make("resize", LIKE, size=list(size), interpolation=interpolation)], [INPUT]))
        x = content(rng, sides, trial, pictures)
        want = np.asarray(Image.fromarray(x).resize(size[::-1], Image.Resampling[interpolation.upper()]))
        got = running.run(None, {"x0": x[None]})[0][0]
        compared, differing = compared + want.size, differing + int((got != want).sum())
    return compared, differing


def main() -> None:
    """One line per filter."""
    count, seed = (int(a) for a in (sys.argv[1:] + ["600", "0"][len(sys.argv) - 1 :]))
    failed = False
    for interpolation in FILTERS:
        compared, differing = sweep(interpolation, count, seed)
        failed = failed or differing > 0
        print(
            f"Pillow {PIL.__version__} {interpolation}: {count} images, {compared:,} bytes, {differing} differ",
            flush=True,
        )
    sys.exit(failed)


if __name__ == "__main__":
    main()
