"""Masks, depths and points of a model lie on the photo as the libraries put them there, whatever was done before it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper
from PIL import Image
from steps import build, session

from onnxprep.errors import ContractError, SpecError
from onnxprep.graph.attach import attach
from onnxprep.graph.signature import signature
from onnxprep.runtime.session import Session
from onnxprep.spec.bind import bind
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import plan
from onnxprep.step import catalogue
from onnxprep.tensor import Array, TensorSpec

Box = tuple[int, int, int, int]
"""Of a picture inside what a step makes of it: left, top, width, height."""

HEAD = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [1, H, W, 3]}]
preprocess:
%s
  - rescale: {like: numpy}
  - to_layout: {layout: NCHW}
postprocess:
  - %s
outputs: [%s, maps]
"""


def pooled(height: int, width: int, pool: int, channels: int = 3) -> ModelProto:
    """The channels of the input, a fraction of its size; the first of them where one is asked for."""
    nodes = [helper.make_node("AveragePool", ["x"], ["all"], kernel_shape=[pool, pool], strides=[pool, pool])]
    nodes += [
        helper.make_node("Constant", [], [name], value_ints=value) for name, value in (("from", [0]), ("to", [channels]), ("axis", [1]))
    ]  # fmt: skip
    nodes.append(helper.make_node("Slice", ["all", "from", "to", "axis"], ["maps"]))
    shapes = {"x": [1, 3, height, width], "maps": [1, channels, height // pool, width // pool]}
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(helper.make_graph(nodes, "g", [x], [y]), opset_imports=opset, ir_version=8)


class Photo:
    """One file: a photo of any size in, what a postprocess step makes of the maps out, and the maps."""

    def __init__(self, pre: list[str], post: str, model: ModelProto) -> None:
        operation = post.split(":", maxsplit=1)[0]
        text = HEAD % ("\n".join(f"  - {line}" for line in pre), post, operation)
        given = signature(model)
        joined = attach(model, plan(bind(Spec.load(text), given), given))
        self._session, self._output = Session(joined), operation

    def __call__(self, height: int, width: int) -> tuple[Array, Array]:
        rng = np.random.default_rng([height, width])
        photo = np.asarray(
            Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        made = self._session.run({"image": photo[None]})
        return made[self._output], made["maps"]


def sizes(count: int, seed: int, least: int = 12, most: int = 400) -> list[tuple[int, int]]:
    sides = np.exp(np.random.default_rng(seed).uniform(np.log(least), np.log(most), (count, 2)))
    return [(int(h), int(w)) for h, w in sides]


LETTERBOX = "letterbox: {size: 64, like: ultralytics, resize_like: opencv-5}"
RESIZE = "resize: {size: [48, 64], interpolation: bilinear, like: pillow-13}"
CROP = "center_crop: {size: [32, 40], like: torchvision-v1}"
PAD = "pad: {padding: [3, 5, 13, 11], like: torchvision-v1}"


def letterboxed(h: int, w: int) -> tuple[Box, tuple[int, int]]:
    """Ultralytics' LetterBox."""
    r = min(64 / h, 64 / w)
    inner = round(h * r), round(w * r)
    return (round((64 - inner[1]) / 2 - 0.1), round((64 - inner[0]) / 2 - 0.1), inner[1], inner[0]), (64, 64)


def cropped(h: int, w: int) -> tuple[Box, tuple[int, int]]:
    """Torchvision's center_crop: to an even number, of what is missing the lesser half first."""
    left, top = (
        (side - length) // 2 if length < side else -round((length - side) / 2.0) for length, side in ((w, 40), (h, 32))
    )
    return (left, top, w, h), (32, 40)


PLACES: dict[str, Any] = {
    LETTERBOX: letterboxed,
    RESIZE: lambda *_: ((0, 0, 64, 48), (48, 64)),
    CROP: cropped,
    PAD: lambda h, w: ((3, 5, w, h), (h + 16, w + 16)),
}


def back_by_pillow(mask: Array, pre: list[str], height: int, width: int) -> Array:
    """Image.resize for what was resized, Image.crop for what was cut or padded: it leaves 0 where nothing is."""
    way, size = [], (height, width)
    for step in pre:
        box, after = PLACES[step](*size)
        way.append((step, size, box, after))
        size = after
    image = Image.fromarray(mask)
    for step, _, (left, top, w, h), (after_h, after_w) in reversed(way):
        if step != RESIZE:
            image = image.resize((after_w, after_h), Image.Resampling.NEAREST)
            image = image.crop((left, top, left + w, top + h))
    return np.asarray(image.resize((width, height), Image.Resampling.NEAREST))


CHAINS: dict[str, tuple[list[str], tuple[int, int]]] = {
    "letterbox": ([LETTERBOX], (64, 64)),
    "resize": ([RESIZE], (48, 64)),
    "pad, resize": ([PAD, RESIZE], (48, 64)),
    "resize, crop": ([RESIZE, CROP], (32, 40)),
    "crop": ([CROP], (32, 40)),
    "crop, letterbox": ([CROP, LETTERBOX], (64, 64)),
    "letterbox, crop": ([LETTERBOX, CROP], (32, 40)),
    "letterbox, resize, pad, resize": ([LETTERBOX, RESIZE, PAD, RESIZE], (48, 64)),
}


@pytest.mark.parametrize(
    ("name", "pool"), [*((name, 1 + 3 * (i % 2)) for i, name in enumerate(CHAINS)), ("letterbox", 4)]
)
def test_masks_come_back_as_pillow_brings_them(name: str, pool: int) -> None:
    pre, (height, width) = CHAINS[name]
    ours = Photo(pre, f"segmentation_mask: {{frame: {last(pre)}, like: pillow-13}}", pooled(height, width, pool))
    for h, w in sizes(10, seed=pool):
        mask, maps = ours(h, w)
        wanted = back_by_pillow(maps[0].argmax(axis=0).astype(np.uint8), pre, h, w)
        assert mask.shape == (1, h, w)
        assert np.array_equal(mask[0], wanted), f"{name}, {h} x {w}: {(mask[0] != wanted).sum()} pixels"


def last(pre: list[str]) -> str:
    """The name of the last step; the second of an operation has a number."""
    names = [line.split(":")[0] for line in pre]
    return names[-1] if names.count(names[-1]) == 1 else f"{names[-1]}_{names.count(names[-1])}"


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("pool", [1, 4])
def test_masks_come_back_as_ultralytics_brings_them(interpolation: str, pool: int) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ops = pytest.importorskip("ultralytics.utils.ops", reason="ultralytics is not installed")
    post = f"segmentation_mask: {{frame: letterbox, like: ultralytics, interpolation: {interpolation}}}"
    ours = Photo([LETTERBOX], post, pooled(64, 64, pool, channels=2))
    for h, w in sizes(30, seed=2):
        mask, maps = ours(h, w)
        logits = torch.from_numpy(maps)
        if interpolation == "nearest":
            logits = logits.argmax(dim=1, keepdim=True).float()
        if pool > 1:
            logits = torch.nn.functional.interpolate(logits, (64, 64), mode=interpolation)
        made = ops.scale_masks(logits, (h, w), mode=interpolation)
        wanted = made[:, 0] if interpolation == "nearest" else made.argmax(dim=1)
        assert np.array_equal(mask, wanted.numpy().astype(np.uint8)), f"{h} x {w}"


def test_masks_and_depths_come_back_as_transformers_brings_them() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    post = "segmentation_mask: {frame: resize, like: transformers-torchvision}"
    masks = Photo([RESIZE], post, pooled(48, 64, 4, channels=2))
    depths = Photo(
        [RESIZE], "depth_to_original: {frame: resize, like: transformers-torchvision}", pooled(48, 64, 2, channels=1)
    )
    segformer, dpt = transformers.SegformerImageProcessor(), transformers.DPTImageProcessor()
    for h, w in sizes(30, seed=3):
        mask, maps = masks(h, w)
        given = SimpleNamespace(logits=torch.from_numpy(maps))
        (wanted,) = segformer.post_process_semantic_segmentation(given, target_sizes=[(h, w)])
        assert np.array_equal(mask[0], wanted.numpy().astype(np.uint8)), f"{h} x {w}"
        depth, maps = depths(h, w)
        given = SimpleNamespace(predicted_depth=torch.from_numpy(maps[:, 0]))
        (wanted,) = dpt.post_process_depth_estimation(given, target_sizes=[(h, w)])
        assert depth[0].tobytes() == wanted["predicted_depth"].numpy().tobytes(), f"{h} x {w}"


def test_depths_come_back_as_zoedepth_brings_them() -> None:
    """Its processor pads, then resizes; a frame knows how much was padded."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    processor = transformers.ZoeDepthImageProcessor()
    for h, w in sizes(6, seed=4, least=60):
        y, x = (int(np.sqrt(side / 2) * 3) for side in (h, w))
        pad = f"pad: {{padding: [{x}, {y}], padding_mode: reflect, like: torchvision-v1}}"
        post = "depth_to_original: {frame: resize, like: torch, interpolation: bicubic}"
        depth, maps = Photo([pad, RESIZE], post, pooled(48, 64, 2, channels=1))(h, w)
        given = SimpleNamespace(predicted_depth=torch.from_numpy(maps[:, 0]))
        (wanted,) = processor.post_process_depth_estimation(given, source_sizes=[(h, w)])
        assert depth[0].tobytes() == wanted["predicted_depth"].numpy().tobytes(), f"{h} x {w}"


def frames(like: str, post: Any, undone: str, size: tuple[int, int], *inputs: Array) -> Array:
    """What a step makes of tensors, given where a letterbox has put a picture of that size."""
    step = catalogue()[post.pop("operation")][like].model_validate_json(json.dumps({"like": like, **post}))
    one = catalogue()["letterbox"]["ultralytics"].model_validate_json(undone)
    h, w = size
    side = one.model_dump()["size"]
    gain = min(side / h, side / w)
    inner = round(h * gain), round(w * gain)
    offset = [round((side - length) / 2 - 0.1) for length in inner]
    given = [*inputs, np.array(size), np.array([gain, gain]), np.array(offset)]
    specs = [TensorSpec(array.dtype.name, array.shape) for array in given]
    bound = step.undoing([one])
    assert bound is not None
    made = session(build([bound], specs)).run(None, {f"x{i}": array for i, array in enumerate(given)})
    return np.asarray(made[0])


def test_points_and_instances_come_back_as_ultralytics_brings_them() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ops = pytest.importorskip("ultralytics.utils.ops", reason="ultralytics is not installed")
    rng = np.random.default_rng(5)
    letterbox = json.dumps({"like": "ultralytics", "resize_like": "opencv-5", "size": 96})
    for h, w in sizes(25, seed=6):
        points = rng.uniform(-9, 105, (4, 17, 3)).astype(np.float32)
        got = frames("ultralytics", {"operation": "scale_keypoints", "frame": "letterbox"}, letterbox, (h, w), points)
        wanted = ops.scale_coords((96, 96), torch.from_numpy(points.copy()), (h, w)).numpy()
        assert got.tobytes() == wanted.tobytes(), f"{h} x {w}"
        protos, extra = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 8, 24, 24), (1, 8, 9)))
        corners = np.sort(rng.uniform(0, 1, (1, 6, 2, 2)), axis=2) * [w, h]
        boxes, indices = corners.reshape(1, 6, 4).astype(np.float32), np.array([[3, 0, 8, 8, 5, -1]])
        post = {"operation": "instance_masks", "frame": "letterbox", "resolution": "picture"}
        got = frames("ultralytics", post, letterbox, (h, w), protos, extra, indices, boxes)
        given = (torch.from_numpy(x) for x in (protos[0], extra[0][:, indices[0, :5]].T.copy(), boxes[0, :5]))
        wanted = ops.process_mask_native(*given, (h, w)).numpy()
        assert np.array_equal(got[0, :5], wanted), f"{h} x {w}"
        assert not got[0, 5].any()


@pytest.mark.parametrize(("resolution", "rows"), [("protos", "all"), ("protos", "found"), ("input", "all")])
def test_no_detections_give_empty_masks(resolution: str, rows: str) -> None:
    step = catalogue()["instance_masks"]["ultralytics"].model_validate(
        {"like": "ultralytics", "resolution": resolution, "rows": rows}
    )
    shapes: list[tuple[str, list[Any]]] = [
        ("float32", ["N", 8, 6, 5]), ("float32", ["N", 8, 20]), ("int64", ["N", 4]), ("float32", ["N", 4, 4])
    ]  # fmt: skip
    running = session(build([step], [TensorSpec(dtype, tuple(shape)) for dtype, shape in shapes]))
    for batch in (0, 1, 2):
        given = [np.ones([batch, *shape[1:]], dtype) for dtype, shape in shapes]
        given[2][:] = -1
        (masks,) = running.run(None, {f"x{i}": array for i, array in enumerate(given)})
        side = (6, 5) if resolution == "protos" else (24, 20)
        assert (masks.shape, masks.dtype) == ((batch, 4 if rows == "all" else 1, *side), np.uint8)
        assert not masks.any()


@pytest.mark.parametrize(("pre", "post", "problem"), [
    ([RESIZE], "segmentation_mask: {frame: resiz, like: pillow-13}", "is no step before the model"),
    ([RESIZE, "flip: {direction: horizontal}"], "segmentation_mask: {frame: flip, like: pillow-13}", "cannot be undone"),
    ([], "segmentation_mask: {frame: to_layout, like: pillow-13}", "has no resize, letterbox, crop or pad before it"),
    ([RESIZE], "segmentation_mask: {frame: resize, like: ultralytics, interpolation: nearest}", "is no frame like ultralytics"),
    ([LETTERBOX], "segmentation_mask: {frame: letterbox, like: transformers-torchvision}", "is no frame like transformers"),
    ([RESIZE], "segmentation_mask: {frame: resize, size: 9, like: pillow-13}", "is given beside `frame`"),
    ([RESIZE], "segmentation_mask: {threshold: 0.5, like: pillow-13}", "cannot be compared with one threshold"),
    ([RESIZE], "depth_to_original: {frame: resize, like: torch, interpolation: bicubic}", "is not a depth"),
    ([RESIZE, CROP], "depth_to_original: {frame: center_crop, like: torch, interpolation: bicubic}", "is no frame of a depth"),
    ([RESIZE], "depth_to_original: {like: torch, interpolation: bicubic}", "is missing, and so is `frame`"),
    ([RESIZE], "image_output: {range: 0..1, rounding: half_up, frame: resize}", "is no frame of pads"),
    ([LETTERBOX], "scale_keypoints: {frame: letterbox}", "which releases of its library undo differently"),
    ([RESIZE], "scale_keypoints: {frame: resize}", "is not points"),
    ([RESIZE], "palette: {colors: voc}", "is not a mask"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(pre: list[str], post: str, problem: str) -> None:
    with pytest.raises((ContractError, SpecError), match=problem) as caught:
        Photo(pre, post, pooled(48, 64, 1))
    assert caught.value.at.startswith("postprocess[0]")


def test_super_resolution_is_that_of_pytorchs_tutorial() -> None:
    """Brightness through a model, the colours by Pillow: the tutorial's own lines around the model's output."""
    text = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [1, H, W, 3]}]
preprocess: [{rgb_to_ycbcr: {like: pillow-13}}, {select_channel: {index: 0}}, rescale: {like: numpy}, to_layout: {layout: NCHW}]
postprocess:
  - image_output: {range: 0..1, rounding: truncate}
  - {operation: merge_luminance, inputs: [image_output, image], parameters: {like: pillow-13}}
outputs: [merge_luminance, maps]
"""
    scales = helper.make_node("Constant", [], ["scales"], value_floats=[1.0, 1.0, 3.0, 3.0])
    nodes = [scales, helper.make_node("Resize", ["x", "", "scales"], ["maps"], mode="linear")]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, f"{name}h", f"{name}w"]) for name in ("x", "maps")
    )
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    given = signature(model)
    running = Session(attach(model, plan(bind(Spec.load(text), given), given)))
    for h, w in sizes(8, seed=8, most=90):
        photo = np.random.default_rng([h, w]).integers(0, 256, (h, w, 3), dtype=np.uint8)
        made = running.run({"image": photo[None]})
        _, cb, cr = Image.fromarray(photo).convert("YCbCr").split()
        out_y = Image.fromarray(np.uint8((made["maps"][0, 0] * np.float32(255)).clip(0, 255)), mode="L")
        bands = [out_y, cb.resize(out_y.size, Image.BICUBIC), cr.resize(out_y.size, Image.BICUBIC)]
        wanted = np.asarray(Image.merge("YCbCr", bands).convert("RGB"))
        assert np.array_equal(made["merge_luminance"][0], wanted), f"{h} x {w}"
