"""One file, a photo in, answers out: what the graph gives is what the libraries' own code makes of the same network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import reference_yolo
import small_detectors

import onnxprep
from onnxprep.runtime.session import Session
from onnxprep.tensor import Array

NAMES = [f"thing {k}" for k in range(80)]
YOLO = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: BGR, shape: [N, H, W, 3]}]
preprocess:
  - letterbox: {size: 64, like: ultralytics, resize_like: opencv-5}
  - convert_color: {to: RGB}
  - rescale: {like: numpy}
  - to_layout: {layout: NCHW}
postprocess:
  - decode_boxes: {like: yolov8}
  - nms: {like: ultralytics, score_threshold: 0.25, iou_threshold: 0.45, max_detections: 50}
  - scale_boxes: {frame: letterbox, like: ultralytics}
  - {operation: labels, inputs: [nms.classes], parameters: {file: names.txt, default: ""}}
  - {operation: pack_detections, inputs: [scale_boxes, nms.scores, nms.classes, nms.counts], parameters: {layout: fixed}}
outputs: [scale_boxes, nms.scores, nms.classes, nms.counts, labels, pack_detections.detections, output0]
"""
SIZES = [
    (64, 64), (1, 1), (2, 130), (37, 53), (480, 640), (640, 480), (65, 63), (63, 65), (128, 64), (64, 127),
    (99, 100), (333, 21), (21, 333), (500, 375), (375, 500), (13, 13), (400, 400), (257, 129), (129, 257), (72, 480),
    (480, 71), (31, 62), (62, 31), (300, 301), (301, 300), (1080, 1920), (720, 405), (96, 96), (97, 193), (200, 31),
    (7, 300), (640, 641),
]  # fmt: skip


def photo(height: int, width: int, n: int = 1) -> Array:
    """Smooth shapes and noise: every picture of a batch another one."""
    rng = np.random.default_rng([height, width])
    rows, columns = np.mgrid[:height, :width][..., None]
    a, b, c = rng.uniform(1, 20, (3, n, 1, 1, 3))
    smooth = 127 + 127 * np.sin(rows * a / height + columns * b / width + c)
    return np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("yolo")
    onnx.save(small_detectors.yolov8(), folder / "model.onnx")
    (folder / "names.txt").write_text("\n".join(NAMES), "utf-8")
    (folder / "spec.yaml").write_text(YOLO)
    onnxprep.export(folder / "model.onnx", folder / "spec.yaml", folder / "out.onnx")
    return Session(folder / "out.onnx")


def rows(found: dict[str, Array], i: int) -> Array:
    """The detections of one picture, as Ultralytics lists them."""
    n = int(found["nms.counts"][i])
    boxes, scores, classes = (found[name][i][:n] for name in ("scale_boxes", "nms.scores", "nms.classes"))
    return np.concatenate([boxes, scores[:, None], classes[:, None].astype(np.float32)], 1)


@pytest.mark.parametrize("n", [1, 4])
def test_yolo_finds_what_ultralytics_finds(yolo: Session, n: int) -> None:
    """Boxes, scores, classes and counts of 32 sizes: every bit, given what the network gave."""
    seen = 0
    for height, width in SIZES:
        found = yolo.run({"image": photo(height, width, n)})
        wanted = reference_yolo.postprocess(
            found["output0"], (64, 64), [(height, width)] * n, conf_thres=0.25, iou_thres=0.45, max_det=50
        )
        assert found["nms.counts"].tolist() == [len(one) for one in wanted]
        for i, one in enumerate(wanted):
            got = rows(found, i)
            assert (got.dtype, got.shape) == (one.dtype, one.shape)
            assert got.tobytes() == one.tobytes(), (height, width, i)
            assert found["labels"][i].tolist() == [NAMES[int(k)] for k in one[:, 5]] + [""] * (50 - len(one))
            packed = found["pack_detections.detections"][i]
            assert packed[: len(one)].tobytes() == one.tobytes()
            assert not packed[len(one) :].any()
        seen += sum(map(len, wanted))
    assert seen > 200 * n, "the network finds something"


