"""The programs in docs/consumers, run as their users run them, on the same pixels as Python.

Bit for bit: the stored spec, the preprocessed tensor, ids and strings. What comes after the network agrees within
1e-6: onnxruntime-node is another version of ONNX Runtime, and may sum in another order.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import reference_yolo
from PIL import Image

import onnxprep
from onnxprep.spec.document import canonical, digest_of

pytestmark = pytest.mark.xdist_group("consumers")  # one npm install

ROOT = Path(__file__).parents[1]
CONSUMERS = ROOT / "docs" / "consumers"
DEMO, DETECTOR = ROOT / "fixtures" / "demo", ROOT / "fixtures" / "detector"
PICTURES = sorted((DEMO / "pictures").glob("*.png"))
SIZES = [(48, 48), (37, 53), (131, 61), (61, 131), (257, 97), (5, 7), (1, 1), (301, 224), (480, 640)]
"""(height, width): both sides odd, one, taller than twice the width, smaller and larger than what the model sees."""

LABELS = ["zéro", "一", "猫 \N{CAT FACE}", 'a "quoted" back\\slash', "tab\there", "Ω≈ç√", "e\N{COMBINING ACUTE ACCENT}"]
SPEC = """\
onnxprep: 1
name: consumers
like: torchvision-v1
inputs:
  - {name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}
preprocess:
  - resize: {size: 48, interpolation: bilinear, like: pillow-13}
  - center_crop: {size: 40}
  - rescale
  - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 1.0]}  # a JSON number that JavaScript would write as 1
  - to_layout: {layout: NCHW}
postprocess:
  - softmax: {axis: -1}
  - top_k: {k: 3}
  - {operation: labels, inputs: [top_k.indices], parameters: {file: labels.txt}}
outputs: [to_layout, softmax, top_k.values, top_k.indices, labels]
provenance: {remark: 'outside the digest: {"a": [1, 2]}, and é'}
"""
CALLER = "  - {operation: unroll_scan, where: caller, inputs: [file], outputs: [image]}\n"
BITS = ("to_layout", "top_k.indices", "labels")


CRASHED: list[subprocess.CompletedProcess[str]] = []
"""One process may die of a signal: onnxruntime-node 1.30 did in its first run after `npm ci`, twice in some thirty
installations and in none of a hundred runs that looked for it. A second one is ours to explain."""


@dataclass(frozen=True)
class Consumer:
    """A program: what to run before MODEL PIXELS HEIGHT WIDTH [OUT_DIR], and with which environment."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def start(self, model: Path, pixels: np.ndarray, folder: Path) -> subprocess.CompletedProcess[str]:
        file = folder / "pixels.u8"
        file.write_bytes(pixels.tobytes())
        _, height, width, _ = pixels.shape
        command = [*self.command, model, file, str(height), str(width), folder / "out"]
        environment = os.environ | self.environment
        finished = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", timeout=120, check=False
        )
        if finished.returncode < 0 and not CRASHED:
            CRASHED.append(finished)
            return self.start(model, pixels, folder)
        return finished

    def outputs(self, model: Path, pixels: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
        """The outputs as the program wrote them."""
        finished = self.start(model, pixels, folder)
        assert finished.returncode == 0, finished.stderr
        out, found = folder / "out", {}
        for entry in json.loads((out / "index.json").read_text("utf-8")):
            if entry["type"] == "string":
                values = np.array(json.loads((out / entry["file"]).read_text("utf-8")), object)
            else:
                values = np.fromfile(out / entry["file"], np.dtype(entry["type"]).newbyteorder("<"))
            found[entry["name"]] = values.reshape(entry["dims"])
        return found


def missing(reason: str) -> NoReturn:
    """Skips; where every toolchain has to be there, as in CI, fails."""
    if os.environ.get("ONNXPREP_REQUIRE_CONSUMERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def node(_: Path) -> Consumer:
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm are not installed")
    folder = CONSUMERS / "node"
    installed = folder / "node_modules" / ".package-lock.json"  # npm writes it last
    if not installed.is_file() or installed.stat().st_mtime < (folder / "package-lock.json").stat().st_mtime:
        environment = os.environ | {"ONNXRUNTIME_NODE_INSTALL": "skip"}
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        finished = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        if finished.returncode != 0:
            missing(f"npm ci failed: {finished.stderr[-500:]}")
    return Consumer(("node", str(folder / "classify.mjs")), {})


def cpp(folder: Path) -> Consumer:
    if shutil.which("g++") is None:
        missing("g++ is not installed")
    libraries = sorted((Path(ort.__file__).parent / "capi").glob("libonnxruntime.so.*"))
    if not libraries:
        missing("this onnxruntime wheel has no libonnxruntime.so")
    program, source = folder / "classify", CONSUMERS / "cpp" / "classify.cc"
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["g++", *flags, source, "-o", program, "-ldl"], check=True, timeout=300)
    return Consumer((str(program),), {"ONNXRUNTIME_LIBRARY": str(libraries[-1])})


@pytest.fixture(scope="module", params=[node, cpp], ids=["node", "cpp"])
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Consumer:
    make: Callable[[Path], Consumer] = request.param
    return make(tmp_path_factory.mktemp("program"))


def export(folder: Path, spec: str) -> Path:
    (folder / "labels.txt").write_text("".join(f"{LABELS[i % 7]} {i}\n" for i in range(30)), "utf-8")
    (folder / "spec.yaml").write_text(spec, "utf-8")
    onnxprep.export(DEMO / "classifier.onnx", folder / "spec.yaml", folder / "model.onnx")
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("model"), SPEC)


