"""nms, filter_detections and pack_detections on sets of boxes that are hard: ties, thresholds met, no area, nothing.

Every family is held against its rules written down once more, from the library's sources, in plain NumPy and one box
after the other; and these, where the library is installed, against the library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest
from steps import build, session

from onnxprep.step import catalogue
from onnxprep.tensor import Array, Tensor, TensorSpec

F = np.float32
Found = tuple[list[int], list[int]]
"""Boxes and classes of the detections of one image, best first."""


# the rules, from the sources ------------------------------------------------------------------------------------


def by_score(scores: Array) -> Array:
    """As a stable sort orders them, best first."""
    return np.argsort(-scores, kind="stable")


def one_after_the_other(order: Array, goes: Callable[[int, Array], Array]) -> list[int]:
    """The first stays, and of the rest what ``goes`` does not say goes; and so on."""
    kept = []
    while len(order):
        first, order = int(order[0]), order[1:]
        kept.append(first)
        with np.errstate(all="ignore"):
            order = order[~goes(first, order)]
    return kept


def torchvision_nms(boxes: Array, scores: Array, threshold: float) -> list[int]:
    """torchvision, csrc/ops/cpu/nms_kernel.cpp: float32, compared with a double; corners as they are."""
    x1, y1, x2, y2 = boxes.T
    with np.errstate(all="ignore"):
        areas = (x2 - x1) * (y2 - y1)

    def goes(i: int, j: Array) -> Array:
        width = np.maximum(F(0), np.minimum(x2[i], x2[j]) - np.maximum(x1[i], x1[j]))
        height = np.maximum(F(0), np.minimum(y2[i], y2[j]) - np.maximum(y1[i], y1[j]))
        inter = width * height
        return (inter / (areas[i] + areas[j] - inter)).astype(np.float64) > threshold

    return one_after_the_other(by_score(scores), goes)


def tensorflow_nms(boxes: Array, scores: Array, threshold: float) -> list[int]:
    """TensorFlow, non_max_suppression_op.cc IOU: corners put right, no area means 0, compared in float32."""
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    areas = (high - low).prod(1)

    def goes(i: int, j: Array) -> Array:
        sides = np.maximum(np.minimum(high[i], high[j]) - np.maximum(low[i], low[j]), F(0))
        inter = sides.prod(1)
        iou = inter / (areas[i] + areas[j] - inter)
        return np.where((areas[i] <= 0) | (areas[j] <= 0), F(0), iou) > F(threshold)

    return one_after_the_other(by_score(scores), goes)


def opencv_overlap(a: Array, b: Array) -> float:
    """OpenCV, jaccardDistance of two Rect2d, and the & of core/types.hpp."""
    area_a, area_b = a[2] * a[3], b[2] * b[3]
    if area_a + area_b <= np.finfo(np.float64).eps:
        return F(1) - F(0)
    common = 0.0
    if min(a[2], a[3], b[2], b[3]) > 0:
        sides = []
        for k in (0, 1):
            low, high = (a, b) if a[k] < b[k] else (b, a)
            if low[k] < 0 and low[k] + low[k + 2] < high[k]:
                sides.append(0.0)
            else:
                sides.append(min(low[k + 2] - (high[k] - low[k]), high[k + 2]))
        common = sides[0] * sides[1] if min(sides) > 0 else 0.0
    return F(1) - F(1.0 - common / (area_a + area_b - common))


def opencv_nms(rectangles: Array, scores: Array, threshold: float) -> list[int]:
    """OpenCV, nms.inl.hpp NMSFast_."""

    def goes(i: int, j: Array) -> Array:
        overlaps = [opencv_overlap(rectangles[k], rectangles[i]) for k in j]
        return ~(np.array(overlaps, F) <= F(threshold))

    return one_after_the_other(by_score(scores), goes)


def ultralytics(boxes: Array, scores: Array, p: dict[str, Any]) -> Found:
    """Ultralytics, utils/nms.py, behind xywh2xyxy; scores come as [C, K]."""
    above = F(p["score_threshold"]) < scores.T
    if p.get("multi_label") and len(scores) > 1:
        box, which = np.nonzero(above)
    else:
        box = np.nonzero(above.any(1))[0]
        which = scores[:, box].argmax(0)
    best = by_score(scores[which, box])[: p.get("max_candidates", 30_000)]
    if len(best) < len(box):
        box, which = box[best], which[best]
    offset = which.astype(F) * F(0 if p.get("class_agnostic") else 7680)
    kept = torchvision_nms(boxes[box] + offset[:, None], scores[which, box], p["iou_threshold"])
    kept = kept[: p.get("max_detections", 300)]
    return box[kept].tolist(), which[kept].tolist()


def torchvision(boxes: Array, scores: Array, p: dict[str, Any]) -> Found:
    """torchvision, models/detection/ssd.py, and both strategies of ops/boxes.py."""
    found = []
    for c, row in enumerate(scores):
        above = np.nonzero(row > F(p["score_threshold"]))[0]
        if p.get("candidates_per_class"):
            above = above[by_score(row[above])][: p["candidates_per_class"]]
        found += [(k, c) for k in above]
    box, which = np.array(found, np.int64).reshape(-1, 2).T
    score, corners = scores[which, box], boxes[box]
    if p["strategy"] == "per_class":
        kept: list[int] = []
        for c in np.unique(which):
            own = np.nonzero(which == c)[0]
            kept += own[torchvision_nms(corners[own], score[own], p["iou_threshold"])].tolist()
        kept = sorted(kept)
        kept = [kept[i] for i in by_score(score[kept])]
    else:
        if p["strategy"] == "coordinate_trick" and len(box):
            corners = corners + (which.astype(F) * (corners.max() + F(1)))[:, None]
        kept = torchvision_nms(corners, score, p["iou_threshold"])
    kept = kept[: p["max_detections"]]
    return box[kept].tolist(), which[kept].tolist()


def opencv(boxes: Array, scores: Array, p: dict[str, Any]) -> Found:
    """OpenCV, nms.cpp NMSBoxes and NMSBoxesBatched, of every box with its best class."""
    which, score = scores.argmax(0), scores.max(0, initial=0)
    rectangles = boxes.astype(np.float64)
    rectangles[:, 2:] -= rectangles[:, :2]
    if not p["class_agnostic"]:
        ends = rectangles[:, :2] + rectangles[:, 2:]
        largest = max(0.0, rectangles[:, :2].max(initial=0), ends.max(initial=0))
        rectangles[:, :2] += (which * (largest + 1))[:, None]
    box = np.nonzero(score > F(p["score_threshold"]))[0]
    box = box[by_score(score[box])][: p.get("top_k") or None]
    kept = opencv_nms(rectangles[box], score[box], p["iou_threshold"])[: p["max_detections"]]
    return box[kept].tolist(), which[box[kept]].tolist()


def tensorflow(boxes: Array, scores: Array, p: dict[str, Any]) -> Found:
    """TensorFlow, DoNMSPerClass and SelectResultPerBatch; what it leaves open by class, then by box."""
    found: list[tuple[int, int]] = []
    for c, row in enumerate(scores):
        above = np.nonzero(row > F(p["score_threshold"]))[0]
        kept = tensorflow_nms(boxes[above], row[above], p["iou_threshold"])[: p["max_detections_per_class"]]
        found += sorted((int(above[k]), c) for k in kept)
    box, which = np.array(found, np.int64).reshape(-1, 2).T
    kept = by_score(scores[which, box])[: p["max_detections"]].tolist()
    return box[kept].tolist(), which[kept].tolist()


# the sets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One family with parameters; ``ties`` tells whether the library orders equal scores in a way it is bound to."""

    like: str
    rule: Callable[[Array, Array, dict[str, Any]], Found]
    parameters: dict[str, Any] = field(hash=False)
    ties: bool = True

    def __str__(self) -> str:
        return f"{self.like}-{'-'.join(str(v) for v in self.parameters.values())}"

    def step(self) -> Any:
        return catalogue()["nms"][self.like].model_validate({"like": self.like, **self.parameters})

    def expected(self, boxes: Array, scores: Array) -> list[Array]:
        """The five ports by the rules."""
        n, width = len(boxes), self.step().max_detections
        made = [np.zeros((n, width, 4), F), np.zeros((n, width), F), np.full((n, width), -1), np.zeros(n, np.int64)]
        indices = np.full((n, width), -1)
        for i in range(n):
            box, which = self.rule(boxes[i], scores[i], self.parameters)
            count = made[3][i] = len(box)
            made[0][i, :count], made[1][i, :count], made[2][i, :count] = boxes[i][box], scores[i][which, box], which
            indices[i, :count] = box
        if self.parameters.get("clip_boxes"):
            made[0] = np.clip(made[0], F(0), F(1))
        return [*made, indices]


