"""Proof of detectors: real architectures with random weights, photo in, detections out, against Ultralytics' own calls.

    python tests/sweeps/detectors.py [--photos 40] [--side 320] [MODEL ...]

YOLOv8, YOLO11 and the end-to-end head of YOLO26 as Ultralytics builds them, exported by torch.onnx, with letterbox, decoding,
NMS and the way back to the photo in one file. The model's own output stays an output: from it Ultralytics computes what the
file has to say, bit for bit. Random parts of photos, alone and four at once. Exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import numpy as np
import torch
import torchvision
from end_to_end import photos, rectangles
from ultralytics import YOLO
from ultralytics.nn.modules import Detect
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes

import onnxprep
from onnxprep.tensor import Array

BEFORE = """onnxprep: 1
inputs:
  - {{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}}
preprocess:
  - letterbox: {{size: {side}, resize_like: opencv-5, like: ultralytics}}
  - rescale: {{like: numpy}}
  - to_layout: {{layout: NCHW}}
model: {{outputs: {{raw: output0}}}}
postprocess:
"""
NMS = """  - decode_boxes: {like: yolov8}
  - nms: {like: ultralytics, score_threshold: 0.25, iou_threshold: 0.6}
  - scale_boxes: {frame: letterbox, like: ultralytics}
outputs: [scale_boxes, nms.scores, nms.classes, nms.counts, raw]
"""
END_TO_END = """  - decode_boxes: {like: yolov10}
  - filter_detections: {score_threshold: 0.25, max_detections: 300, order: given}
  - scale_boxes: {frame: letterbox, like: ultralytics}
outputs: [scale_boxes, filter_detections.scores, filter_detections.classes, filter_detections.counts, raw]
"""
THRESHOLD = 0.25
MODELS = {"yolov8n": NMS, "yolo11n": NMS, "yolo26n": END_TO_END}


def exported(name: str, side: int, path: Path) -> None:
    """The architecture with random weights, the batch free; scores so that some are found."""
    torch.manual_seed(0)
    model = YOLO(f"{name}.yaml").model.eval()
    heads = [module for module in model.modules() if isinstance(module, Detect)]
    for head in heads:
        head.export, head.format = True, "onnx"
        if MODELS[name] is END_TO_END:
            head.end2end = True
    x = torch.rand(1, 3, side, side)
    last = [lively(head, part, x, model) for head in heads for part in ("cv2", "cv3")][1]
    made = model(x)
    best = made[0, :, 4] if made.shape[2] == 6 else made[0, 4:].amax(0)
    for layer in last:  # one candidate of twenty is above the threshold
        layer.bias.data += torch.logit(torch.tensor(THRESHOLD)) - torch.logit(best.quantile(0.95))
    torch.onnx.export(
        model, x, path, opset_version=17, dynamo=False, input_names=["images"], output_names=["output0"],
        dynamic_axes={"images": {0: "N"}, "output0": {0: "N"}},
    )  # fmt: skip


def lively(head: Any, part: str, x: Any, model: Any) -> list[Any]:
    """The last layers of a part of the head, whose outputs now vary by about 1.5 from place to place."""
    layers = [branch[-1] for prefix in ("", "one2one_") for branch in getattr(head, prefix + part, None) or ()]

    def before(layer: Any, given: Any) -> None:
        spread = given[0].std((0, 2, 3)).mean() * layer.in_channels**0.5
        torch.nn.init.normal_(layer.weight, std=float(1.5 / spread))

    hooks = [layer.register_forward_pre_hook(before) for layer in layers]
    model(x)
    for hook in hooks:
        hook.remove()
    return layers


def of_ultralytics(raw: Array, side: int, size: tuple[int, int]) -> list[Array]:
    """Detections [n, 6] of each image, in the photo."""
    found = non_max_suppression(torch.from_numpy(raw), THRESHOLD, 0.6, end2end=raw.shape[2] == 6, max_time_img=1e9)
    return [torch.cat((scale_boxes((side, side), rows[:, :4].clone(), size), rows[:, 4:]), 1).numpy() for rows in found]


def compare(name: str, side: int, count: int, folder: Path) -> tuple[int, int, int, int]:
    """Batches, detections, values and differing values."""
    body, made = folder / f"{name}.onnx", folder / f"{name}.prep.onnx"
    exported(name, side, body)
    onnxprep.export(body, onnxprep.Spec.load(BEFORE.format(side=side) + MODELS[name]), made)
    pipeline = onnxprep.Pipeline(made)
    rng, batches, detections, values, differing = np.random.default_rng(1), 0, 0, 0, 0
    every = list(photos())
    for i in range(count):
        (part,) = rectangles(every[i % len(every)], 1, rng)
        images = np.stack([part, part[::-1], part[:, ::-1], 255 - part] if i % 2 else [part])
        boxes, scores, classes, counts, raw = pipeline(image=images).values()
        batches += 1
        for k, rows in enumerate(of_ultralytics(raw, side, part.shape[:2])):
            n = int(counts[k])
            got = np.concatenate([boxes[k, :n], scores[k, :n, None], classes[k, :n, None].astype(np.float32)], 1)
            detections, values = detections + n, values + rows.size
            same = got.shape == rows.shape
            differing += int((got != rows).sum()) if same else rows.size + 1
            differing += int(boxes[k, n:].any() or scores[k, n:].any() or (classes[k, n:] != -1).any())
    return batches, detections, values, differing


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=[*MODELS])
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--side", type=int, default=320)
    given: Any = parser.parse_args()
    if not torchvision.extension._has_ops():
        print("torchvision has no compiled operators here: Ultralytics would suppress by other rules")
        return 1
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in given.models or MODELS:
            batches, detections, values, differing = compare(name, given.side, given.photos, Path(folder))
            failed += bool(differing) or not detections
            print(
                f"{name:<10} {batches:>4} batches {detections:>7} detections {values:>9,} values {differing:>6} differing"
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