def test_nothing_found_is_empty_and_well_formed(tmp_path: Path) -> None:
    onnx.save(small_detectors.yolov8(), tmp_path / "model.onnx")
    (tmp_path / "names.txt").write_text("\n".join(NAMES), "utf-8")
    (tmp_path / "spec.yaml").write_text(YOLO.replace("score_threshold: 0.25", "score_threshold: 1.0"))
    onnxprep.export(tmp_path / "model.onnx", tmp_path / "spec.yaml", tmp_path / "out.onnx")
    session = Session(tmp_path / "out.onnx")
    for n in (1, 3):
        found = session.run({"image": photo(20, 30, n)})
        assert found["nms.counts"].tolist() == [0] * n
        assert found["nms.counts"].dtype == np.int64
        assert (found["scale_boxes"].shape, found["scale_boxes"].dtype) == ((n, 50, 4), np.float32)
        assert (found["nms.classes"] == -1).all()
        assert not found["nms.scores"].any()
        assert set(found["labels"].ravel().tolist()) <= {""}


def test_ultralytics_itself_finds_the_same(yolo: Session) -> None:
    """Its own non_max_suppression, which takes torchvision's nms, and scale_boxes, where they are installed."""
    torch = pytest.importorskip("torch")
    if not pytest.importorskip("torchvision").extension._has_ops():
        pytest.skip("torchvision without its compiled operators")
    nms = pytest.importorskip("ultralytics.utils.nms")
    ops = pytest.importorskip("ultralytics.utils.ops")
    for height, width in SIZES:
        found = yolo.run({"image": photo(height, width, 2)})
        told = nms.non_max_suppression(torch.from_numpy(found["output0"]), 0.25, 0.45, max_det=50)
        for i, one in enumerate(told):
            one[:, :4] = ops.scale_boxes((64, 64), one[:, :4], (height, width))
            assert rows(found, i).tobytes() == one.numpy().tobytes(), (height, width, i)


DETR = """onnxprep: 1
inputs: [{name: photo, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: {shorter_edge: 64, max_size: 107, rule: detr}, interpolation: bilinear, like: pillow-13}
  - rescale: {like: transformers-pil}
  - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], like: transformers-pil}
  - to_layout: {layout: NCHW}
postprocess:
  - {operation: decode_boxes, inputs: [logits, pred_boxes], parameters: {like: transformers-detr}}
  - filter_detections: {score_threshold: 0.5, compare: ">", max_detections: 100, order: given}
  - {operation: scale_boxes, inputs: [filter_detections.boxes], parameters: {frame: resize, coordinates: normalized, clip: false}}
outputs: [scale_boxes, filter_detections.scores, filter_detections.classes, filter_detections.counts, logits, pred_boxes]
"""