def _settings() -> list[Setting]:
    made = []
    for iou in (0.0, 0.3, 0.5, 0.6, 0.7, 1.0):
        both: dict[str, Any] = {"score_threshold": 0.3, "iou_threshold": iou}
        few = {**both, "max_detections": 12}
        made += [
            Setting("ultralytics", ultralytics, both),
            Setting("ultralytics", ultralytics, {**both, "multi_label": True, "max_detections": 9}),
            Setting("ultralytics", ultralytics, {**both, "class_agnostic": True}),
            Setting("torchvision", torchvision, {**few, "strategy": "coordinate_trick"}),
            Setting("torchvision", torchvision, {**few, "strategy": "per_class"}, ties=False),
            Setting("torchvision", torchvision, {**few, "strategy": "class_agnostic"}),
            Setting("opencv-5", opencv, {**few, "class_agnostic": True}),
            Setting("opencv-5", opencv, {**few, "class_agnostic": False, "top_k": 8}),
            Setting("opencv-4", opencv, {**few, "class_agnostic": False}),
            Setting("tensorflow", tensorflow, {**few, "max_detections_per_class": 4, "clip_boxes": False}, ties=False),
        ]
    few = {"score_threshold": 0.3, "iou_threshold": 0.5, "max_detections": 12}
    for strategy in ("coordinate_trick", "per_class"):
        best = {**few, "strategy": strategy, "candidates_per_class": 3}
        made.append(Setting("torchvision", torchvision, best, ties=False))
    made.append(
        Setting("tensorflow", tensorflow, {**few, "max_detections_per_class": 20, "clip_boxes": True}, ties=False)
    )
    return made


