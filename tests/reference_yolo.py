"""What Ultralytics 8.4.190 does behind its detectors, in plain NumPy: no torch, none of our own code.

``xywh2xyxy``, ``non_max_suppression`` with one label per box, ``scale_boxes`` and ``clip_boxes``, in float32, each
operation rounded as torch rounds it. tests/test_reference_yolo.py holds it against Ultralytics itself, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxprep.tensor import Array

MAX_NMS, MAX_WH = 30000, 7680


def xywh2xyxy(boxes: Array) -> Array:
    """Centre and size to corners."""
    half = boxes[..., 2:] / np.float32(2)
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1)


def nms(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """torchvision's: by falling score, equal ones by index; what overlaps more than the threshold goes."""
    x1, y1, x2, y2 = boxes.T
    zero = np.float32(0)
    areas = (x2 - x1) * (y2 - y1)
    order = np.argsort(-scores, kind="stable")
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.maximum(zero, np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]))
        height = np.maximum(zero, np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]))
        inter = width * height
        with np.errstate(invalid="ignore", divide="ignore"):
            overlap = inter / (areas[best] + areas[rest] - inter)
        order = rest[~(overlap.astype(np.float64) > iou_threshold)]  # a float32 against Python's double
    return np.array(kept, np.int64)


def non_max_suppression(
    prediction: Array,
    conf_thres: float = 0.25,
    iou_thres: float = 0.45,
    classes: Sequence[int] | None = None,
    *,
    agnostic: bool = False,
    max_det: int = 300,
    nc: int = 0,
) -> tuple[list[Array], list[Array]]:
    """For each image the detections [n, 6 + E] (x1, y1, x2, y2, score, class, E extra) and where they were among the K."""
    threshold = np.float32(conf_thres)
    nc = nc or prediction.shape[1] - 4
    found, places = [], []
    for image in prediction:
        rows = image.T
        chosen = np.flatnonzero(rows[:, 4 : 4 + nc].max(1) > threshold) if len(rows) else np.empty(0, np.int64)
        x = rows[chosen]
        scores, labels = x[:, 4 : 4 + nc].max(1, initial=-np.inf), x[:, 4 : 4 + nc].argmax(1).astype(np.float32)
        x = np.concatenate([xywh2xyxy(x[:, :4]), scores[:, None], labels[:, None], x[:, 4 + nc :]], 1)
        if classes is not None:
            wanted = np.isin(x[:, 5], np.asarray(classes, np.float32))
            x, chosen = x[wanted], chosen[wanted]
        if len(x) > MAX_NMS:
            best = np.argsort(-x[:, 4], kind="stable")[:MAX_NMS]
            x, chosen = x[best], chosen[best]
        apart = x[:, 5:6] * np.float32(0 if agnostic else MAX_WH)
        kept = nms(x[:, :4] + apart, x[:, 4], iou_thres)[:max_det]
        found.append(x[kept])
        places.append(chosen[kept])
    return found, places


def end_to_end(prediction: Array, conf_thres: float = 0.25, max_det: int = 300) -> list[Array]:
    """The same for heads that need no NMS, [N, K, 6 + E]: the rows above the threshold."""
    return [rows[rows[:, 4] > np.float32(conf_thres)][:max_det] for rows in prediction]


def scale_boxes(of: tuple[int, int], boxes: Array, to: tuple[int, int]) -> Array:
    """Boxes in a letterboxed image of ``of`` (height, width) as boxes in the picture of ``to``, clipped to it."""
    gain = min(of[0] / to[0], of[1] / to[1])
    new = [max(round(side * gain), 1) for side in to]
    gains = [np.float32(new[i] / to[i]) for i in (1, 0, 1, 0)]
    pads = [np.float32(round((of[i] - new[i]) / 2 - 0.1)) for i in (1, 0, 1, 0)]
    ends = [np.float32(to[i]) for i in (1, 0, 1, 0)]
    columns = [(boxes[..., k] - pads[k]) / gains[k] for k in range(4)]
    return np.stack([np.clip(column, np.float32(0), end) for column, end in zip(columns, ends, strict=True)], -1)


def postprocess(
    prediction: Array,
    of: tuple[int, int],
    to: Sequence[tuple[int, int]],
    conf_thres: float = 0.25,
    iou_thres: float = 0.45,
    *,
    nc: int = 0,
    max_det: int = 300,
    agnostic: bool = False,
) -> list[Array]:
    """All of it: the network's output to detections [n, 6 + E] in the pixels of each picture; boxes in column 0 to 3."""
    found, _ = non_max_suppression(prediction, conf_thres, iou_thres, nc=nc, max_det=max_det, agnostic=agnostic)
    return [np.concatenate([scale_boxes(of, x[:, :4], size), x[:, 4:]], 1) for x, size in zip(found, to, strict=True)]
