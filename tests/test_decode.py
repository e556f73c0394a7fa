"""Heads of detectors: what is refused, what libraries make of the same outputs, ties, NaN and nothing at all."""

from __future__ import annotations

import json
from typing import Any

import conformance
import numpy as np
import pytest
import reference_yolo
import small_detectors
from closeness import ulp_distance
from conformance import Subject
from steps import build, run, session
from test_reference_yolo import ANSWERS, digest, head, one_set

from onnxprep.errors import ContractError
from onnxprep.step import Step, catalogue
from onnxprep.steps.detect.decode_boxes._anchors import default_boxes, grid_anchors
from onnxprep.tensor import Array, Dim, TensorSpec


def step(operation: str, like: str = "", **parameters: Any) -> Step:
    return catalogue()[operation][like].model_validate_json(json.dumps({"like": like, **parameters}))


def decoded(like: str, *arrays: Array, **parameters: Any) -> list[Array]:
    """What the graph makes of a head's outputs; no length is known to it."""
    one = step("decode_boxes", like, **parameters)
    symbols = iter("abcdefgh")
    known = 4 if like.startswith("transformers") else -1
    specs = [TensorSpec("float32", tuple(next(symbols) if n != known else n for n in a.shape)) for a in arrays]
    return run(build([one], specs), *arrays)


