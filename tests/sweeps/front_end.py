"""Proof of the ImageNet front end on random crops of photos: every float equal to Pillow's and torchvision's.

    python tests/sweeps/front_end.py [crops per photo, default 60] [seed]

Resize 256, center crop 224, rescale, normalize; bilinear, bicubic, lanczos; H and W unknown to the graph; alone and in
batches of 3. The crops have sides of 1 to 1500 px and an aspect of at most 40; a third of them is taller than 2 : 1,
where Pillow 13 goes vertically first. Exit status 1 where any float differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import numpy as np
from imagenet import FILTERS, by_numpy, by_torchvision, graph, photos
from steps import session

from onnxprep.tensor import Array


@dataclass
class Row:
    """What was compared for one photo and filter."""

    photo: str
    interpolation: str
    images: int = 0
    tall: int = 0
    batches: int = 0
    floats: int = 0
    references: set[str] = field(default_factory=set)
    differing: int = 0

    def compare(self, got: Array, image: Array) -> None:
        """Counts the floats that differ from either reference."""
        wanted = {"Pillow + NumPy": by_numpy(image, self.interpolation)}
        other = by_torchvision(image, self.interpolation)
        wanted |= {} if other is None else {"torchvision": other}
        for name, want in wanted.items():
            self.references.add(name)
            self.floats += want.size
            self.differing += int((got != want).sum()) if got.shape == want.shape else want.size


def crops(photo: Array, count: int, rng: np.random.Generator) -> Iterator[Array]:
    """Random rectangles; the photo is repeated where it is too small."""
    tiles = [-(-1500 // side) for side in photo.shape[:2]]
    large = np.tile(photo, (*tiles, 1))
    for i in range(count):
        height, width = (int(2 ** rng.uniform(0, np.log2(1500))) for _ in range(2))
        if i % 3 == 0:
            width = max(1, int(height / rng.uniform(2, 5)))
        height, width = min(height, 40 * width), min(width, 40 * height)
        top, left = int(rng.integers(0, 1501 - height)), int(rng.integers(0, 1501 - width))
        yield np.ascontiguousarray(large[top : top + height, left : left + width])


def sweep(count: int, seed: int, names: list[str] | None = None) -> list[Row]:
    """One row per photo and filter."""
    rows = []
    running = {interpolation: session(graph(interpolation)) for interpolation in FILTERS}
    for number, (name, photo) in enumerate(photos().items()):
        if names is not None and name not in names:
            continue
        for interpolation in FILTERS:
            row, rng = Row(name, interpolation), np.random.default_rng([seed, number])
            for i, image in enumerate(crops(photo, count, rng)):
                batch = np.stack([image, image[::-1], image[:, ::-1]]) if i % 6 == 0 else image[None]
                (got,) = running[interpolation].run(None, {"x0": batch})
                row.images, row.batches = row.images + len(batch), row.batches + (len(batch) > 1)
                row.tall += image.shape[0] > 2 * image.shape[1]
                for one, of in zip(got, batch, strict=True):
                    row.compare(one, np.ascontiguousarray(of))
            rows.append(row)
    return rows


def main() -> None:
    """Prints a Markdown table."""
    count, seed = (int(a) for a in (sys.argv[1:] + ["60", "0"][len(sys.argv) - 1 :]))
    rows = sweep(count, seed)
    print("| photo | filter | images | taller than 2 : 1 | batches of 3 | floats compared | differing |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        print(f"| {r.photo} | {r.interpolation} | {r.images} | {r.tall} | {r.batches} | {r.floats:,} | {r.differing} |")
    differing = sum(r.differing for r in rows)
    against = " and ".join(sorted({name for r in rows for name in r.references}))
    print(
        f"\n{sum(r.images for r in rows)} images, {sum(r.floats for r in rows):,} floats against {against}: {differing} differ."
    )
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