def metadata(model: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(model).metadata_props}


def compare(consumer: Consumer, model: Path, pixels: np.ndarray, folder: Path) -> None:
    expected = onnxprep.Pipeline(model)(image=pixels)
    found = consumer.outputs(model, pixels, folder)
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        if array.dtype == object:
            assert found[name].tolist() == array.tolist(), name
            continue
        assert found[name].dtype == array.dtype, name
        if name in BITS:
            assert found[name].tobytes() == array.tobytes(), name
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_same_bits_at_every_size(consumer: Consumer, model: Path, size: tuple[int, int], tmp_path: Path) -> None:
    pixels = np.random.default_rng(size).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    compare(consumer, model, pixels, tmp_path)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_same_bits_for_real_pictures(consumer: Consumer, model: Path, picture: Path, tmp_path: Path) -> None:
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))[None]
    compare(consumer, model, pixels, tmp_path)


def test_finds_what_python_finds(consumer: Consumer, tmp_path: Path) -> None:
    """Boxes, scores, names and counts, bit for bit what Ultralytics makes of what this program's network gave."""
    spec = (DETECTOR / "spec.yaml").read_text("utf-8")
    (raw,) = (output.name for output in onnx.load(DETECTOR / "detector.onnx").graph.output)
    (tmp_path / "spec.yaml").write_text(spec.replace("outputs: [", f"outputs: [{raw}, "), "utf-8")
    shutil.copy(DETECTOR / "labels.txt", tmp_path)
    onnxprep.export(DETECTOR / "detector.onnx", tmp_path / "spec.yaml", tmp_path / "model.onnx")
    names, seen = (DETECTOR / "labels.txt").read_text("utf-8").splitlines(), 0
    for picture in sorted((DETECTOR / "pictures").glob("*.png")):
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"))[None]
        found = consumer.outputs(tmp_path / "model.onnx", pixels, tmp_path)
        (wanted,) = reference_yolo.postprocess(found[raw], (192, 192), [pixels.shape[1:3]], max_det=50)
        count = len(wanted)
        assert found["nms.counts"].tolist() == [count]
        assert found["scale_boxes"][0, :count].tobytes() == wanted[:, :4].tobytes()
        assert found["nms.scores"][0, :count].tobytes() == wanted[:, 4].tobytes()
        assert found["labels"][0].tolist() == [names[int(k)] for k in wanted[:, 5]] + [""] * (50 - count)
        seen += count
    assert seen > 9


def test_reads_the_spec(consumer: Consumer, model: Path, tmp_path: Path) -> None:
    finished = consumer.start(model, np.zeros((1, 50, 60, 3), np.uint8), tmp_path)
    assert (tmp_path / "out" / "spec.json").read_text("utf-8") == metadata(model)["onnxprep.spec"]
    assert "preprocess: [resize,center_crop,rescale,normalize,to_layout]\n" in finished.stdout
    assert "postprocess: [softmax,top_k,labels]\n" in finished.stdout


def test_refuses_what_its_caller_must_do(consumer: Consumer, tmp_path: Path) -> None:
    model = export(tmp_path, SPEC.replace("preprocess:\n", f"preprocess:\n{CALLER}"))
    assert "onnxprep.caller" in metadata(model)
    refused(consumer, model, tmp_path, "onnxprep.caller")


def test_refuses_a_model_without_spec(consumer: Consumer, tmp_path: Path) -> None:
    refused(consumer, DEMO / "classifier.onnx", tmp_path, "onnxprep.spec")


@pytest.mark.parametrize(
    ("edit", "message"),
    [(('"layout":"NHWC"', '"layout":"NCHW"'), "NHWC"), (('"onnxprep":1,', '"onnxprep":2,'), "format 1")],
)
def test_refuses_another_spec(
    consumer: Consumer, model: Path, tmp_path: Path, edit: tuple[str, str], message: str
) -> None:
    stored = json.loads(metadata(model)["onnxprep.spec"].replace(*edit))
    refused(consumer, with_spec(model, stored, tmp_path), tmp_path, message)


def test_node_finds_a_changed_spec(model: Path, tmp_path: Path) -> None:
    stored = json.loads(metadata(model)["onnxprep.spec"])
    renamed = with_spec(model, stored | {"name": 'other "name"', "provenance": {"a": "]}"}}, tmp_path, digest=False)
    assert node(tmp_path).outputs(renamed, np.zeros((1, 50, 60, 3), np.uint8), tmp_path)
    changed = with_spec(model, stored | {"outputs": []}, tmp_path, digest=False)
    refused(node(tmp_path), changed, tmp_path, "does not match its digest")


def with_spec(model: Path, stored: dict[str, object], folder: Path, *, digest: bool = True) -> Path:
    """The model with another stored spec, and with its digest unless ``digest`` is False."""
    changed = onnx.load(model)
    for entry in changed.metadata_props:
        if entry.key == "onnxprep.spec":
            entry.value = canonical(stored)
        elif entry.key == "onnxprep.digest" and digest:
            entry.value = digest_of(stored)
    onnx.save(changed, folder / "changed.onnx")
    return folder / "changed.onnx"


def refused(consumer: Consumer, model: Path, folder: Path, message: str) -> None:
    shutil.rmtree(folder / "out", ignore_errors=True)
    finished = consumer.start(model, np.zeros((1, 50, 60, 3), np.uint8), folder)
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: ")
    assert message in finished.stderr
    assert not (folder / "out").exists()
