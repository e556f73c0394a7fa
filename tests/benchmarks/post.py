"""Speed of post-processing beside Ultralytics, torch and NumPy, in one process, as Markdown.

    python tests/benchmarks/post.py               the tables
    python tests/benchmarks/post.py --nodes       with the time of every kind of node where a graph is slower

Detection: the head of a YOLOv8 for 80 classes on 640 x 640 px, as it comes out of the network, to boxes, scores and
classes; on the other side non_max_suppression of Ultralytics with torchvision, on the same array. Each row is a fresh
process that measures all in turns, on two threads one of each; times are medians of 21 turns (5 where several labels of
8 images are read).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "sweeps")]


@dataclass(frozen=True)
class Setting:
    """How the head is read."""

    told: str
    score: float
    iou: float
    multi_label: bool = False
    class_agnostic: bool = False


TURNS = 21

DETECT = {
    "photo": Setting("score > 0.25, IoU 0.7", 0.25, 0.7),
    "agnostic": Setting("score > 0.25, IoU 0.45, class-agnostic", 0.25, 0.45, class_agnostic=True),
    "low": Setting("score > 0.05, IoU 0.7", 0.05, 0.7),
    "validation": Setting("score > 0.01, IoU 0.7, several labels", 0.01, 0.7, multi_label=True),
}


def main() -> None:
    """The tables on stdout, progress on stderr."""
    print(
        "| head | setting | candidates | detections | threads | Ultralytics, ms | graph, any size | graph, one size |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    slow = []
    for batch in (1, 8):
        for key, setting in DETECT.items():
            for threads in (1, 2):
                t = _children("detect", batch, key, threads)
                cells = [f"{t[way]:.2f} ({t['library'] / t[way]:.2f})" for way in ("any", "one")]
                name, found = f"[{batch}, 84, 8400]", f"{t['candidates']} | {t['detections']}"
                print(
                    f"| {name} | {setting.told} | {found} | {threads} | {t['library']:.2f} | {' | '.join(cells)} |",
                    flush=True,
                )
                if min(t["library"] / t[way] for way in ("any", "one")) < 1 or "--nodes" in sys.argv:
                    slow.append((name, setting.told, threads, t["nodes"]))
    print("\n| scores | k | threads | NumPy argsort, stable, ms | torch.topk | graph |\n|---|---:|---:|---:|---:|---:|")
    for shape, k in (((64, 1000), 5), ((64, 1000), 100)):
        for threads in (1, 2):
            t = _children("top_k", shape, k, threads)
            ratios = f"{t['numpy'] / t['any']:.2f}, {t['torch'] / t['any']:.2f}"
            name = f"{list(shape)} | {k} | {threads}"
            print(f"| {name} | {t['numpy']:.3f} | {t['torch']:.3f} | {t['any']:.3f} ({ratios}) |", flush=True)
    if slow:
        print("\nTime by kind of node, ms:\n\n| head | setting | threads | nodes |\n|---|---|---:|---|")
        for name, told, threads, nodes in slow:
            print(f"| {name} | {told} | {threads} | {', '.join(f'{kind} {ms:.2f}' for kind, ms in nodes)} |")


def _children(*arguments: Any) -> dict[str, Any]:
    """On one thread all sides in turns. On two each in its own process: idle threads spin, in the way of the others."""
    sides = ["library", "any", "one"]
    if arguments[-1] == 1:
        return _child(*arguments, sides)
    return {key: value for side in sides for key, value in _child(*arguments, [side]).items()}


def _child(*arguments: Any) -> dict[str, Any]:
    print(*arguments, file=sys.stderr, flush=True)
    command = [sys.executable, __file__, json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # type: ignore[no-any-return]


def head(batch: int) -> Any:
    """What a YOLOv8 gives for photos of some thirty things each, in numbers: [batch, 84, 8400].

    Anchors near the centre of a thing have its box, a little off, and a score that falls with the distance; everywhere
    else scores are low and boxes small.
    """
    import numpy as np

    rng = np.random.default_rng(3)
    strides = (8, 16, 32)
    grids = [np.stack(np.meshgrid(*[(np.arange(640 // s) + 0.5) * s] * 2), -1).reshape(-1, 2) for s in strides]
    centres = np.concatenate(grids)
    made = np.empty((batch, 84, len(centres)), np.float32)
    for image in made:
        image[:2] = (centres + rng.normal(0, 4, centres.shape)).T
        image[2:4] = rng.uniform(8, 60, (2, len(centres)))
        image[4:] = rng.random((80, len(centres))) ** 12 * 0.02
        for _ in range(30):
            at, size, of = rng.uniform(40, 600, 2), rng.uniform(20, 200, 2), rng.integers(0, 80, 2)
            apart = np.abs((centres - at) / size).max(1)
            near = np.nonzero(apart < 0.5)[0]
            image[:2, near] = at[:, None] + rng.normal(0, 3, (2, len(near)))
            image[2:4, near] = size[:, None] * rng.uniform(0.85, 1.15, (2, len(near)))
            score = 0.95 * np.exp(-30 * apart[near] ** 2) * rng.uniform(0.6, 1, len(near))
            image[4 + of[0], near] = np.maximum(image[4 + of[0], near], score)
            image[4 + of[1], near] = np.maximum(image[4 + of[1], near], score * 0.3)
    return made


def detector(setting: Setting, batch: int | str, candidates: int | str) -> Any:
    """The head as a model's output, decode_boxes, nms and pack_detections."""
    from onnx import TensorProto, helper

    from onnxprep.graph.attach import attach
    from onnxprep.graph.fit import fit
    from onnxprep.spec.document import Spec

    told = f"score_threshold: {setting.score}, iou_threshold: {setting.iou}, multi_label: {str(setting.multi_label).lower()}"
    spec = Spec.load(
        f"""onnxprep: 1
postprocess:
  - decode_boxes: {{like: yolov8}}
  - nms: {{like: ultralytics, {told}, class_agnostic: {str(setting.class_agnostic).lower()}}}
  - pack_detections: {{layout: fixed}}
outputs: [pack_detections.detections, pack_detections.counts]
"""
    )
    shape = [batch, 84, candidates]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("head", "output0")]
    graph = helper.make_graph([helper.make_node("Identity", ["head"], ["output0"])], "g", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return attach(model, fit(spec, model).plan)


def detect(batch: int, key: str, threads: int, sides: list[str]) -> dict[str, Any]:
    """Medians in ms; where all sides are there, what they give is compared."""
    import numpy as np
    from front_end import in_turns
    from steps import session

    setting, given = DETECT[key], head(batch)
    runs: dict[str, Callable[[], Any]] = {}
    told: dict[str, Any] = {}
    if "library" in sides:
        runs["library"] = by_ultralytics(setting, given, threads)
        above = given[:, 4:] > np.float32(setting.score)
        told["candidates"] = int(above.sum() if setting.multi_label else above.any(1).sum())
        told["detections"] = sum(len(rows) for rows in runs["library"]())
    for way, lengths in (("any", ("N", "K")), ("one", (batch, given.shape[2]))):
        if way in sides:
            model = detector(setting, *lengths)
            told["nodes"] = by_kind(model, given, threads)
            graph = session(model, threads)
            runs[way] = lambda graph=graph: graph.run(None, {"head": given})
    if len(sides) > 1:
        for way in ("any", "one"):
            for row, count, want in zip(*runs[way](), runs["library"](), strict=True):
                if "torchvision" in sys.modules and not np.array_equal(row[:count], want.numpy()):
                    raise RuntimeError(f"{way}: not what Ultralytics gives")
    return {**in_turns(runs, 5 if batch > 1 and setting.multi_label else TURNS), **told}


def by_ultralytics(setting: Setting, given: Any, threads: int) -> Callable[[], Any]:
    """non_max_suppression, with the operators of torchvision or, where these are not compiled, its own."""
    import torch
    import torchvision
    from ultralytics.utils.nms import non_max_suppression

    if not torchvision.extension._has_ops():  # nothing public tells
        del sys.modules["torchvision"]
    torch.set_num_threads(threads)
    return lambda: non_max_suppression(
        torch.from_numpy(given), setting.score, setting.iou, None, setting.class_agnostic, setting.multi_label,
        max_time_img=1e9,
    )  # fmt: skip


def by_kind(model: Any, given: Any, threads: int) -> list[tuple[str, float]]:
    """Kinds of node and their ms in one run, the slowest first."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.enable_profiling = threads, True
        options.profile_file_prefix = str(Path(folder) / "profile")
        profiled = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(12):
            profiled.run(None, {"head": given})
        events = json.loads(Path(profiled.end_profiling()).read_text("utf-8"))
    total: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            total[event["args"]["op_name"]] += event["dur"] / 12 / 1000
    return total.most_common(10)


def top_k(shape: list[int], k: int, threads: int, sides: list[str]) -> dict[str, Any]:
    """Medians in ms."""
    import numpy as np
    from front_end import in_turns
    from steps import build, session

    from onnxprep.step import catalogue
    from onnxprep.tensor import TensorSpec

    scores = np.random.default_rng(0).random(shape, np.float32)

    def in_numpy() -> Any:
        order = np.argsort(-scores, -1, kind="stable")[:, :k]
        return np.take_along_axis(scores, order, -1), order

    runs: dict[str, Callable[[], Any]] = {}
    if "library" in sides:
        import torch

        torch.set_num_threads(threads)
        tensor = torch.from_numpy(scores)
        runs |= {"numpy": in_numpy, "torch": lambda: torch.topk(tensor, k)}
    if "any" in sides:
        step = catalogue()["top_k"][""].model_validate({"k": k})
        graph = session(build([step], [TensorSpec("float32", ("N", shape[1]), "NC")]), threads)
        runs["any"] = lambda: graph.run(None, {"x0": scores})
        for got, want in zip(runs["any"](), in_numpy(), strict=True):
            if not np.array_equal(got, want):
                raise RuntimeError("not what NumPy gives")
    return in_turns(runs, 10 * TURNS) if runs else {}


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].startswith("["):
        what, *given = json.loads(sys.argv[1])
        print(json.dumps({"detect": detect, "top_k": top_k}[what](*given)))
    else:
        main()
