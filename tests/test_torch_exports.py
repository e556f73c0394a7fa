"""Models as torch exports them, by both exporters: attached, run against their parts, and stripped to the same bytes."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from plans import Scale, planned, run
from test_attach import IMAGENET, fitted, same_bits

from onnxprep.graph.attach import attach
from onnxprep.graph.metadata import UNDO, write
from onnxprep.graph.parse import parse
from onnxprep.graph.signature import signature
from onnxprep.graph.undo import record, strip
from onnxprep.tensor import TensorSpec

torch = pytest.importorskip("torch", reason="torch is not installed: `pip install onnxprep[parity]`")
vision = pytest.importorskip("torchvision", reason="torchvision is not installed: `pip install onnxprep[parity]`")

MODELS = {
    "resnet18": lambda: vision.models.resnet18(weights=None),
    "mobilenet_v3_small": lambda: vision.models.mobilenet_v3_small(weights=None),
    "vit": lambda: vision.models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=10),
}
EXPORTERS = {
    "torchscript-11": (False, 11),
    "torchscript-17": (False, 17),
    "dynamo-18": (True, 18),
    "dynamo-20": (True, 20),
}


def exported(name: str, exporter: str, folder: Path) -> bytes:
    torch.manual_seed(0)
    module, (dynamo, opset) = MODELS[name]().eval(), EXPORTERS[exporter]
    side = 32 if name == "vit" else 64
    if name == "vit" and opset < 14:
        pytest.skip("this exporter has no attention before opset 14")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = torch.zeros(1, 3, side, side)
        if dynamo:
            program = torch.onnx.export(module, (picture,), dynamo=True, opset_version=opset, verbose=False)
            program.save(str(folder / "model.onnx"))
            return (folder / "model.onnx").read_bytes()
        file = io.BytesIO()
        torch.onnx.export(
            module, (picture,), file, dynamo=False, opset_version=opset, input_names=["image"], dynamic_axes={"image": {0: "N"}}
        )  # fmt: skip
        return file.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", MODELS)
def test_torch_export_runs_as_its_parts_and_comes_back(name: str, exporter: str, tmp_path: Path) -> None:
    data = exported(name, exporter, tmp_path)
    model = parse(data)
    ((own, spec),), (output,) = signature(model).inputs.items(), signature(model).outputs
    side = (spec.shape or ())[-1]
    plan = planned(
        {"image": TensorSpec("float32", ("N", 3, "H", "W"), "NCHW", "RGB", (0.0, 1.0))},
        [("normalize", IMAGENET, ("image",))], model, {own: "normalize"}, {"scores": output},
        [(output, Scale(), ("scores",))], ["scores", output],
    )  # fmt: skip
    joined = attach(model, fitted(plan, model))
    picture = np.random.default_rng(1).uniform(0, 1, (1, 3, side, side)).astype(np.float32)
    mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (IMAGENET.mean, IMAGENET.std))
    wanted = run(model, {own: (picture - mean) / std})[output]
    same_bits(run(joined, {"image": picture}), {"scores": wanted, output: wanted * np.float32(2) + np.float32(0.5)})
    write(joined, {UNDO: record(model, hashlib.sha256(data).hexdigest())})
    stripped = strip(parse(joined.SerializeToString()))
    assert stripped.exact
    assert stripped.data == data
