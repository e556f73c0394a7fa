"""Every model of the battery through attach, ONNX Runtime and strip, every field counted before and after.

    python tests/sweeps/models.py [awkward|light|torch]... [--write]

``awkward``: tests/awkward.py and awkward_more.py; ``light``: the models that come with onnx; ``torch``: what torch's two
exporters make of small networks, where torch is installed. Each is attached to twice: under new names, and under the
model's own, so that tensors of the body give up theirs. Beside it, what onnx.compose and onnx-ir do with the same model
and the same nodes before it. ``--write`` keeps the result in ``fixtures/models``, from which docs/models.md is made.
Exit status 1 where a field is lost, an output differs or strip is not exact.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import onnx
import onnx_ir as ir
import onnxruntime
from battery import LIGHT, MODELS, NAMINGS, around, fitted, through
from consumer import reason
from inventory import compare
from onnx import ModelProto, compose, helper  # noqa: TID251  # measured here, not used
from onnx_ir.passes.common import NameFixPass

from onnxprep.graph import names
from onnxprep.graph.attach import attach
from onnxprep.graph.parse import parse
from onnxprep.runtime.libraries import installed_version

FOLDER = Path(__file__).parents[2] / "fixtures" / "models"


def awkward() -> Iterator[tuple[str, bytes]]:
    for name, make in MODELS.items():
        yield name, make().SerializeToString()


def light() -> Iterator[tuple[str, bytes]]:
    for path in LIGHT:
        yield path.stem, path.read_bytes()


def torch() -> Iterator[tuple[str, bytes]]:
    from torch_models import EXPORTERS, NETWORKS, exported

    for name in NETWORKS:
        for exporter in EXPORTERS:
            try:
                yield f"{name}, {exporter}", exported(name, exporter)
            except Exception as error:  # noqa: BLE001  # each exporter has errors of its own
                print(f"{name}, {exporter}: not exported: {type(error).__name__}", file=sys.stderr)


SETS: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {"awkward": awkward, "light": light, "torch": torch}


def measured(name: str, data: bytes) -> dict[str, Any]:
    """One row."""
    found = {naming: through(data, naming) for naming in NAMINGS}
    outcomes = [each.outcome for each in found.values()]
    model = parse(data)
    return {
        "model": name,
        "opset": {entry.domain: entry.version for entry in model.opset_import},
        "ir": model.ir_version,
        "fields": outcomes[0].fields,
        "renamed": [each.renamed for each in outcomes],
        "recorded": [each.recorded for each in outcomes],
        "lost": sum(len(each.lost) for each in outcomes),
        "compared": sum(each.compared for each in found.values()),
        "differing": sum(len(each.differing) for each in found.values()),
        "not_run": reason(found["fresh"].not_run),
        "exact": all(each.exact for each in found.values()),
        "onnx.compose": _lost(composed, model),
        "onnx-ir": _lost(rewritten, model),
    }


# what others do ----------------------------------------------------------------------------------------------------


def _lost(tool: Callable[[ModelProto, ModelProto, dict[str, str]], ModelProto], model: ModelProto) -> int | str:
    """How many fields a tool loses when it puts the same nodes before the model; or that it refuses."""
    before, ready = preprocessing(model)
    copy = ModelProto()
    copy.CopyFrom(model)
    try:
        made = tool(before, copy, ready)
    except Exception as error:  # noqa: BLE001  # each tool has errors of its own
        return f"refuses: {type(error).__name__}"
    return len(compare(model, made, ready).lost)


def preprocessing(model: ModelProto) -> tuple[ModelProto, dict[str, str]]:
    """Our nodes before the model as a model of its own; and by fed input, the output that is to feed it."""
    plan = fitted(around(model, "fresh"), model)
    joined = attach(model, plan)
    ready = {name: f"onnxprep/ready.{k}" for k, name in enumerate(plan.feeds)}
    nodes = [node for node in joined.graph.node if node.name.startswith("onnxprep/pre.")]
    names.rename_in_nodes(nodes, ready)
    known = {info.name: info for info in (*joined.graph.value_info, *joined.graph.output, *joined.graph.input)}
    graph = helper.make_graph(nodes, "before", [known[name] for name in plan.inputs], [])
    for theirs, ours in ready.items():
        info = onnx.ValueInfoProto()
        info.CopyFrom(next(i for i in model.graph.input if i.name == theirs))
        info.name = ours
        graph.output.append(info)
    imports = [entry for entry in joined.opset_import if entry.domain in ("", "ai.onnx")]
    return helper.make_model(graph, opset_imports=imports, ir_version=model.ir_version), ready


def composed(before: ModelProto, model: ModelProto, ready: dict[str, str]) -> ModelProto:
    """onnx.compose.merge_models, told everything that it can be told."""
    told = {
        name: getattr(model, name)
        for name in ("producer_name", "producer_version", "domain", "model_version", "doc_string")
    }
    joins = [(ours, theirs) for theirs, ours in ready.items()]
    return compose.merge_models(before, model, joins, name=model.graph.name, **told)


def rewritten(before: ModelProto, model: ModelProto, ready: dict[str, str]) -> ModelProto:
    """onnx-ir: nodes moved over, uses of the inputs replaced, names made unique."""
    first, whole = ir.from_proto(before), ir.from_proto(model)
    outputs = {value.name: value for value in first.graph.outputs}
    inputs, nodes = list(first.graph.inputs), list(first.graph)
    first.graph.inputs.clear()
    first.graph.outputs.clear()
    first.graph.remove(nodes)
    if len(whole.graph):
        whole.graph.insert_before(whole.graph[0], nodes)
    else:
        whole.graph.extend(nodes)
    fed = {value.name: value for value in whole.graph.inputs}
    for theirs, ours in ready.items():
        fed[theirs].replace_all_uses_with(outputs[ours], replace_graph_outputs=True)
        whole.graph.inputs.remove(fed[theirs])
    whole.graph.inputs.extend(inputs)
    NameFixPass()(whole)
    return ir.to_proto(whole)


# all of it ---------------------------------------------------------------------------------------------------------


def sweep(name: str) -> dict[str, Any]:
    """Every row of one set, and what it was measured with."""
    libraries = ["onnx", "onnxruntime", "onnx-ir", *(["torch", "torchvision"] if name == "torch" else [])]
    rows = [measured(*each) for each in SETS[name]()]
    versions = {library: str(installed_version(library)).split("+")[0] for library in libraries}
    return {"versions": versions | {"onnxruntime": onnxruntime.__version__}, "models": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description="the battery of models")
    parser.add_argument("sets", nargs="*", choices=[*SETS, []])
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    bad = 0
    for name in given.sets or [each for each in SETS if each != "torch" or find_spec("torch")]:
        found = sweep(name)
        rows = found["models"]
        wrong = [row["model"] for row in rows if row["lost"] or row["differing"] or not row["exact"]]
        total = {key: sum(row[key] for row in rows) for key in ("fields", "lost", "compared", "differing")}
        print(f"{name}: {len(rows)} models, {total}, strip exact {sum(row['exact'] for row in rows)}; wrong: {wrong}")
        bad += len(wrong)
        if given.write:
            FOLDER.mkdir(exist_ok=True)
            lines = ",\n  ".join(json.dumps(row, sort_keys=True) for row in rows)
            versions = json.dumps(found["versions"], sort_keys=True)
            text = f'{{"versions": {versions},\n "models": [\n  {lines}\n]}}\n'
            (FOLDER / f"{name}.json").write_text(text, "utf-8")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
