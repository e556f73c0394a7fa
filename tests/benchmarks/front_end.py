"""Speed and memory of the ImageNet front end beside Pillow and torchvision, as a Markdown page.

    python tests/benchmarks/page.py > docs/benchmarks.md    this, and the time of an export

A uint8 photo in memory becomes a float32 NCHW tensor. Every row is a fresh process that measures graph and libraries
in turns; times are medians of at least 15 turns. Memory is the growth of the peak resident set by one call.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "sweeps")]

CASES = {
    "480 x 640": (480, 640, 256, 224),
    "1080 x 1920": (1080, 1920, 256, 224),
    "3024 x 4032": (3024, 4032, 256, 224),
    "224 x 224 to 512 x 512": (224, 224, [512, 512], 0),
}
FILTERS = ("bilinear", "bicubic", "lanczos")


def main() -> None:
    """The page on stdout, progress on stderr."""
    print(f"# Benchmarks\n\n{_heading()}\n")
    print("## One thread\n")
    print(
        "| photo | filter | libraries, given an Image | libraries, given the array | graph, any size | graph, one size |"
    )
    print("|---|---|---|---|---|---|")
    for case in CASES:
        for interpolation in FILTERS:
            print(_speed_row(case, interpolation, _child("speed", case, interpolation)), flush=True)
    print(
        "\n## Two threads\n\nThe graph for any size alone in its process, in ms. Medians of three processes: with "
        "two threads on two virtual processors a process now and then runs at half its speed from start to end.\n"
    )
    print("| photo | filter | one thread | two threads | times as fast |\n|---|---|---|---|---|")
    for case in CASES:
        for interpolation in FILTERS:
            one, two = (_alone(case, interpolation, threads) for threads in (1, 2))
            print(f"| {case} | {interpolation} | {one:.2f} | {two:.2f} | {one / two:.2f} |", flush=True)
    print()
    print("## Memory\n\nGrowth of the peak over what was resident before the call, MB; bilinear, one thread.\n")
    print(
        "| photo | the photo itself | libraries, given the array | graph, any size | graph, one size |\n|---|---|---|---|---|"
    )
    for case, (height, width, *_) in CASES.items():
        grown = [f"{_child('memory', case, 'bilinear', what)['mb']:.1f}" for what in ("libraries", "any", "one")]
        print(f"| {case} | {height * width * 3 / 2**20:.1f} | {' | '.join(grown)} |", flush=True)


def _alone(case: str, interpolation: str, threads: int) -> float:
    return median(_child("alone", case, interpolation, threads)["any"] for _ in range(3))


def _heading() -> str:
    names = ("pillow", "torch", "torchvision", "onnxruntime", "numpy")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    libraries = (
        "Pillow + torchvision" if "torchvision " in " ".join(found) else "Pillow + torchvision's arithmetic in NumPy"
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu}, Python {platform.python_version()}, {', '.join(found)}. "
        f"Libraries: {libraries}. Times in ms; in brackets how many times as fast as the libraries given an Image "
        "and given the array. Resize 256, center crop 224, rescale, normalize; the last photo is only enlarged. "
        "Every output was compared: all floats are equal.\n\nMade by `python tests/benchmarks/page.py`."
    )


def _speed_row(case: str, interpolation: str, t: dict[str, float]) -> str:
    graphs = [f"{t[g]:.2f} ({t['image'] / t[g]:.2f}, {t['array'] / t[g]:.2f})" for g in ("any", "one")]
    return f"| {case} | {interpolation} | {t['image']:.2f} | {t['array']:.2f} | {' | '.join(graphs)} |"


def _child(*arguments: Any) -> dict[str, float]:
    """Runs this file again for one row."""
    print(*arguments, file=sys.stderr, flush=True)
    command = [sys.executable, __file__, json.dumps(arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # type: ignore[no-any-return]


def speed(case: str, interpolation: str) -> dict[str, float]:
    """Medians in ms, all ways in turns."""
    import numpy as np
    from imagenet import by_numpy, graph, photo_of, torchvision_pipeline
    from PIL import Image
    from steps import session

    height, width, size, crop = CASES[case]
    photo = photo_of(height, width)
    picture, batch = Image.fromarray(photo), photo[None]
    pipeline = torchvision_pipeline(interpolation, tuple(size) if isinstance(size, list) else size, crop)

    def libraries(image: Image.Image) -> Any:
        return pipeline(image).numpy() if pipeline else by_numpy(image, interpolation, size, crop)

    ways: dict[str, Callable[[], Any]] = {
        "image": lambda: libraries(picture),
        "array": lambda: libraries(Image.fromarray(photo)),
    }
    for name, shape in (("any", ("N", "H", "W", 3)), ("one", batch.shape)):
        running = session(graph(interpolation, size, crop, shape))
        ways[name] = lambda running=running: running.run(None, {"x0": batch})[0][0]
    wanted = libraries(picture)
    if any(not np.array_equal(way(), wanted) for way in ways.values()):
        raise AssertionError(f"{case}, {interpolation}: floats differ")
    return in_turns(ways, 61 if height < 1000 else 21)


def alone(case: str, interpolation: str, threads: int) -> dict[str, float]:
    """Median in ms of nothing but the graph: idle threads of one session disturb whatever else is measured."""
    from imagenet import graph, photo_of
    from steps import session

    height, width, size, crop = CASES[case]
    batch = photo_of(height, width)[None]
    running = session(graph(interpolation, size, crop), threads)
    return in_turns({"any": lambda: running.run(None, {"x0": batch})}, 61 if height < 1000 else 21)


def in_turns(ways: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """The median time of each way, ms; one turn is each of them once."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 3):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if turn >= 3:
                times[name].append(time.perf_counter() - start)
    return {name: 1e3 * median(found) for name, found in times.items()}


def memory(case: str, interpolation: str, what: str) -> dict[str, float]:
    """Growth of the peak in MB by the first call at full size; the photo is noise, a small one came before."""
    import numpy as np

    height, width, size, crop = CASES[case]
    photo = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    small = np.ascontiguousarray(photo[:, :224, :224])
    if what == "libraries":
        from imagenet import by_numpy, torchvision_pipeline
        from PIL import Image

        pipeline = torchvision_pipeline(interpolation, tuple(size) if isinstance(size, list) else size, crop)
        run = lambda x: pipeline(Image.fromarray(x[0])) if pipeline else by_numpy(x[0], interpolation, size, crop)  # noqa: E731
        run(small)
    else:
        from imagenet import graph
        from steps import session

        running = session(graph(interpolation, size, crop, ("N", "H", "W", 3) if what == "any" else photo.shape))
        run = lambda x: running.run(None, {"x0": x})  # noqa: E731
        if what == "any":
            run(small)
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # resets the high-water mark
    before = _status("VmRSS")
    run(photo)
    return {"mb": (_status("VmHWM") - before) / 1024}


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        what, *arguments = json.loads(sys.argv[1])
        print(json.dumps({"speed": speed, "alone": alone, "memory": memory}[what](*arguments)))
    else:
        main()
