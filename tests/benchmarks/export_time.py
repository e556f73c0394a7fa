"""Where the time of an export goes, for a model with many weights: ``python tests/benchmarks/export_time.py [MB]``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SPEC = """onnxprep: 1
like: torchvision-v1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: 256, interpolation: bilinear, like: pillow-13}
  - center_crop: {size: 224}
  - rescale
  - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  - to_layout: {layout: NCHW}
"""


def model(megabytes: int, path: Path) -> None:
    """Pooled pixels through a chain of square matrices, 4 MB each."""
    side, count = 1024, megabytes // 4
    rng = np.random.default_rng(0)
    first = numpy_helper.from_array(rng.standard_normal((3, side)).astype(np.float32), "w")
    weights = [
        first,
        *(numpy_helper.from_array(rng.standard_normal((side, side)).astype(np.float32), f"w{k}") for k in range(count)),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["x0"]),
        *(helper.make_node("MatMul", [f"x{k}", f"w{k}"], [f"x{k + 1}"]) for k in range(count)),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 224, 224])
    scores = helper.make_tensor_value_info(f"x{count}", TensorProto.FLOAT, ["N", side])
    graph = helper.make_graph(nodes, "weights", [pixels], [scores], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main() -> None:
    """Rows of a Markdown table."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print("| model | in ONNX Runtime | wall time by stage |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        source, spec = Path(folder) / "model.onnx", Path(folder) / "spec.yaml"
        spec.write_text(SPEC)
        for size in (4, megabytes):
            model(size, source)
            for flags in ([], ["--no-run"]):
                command = [sys.executable, "-m", "onnxprep", "export", str(source), "--spec", str(spec), "--force"]
                result = subprocess.run(
                    [*command, "-o", str(Path(folder) / "out.onnx"), *flags], capture_output=True, text=True, check=True
                )
                times = result.stderr.strip().splitlines()[-1].removeprefix("time  ")
                how = "not loaded (`--no-run`)" if flags else "loaded once"
                print(f"| {source.stat().st_size / 2**20:.0f} MB | {how} | {times} |", flush=True)


if __name__ == "__main__":
    main()
