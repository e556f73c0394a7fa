"""Speed of whole chains beside their libraries, as Markdown; for what is slower than its library, where the time goes.

    python tests/benchmarks/page.py > docs/benchmarks.md    this, and the other pages
    python tests/benchmarks/chains.py                       this alone

Each row is a fresh process, on one thread, that measures library and graph in turns; times are medians of at least 15
turns. Both get the HWC uint8 array and give the float32 tensor of the model.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "sweeps")]

_BOUNDS = """
What bounds the rows below 1: torch resizes bytes in one pass, unpacking and multiplying in registers, where a graph copies the
window, transposes it and packs it for the product, three passes over the same bytes. OpenCV's bilinear rounds twice between
its passes, about twenty elementwise nodes that each read and write the picture, about 0.1 ns per value; its own code does all
of them in registers. Its filters work on bytes, sixteen or more at a time; ONNX Runtime adds and compares no bytes on the CPU,
so planes become float32 or int32 first, four times the memory. Where nothing is resized, the time is that of writing float32.
"""

SIZES = ((480, 640), (1080, 1920), (3024, 4032))


def main() -> None:
    """The table on stdout, progress on stderr."""
    from pipelines import opencv_filters, pipelines

    print("| chain | photo | library, ms | graph, any size | graph, one size |\n|---|---|---|---|---|")
    slow = []
    wanted = [(pipeline, SIZES) for pipeline in pipelines() if pipeline.benchmarked]
    for pipeline, sizes in [*wanted, *((pipeline, SIZES[1:2]) for pipeline in opencv_filters())]:
        for size in sizes:
            t = _child(pipeline.name, *size)
            ratios = {way: t["library"] / t[way] for way in ("any", "one")}
            cells = [f"{t[way]:.2f} ({ratios[way]:.2f})" for way in ("any", "one")]
            name = f"{size[0]} x {size[1]}"
            print(f"| {pipeline.name} | {name} | {t['library']:.2f} | {' | '.join(cells)} |", flush=True)
            if min(ratios.values()) < 1:
                slow.append((pipeline.name, name, t["any"], t["nodes"]))
    if slow:
        print(_BOUNDS)
        print("\nWhere a graph for any size is slower than its library, its time by kind of node, ms:\n")
        print("| chain | photo | graph | nodes |\n|---|---|---|---|")
        for name, size, total, nodes in slow:
            told = ", ".join(f"{kind} {ms:.2f}" for kind, ms in nodes)
            print(f"| {name} | {size} | {total:.2f} | {told} |")


def _child(*arguments: Any) -> dict[str, Any]:
    print(*arguments, file=sys.stderr, flush=True)
    command = [sys.executable, __file__, json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # type: ignore[no-any-return]


def measure(name: str, height: int, width: int) -> dict[str, Any]:
    """Medians in ms, and where the graph's time goes."""
    import numpy as np
    from front_end import in_turns
    from imagenet import photo_of
    from pipelines import opencv_filters, pipelines
    from steps import session

    import onnxprep

    pipeline = next(p for p in (*pipelines(), *opencv_filters()) if p.name == name)
    image = photo_of(height, width)
    library, batch = pipeline.library(), image[None]
    document = json.loads(json.dumps(pipeline.spec))
    graphs = {"any": onnxprep.build(document)}
    document["inputs"][0]["shape"] = [1, height, width, 3]
    graphs["one"] = onnxprep.build(document)
    ways: dict[str, Callable[[], Any]] = {"library": lambda: library(image)}
    for way, graph in graphs.items():
        running = session(graph)
        ways[way] = lambda running=running: running.run(None, {"image": batch})[0][0]
    wanted = ways["library"]()
    for way in graphs:
        if not np.abs(ways[way]().astype(float) - wanted).max() <= pipeline.bound:
            raise AssertionError(f"{name}, {height} x {width}, {way}: floats differ")
    medians = in_turns(ways, 41 if height < 1000 else 15)
    return {**medians, "nodes": by_kind(graphs["any"], {"image": batch})}


def by_kind(graph: Any, feeds: dict[str, Any], runs: int = 9) -> list[tuple[str, float]]:
    """The kinds of node that take most of the time of a run, ms."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        running = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            running.run(None, feeds)
        events = json.loads(Path(running.end_profiling()).read_text("utf-8"))
    spent: Counter[str] = Counter()
    for event in events:
        kind = event.get("args", {}).get("op_name")
        if event.get("cat") == "Node" and kind not in (None, "If", "Loop"):
            spent[kind] += event["dur"]
    return [(kind, us / 1000 / runs) for kind, us in spent.most_common(6)]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(*json.loads(sys.argv[1]))))
    else:
        main()