SETTINGS = _settings()
EACH = 102
"""Sets of every setting: more than 500 of a family in all."""


@cache
def sets(ties: bool) -> list[tuple[Array, Array]]:
    """Batches of boxes [N, K, 4] and scores [N, C, K]."""
    rng, made = np.random.default_rng(5), []
    for k, classes, n in ((0, 2, 3), (1, 1, 9), (2, 1, 20), (4, 3, 20), (9, 1, 20), (17, 3, 15), (30, 14, 15)):
        corner = rng.integers(0, 8, (n, k, 2)).astype(np.float64)
        # sides of 10, and next to them 3, 5, 6 and 7 of the same place: IoU 0.3, 0.5, 0.6, 0.7
        side = np.where(rng.random((n, k, 1)) < 0.6, 10, 1) * np.stack(
            (np.ones((n, k)), rng.choice([0.1, 0.3, 0.5, 0.6, 0.7, 1], (n, k))), -1
        )
        corner = np.where(rng.random((n, k, 1)) < 0.6, corner[:, :1], corner)  # many at one place
        side *= rng.choice([1, 0, -1], (n, k, 2), p=[0.9, 0.06, 0.04])
        boxes = np.concatenate([corner, corner + side], -1)
        boxes[n // 2 :] = boxes[n // 2 :] / 10 * rng.choice([1, 37.3], (n - n // 2, 1, 1)) - 0.2
        scores = rng.integers(0, 11, (n, classes, k)) / 10
        if not ties:
            scores = (rng.permuted(np.broadcast_to(np.arange(classes * k), (n, classes * k)), axis=1) + 0.5) / (
                classes * k + 1
            )
            scores = scores.reshape(n, classes, k)
        made.append((boxes.astype(F), scores.astype(F)))
    assert sum(len(boxes) for boxes, _ in made) == EACH
    return made


@cache
def graph(setting: Setting) -> Any:
    specs = [TensorSpec("float32", ("N", "K", 4)), TensorSpec("float32", ("N", None, "K"))]
    return session(build([setting.step()], specs))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_graph_follows_the_rules(setting: Setting) -> None:
    compared = 0
    for boxes, scores in sets(True):
        got = graph(setting).run(None, {"x0": boxes, "x1": scores})
        for port, g, w in zip(setting.step().outputs, got, setting.expected(boxes, scores), strict=True):
            assert g.dtype == w.dtype, port
            np.testing.assert_array_equal(g, w, err_msg=f"{port} of {boxes.shape[1]} boxes")
        compared += len(boxes)
    assert compared == EACH


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_library_follows_the_rules(setting: Setting) -> None:
    compared = 0
    for boxes, scores in sets(setting.ties):
        tensors = (Tensor(array, TensorSpec("float32", array.shape)) for array in (boxes, scores))
        try:
            live = setting.step().oracle(*tensors)
        except ModuleNotFoundError as error:
            pytest.skip(str(error))
        if setting.like.startswith("opencv"):
            import cv2

            if not cv2.__version__.startswith(setting.like[-1] + "."):
                pytest.skip(f"OpenCV {cv2.__version__}")
        for port, g, w in zip(setting.step().outputs, live, setting.expected(boxes, scores), strict=True):
            np.testing.assert_array_equal(g, w, err_msg=f"{port} of {boxes.shape[1]} boxes")
        compared += len(boxes)
    assert compared == EACH


def test_sets_tell_the_families_apart() -> None:
    """Ties, thresholds met and degenerate boxes are there: one set of rules does not do for another library."""
    few = {"score_threshold": 0.3, "iou_threshold": 0.6, "max_detections": 300, "class_agnostic": True}
    more = {**few, "strategy": "class_agnostic", "max_detections_per_class": 300}
    differing = dict.fromkeys(("opencv", "tensorflow", "rounded", "reversed"), 0)
    for boxes, scores in sets(True):
        for box, rows in zip(boxes, scores[:, :1], strict=True):
            own = torchvision(box, rows, more)
            differing["opencv"] += own != opencv(box, rows, few)
            differing["tensorflow"] += own != tensorflow(box, rows, more)
            differing["rounded"] += own != torchvision(box, rows, {**more, "iou_threshold": float(F(0.6))})
            last = torchvision(box[::-1], rows[:, ::-1], more)[0]
            differing["reversed"] += own[0] != [len(box) - 1 - k for k in last]
    assert min(differing.values()) > 5, differing


# what is no number, what does not fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS[:10], ids=str)
def test_nan_is_never_found(setting: Setting) -> None:
    boxes, scores = (array.copy() for array in sets(True)[-1])
    scores[::2] = np.nan
    scores[1::4, 3, ::2] = np.nan
    got = dict(zip(setting.step().outputs, graph(setting).run(None, {"x0": boxes, "x1": scores}), strict=True))
    assert not np.isnan(got["scores"]).any()
    assert not got["counts"][::2].any()
    wanted = setting.expected(boxes[3::4], scores[3::4])  # images without any are what they are without the others
    for g, w in zip(got.values(), wanted, strict=True):
        np.testing.assert_array_equal(g[3::4], w)


@pytest.mark.parametrize("setting", [s for s in SETTINGS[:10] if s.like in ("ultralytics", "torchvision")], ids=str)
def test_boxes_that_are_nan_suppress_nothing(setting: Setting) -> None:
    if setting.parameters.get("strategy") == "coordinate_trick":
        pytest.skip("corners have to be finite")
    boxes, scores = (array.copy() for array in sets(True)[-1])
    rng = np.random.default_rng(0)
    boxes[rng.random(boxes.shape) < 0.1] = np.nan
    got = graph(setting).run(None, {"x0": boxes, "x1": scores})
    for g, w in zip(got, setting.expected(boxes, scores), strict=True):
        np.testing.assert_array_equal(g, w)


# behind it ------------------------------------------------------------------------------------------------------


def test_packed_rows_are_those_of_the_library() -> None:
    """nms and pack_detections in one graph, both layouts."""
    setting = SETTINGS[0]
    specs = [TensorSpec("float32", ("N", "K", 4)), TensorSpec("float32", ("N", 14, "K"))]
    boxes, scores = sets(True)[-1]
    rows = []
    for i in range(len(boxes)):
        box, which = ultralytics(boxes[i], scores[i], setting.parameters)
        parts = (boxes[i][box], scores[i][which, box][:, None], np.array(which, F)[:, None])
        rows.append(np.concatenate(parts, 1))
    for layout in ("fixed", "variable"):
        pack = catalogue()["pack_detections"][""].model_validate({"layout": layout})
        packed, counts = session(build([setting.step(), pack], specs)).run(None, {"x0": boxes, "x1": scores})
        assert counts.tolist() == [len(r) for r in rows]
        if layout == "fixed":
            assert packed.shape == (len(boxes), 300, 6)
            for got, want in zip(packed, rows, strict=True):
                np.testing.assert_array_equal(got[: len(want)], want)
                assert not got[len(want) :].any()
        else:
            np.testing.assert_array_equal(packed[:, 0], np.repeat(np.arange(len(rows)), counts))
            np.testing.assert_array_equal(packed[:, 1:], np.concatenate(rows))


def test_filtered_like_the_end_to_end_heads() -> None:
    """Ultralytics' branch for outputs [N, 300, 6], live."""
    nms = pytest.importorskip("ultralytics.utils.nms")
    torch = pytest.importorskip("torch")
    boxes, scores, classes = _end_to_end()
    rows = np.concatenate([boxes, scores[..., None], classes[..., None].astype(F)], 2)
    for threshold in (0.3, 0.7):
        got = _filtered(threshold, boxes, scores, classes)
        kept = nms.non_max_suppression(torch.from_numpy(rows), threshold, max_det=9)
        for i, want in enumerate(kept):
            assert got["counts"][i] == len(want)
            found = (got["boxes"][i], got["scores"][i][:, None], got["classes"][i][:, None].astype(F))
            np.testing.assert_array_equal(np.concatenate(found, 1)[: len(want)], want.numpy())


def _end_to_end() -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(8)
    scores = (rng.integers(0, 11, (40, 25)) / 10).astype(F)
    return rng.random((40, 25, 4), F), scores, rng.integers(0, 80, (40, 25))


def _filtered(threshold: float, *arrays: Array) -> dict[str, Array]:
    step = catalogue()["filter_detections"][""].model_validate({"score_threshold": threshold, "max_detections": 9})
    specs = [TensorSpec(a.dtype.name, ("N", "K", 4)[: a.ndim]) for a in arrays]
    made = session(build([step], specs)).run(None, {f"x{i}": a for i, a in enumerate(arrays)})
    return dict(zip(step.outputs, made, strict=True))


def test_many_detections_of_many_images_are_not_compared_with_every_image() -> None:
    """Memory grows with the images, not with their square."""
    given = {"like": "", "score_threshold": 0.5, "max_detections": 3}
    dtypes = (("float32", ("N", "K", 4)), ("float32", ("N", "K")), ("int64", ("N", "K")))
    one = catalogue()["filter_detections"][""].model_validate(given)
    model = build([one], [TensorSpec(dtype, shape) for dtype, shape in dtypes])
    assert not [node.name for node in model.graph.node if node.op_type == "Equal"]


@pytest.mark.parametrize("like", sorted({setting.like for setting in SETTINGS}))
def test_boxes_and_scores_of_other_candidates_fail_the_run(like: str) -> None:
    step = next(setting for setting in SETTINGS if setting.like == like).step()
    running = session(build([step], [TensorSpec("float32", ("n", "k", 4)), TensorSpec("float32", ("m", 3, "j"))]))
    rng = np.random.default_rng(0)
    assert len(running.run(None, {"x0": rng.random((2, 30, 4), F), "x1": rng.random((2, 3, 30), F)})[0]) == 2
    for n, k, m, j in ((1, 30, 2, 30), (2, 30, 2, 20), (2, 20, 2, 30)):
        with pytest.raises(Exception, match="Reshape"):
            running.run(None, {"x0": rng.random((n, k, 4), F), "x1": rng.random((m, 3, j), F)})
