"""Frames: what was found in a step's output lies, in the picture, where the library of that step says."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper
from packaging.specifiers import SpecifierSet

from onnxprep.cli import main
from onnxprep.emit import Emitter, type_proto
from onnxprep.errors import ContractError
from onnxprep.runtime.session import Session
from onnxprep.spec.bind import bind
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import Signature, plan
from onnxprep.step import FRAME, Frame, Step, Value, catalogue
from onnxprep.tensor import Array, TensorSpec

Undo = Callable[[Array, int, int], Array]
"""(boxes, height, width of the picture) -> boxes in the picture, as the library does it."""


def step(operation: str, like: str, **parameters: Any) -> Step:
    return catalogue()[operation][like].model_validate_json(json.dumps({"like": like, **parameters}))


def back(one: Step, like: str = "") -> Session:
    """size, boxes -> the frame, the new size, and the boxes in the picture."""
    op = Emitter("step", 17)
    size, boxes = Value("size", TensorSpec("int64", (2,))), Value("boxes", TensorSpec("float32", ("n", 4)))
    gain, offset, new = one.frame_of(op, size)
    frame = Frame(size, gain, offset)
    moved = one.undo(op, boxes, one.way_back(op, frame, like) if like else frame, (1, 0, 1, 0))
    outputs = {"gain": gain, "offset": offset, "new": new, "moved": moved}
    nodes = [*op.nodes, *(helper.make_node("Identity", [value.name], [name]) for name, value in outputs.items())]
    graph = helper.make_graph(
        nodes, "frame",
        [helper.make_value_info(v.name, type_proto(v.spec)) for v in (size, boxes)],
        [helper.make_value_info(name, type_proto(value.spec)) for name, value in outputs.items()],
    )  # fmt: skip
    return Session(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def ultralytics(new: tuple[int, int], release: str = "8.4.190", *, scaleup: bool = True) -> Undo:
    """scale_boxes of three releases of Ultralytics (utils/ops.py), without clip_boxes."""

    def undo(boxes: Array, height: int, width: int) -> Array:
        gain = min(new[0] / height, new[1] / width)
        gain = gain if scaleup else min(gain, 1.0)
        exact = height * gain, width * gain
        sides: tuple[float, float] = (round(exact[0]), round(exact[1]))
        gains = gain, gain
        if release == "8.3.253":
            sides = exact
        elif release == "8.4.190":
            sides = max(sides[0], 1), max(sides[1], 1)
            # it has no rule for pictures that stay small
            gains = (sides[0] / height, sides[1] / width) if scaleup else gains
        pad = round((new[1] - sides[1]) / 2 - 0.1), round((new[0] - sides[0]) / 2 - 0.1)
        made = boxes.copy()
        for k in range(4):
            made[..., k] -= np.float32(pad[k % 2])
            made[..., k] /= np.float32(gains[1 - k % 2])
        return made

    return undo


def torchvision(new: Callable[[int, int], tuple[int, int]]) -> Undo:
    """resize_boxes of torchvision 0.28 (models/detection/transform.py)."""

    def undo(boxes: Array, height: int, width: int) -> Array:
        resized = new(height, width)
        ratio_h, ratio_w = (np.float32(old) / np.float32(n) for old, n in zip((height, width), resized, strict=True))
        return np.stack([boxes[:, k] * (ratio_h if k % 2 else ratio_w) for k in range(4)], axis=1)

    return undo


def shorter(height: int, width: int) -> tuple[int, int]:
    """torchvision's _compute_resized_output_size."""
    short, long = sorted((height, width))
    edge = int(256 * long / short)
    return (edge, 256) if height > width else (256, edge)


def moved(offset: Callable[[int, int], tuple[int, int]]) -> Undo:
    def undo(boxes: Array, height: int, width: int) -> Array:
        top, left = offset(height, width)
        return boxes - np.array([left, top, left, top], np.float32)

    return undo