@pytest.fixture(scope="module")
def detr(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("detr")
    onnx.save(small_detectors.detr(), folder / "model.onnx")
    onnxprep.export(folder / "model.onnx", DETR, folder / "out.onnx")
    return Session(folder / "out.onnx")


def detr_in_numpy(
    logits: Array, boxes: Array, height: int, width: int, threshold: float = 0.5
) -> Iterator[dict[str, Any]]:
    """transformers 5.23, DetrImageProcessor.post_process_object_detection, with softmax in float64."""
    for scores_of, box in zip(logits.astype(np.float64), boxes, strict=True):
        powers = np.exp(scores_of - scores_of.max(-1, keepdims=True))
        probabilities = (powers / powers.sum(-1, keepdims=True))[:, :-1]
        score, label = probabilities.max(-1), probabilities.argmax(-1)
        half = np.float32(0.5) * box[:, 2:]
        corners = np.concatenate([box[:, :2] - half, box[:, :2] + half], 1) * np.array([width, height] * 2, np.float32)
        kept = score > threshold
        yield {"boxes": corners[kept], "scores": score[kept], "classes": label[kept]}


@pytest.mark.parametrize("n", [1, 4])
def test_detr_finds_what_transformers_finds(detr: Session, n: int) -> None:
    seen = 0
    for height, width in SIZES[3:20]:
        found = detr.run({"photo": photo(height, width, n)})
        for i, one in enumerate(detr_in_numpy(found["logits"], found["pred_boxes"], height, width)):
            count = int(found["filter_detections.counts"][i])
            assert count == len(one["boxes"])
            assert found["scale_boxes"][i][:count].tobytes() == one["boxes"].tobytes()
            assert found["filter_detections.classes"][i][:count].tolist() == one["classes"].tolist()
            assert np.abs(found["filter_detections.scores"][i][:count] - one["scores"]).max(initial=0) < 1e-6
            seen += count
    assert seen > 100 * n


def test_transformers_itself_finds_the_same(detr: Session) -> None:
    torch = pytest.importorskip("torch")
    processing = pytest.importorskip("transformers.models.detr.image_processing_detr")
    outputs = pytest.importorskip("transformers.models.detr.modeling_detr").DetrObjectDetectionOutput
    for height, width in SIZES[3:20]:
        found = detr.run({"photo": photo(height, width, 2)})
        given = outputs(logits=torch.from_numpy(found["logits"]), pred_boxes=torch.from_numpy(found["pred_boxes"]))
        told = processing.DetrImageProcessor().post_process_object_detection(given, 0.5, [(height, width)] * 2)
        for i, one in enumerate(told):
            count = int(found["filter_detections.counts"][i])
            assert found["scale_boxes"][i][:count].tobytes() == one["boxes"].numpy().tobytes()
            assert found["filter_detections.classes"][i][:count].tolist() == one["labels"].tolist()
            assert np.abs(found["filter_detections.scores"][i][:count] - one["scores"].numpy()).max(initial=0) < 1e-6


SEGMENTER = """onnxprep: 1
inputs: [{name: photo, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: [64, 96], interpolation: bilinear, like: pillow-13}
  - rescale: {like: transformers-pil}
  - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], like: transformers-pil}
  - to_layout: {layout: NCHW}
postprocess:
  - segmentation_mask: {like: torch, interpolation: bilinear, frame: resize}
  - palette: {colors: [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]}
outputs: [segmentation_mask, palette, logits]
"""


def segmenter() -> onnx.ModelProto:
    """A SegFormer-like network: image [N, 3, H, W] -> logits [N, 5, H / 4, W / 4]."""
    net = small_detectors.Net(3)
    x, before = "image", 3
    for after in (8, 12):
        x, before = net.block(x, (before, after)), after
    weights = net.random(5, before, 1, 1, scale=3.0)
    net.Conv(x, weights, outputs=["logits"])
    return net.model(64, 96, {"logits": ["N", 5, 16, 24]})


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = tmp_path_factory.mktemp("segmenter")
    onnx.save(segmenter(), folder / "model.onnx")
    onnxprep.export(folder / "model.onnx", SEGMENTER, folder / "out.onnx")
    return Session(folder / "out.onnx")


def bilinear(maps: Array, height: int, width: int) -> Array:
    """Half-pixel centres, edges repeated; float64."""
    for axis, new in ((2, height), (3, width)):
        old = maps.shape[axis]
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, None)
        low = np.minimum(at.astype(int), old - 1)
        share = (at - low).reshape([-1 if k == axis else 1 for k in range(4)])
        maps = maps.take(low, axis) * (1 - share) + maps.take(np.minimum(low + 1, old - 1), axis) * share
    return maps


@pytest.mark.parametrize("n", [1, 4])
def test_a_mask_has_the_size_of_the_photo(segmented: Session, n: int) -> None:
    """The class is that of NumPy's arithmetic in float64 wherever the best two are more than rounding apart."""
    classes = set()
    for height, width in SIZES[3:20]:
        found = segmented.run({"photo": photo(height, width, n)})
        mask = found["segmentation_mask"]
        maps = bilinear(found["logits"].astype(np.float64), height, width)
        second, first = np.sort(maps, 1)[:, -2:].transpose(1, 0, 2, 3)
        certain = first - second > 1e-5
        assert (mask.shape, mask.dtype) == ((n, height, width), np.uint8)
        assert certain.mean() > 0.99
        assert (mask == maps.argmax(1))[certain].all(), (height, width)
        assert (
            found["palette"] == np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]])[mask]
        ).all()
        classes |= set(np.unique(mask).tolist())
    assert len(classes) >= 3


def test_transformers_itself_gives_the_same_mask(segmented: Session) -> None:
    torch = pytest.importorskip("torch")
    processing = pytest.importorskip("transformers.models.segformer.image_processing_segformer")
    outputs = pytest.importorskip("transformers.modeling_outputs").SemanticSegmenterOutput
    for height, width in SIZES[3:20]:
        found = segmented.run({"photo": photo(height, width, 2)})
        given = outputs(logits=torch.from_numpy(found["logits"]))
        told = processing.SegformerImageProcessor().post_process_semantic_segmentation(given, [(height, width)] * 2)
        for got, wanted in zip(found["segmentation_mask"], told, strict=True):
            assert (got == wanted.numpy()).all(), (height, width)
