"""What a user can get wrong, one case each: exit code and message, as reviewed in bad_input.md; nothing is written.

``python tests/test_bad_input.py`` writes bad_input.md anew, for review.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from demo import FOLDER
from onnx import TensorProto, helper, numpy_helper

import onnxprep
from onnxprep.cli import main

REVIEWED = Path(__file__).parent / "bad_input.md"
EXPORT = "export model.onnx --spec spec.yaml -o out.onnx"
HEAD = """onnxprep: 1
like: torchvision-v1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
"""
CHECK = "check spec.yaml"
NORMALIZE = "normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"
STEPS = [
    "resize: {size: 48, interpolation: bilinear, like: pillow-13}",
    "center_crop: {size: 40}",
    "rescale",
    NORMALIZE,
    "to_layout: {layout: NCHW}",
]

BOXED = ["letterbox: {size: 64, like: ultralytics, resize_like: opencv-5}", "rescale", "to_layout: {layout: NCHW}"]
YOLO = ("decode_boxes: {like: yolov8}", "nms: {like: ultralytics, score_threshold: 0.25, iou_threshold: 0.5}")
SWAPPED = (
    "{operation: nms, inputs: [decode_boxes.scores, decode_boxes.boxes], "
    "parameters: {like: ultralytics, score_threshold: 0.25, iou_threshold: 0.5}}"
)
NAMED = (
    "{operation: labels, inputs: [nms.classes], parameters: {names: [" + ", ".join(f"a{k}" for k in range(80)) + "]}}"
)
DETR = "{operation: decode_boxes, inputs: [%s], parameters: {like: transformers-detr}}"


def spec(*steps: str, post: tuple[str, ...] = (), head: str = HEAD, tail: str = "") -> str:
    lines = ["preprocess:", *(f"  - {step}" for step in steps)] if steps else []
    lines += ["postprocess:", *(f"  - {step}" for step in post)] if post else []
    return head + "\n".join(lines) + "\n" + tail


def replaced(index: int, step: str) -> str:
    return spec(*STEPS[:index], step, *STEPS[index + 1 :])


def one(*steps: str, shape: str = "N, H, W, 3", color: str = "RGB") -> str:
    """A spec of just these steps."""
    return spec(*steps, head=HEAD.replace("N, H, W, 3", shape).replace("RGB", color))


def two_inputs(folder: Path) -> None:
    a, b = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3, 40, 40]) for n in ("left", "right"))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, 40, 40])
    graph = helper.make_graph([helper.make_node("Add", ["left", "right"], ["y"])], "g", [a, b], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")


def two_outputs(folder: Path) -> None:
    x = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 40, 40])
    ys = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3, 40, 40]) for n in ("first", "second")]
    nodes = [helper.make_node("Relu", ["pixels"], ["first"]), helper.make_node("Neg", ["pixels"], ["second"])]
    graph = helper.make_graph(nodes, "g", [x], ys)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )


def model_taking(dtype: int, *shape: int | str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        x = helper.make_tensor_value_info("pixels", dtype, shape)
        y = helper.make_tensor_value_info("y", dtype, shape)
        graph = helper.make_graph([helper.make_node("Identity", ["pixels"], ["y"])], "g", [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, folder / "model.onnx")

    return write


def model_giving(**outputs: list[int]) -> Callable[[Path], None]:
    """pixels [N, 3, 64, 64] -> zeros of these shapes, behind a first axis N."""

    def write(folder: Path) -> None:
        x = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 64, 64])
        nodes = [helper.make_node("ReduceSum", ["pixels"], ["sums"], keepdims=0)]
        for name, shape in outputs.items():
            zeros = numpy_helper.from_array(np.zeros([1, *shape], np.float32))
            nodes.append(helper.make_node("Constant", [], [f"{name}.zeros"], value=zeros))
            nodes.append(helper.make_node("Mul", [f"{name}.zeros", "sums"], [name]))
        ys = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape]) for name, shape in outputs.items()]
        graph = helper.make_graph(nodes, "g", [x], ys)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, folder / "model.onnx")

    return write


def raw(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


def link(folder: Path) -> None:
    (folder.parent / "secret.txt").write_text("a\n")
    (folder / "labels.txt").symlink_to(folder.parent / "secret.txt")


def lost_metadata(folder: Path) -> None:
    onnxprep.export(folder / "model.onnx", folder / "spec.yaml", folder / "served.onnx")
    model = onnx.load(folder / "served.onnx")
    del model.metadata_props[:]
    (folder / "served.onnx").unlink()
    onnx.save(model, folder / "model.onnx")
    np.save(folder / "picture.npy", np.zeros((1, 60, 60, 3), np.uint8))


def changed_since(folder: Path) -> None:
    onnxprep.export(folder / "model.onnx", folder / "spec.yaml", folder / "served.onnx")
    model = onnx.load(folder / "served.onnx")
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    (folder / "served.onnx").unlink()
    onnx.save(model, folder / "model.onnx")


def stamped(folder: Path, opset: int, ir: int) -> None:
    model = onnx.load(folder / "model.onnx")
    model.opset_import[0].version, model.ir_version = opset, ir
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def wrong_training(folder: Path) -> None:
    expected = np.load(FOLDER / "expected.npy")
    expected[0, 1, 5, 7] += np.float32(0.5)
    np.save(folder / "expected.npy", expected)


@dataclass(frozen=True)
class Bad:
    """A mistake: the spec, the command, what else is put into the folder, and the exit code it must give."""

    code: int
    spec: str = field(default_factory=lambda: spec(*STEPS))
    command: str = EXPORT
    prepare: Callable[[Path], None] = lambda _: None


LABELS = "labels: {names: %s}"
CASES: Mapping[str, Bad] = {
    # files and flags
    "missing model": Bad(2, command="export nothing.onnx --spec spec.yaml -o out.onnx"),
    "missing spec": Bad(2, command="export model.onnx --spec nothing.yaml -o out.onnx"),
    "not an ONNX file": Bad(4, prepare=raw("model.onnx", b"this is not a model at all")),
    "empty model file": Bad(4, prepare=raw("model.onnx", b"")),
    "half a model": Bad(4, prepare=lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:9000]) and None),
    "output equal to the input": Bad(2, command="export model.onnx --spec spec.yaml -o model.onnx --force"),
    "existing output without --force": Bad(2, prepare=raw("out.onnx", b"mine")),
    "output in a folder that is not": Bad(2, command="export model.onnx --spec spec.yaml -o nowhere/out.onnx"),
    "output equal to the spec": Bad(2, command="export model.onnx --spec spec.yaml -o spec.yaml --force"),
    "unknown provider": Bad(2, command=f"{EXPORT} --provider cuda13"),
    "expect without golden": Bad(2, command=f"{EXPORT} --expect to_layout=expected.npy"),
    "expect a value that is none": Bad(3, command=f"{EXPORT} --golden picture.png --expect to_layot=expected.npy"),
    "a wrong training tensor": Bad(
        5, command=f"{EXPORT} --golden picture.png --expect to_layout=expected.npy", prepare=wrong_training
    ),
    "a picture that is none": Bad(2, command=f"{EXPORT} --golden notes.png", prepare=raw("notes.png", b"no picture")),
    "an array that is none": Bad(2, command=f"{EXPORT} --golden notes.npy", prepare=raw("notes.npy", b"no array")),
    "an array whose header lies": Bad(
        2,
        command=f"{EXPORT} --golden lies.npy",
        prepare=raw("lies.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (99999, 99999), }" + b" " * 51 + b"\n"),
    ),
    "run a model without a spec": Bad(4, command="run model.onnx picture.png"),
    "inspect a model without a spec": Bad(4, command="inspect model.onnx"),
    "verify a model without a spec": Bad(4, command="verify model.onnx"),
    # what other tools leave
    "inspect a file that lost its metadata": Bad(4, prepare=lost_metadata, command="inspect model.onnx"),
    "verify a file that lost its metadata": Bad(5, prepare=lost_metadata, command="verify model.onnx"),
    "run a file that lost its metadata": Bad(4, prepare=lost_metadata, command="run model.onnx picture.npy"),
    "strip a file that lost its metadata": Bad(4, prepare=lost_metadata, command="strip model.onnx -o out.onnx"),
    "export over a file that lost its metadata": Bad(4, prepare=lost_metadata),
    "export over a body that was changed since": Bad(4, prepare=changed_since),
    "a file in ONNX Runtime's own format": Bad(4, prepare=raw("model.onnx", b"\x20\x00\x00\x00ORTM" + bytes(64))),
    "an opset that the runtime does not load": Bad(4, prepare=lambda f: stamped(f, 28, 8)),
    "an IR version that the runtime does not load": Bad(4, prepare=lambda f: stamped(f, 17, 99)),
    "strip a model without a spec": Bad(4, command="strip model.onnx -o out.onnx"),
    "unknown preset": Bad(2, command="new torchvison-imagenet"),
    "unknown operation asked for": Bad(2, command="steps resise"),
    # the document
    "YAML that is not a spec": Bad(3, spec="just: some\nyaml: here\n"),
    "not YAML": Bad(3, spec="onnxprep: 1\npreprocess: [rescale\n"),
    "an empty document": Bad(3, spec=""),
    "a list": Bad(3, spec="- rescale\n"),
    "a newer format": Bad(3, spec="onnxprep: 2\n"),
    "unknown key": Bad(3, spec=spec(*STEPS, tail="postproces: [softmax]\n")),
    "duplicate key": Bad(3, spec=spec(*STEPS, tail="preprocess: []\n")),
    "unknown operation": Bad(3, spec=replaced(0, "resise: {size: 48, interpolation: bilinear, like: pillow-13}")),
    "unknown parameter": Bad(3, spec=replaced(0, "resize: {size: 48, interpolatoin: bilinear, like: pillow-13}")),
    "missing parameter": Bad(3, spec=replaced(0, "resize: {size: 48, like: pillow-13}")),
    "missing like": Bad(3, spec=replaced(0, "resize: {size: 48, interpolation: bilinear}")),
    "unknown like": Bad(3, spec=replaced(0, "resize: {size: 48, interpolation: bilinear, like: pillow-31}")),
    "unknown interpolation": Bad(3, spec=replaced(0, "resize: {size: 48, interpolation: bilinaer, like: pillow-13}")),
    "wrong type": Bad(3, spec=replaced(1, "center_crop: {size: '40'}")),
    "wrong type in a list": Bad(3, spec=replaced(3, "normalize: {mean: [0.4, 0.4, high], std: [0.2, 0.2, 0.2]}")),
    "std 0": Bad(3, spec=replaced(3, "normalize: {mean: [0.4, 0.4, 0.4], std: [0.2, 0, 0.2]}")),
    "size 0": Bad(3, spec=replaced(0, "resize: {size: 0, interpolation: bilinear, like: pillow-13}")),
    "crop size 0": Bad(3, spec=replaced(1, "center_crop: {size: 0}")),
    "NaN": Bad(3, spec=replaced(3, "normalize: {mean: [.nan, 0.4, 0.4], std: [0.2, 0.2, 0.2]}")),
    "unquoted true among labels": Bad(3, spec=spec(*STEPS, post=("argmax", LABELS % "[true, 1]"))),
    "a file outside the folder": Bad(3, spec=spec(*STEPS, post=("argmax", "labels: {file: ../labels.txt}"))),
    "a link out of the folder": Bad(3, spec=spec(*STEPS, post=("argmax", "labels: {file: labels.txt}")), prepare=link),
    "a missing labels file": Bad(3, spec=spec(*STEPS, post=("argmax", "labels: {file: label.txt}"))),
    "a value nobody uses": Bad(3, spec=spec(*STEPS, "{operation: to_layout, name: other, inputs: [resize], parameters: {layout: NCHW}}", tail="model: {inputs: {pixel_values: to_layout}}\n")),
    "a value that does not exist": Bad(3, spec=replaced(2, "{operation: rescale, inputs: [center_corp]}")),
    "an output that does not exist": Bad(3, spec=spec(*STEPS, post=("softmax",), tail="outputs: [sofmax]\n")),
    "two steps of one name": Bad(3, spec=replaced(2, "{operation: rescale, name: same}").replace("to_layout: {layout: NCHW}", "{operation: to_layout, name: same, parameters: {layout: NCHW}}")),
    "a caller step that leads nowhere": Bad(
        3, spec=spec("{operation: decode_image, where: caller, inputs: [file], outputs: [imgae], parameters: {like: pillow-13}}", *STEPS)
    ),
    # steps and model
    "normalize on uint8": Bad(4, spec=spec(*STEPS[:2], *STEPS[3:])),
    "wrong layout": Bad(4, spec=spec(*STEPS[:4])),
    "wrong size": Bad(4, spec=replaced(1, "center_crop: {size: 48}")),
    "wrong channels": Bad(4, prepare=model_taking(TensorProto.FLOAT, "N", 1, 40, 40)),
    "wrong dtype": Bad(4, prepare=model_taking(TensorProto.FLOAT16, "N", 3, 40, 40)),
    "wrong rank": Bad(4, prepare=model_taking(TensorProto.FLOAT, 3, 40, 40)),
    "wrong number of channels in mean": Bad(4, spec=replaced(3, "normalize: {mean: [0.5], std: [0.5]}")),
    "several inputs and no name": Bad(4, prepare=two_inputs),
    "a model input that does not exist": Bad(4, spec=spec(*STEPS, tail="model: {inputs: {pixel_value: to_layout}}\n")),
    "a model output that does not exist": Bad(4, spec=spec(*STEPS, tail="model: {outputs: {scores: logit}}\n")),
    "several outputs and no name": Bad(4, spec=spec(*STEPS, post=("softmax",)), prepare=two_outputs),
    "labels of the wrong length": Bad(4, spec=spec(*STEPS, post=("argmax", LABELS % "[no, yes]"))),
    "k larger than the classes": Bad(4, spec=spec(*STEPS, post=("top_k: {k: 31}",))),
    "colour unknown": Bad(4, spec=spec("convert_color: {to: BGR}", *STEPS, head=HEAD.replace("color: RGB, ", ""))),
    # the catalogue: each of these computes a wrong picture somewhere else
    "a filter that the family lacks": Bad(3, spec=one("resize: {size: [8, 8], interpolation: hamming, like: opencv-5}"), command=CHECK),
    "a filter of another library": Bad(3, spec=one("resize: {size: [8, 8], interpolation: lanczos4, like: pillow-13}"), command=CHECK),
    "box by a backend that has none": Bad(3, spec=one("resize: {size: [8, 8], interpolation: box, like: transformers-torchvision}"), command=CHECK),
    "a negative size": Bad(3, spec=one("resize: {size: [8, -8], interpolation: bilinear, like: opencv-5}"), command=CHECK),
    "size and scale": Bad(3, spec=one("resize: {size: [8, 8], scale: [0.5, 0.5], interpolation: area, like: opencv-5}"), command=CHECK),
    "cubic without saying whose code": Bad(3, spec=one("resize: {size: [8, 8], interpolation: bicubic, like: opencv-5}"), command=CHECK),
    "a bound that nobody consented to": Bad(3, spec=one("resize: {size: [8, 8], interpolation: bilinear, like: torch}"), command=CHECK),
    "floats for a library of bytes": Bad(4, spec=one("rescale", "resize: {size: [8, 8], interpolation: bilinear, like: pillow-13}"), command=CHECK),
    "bytes for torch": Bad(4, spec=one("resize: {size: [8, 8], interpolation: bilinear, exact: false, like: torch}"), command=CHECK),
    "a crop beyond the image": Bad(4, spec=one("crop: {top: 4, left: 0, height: 8, width: 8}", shape="N, 8, 8, 3"), command=CHECK),
    "five crops of a small image": Bad(4, spec=one("five_crop: {size: 9}", shape="N, 8, 8, 3"), command=CHECK),
    "letterbox without saying whose resize": Bad(3, spec=one("letterbox: {size: 64, like: ultralytics}"), command=CHECK),
    "a border that is none": Bad(3, spec=one("pad: {padding: 1, padding_mode: reflect_101, like: torchvision-v1}"), command=CHECK),
    "a border longer than torch mirrors": Bad(4, spec=one("pad: {padding: 9, padding_mode: reflect, like: torchvision-v1}", shape="N, 8, 8, 3"), command=CHECK),
    "an even kernel": Bad(3, spec=one("gaussian_blur: {kernel_size: 4, like: opencv-5}"), command=CHECK),
    "a Gaussian without a library": Bad(3, spec=one("gaussian_blur: {kernel_size: 3}"), command=CHECK),
    "a table that is too short": Bad(3, spec=one("lookup_table: {table: [0, 1, 2]}"), command=CHECK),
    "alpha over a background, and no alpha": Bad(4, spec=one("composite_alpha: {background: [255, 255, 255], like: pillow-13}"), command=CHECK),
    "gray of RGBA": Bad(4, spec=one("to_grayscale: {like: pillow-13}", shape="N, H, W, 4", color="RGBA"), command=CHECK),
    "YUV of a picture": Bad(4, spec=one("yuv_to_rgb: {format: NV12, to: RGB, like: opencv-5}"), command=CHECK),
    "a Keras mode that is none": Bad(3, spec=one("rescale_normalize: {mode: caffee, like: keras}"), command=CHECK),
    "a frame that is none": Bad(4, spec=spec(*STEPS, post=("mean_over_crops: {frame: ten_crop}",))),
    "a frame without crops": Bad(4, spec=spec(*STEPS, post=("mean_over_crops: {frame: center_crop}",))),
    "a doubt that is an error when strict": Bad(4, spec=one("rescale", NORMALIZE, NORMALIZE), command=f"{CHECK} --strict"),
    "a head that is transposed": Bad(4, spec=spec(*BOXED, post=("decode_boxes: {like: yolov8}",)), prepare=model_giving(y=[8400, 84])),
    "a head of other classes": Bad(4, spec=spec(*BOXED, post=("decode_boxes: {like: yolov8, classes: 91}",)), prepare=model_giving(y=[84, 189])),
    "a head that needs NMS, taken for one that does not": Bad(4, spec=spec(*BOXED, post=("decode_boxes: {like: yolov10}",)), prepare=model_giving(y=[84, 189])),
    "boxes and logits swapped": Bad(4, spec=spec(*BOXED, post=(DETR % "boxes, logits",)), prepare=model_giving(logits=[100, 92], boxes=[100, 4])),
    "a head without its inputs": Bad(3, spec=spec(*BOXED, post=("decode_boxes: {like: transformers-detr}",)), prepare=model_giving(logits=[100, 92], boxes=[100, 4])),
    "a head without saying which": Bad(3, spec=spec(*BOXED, post=("decode_boxes",)), prepare=model_giving(y=[84, 189])),
    "NMS without saying whose": Bad(3, spec=spec(*BOXED, post=(*YOLO[:1], "nms: {score_threshold: 0.25, iou_threshold: 0.5}")), prepare=model_giving(y=[84, 189])),
    "NMS without a threshold": Bad(3, spec=spec(*BOXED, post=(*YOLO[:1], "nms: {like: ultralytics, score_threshold: 0.25}")), prepare=model_giving(y=[84, 189])),
    "NMS of scores and boxes": Bad(4, spec=spec(*BOXED, post=(*YOLO[:1], SWAPPED)), prepare=model_giving(y=[84, 189])),
    "boxes in a frame that is none": Bad(4, spec=spec(*BOXED, post=(*YOLO, "scale_boxes: {frame: leterbox, like: ultralytics}")), prepare=model_giving(y=[84, 189])),
    "boxes in a letterbox, and no release": Bad(4, spec=spec(*BOXED, post=(*YOLO, "scale_boxes: {frame: letterbox}")), prepare=model_giving(y=[84, 189])),
    "boxes of a mirrored picture": Bad(4, spec=spec(*BOXED[:1], "flip: {direction: horizontal}", *BOXED[1:], post=(*YOLO, "scale_boxes: {frame: to_layout, like: ultralytics}")), prepare=model_giving(y=[84, 189])),
    "labels of detections without one for nothing": Bad(4, spec=spec(*BOXED, post=(*YOLO, NAMED)), prepare=model_giving(y=[84, 189])),
    "a mask of one threshold and three maps": Bad(4, spec=spec(*BOXED, post=("segmentation_mask: {threshold: 0.5, like: pillow-13}",)), prepare=model_giving(y=[3, 16, 16])),
    "a blank that is no class": Bad(4, spec=spec(*BOXED, post=("ctc_greedy: {blank: 9}",)), prepare=model_giving(y=[40, 6])),
    "one file and three": Bad(2, command="export model.onnx --spec spec.yaml -o out.onnx --split three"),
    "pictures to prove on, and no folder": Bad(2, spec=one("rescale"), command="prove spec.yaml --images nowhere"),
}  # fmt: skip


def outcome(case: Bad, folder: Path) -> tuple[int, str, set[str]]:
    """Exit code, message, and the files that were not there before."""
    for name, source in (("model.onnx", "classifier.onnx"), ("expected.npy", "expected.npy")):
        shutil.copy(FOLDER / source, folder / name)
    shutil.copy(FOLDER / "pictures" / "1350-blue.png", folder / "picture.png")
    (folder / "spec.yaml").write_text(case.spec)
    case.prepare(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    here = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(main, case.command.split())
    finally:
        os.chdir(here)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = {name for name in after if after[name] != before.get(name)}
    return result.exit_code, result.stderr.strip(), changed


def reviewed() -> dict[str, str]:
    found = {}
    for part in REVIEWED.read_text().split("\n## ")[1:]:
        title, _, rest = part.partition("\n")
        found[title] = rest.split("```text\n")[1].split("\n```")[0]
    return found


@pytest.mark.parametrize("name", CASES)
def test_says_what_was_reviewed_and_writes_nothing(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    code, message, changed = outcome(CASES[name], folder)
    assert (code, changed) == (CASES[name].code, set()), message
    assert message == reviewed()[name]
    assert "Traceback" not in message
    assert "pydantic" not in message.lower()


def test_every_reviewed_message_has_its_case() -> None:
    assert list(reviewed()) == list(CASES)


if __name__ == "__main__":
    parts = [
        "# What onnxprep says to bad input\n\nEvery message is reviewed here and compared by `test_bad_input.py`.\n"
    ]
    for title, bad in CASES.items():
        with tempfile.TemporaryDirectory() as place:
            work = Path(place) / "work"
            work.mkdir()
            exit_code, text, written = outcome(bad, work)
        if exit_code != bad.code or written:
            sys.stderr.write(f"{title}: exit {exit_code} instead of {bad.code}, wrote {written}\n{text}\n")
        parts.append(f"\n## {title}\n`onnxprep {bad.command}`: exit {exit_code}\n```text\n{text}\n```\n")
    REVIEWED.write_text("".join(parts))
