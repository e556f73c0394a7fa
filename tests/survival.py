"""What is left of the steps after another tool, and how the steps take to a model that another tool has made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from click.testing import CliRunner, Result
from demo import FOLDER
from onnx import ModelProto, TensorProto, helper, numpy_helper
from other_tools import Tool, quiet
from PIL import Image

import onnxprep
from onnxprep.cli import main
from onnxprep.graph import metadata
from onnxprep.tensor import Array

PICTURES = sorted((FOLDER / "pictures").glob("*.png"))
LABELS = (FOLDER / "labels.txt").read_text("utf-8").split("\n")[:-1]
DEMO = (FOLDER / "spec.yaml").read_text("utf-8").replace("file: labels.txt", f"names: {json.dumps(LABELS)}")
WIDE = """onnxprep: 1
inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]
preprocess:
  - resize: {size: [32, 32], interpolation: bilinear, like: opencv-5}
  - gaussian_blur: {kernel_size: 3, sigma: 1.0, like: opencv-5}
  - rescale: {like: numpy}
  - normalize: {mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4], like: numpy}
  - to_layout: {layout: NCHW}
postprocess:
  - softmax
  - top_k: {k: 5}
outputs: [top_k.values, top_k.indices]
"""


def wide() -> ModelProto:
    """Convolutions and matrix products as large as quantisers like them."""
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> TensorProto:
        scale = np.sqrt(np.prod(shape[1:] if len(shape) == 4 else shape[:1]))
        return numpy_helper.from_array((rng.standard_normal(shape) / scale).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["pixels", "w1", "b1"], ["c1"], "conv1", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "conv2", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("Flatten", ["r2"], ["flat"], "flatten"),
        helper.make_node("MatMul", ["flat", "w3"], ["m3"], "matmul3"),
        helper.make_node("Add", ["m3", "b3"], ["a3"], "add3"),
        helper.make_node("Relu", ["a3"], ["r3"], "relu3"),
        helper.make_node("MatMul", ["r3", "w4"], ["logits"], "matmul4"),
    ]
    initializers = [
        weights("w1", 16, 3, 3, 3), weights("b1", 16), weights("w2", 32, 16, 3, 3), weights("b2", 32),
        weights("w3", 2048, 128), weights("b3", 128), weights("w4", 128, 100),
    ]  # fmt: skip
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 3, 32, 32])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 100])
    graph = helper.make_graph(nodes, "wide", [pixels], [logits], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@dataclass(frozen=True)
class Subject:
    """A model, its spec, and pictures of several sizes."""

    name: str
    model: bytes
    spec: str
    fed: str = "to_layout"
    pictures: tuple[Array, ...] = field(default_factory=lambda: tuple(map(_pixels, PICTURES)))

    def write(self, folder: Path) -> Path:
        (folder / "model.onnx").write_bytes(self.model)
        return folder / "model.onnx"

    @cached_property
    def prepared(self) -> list[Array]:
        """What the steps before the model make of the pictures, from the steps alone."""
        running = _session(onnxprep.build(self.spec))
        return [running.run([self.fed], {"image": picture})[0] for picture in self.pictures]


def _pixels(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("RGB"))[None]


@cache
def subjects() -> tuple[Subject, ...]:
    return (
        Subject("demo", (FOLDER / "classifier.onnx").read_bytes(), DEMO),
        Subject("wide", wide().SerializeToString(), WIDE),
    )


def _session(model: ModelProto | Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def call(*arguments: str | Path) -> Result:
    with quiet():
        return CliRunner().invoke(main, [str(argument) for argument in arguments])


def said(result: Result, *folders: Path) -> str:
    """The first line of the error, paths made short."""
    line = next((line for line in result.stderr.splitlines() if line.startswith("error: ")), "")
    for folder in folders:
        line = line.replace(f"{folder}/", "")
    return line.removeprefix("error: ")


def exported(subject: Subject, folder: Path) -> Path:
    """The subject with its steps and a golden of the first picture."""
    out = folder / "served.onnx"
    if not out.exists():
        onnxprep.export(subject.write(folder), subject.spec, out, goldens=[{"image": subject.pictures[0]}])
    return out


# after -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class After:
    """What was found in the file that a tool made of an exported one; empty texts where nothing was wrong.

    Attributes:
        tool: what was run.
        package: the distribution, with its version.
        failed: what the tool itself raised.
        keys: our metadata keys that are gone.
        inspect: what inspect says.
        names: our nodes that are still called as they were, constants not counted.
        nodes: how many there were.
        verify: exit code, and what it says.
        goldens: what verify says of the goldens of a file whose nodes were changed.
        fed: in how many pictures the tensor that enters the body has other bits; None where it is no tensor any more.
        outputs: how the outputs differ from before; empty where it does not run.
    run: why it does not.
        strip: what is said of the file that strip gives, or why it gives none.
        original: whether that file is the original, byte for byte.
    """

    tool: str
    package: str
    failed: str = ""
    keys: tuple[str, ...] = ()
    inspect: str = ""
    names: int = 0
    nodes: int = 0
    verify: tuple[int, str] = (0, "")
    goldens: str = ""
    fed: int | None = None
    outputs: str = ""
    run: str = ""
    strip: str = ""
    original: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def after(tool: Tool, subject: Subject, folder: Path) -> tuple[After, Path]:
    """Runs the tool on the exported subject, and looks at what it made."""
    source, place = exported(subject, folder), _fresh(folder)
    try:
        made = tool(source, place / "made.onnx", [{"image": picture} for picture in subject.pictures])
    except Exception as error:  # noqa: BLE001  # a tool may raise anything
        return After(tool.name, tool.version, failed=" ".join(f"{type(error).__name__}: {error}".split())[:160]), place
    return look(tool.name, tool.version, subject, source, made, place), made


def _fresh(folder: Path) -> Path:
    place = folder / f"tool{len(list(folder.glob('tool*')))}"
    place.mkdir()
    return place


def look(name: str, package: str, subject: Subject, source: Path, made: Path, place: Path) -> After:
    """Everything that the table says about one file."""
    inspected, verified = call("inspect", made), call("verify", made, "--json")
    stripped = call("strip", made, "-o", place / "stripped.onnx")
    before, now = (_parsed(path) for path in (source, made))
    ours = {node.name for node in metadata.onnxprep_nodes(before) if node.op_type != "Constant"}
    fed, outputs = _numbers(subject, source, made)
    np.save(place / "picture.npy", subject.pictures[0])
    ran = "" if outputs else said(call("run", made, place / "picture.npy"), place)
    return After(
        name, package,
        keys=tuple(sorted(metadata.read(before).keys() - _keys(made))),
        inspect=said(inspected, place),
        names=len(ours & {node.name for node in now.graph.node}),
        nodes=len(ours),
        verify=(verified.exit_code, said(verified, place) or _last(verified)),
        goldens=_goldens(verified, place),
        fed=fed, outputs=outputs, run=ran,
        strip=_stripped(stripped, place),
        original=stripped.exit_code == 0 and (place / "stripped.onnx").read_bytes() == subject.model,
    )  # fmt: skip


def _last(verified: Result) -> str:
    """Lines that tell of more than what was exported."""
    lines = json.loads(verified.stdout).get("checked", [])
    return "; ".join(
        " ".join(line.split()) for line in lines if line.startswith(("body", "wiring")) or "," in line[:30]
    )


def _goldens(verified: Result, place: Path) -> str:
    got = json.loads(verified.stdout.splitlines()[0]).get("error", {}).get("got", "")
    found = re.search(r"(the goldens .*|no golden .*)", got)
    return "" if found is None else re.sub(r" \(.*", "", found.group(1).replace(f"{place}/", ""))


def _stripped(result: Result, place: Path) -> str:
    if result.exit_code:
        return f"exit {result.exit_code}: {said(result, place)}"
    return result.stdout.strip().partition(": ")[2]


def _parsed(path: Path) -> ModelProto:
    try:
        return onnx.load(path, load_external_data=False)
    except Exception:  # noqa: BLE001  # not an ONNX file
        return ModelProto()


def _keys(path: Path) -> set[str]:
    """As programs read them: of its own format onnxruntime alone reads anything."""
    if path.suffix == ".ort":
        return set(_session(path).get_modelmeta().custom_metadata_map)
    return {entry.key for entry in _parsed(path).metadata_props}


_OUTPUTS: dict[Path, list[list[Array]]] = {}


def _exported(source: Path, subject: Subject) -> list[list[Array]]:
    """What the exported file gives, computed once."""
    if source not in _OUTPUTS:
        running = _session(source)
        _OUTPUTS[source] = [running.run(None, {"image": picture}) for picture in subject.pictures]
    return _OUTPUTS[source]


def _numbers(subject: Subject, source: Path, made: Path) -> tuple[int | None, str]:
    """How many pictures give other bits where the body begins, and how far the outputs are off."""
    try:
        other = _session(made)
        name = other.get_inputs()[0].name
        pairs = [
            (got, wanted)
            for k, picture in enumerate(subject.pictures)
            for got, wanted in zip(other.run(None, {name: picture}), _exported(source, subject)[k], strict=True)
        ]
    except Exception:  # noqa: BLE001  # it does not load, or not run
        return None, ""
    return _entering(subject, made), _apart(pairs)


def _apart(pairs: list[tuple[Array, Array]]) -> str:
    """Numbers by how much at most, ids and labels by how many."""
    numbers = [np.abs(a.astype(np.float64) - b.astype(np.float64)).max() for a, b in pairs if a.dtype.kind == "f"]
    others = sum(int((a != b).sum()) for a, b in pairs if a.dtype.kind != "f")
    largest = max(numbers, default=0.0)
    if not others:
        return f"within {largest:.1g}" if largest else "the same bits"
    return f"{others} of {sum(a.size for a, _ in pairs if a.dtype.kind != 'f')} labels differ, scores by {largest:.1g}"


def _entering(subject: Subject, made: Path) -> int | None:
    """The tensor that the body of the original reads, made an output."""
    (wanted,) = (info.name for info in ModelProto.FromString(subject.model).graph.input)
    model = _parsed(made)
    name = next((n for n in (wanted, f"p/{wanted}") if n in {o for node in model.graph.node for o in node.output}), "")
    if not name:
        return None
    tapped = made.with_name("tapped.onnx")
    dtype = _dtype(model, name)
    model.graph.output.append(helper.make_tensor_value_info(name, dtype, None))
    tapped.write_bytes(model.SerializeToString())
    running = _session(tapped)
    image = running.get_inputs()[0].name
    got = (running.run([name], {image: picture})[0] for picture in subject.pictures)
    return sum(a.tobytes() != b.tobytes() for a, b in zip(got, subject.prepared, strict=True))


def _dtype(model: ModelProto, name: str) -> int:
    known: Mapping[str, int] = {i.name: i.type.tensor_type.elem_type for i in model.graph.value_info}
    return known.get(name) or TensorProto.FLOAT


# before ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Before:
    """How the steps take to what a tool made of the bare model.

    Attributes:
        tool: what was run.
        package: the distribution, with its version.
        failed: what the tool itself raised.
        export: what export says, where it refuses.
        differing: values that are not, bit for bit, what the steps alone and then the model alone give.
        values: how many were compared.
        verify: what verify says.
        original: whether strip gives the tool's own file, byte for byte.
        strip: what strip says.
    """

    tool: str
    package: str
    failed: str = ""
    export: str = ""
    differing: int = 0
    values: int = 0
    verify: tuple[int, str] = (0, "")
    strip: str = ""
    original: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def before(tool: Tool, subject: Subject, folder: Path) -> Before:
    """Runs the tool on the bare subject, and exports what it made."""
    place = _fresh(folder)
    (name,) = (info.name for info in ModelProto.FromString(subject.model).graph.input)
    try:
        made = tool(subject.write(folder), place / "made.onnx", [{name: array} for array in subject.prepared])
    except Exception as error:  # noqa: BLE001  # a tool may raise anything
        return Before(tool.name, tool.version, failed=" ".join(f"{type(error).__name__}: {error}".split())[:160])
    return attached(tool.name, tool.version, subject, made, place)


def attached(name: str, package: str, subject: Subject, made: Path, place: Path) -> Before:
    (place / "spec.yaml").write_text(_told(subject.spec, made))
    np.save(place / "picture.npy", subject.pictures[0])
    arguments = ["--spec", place / "spec.yaml", "-o", made.with_name("out.onnx"), "--golden", place / "picture.npy"]
    result = call("export", made, *arguments)
    if result.exit_code:
        return Before(name, package, export=f"exit {result.exit_code}: {said(result, place)}")
    differing, values = _against_alone(subject, made, made.with_name("out.onnx"))
    verified = call("verify", made.with_name("out.onnx"), "--json")
    stripped = call("strip", made.with_name("out.onnx"), "-o", place / "stripped.onnx")
    return Before(
        name, package, differing=differing, values=values,
        verify=(verified.exit_code, said(verified, place) or _last(verified)),
        strip=_stripped(stripped, place),
        original=stripped.exit_code == 0 and (place / "stripped.onnx").read_bytes() == made.read_bytes(),
    )  # fmt: skip


def _told(spec: str, made: Path) -> str:
    """The spec with the model's output among its own, whatever the tool has called it."""
    outputs = [info.name for info in _parsed(made).graph.output]
    if not outputs:
        return spec
    return spec.replace("outputs: [", f'model: {{outputs: {{logits: "{outputs[0]}"}}}}\noutputs: [logits, ')


def _against_alone(subject: Subject, made: Path, out: Path) -> tuple[int, int]:
    """Values of ``logits`` that differ from those of the two run one after the other."""
    joined, alone = _session(out), _session(made)
    (fed,) = (info.name for info in alone.get_inputs())
    differing = values = 0
    for picture, array in zip(subject.pictures, subject.prepared, strict=True):
        (got,) = joined.run(["logits"], {"image": picture})
        wanted = alone.run(None, {fed: array.astype(got.dtype)})[0]
        differing += int((got.view(np.uint8) != wanted.view(np.uint8)).reshape(*got.shape, -1).any(-1).sum())
        values += got.size
    return differing, values