def exactly(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and not ulp_distance(a, b).any()


# what is refused --------------------------------------------------------------------------------------------------

MAPS = {"image_size": [64, 64], "feature_maps": [[2, 2]]}
SSD = {**MAPS, "aspect_ratios": [[2.0]]}
RETINA = {**MAPS, "sizes": [[32.0]], "aspect_ratios": [[1.0]]}
REFUSED: tuple[tuple[str, dict[str, Any], list[tuple[Dim, ...]], str, str], ...] = (
    ("yolov8", {}, [(1, 8400, 84)], "has 8400 rows for 84 candidates", "is it transposed? export it as Ultralytics does"),
    ("yolov8", {"classes": 80}, [(1, 8400, 84)], "has 8400 rows for 84 candidates", "is it transposed?"),
    ("yolov8", {"classes": 80}, [(1, 8400, 116)], "has 8400 rows for 116 candidates", "is it transposed?"),
    ("yolov8", {"classes": 80}, [(1, 83, 8400)], "has 83 rows, which is too few", "`classes: 79` would fit"),
    ("yolov8", {}, [(1, 4, 8400)], "has 4 rows, which is too few", ""),
    ("yolov8", {}, [(84, 8400)], "has 2 axes instead of 3", "is the batch missing?"),
    ("yolov8", {}, [(1, 84, 80, 80)], "has 4 axes instead of 3", ""),
    ("yolov5", {}, [(1, 84, 8400)], "has 8400 numbers for each of 84 candidates", "`like: yolov8`"),
    ("yolov5", {"classes": 80}, [(1, 85, 25200)], "has 25200 numbers for each of 85", "`like: yolov8`"),
    ("yolov5", {}, [(1, 25200, 5)], "has 5 numbers per candidate", ""),
    ("yolov5", {"classes": 80}, [(1, 25200, 84)], "has 84 numbers per candidate", "`classes: 79` would fit"),
    ("yolov10", {}, [(1, 84, 8400)], "has 8400 numbers per detection", "`like: yolov8`"),
    ("yolov10", {}, [(1, 300, 38)], "has 38 numbers per detection", "`extra: true`"),
    ("yolov10", {"extra": True}, [(1, 300, 5)], "has 5 numbers per detection", ""),
    ("transformers-detr", {}, [(1, 100, 4), (1, 100, 92)], "has 92 numbers per box", "`inputs: [logits, pred_boxes]`"),
    ("transformers-detr", {}, [(1, 100, 92), (1, 300, 4)], "has other queries than the logits", ""),
    ("transformers-detr", {}, [(1, 100, 1), (1, 100, 4)], "has no class besides `no object`", ""),
    ("transformers-rt-detr", {}, [(2, 300, 80), (1, 300, 4)], "has other queries than the logits", ""),
    ("torchvision-ssd", SSD, [(1, 15, 4), (1, 15, 91)], "has 15 boxes where there are 16 anchors", "`feature_maps`"),
    ("torchvision-ssd", SSD, [(1, 16, 4), (1, 16, 1)], "has no class besides the background", ""),
    ("torchvision-ssd", SSD, [(1, 16, 91), (1, 16, 4)], "has 91 numbers per box", "`inputs: [bbox_regression, cls_logits]`"),
    ("torchvision-retinanet", RETINA, [(1, 4, 4), (1, 5, 91)], "has other anchors than the boxes", ""),
)  # fmt: skip


@pytest.mark.parametrize(("like", "parameters", "shapes", "problem", "hint"), REFUSED)
def test_a_head_that_does_not_fit_is_refused(
    like: str, parameters: dict[str, Any], shapes: list[tuple[Dim, ...]], problem: str, hint: str
):
    with pytest.raises(ContractError) as refused:
        step("decode_boxes", like, **parameters).infer(*(TensorSpec("float32", shape) for shape in shapes))
    assert problem in str(refused.value)
    assert hint in refused.value.hint
    assert refused.value.expected.startswith("float32[") or "or more" in refused.value.expected


@pytest.mark.parametrize(
    ("like", "parameters", "shape"),
    [
        ("yolov8", {"classes": 80}, (1, 84, 21)),  # a picture of 32 x 32 px
        ("yolov8", {"classes": 80}, (1, 116, 84)),
        ("yolov5", {"classes": 80}, (1, 63, 85)),
        ("yolov8", {}, ("N", "rows", "K")),
        ("yolov10", {}, (1, 3, 6)),
    ],
)
def test_small_heads_are_not_refused(like: str, parameters: dict[str, Any], shape: tuple[Dim, ...]):
    boxes, *_ = step("decode_boxes", like, **parameters).infer(TensorSpec("float32", shape))
    assert boxes.shape is not None
    assert boxes.shape[2] == 4


@pytest.mark.parametrize(("like", "shape"), [("yolov8", (2, 44, 30)), ("yolov5", (2, 30, 45))])
@pytest.mark.parametrize("declared", [("n", "a", "b"), None])
def test_fewer_rows_than_classes_fail_where_only_the_run_can_tell(
    like: str, shape: tuple[int, ...], declared: tuple[Dim, ...] | None
):
    """A model of 40 classes where 80 are said: no answer, instead of one of 40."""
    x = np.zeros(shape, np.float32)
    for classes, fits in ((40, True), (80, False)):
        model = build([step("decode_boxes", like, classes=classes)], [TensorSpec("float32", declared)])
        if fits:
            assert run(model, x)[1].shape == (2, 40, 30)
            continue
        with pytest.raises(Exception, match="Reshape"):
            run(model, x)


def test_a_nan_in_a_heatmap_is_the_point_and_the_score():
    heatmaps = np.random.default_rng(0).random((1, 3, 9, 20)).astype(np.float32)
    heatmaps[0, 0, 4, 7] = heatmaps[0, 0, 8, 7] = heatmaps[0, 2, 0, 0] = np.nan
    for shape in (heatmaps.shape, ("n", "p", "h", "w")):
        points, scores = run(build([step("keypoints_from_heatmap")], [TensorSpec("float32", shape)]), heatmaps)
        assert points[0, 0].tolist() == [7, 4]
        assert points[0, 2].tolist() == [0, 0]
        assert np.isnan(scores).tolist() == [[True, False, True]]


def test_float16_is_told_how_to_go_on():
    with pytest.raises(ContractError) as refused:
        step("decode_boxes", "yolov8").infer(TensorSpec("float16", (1, 84, 8400)))
    assert "`to_dtype: {dtype: float32}`" in refused.value.hint


# YOLO -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_yolov8_gives_what_ultralytics_suppresses(seed: int):
    """Boxes, scores and extra at the places of the detections are the rows of Ultralytics' non_max_suppression."""
    prediction, given = one_set(seed)
    boxes, scores, extra = decoded("yolov8", prediction, classes=given["nc"])
    found, places = reference_yolo.non_max_suppression(prediction, **{**given, "conf_thres": 0.25, "classes": None})
    assert sum(map(len, found))
    for i, (rows, place) in enumerate(zip(found, places, strict=True)):
        assert exactly(boxes[i, place], rows[:, :4])
        assert exactly(scores[i, rows[:, 5].astype(int), place], rows[:, 4])
        assert exactly(extra[i].T[place], rows[:, 6:])


@pytest.mark.parametrize(("side", "classes", "extra"), [(64, 80, 0), (96, 3, 32)])
def test_a_network_of_that_structure_is_decoded(side: int, classes: int, extra: int):
    image = np.random.default_rng(0).random((2, 3, side, side)).astype(np.float32)
    (prediction,) = session(small_detectors.yolov8(side, side, classes=classes, extra=extra)).run(
        None, {"image": image}
    )
    assert prediction.shape == (2, 4 + classes + extra, 21 * (side // 32) ** 2)
    boxes, scores, more = decoded("yolov8", prediction, classes=classes)
    found, places = reference_yolo.non_max_suppression(prediction, nc=classes)
    for i, (rows, place) in enumerate(zip(found, places, strict=True)):
        assert len(rows) > 3
        assert exactly(boxes[i, place], rows[:, :4])
        assert exactly(scores[i, rows[:, 5].astype(int), place], rows[:, 4])
        assert exactly(more[i].T[place], rows[:, 6:])


def test_yolov10_gives_what_ultralytics_filters():
    prediction = np.random.default_rng(3).random((3, 300, 6)).astype(np.float32)
    prediction[..., 5] = np.random.default_rng(4).integers(0, 80, (3, 300))
    boxes, scores, classes, extra = decoded("yolov10", prediction)
    assert extra.shape == (3, 0, 300)
    for i, rows in enumerate(reference_yolo.end_to_end(prediction, 0.4)):
        kept = scores[i] > np.float32(0.4)
        assert exactly(boxes[i, kept], rows[:, :4])
        assert exactly(scores[i, kept], rows[:, 4])
        assert np.array_equal(classes[i, kept], rows[:, 5].astype(np.int64))


def yolov5_head(seed: int) -> tuple[Array, int]:
    """A YOLOv5 head's output [N, K, 5 + C + E], and how many masks it has."""
    rng = np.random.default_rng(seed)
    masks = int(rng.choice([0, 32]))
    newer = head(rng, 2, int(rng.choice([1, 3, 80])), masks, 800, ties=False)
    certain = rng.random((2, 800, 1)).astype(np.float32)
    rows = newer.transpose(0, 2, 1)
    return np.ascontiguousarray(np.concatenate([rows[..., :4], certain, rows[..., 4:]], 2)), masks


@pytest.mark.parametrize("seed", range(8))
def test_yolov5_gives_what_yolov5_suppresses(seed: int):
    prediction, masks = yolov5_head(seed)
    boxes, scores, extra = decoded("yolov5", prediction, classes=prediction.shape[2] - 5 - masks)
    found = []
    for box, score, more in zip(boxes, scores, extra, strict=True):
        best, label = score.max(0), score.argmax(0)
        rows = np.concatenate([box, best[:, None], label[:, None].astype(np.float32), more.T], 1)[
            best > np.float32(0.25)
        ]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        found.append(rows[reference_yolo.nms(rows[:, :4] + rows[:, 5:6] * np.float32(7680), rows[:, 4], 0.45)[:300]])
    assert sum(map(len, found)) > 5
    assert digest(found) == json.loads(ANSWERS.read_text("utf-8"))["yolov5"][seed]


# anchors ----------------------------------------------------------------------------------------------------------

SSD300 = {
    "size": (300, 300), "maps": ((38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)),
    "ratios": ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,)),
    "scales": (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), "steps": (8.0, 16.0, 32.0, 64.0, 100.0, 300.0),
}  # fmt: skip
SSDLITE = {
    "size": (320, 320), "maps": ((20, 20), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)), "ratios": ((2.0, 3.0),) * 6,
    "scales": (*(0.2 + (0.95 - 0.2) * k / 5.0 for k in range(6)), 1.0), "steps": None,
}  # fmt: skip
SIZES = ((800, 1333), (640, 640), (320, 512), (224, 225), (97, 61), (33, 1000))