def middle(height: int, width: int) -> tuple[int, int]:
    """torchvision's center_crop to 224: what is cut is rounded half to even, what is missing is put there first."""
    before = [max(224 - side, 0) // 2 for side in (height, width)]
    start = [round((max(side, 224) - 224) / 2.0) for side in (height, width)]
    return before[0] - start[0], before[1] - start[1]


def letterbox(size: int | list[int] = 640, **parameters: Any) -> Step:
    return step("letterbox", "ultralytics", resize_like="opencv-5", size=size, **parameters)


CASES: dict[str, tuple[Step, Undo, str]] = {
    "letterbox": (letterbox(), ultralytics((640, 640)), "ultralytics"),
    "letterbox, 8.4.60": (letterbox(), ultralytics((640, 640), "8.4.60"), "ultralytics-8.4.25"),
    "letterbox, 8.3.253": (letterbox(), ultralytics((640, 640), "8.3.253"), "ultralytics-8.3"),
    "letterbox, wide": (letterbox([384, 640]), ultralytics((384, 640)), "ultralytics"),
    "letterbox, down only": (letterbox(scaleup=False), ultralytics((640, 640), scaleup=False), "ultralytics"),
    "resize": (step("resize", "pillow-13", size=256, interpolation="bilinear"), torchvision(shorter), ""),
    "resize to [h, w]": (
        step("resize", "opencv-5", size=[480, 608], interpolation="bilinear", path="native"), torchvision(lambda *_: (480, 608)), "",
    ),
    "center_crop": (step("center_crop", "torchvision-v1", size=224), moved(middle), ""),
    "crop": (step("crop", "", top=7, left=11, height=30, width=20), moved(lambda *_: (-7, -11)), ""),
    "pad": (step("pad", "torchvision-v1", padding=[3, 5, 7, 9]), moved(lambda *_: (5, 3)), ""),
    "pad to a square": (
        step("pad_to_size", "transformers-pil", size="square", position="center"),
        moved(lambda h, w: ((max(h, w) - h) // 2, (max(h, w) - w) // 2)), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_boxes_come_back_as_the_library_says_over_10000_sizes(name: str) -> None:
    one, undo, like = CASES[name]
    running, rng = back(one, like), np.random.default_rng(7)
    for _ in range(10_000 // 20):
        sizes = np.exp(rng.uniform(0, np.log(5000), (20, 2))).astype(np.int64)
        boxes = rng.uniform(-20, 700, (8, 4)).astype(np.float32)
        for size in sizes:
            got = running.run({"size": size, "boxes": boxes})["moved"]
            wanted = undo(boxes, int(size[0]), int(size[1]))
            assert got.tobytes() == wanted.astype(np.float32).tobytes(), f"{name}: {size.tolist()}"


@pytest.mark.parametrize("name", CASES)
def test_the_frame_is_that_of_the_pixels(name: str) -> None:
    """``new`` is the shape that the step really makes, and gain and offset lead from the old corners to the new ones."""
    one, *_ = CASES[name]
    running = back(one)
    for height, width in ((640, 480), (37, 53), (300, 1201)):
        image = TensorSpec("uint8", (height, width, 3), "HWC", "RGB", (0.0, 255.0))
        frame = running.run({"size": np.array([height, width]), "boxes": np.zeros((0, 4), np.float32)})
        (out, *_) = one.infer(image)
        assert tuple(frame["new"]) == (out.dim("H"), out.dim("W"))
        far = np.array([height, width]) * frame["gain"] + frame["offset"]
        inside = one.operation not in ("crop", "center_crop")
        assert not inside or ((far <= frame["new"] + 0.51).all() and (frame["offset"] >= 0).all())


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("letterbox")])
def test_ultralytics_itself_undoes_it_so(name: str) -> None:
    """The formulas above are those of the release that is installed."""
    ops = pytest.importorskip("ultralytics.utils.ops")
    torch = pytest.importorskip("torch")
    one, undo, like = CASES[name]
    claim = catalogue()["scale_boxes"][like].claims[like]
    if version("ultralytics") not in SpecifierSet(claim.versions) or "down" in name:
        pytest.skip(f"this is not Ultralytics {claim.versions}")
    rng, size = np.random.default_rng(8), one.to_dict()["size"]
    sides = (size, size) if isinstance(size, int) else tuple(size)
    for height, width in np.exp(rng.uniform(2, np.log(5000), (2000, 2))).astype(int).tolist():
        boxes = rng.uniform(-20, 700, (8, 4)).astype(np.float32)
        told = ops.scale_boxes(sides, torch.from_numpy(boxes.copy()), (height, width)).numpy()
        wanted = undo(boxes, height, width).clip(0, np.array([width, height] * 2, np.float32))
        assert told.tobytes() == wanted.tobytes(), (height, width)


def test_torchvision_itself_undoes_a_resize_so() -> None:
    transform = pytest.importorskip("torchvision.models.detection.transform")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(9)
    for height, width in np.exp(rng.uniform(2, np.log(5000), (2000, 2))).astype(int).tolist():
        boxes = rng.uniform(-20, 700, (8, 4)).astype(np.float32)
        told = transform.resize_boxes(torch.from_numpy(boxes), list(shorter(height, width)), [height, width]).numpy()
        assert told.tobytes() == torchvision(shorter)(boxes, height, width).tobytes(), (height, width)


LETTERBOXED = """onnxprep: 1
like: torchvision-v1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [1, H, W, 3]}]
preprocess:
  - letterbox: {size: 64, like: ultralytics, resize_like: opencv-5}
  - %s
  - rescale
  - to_layout: {layout: NCHW}
postprocess:
  - {operation: scale_boxes, inputs: [found], parameters: {frame: %s, like: ultralytics}}
"""
SIGNATURE = Signature({"x": TensorSpec("float32", (1, 3, 64, 64))}, {"found": TensorSpec("float32", ("n", 4))})


def test_only_steps_up_to_the_frame_are_undone() -> None:
    text = LETTERBOXED % ("pad: {padding: 0}", "letterbox")
    planned = plan(bind(Spec.load(text), SIGNATURE), SIGNATURE)
    assert planned.side("post")[0].frames == tuple(f"letterbox.{part}" for part in FRAME)
    text = LETTERBOXED % ("pad: {padding: 0}", "to_layout")
    planned = plan(bind(Spec.load(text), SIGNATURE), SIGNATURE)
    assert planned.side("post")[0].frames[:3] == tuple(f"pad.{part}" for part in FRAME)
    assert len(planned.side("post")[0].frames) == 6


@pytest.mark.parametrize(("other", "frame", "problem"), [
    ("flip: {direction: horizontal}", "to_layout", "cannot be undone"),
    ("pad: {padding: 0}", "letterbux", "is no step before the model"),
])  # fmt: skip
def test_frames_that_lead_nowhere_are_refused(other: str, frame: str, problem: str) -> None:
    with pytest.raises(ContractError, match=problem) as caught:
        plan(bind(Spec.load(LETTERBOXED % (other, frame)), SIGNATURE), SIGNATURE)
    assert caught.value.at == "postprocess[0].parameters.frame"


def test_a_letterbox_is_undone_in_a_named_way_only() -> None:
    text = (LETTERBOXED % ("pad: {padding: 0}", "letterbox")).replace(", like: ultralytics}}", "}}")
    with pytest.raises(ContractError, match="releases of its library undo differently") as caught:
        plan(bind(Spec.load(text), SIGNATURE), SIGNATURE)
    assert caught.value.at == "postprocess[0].parameters.frame"
    assert "ultralytics-8.4.25" in caught.value.expected


def test_every_step_that_moves_pixels_says_so() -> None:
    """What does not say so keeps height and width, and a picture's corner where it is."""
    for operation, families in catalogue().items():
        for like, cls in families.items():
            cases = [case for case in cls.cases() if not case.like or like in case.like]
            first = cases[0].inputs[0].spec if cases and cases[0].inputs else None
            if cls.geometric or cls.caller or first is None or not first.is_image:
                continue
            made = cls.model_validate_json(json.dumps({**cases[0].parameters, "like": like}))
            out = made.infer(*(sample.spec for sample in cases[0].inputs))[0]
            assert (out.dim("H"), out.dim("W")) == (first.dim("H"), first.dim("W")), f"{operation} like {like}"


@pytest.mark.parametrize("before", ["[{letterbox: {size: 32, like: ultralytics, resize_like: opencv-5}}]", "[]"])
def test_a_frame_that_is_none_is_told_without_a_model(before: str, tmp_path: Path) -> None:
    inputs = "[{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]" if len(before) > 2 else "[]"
    text = f"onnxprep: 1\ninputs: {inputs}\npreprocess: {before}\n"
    post = "postprocess: [{operation: scale_boxes, inputs: [b], parameters: {frame: leterbox, like: ultralytics}}]\n"
    (tmp_path / "spec.yaml").write_text(text + post)
    for command in ("check", "plan"):
        told = CliRunner().invoke(main, [command, str(tmp_path / "spec.yaml")])
        assert (told.exit_code, told.stdout) == (4, "")
        assert 'postprocess[0].parameters.frame: "leterbox" is no step before the model' in told.stderr
