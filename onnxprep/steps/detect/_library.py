"""What libraries give image by image, as the ports of detections: for oracles."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onnxprep.tensor import Array


def in_ports(
    found: Iterable[tuple[Array, Array, Array, Array]], width: int
) -> tuple[Array, Array, Array, Array, Array]:
    """boxes, scores, classes, counts and indices of images with corners, scores, classes and indices each."""
    images = [[part[:width] for part in parts] for parts in found]
    n = len(images)
    boxes, scores = np.zeros((n, width, 4), np.float32), np.zeros((n, width), np.float32)
    classes, indices = np.full((n, width), -1), np.full((n, width), -1)
    for i, parts in enumerate(images):
        for array, part in zip((boxes, scores, classes, indices), parts, strict=True):
            array[i, : len(part)] = part
    counts = np.array([len(parts[0]) for parts in images], np.int64)
    return boxes, scores, classes, counts, indices