def of_retinanet(size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Feature maps of ResNet-50-FPN: every stride rounds up."""
    return tuple((-(-size[0] // stride), -(-size[1] // stride)) for stride in (8, 16, 32, 64, 128))


def every_anchor() -> dict[str, list[str]]:
    """Digests of the anchors of torchvision's models, as we make them."""
    like = catalogue()["decode_boxes"]["torchvision-retinanet"].parameters()
    sides, ratios = like["sizes"].default, like["aspect_ratios"].default
    retina = [digest([grid_anchors(size, of_retinanet(size), sides, ratios)]) for size in SIZES]
    ssd = [digest([default_boxes(**one, clip=True)]) for one in (SSD300, SSDLITE)]  # type: ignore[arg-type]
    return {"retinanet": retina, "ssd": ssd}


def anchors_of_torchvision() -> dict[str, list[str]]:
    """The same of the generators of its models."""
    import torch
    from torchvision.models import detection
    from torchvision.models.detection.image_list import ImageList
    from torchvision.models.detection.retinanet import _default_anchorgen

    def made(generator: Any, size: Any, maps: Any) -> str:
        images = ImageList(torch.zeros(1, 3, *size), [size])
        return digest([generator(images, [torch.zeros(1, 1, *one) for one in maps])[0].numpy()])

    nothing = {"weights": None, "weights_backbone": None}
    models = (detection.ssd300_vgg16(**nothing), detection.ssdlite320_mobilenet_v3_large(**nothing))
    each = zip(models, (SSD300, SSDLITE), strict=True)
    return {
        "retinanet": [made(_default_anchorgen(), size, of_retinanet(size)) for size in SIZES],
        "ssd": [made(model.anchor_generator, one["size"], one["maps"]) for model, one in each],
    }


def test_anchors_are_those_that_torchvision_once_made():
    assert every_anchor() == json.loads(ANSWERS.read_text("utf-8"))["anchors"]


def test_anchors_are_those_of_torchvision():
    pytest.importorskip("torchvision")
    assert every_anchor() == anchors_of_torchvision()


# DETR -------------------------------------------------------------------------------------------------------------

BOUNDED = [
    subject
    for like, step_class in catalogue()["decode_boxes"].items()
    if step_class.claims[like].absolute
    for subject in conformance.subjects_of(step_class, like)
]


@pytest.mark.parametrize("subject", BOUNDED, ids=str)
def test_scores_are_closer_than_the_claim_says(subject: Subject):
    """A claim has one bound, in px where there are anchors: scores keep 1e-6, boxes and classes of DETRs are equal."""
    made = subject.step()
    wanted = conformance.answer(made, subject.case.inputs)
    got = conformance.outcome(conformance.session(conformance.model_of(subject, 17, known=True)), subject.case.inputs)
    for port, ours, theirs in zip(made.outputs, got, wanted, strict=True):
        if port == "scores":
            assert np.abs(ours - theirs).max(initial=0) <= 1e-6
        elif subject.like.startswith("transformers"):
            assert np.array_equal(ours, theirs), port


def test_a_detr_is_decoded():
    image = np.random.default_rng(0).random((3, 3, 50, 70)).astype(np.float32)
    logits, centres = session(small_detectors.detr()).run(None, {"image": image})
    boxes, scores, classes = decoded("transformers-detr", logits, centres)
    powers = np.exp(logits.astype(np.float64))
    likely = (powers / powers.sum(-1, keepdims=True))[..., :-1]
    assert np.array_equal(classes, likely.argmax(-1))
    assert np.abs(scores - likely.max(-1)).max() < 1e-6
    assert (scores > 0.5).any()
    assert exactly(boxes[..., :2], centres[..., :2] - centres[..., 2:] / 2)
    assert exactly(boxes[..., 2:], centres[..., :2] + centres[..., 2:] / 2)


@pytest.mark.parametrize(("like", "parameters"), [("rt-detr", {}), ("deformable-detr", {"top_k": 30})])
def test_of_equal_logits_the_lower_index_comes_first(like: str, parameters: dict[str, Any]):
    """torch.topk promises no order of equal scores: NumPy's stable sort does."""
    rng = np.random.default_rng(7)
    for n, q, c in ((2, 30, 7), (1, 9, 1), (3, 1, 50)):
        logits = rng.integers(-2, 3, (n, q, c)).astype(np.float32)
        centres = rng.random((n, q, 4)).astype(np.float32)
        boxes, scores, classes = decoded(f"transformers-{like}", logits, centres, **parameters)
        flat = logits.reshape(n, -1)
        best = np.argsort(-flat, axis=1, kind="stable")[:, : min(parameters.get("top_k", q), q * c)]
        assert np.array_equal(classes, best % c)
        assert np.allclose(scores, 1 / (1 + np.exp(-np.take_along_axis(flat, best, 1))), rtol=0, atol=1e-6)
        chosen = np.take_along_axis(centres, (best // c)[..., None], 1)
        half = chosen[..., 2:] * np.float32(0.5)
        assert exactly(boxes, np.concatenate([chosen[..., :2] - half, chosen[..., :2] + half], 2))


def test_target_sizes_are_a_multiplication():
    """What scale_boxes does with normalized boxes is what the processors do with target sizes."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from types import SimpleNamespace

    rng = np.random.default_rng(2)
    logits, centres = rng.standard_normal((2, 20, 5)).astype(np.float32), rng.random((2, 20, 4)).astype(np.float32)
    outputs = SimpleNamespace(logits=torch.from_numpy(logits), pred_boxes=torch.from_numpy(centres))
    made = transformers.DetrImageProcessor().post_process_object_detection(outputs, 0.0, [(480, 640), (31, 77)])
    boxes, _, classes = decoded("transformers-detr", logits, centres)
    for i, (height, width) in enumerate(((480, 640), (31, 77))):
        assert np.array_equal(boxes[i] * np.float32([width, height, width, height]), made[i]["boxes"].numpy())
        assert np.array_equal(classes[i], made[i]["labels"].numpy())


# NaN, nothing -----------------------------------------------------------------------------------------------------


def test_nan_stays_where_it_is():
    prediction = np.ones((1, 6, 3), np.float32)
    prediction[0, 0, 0] = prediction[0, 5, 2] = np.nan
    boxes, scores, _ = decoded("yolov8", prediction)
    assert np.isnan(boxes[0, 0, [0, 2]]).all()
    assert np.isnan(scores[0, 1, 2])
    assert np.isnan(boxes).sum() == 2
    assert np.isnan(scores).sum() == 1


def test_a_nan_among_the_logits_is_a_nan_score():
    logits = np.zeros((1, 2, 3), np.float32)
    logits[0, 1, 2] = np.nan
    _, scores, _ = decoded("transformers-detr", logits, np.ones((1, 2, 4), np.float32))
    assert np.isnan(scores).tolist() == [[False, True]]


@pytest.mark.parametrize("like", ["transformers-detr", "transformers-rt-detr", "transformers-deformable-detr"])
def test_no_picture_is_no_detection(like: str):
    nothing = np.zeros((0, 20, 5), np.float32), np.zeros((0, 20, 4), np.float32)
    boxes, scores, classes = decoded(like, *nothing, **({"top_k": 9} if "deformable" in like else {}))
    assert boxes.shape[0] == scores.shape[0] == classes.shape[0] == 0
    assert (boxes.dtype, scores.dtype, classes.dtype) == (np.float32, np.float32, np.int64)


# keypoints --------------------------------------------------------------------------------------------------------


def test_keypoints_are_those_that_ultralytics_takes():
    """YOLO-pose: the columns behind box, score and class of each detection, as (points, 3)."""
    rng = np.random.default_rng(11)
    prediction = head(rng, 3, 1, 51, 200, ties=True)
    found, places = reference_yolo.non_max_suppression(prediction, 0.3, 0.5, nc=1)
    indices = np.full((3, 300), -1, np.int64)
    for i, place in enumerate(places):
        indices[i, : len(place)] = place
    one = step("decode_keypoints")
    specs = [TensorSpec("float32", ("N", 51, "K")), TensorSpec("int64", ("N", "D"))]
    (keypoints,) = run(build([one], specs), prediction[:, 5:], indices)
    for i, rows in enumerate(found):
        assert len(rows)
        assert exactly(keypoints[i, : len(rows)], rows[:, 6:].reshape(-1, 17, 3))
        assert not keypoints[i, len(rows) :].any()
