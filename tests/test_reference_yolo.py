"""The NumPy re-implementation of Ultralytics' post-processing against Ultralytics' own, bit for bit.

Where Ultralytics is not installed, against what fixtures/ultralytics/make.py recorded of it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_yolo

from onnxprep.tensor import Array

ANSWERS = Path(__file__).parents[1] / "fixtures" / "ultralytics" / "answers.json"
SETS, SIZES = 60, 2000


def head(rng: np.random.Generator, n: int, classes: int, extra: int, k: int, *, ties: bool) -> Array:
    """What a trained network gives: boxes in clusters, some of them empty, scores mostly low, many of them equal."""
    middles = rng.uniform(0, 640, (n, 2, max(1, k // 8)))
    chosen = rng.integers(0, middles.shape[2], (n, 1, k))
    middle = np.take_along_axis(middles, np.broadcast_to(chosen, (n, 2, k)), 2) + rng.uniform(-8, 8, (n, 2, k))
    size, scores = rng.uniform(10, 120, (n, 2, k)), rng.random((n, classes, k)) ** 4
    if ties:
        size[rng.random(size.shape) < 0.01] = 0
        scores = np.where(rng.random((n, 1, 1)) < 0.5, np.round(scores, 2), scores)
    return np.concatenate([middle, size, scores, rng.uniform(-1, 1, (n, extra, k))], 1).astype(np.float32)


def one_set(seed: int, *, ties: bool = True) -> tuple[Array, dict[str, Any]]:
    """A network's output and arguments of non_max_suppression."""
    rng = np.random.default_rng(seed)
    classes, extra = int(rng.choice([1, 2, 3, 80])), int(rng.choice([0, 0, 1, 32]))
    given = {
        "conf_thres": float(rng.choice([0.001, 0.25, 0.3, 0.5, 0.999])),
        "iou_thres": float(rng.choice([0.0, 0.3, 0.45, 0.6, 0.7, 1.0])),
        "classes": [int(c) for c in rng.integers(0, classes, 2)] if rng.random() < 0.3 else None,
        "agnostic": bool(rng.random() < 0.3),
        "max_det": int(rng.choice([1, 20, 300])),
        "nc": classes,
    }
    return head(rng, int(rng.integers(1, 4)), classes, extra, int(rng.integers(7, 1500)), ties=ties), given


def sizes() -> Iterator[tuple[tuple[int, int], Array, tuple[int, int]]]:
    """Sides of the network's image, boxes in it, sides of the picture."""
    rng = np.random.default_rng(0)
    for _ in range(SIZES):
        of, to = rng.integers(1, 2 ** rng.integers(1, 13), (2, 2)).tolist()
        yield tuple(of), rng.uniform(-50, 700, (7, 4)).astype(np.float32), tuple(to)


def digest(arrays: list[Array]) -> str:
    """Of dtypes, shapes and content."""
    said = b"".join(f"{a.dtype.str}{a.shape}".encode() + np.ascontiguousarray(a).tobytes() for a in arrays)
    return hashlib.sha256(said).hexdigest()


def of_ultralytics(prediction: Array, given: dict[str, Any]) -> tuple[list[Array], list[Array]]:
    """What the library finds, and where."""
    import torch
    from ultralytics.utils.nms import non_max_suppression

    x = torch.from_numpy(prediction.copy())
    found, places = non_max_suppression(x, return_idxs=True, max_time_img=1e9, **given)
    return [f.numpy() for f in found], [p.numpy().reshape(-1).astype(np.int64) for p in places]


def compiled() -> bool:
    """Whether torchvision's NMS runs here; Ultralytics' own sorts equal scores anyhow and drops empty boxes."""
    torchvision = pytest.importorskip("torchvision")
    return bool(torchvision.extension._has_ops())


@pytest.mark.parametrize("seed", range(SETS))
def test_non_max_suppression_is_that_of_ultralytics(seed: int, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ultralytics")
    ties = compiled()
    if not ties:
        monkeypatch.delitem(sys.modules, "torchvision")
    prediction, given = one_set(seed, ties=ties)
    got, places = reference_yolo.non_max_suppression(prediction, **given)
    wanted, others = of_ultralytics(prediction, given)
    assert digest(got) == digest(wanted)
    assert digest(places) == digest(others)


def test_more_than_30000_candidates_are_those_of_ultralytics(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ultralytics")
    if not compiled():
        monkeypatch.delitem(sys.modules, "torchvision")
    rng = np.random.default_rng(5)
    prediction = head(rng, 1, 1, 0, 31000, ties=False)
    prediction[0, 4] = (rng.permutation(31000) + 1) / 31000  # no two alike: their order would be anyone's
    given = {"conf_thres": 0.0, "iou_thres": 0.3, "max_det": 1000}
    assert digest(reference_yolo.non_max_suppression(prediction, **given)[0]) == digest(
        of_ultralytics(prediction, given)[0]
    )


def test_scale_boxes_is_that_of_ultralytics():
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("ultralytics.utils.ops").scale_boxes
    for of, boxes, to in sizes():
        wanted = theirs(of, torch.from_numpy(boxes.copy()), to).numpy()
        assert digest([reference_yolo.scale_boxes(of, boxes, to)]) == digest([wanted]), (of, to)


def test_end_to_end_is_that_of_ultralytics():
    pytest.importorskip("ultralytics")
    prediction = np.random.default_rng(1).random((3, 300, 6)).astype(np.float32)
    wanted, _ = of_ultralytics(prediction, {"conf_thres": 0.4, "max_det": 50})
    assert digest(reference_yolo.end_to_end(prediction, 0.4, 50)) == digest(wanted)


@pytest.mark.parametrize("seed", range(SETS))
def test_non_max_suppression_is_what_ultralytics_once_said(seed: int):
    answers = json.loads(ANSWERS.read_text("utf-8"))
    prediction, given = one_set(seed)
    got, places = reference_yolo.non_max_suppression(prediction, **given)
    assert [digest([prediction]), digest([*got, *places])] == answers["non_max_suppression"][seed]


def test_scale_boxes_is_what_ultralytics_once_said():
    answers = json.loads(ANSWERS.read_text("utf-8"))
    assert digest([reference_yolo.scale_boxes(*each) for each in sizes()]) == answers["scale_boxes"]


def test_the_whole_of_it():
    """Nothing, and three boxes of which one goes: numbers that can be checked by hand."""
    prediction = np.zeros((2, 6, 3), np.float32)
    prediction[1, :, 0] = [100, 60, 40, 20, 0.9, 0.1]
    prediction[1, :, 1] = [101, 60, 40, 20, 0.8, 0.1]  # overlaps the first by 39 / 41
    prediction[1, :, 2] = [101, 60, 40, 20, 0.1, 0.7]  # the same box, another class
    none, two = reference_yolo.postprocess(prediction, (160, 160), [(320, 240), (320, 320)])
    assert none.shape == (0, 6)
    assert two.tolist() == [
        [160, 100, 240, 140, np.float32(0.9), 0],
        [162, 100, 242, 140, np.float32(0.7), 1],
    ]
