"""Writes the docs that follow from the code: the catalogue, the claims, the command line, the schema.

``python docs/generate.py`` writes them; with ``--check`` it only says which of them are out of date, and exits 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from tools_page import NOTE, other_tools

from onnxprep.cli import main
from onnxprep.graph import changes, opset
from onnxprep.spec.listing import described, written
from onnxprep.spec.schema import schema

FOLDER = Path(__file__).parent
PROOFS = FOLDER.parent / "fixtures" / "proofs"
MODELS = FOLDER.parent / "fixtures" / "models"


def catalogue() -> str:
    """Every operation with its ports, parameters and rules."""
    listed = described()
    lines = [
        NOTE,
        "# Operations\n",
        "One section per operation. What each family promises is in [claims.md](claims.md).\n",
    ]
    for item in listed:
        lines.append(f"## `{item['operation']}`\n")
        ports = f"{', '.join(item['inputs'])} -> {', '.join(item['outputs'])}"
        lines.append(f"Ports: {ports}." + (" Runs in the caller's program.\n" if item["where"] == "caller" else "\n"))
        told: list[Any] = []
        for form in item["forms"]:
            again = form["rules"] in told
            told.append(form["rules"])
            lines += form_lines({**form, "rules": []} if again else form)
            lines += ["The rules of `size` are those above.\n"] if again and form["rules"] else []
    return "\n".join(lines)


def form_lines(form: dict[str, Any]) -> Iterator[str]:
    families = ", ".join(f"`{family}`" for family in form["like"] if family)
    inherits = "" if form["inherits"] or not families else " (never taken from the spec's own `like`)"
    yield (
        f"like: {families}{inherits}. " if families else "Follows no library. "
    ) + f"Opset {form['min_opset']} or higher.\n"
    yield "```text\n" + form["documentation"] + "\n```\n"
    if form["parameters"]:
        yield "| parameter | type | default | meaning |\n| --- | --- | --- | --- |"
        for parameter in form["parameters"]:
            default = "required" if parameter["required"] else f"`{json.dumps(parameter['default'])}`"
            cells = [f"`{parameter['name']}`", parameter["type"], default, parameter["description"]]
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""
    if form["rules"]:
        yield "| a rule is written | it computes |\n| --- | --- |"
        for rule in form["rules"]:
            meaning = " ".join(rule["description"].split())
            yield f"| `{written(rule)}` | {meaning} |".replace(" | integer", " \\| integer")
        yield ""


def claims() -> str:
    """What is promised, as data, and on how much it was proven."""
    head = (
        "| operation | like | library | versions | function | promise | images | values | differing | by at most | proven against "
        "| where it ends |\n|" + " --- |" * 12
    )
    about = (
        "A family of an operation against the function it reproduces, and what the last sweep compared: random parameters, "
        "sides and contents (`python tests/sweeps/claims.py --write` where the library is installed). "
        "`onnxprep prove SPEC` compares a spec of yours with the libraries on your machine.\n"
    )
    lines = [NOTE, "# Claims\n", about, head]
    for item in described():
        for claim in item["claims"]:
            cells = [item["operation"], claim["like"] or "-", claim["library"], claim["versions"], claim["function"]]
            cells += [claim["tolerance"], *proof(item["operation"], claim["like"]), claim["note"]]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, *chains()]) + "\n"


def chains() -> Iterator[str]:
    """Whole preprocessing chains against the library's own calls."""
    yield "\n## Whole chains\n"
    yield (
        "A spec's graph against the library's own calls on random parts of photos, H and W unknown to the graph "
        "(`python tests/sweeps/end_to_end.py --write`). Ultralytics' LetterBox is written out, around OpenCV's own functions.\n"
    )
    yield "| chain | promise | photos | images | values | differing | by at most | against |\n|" + " --- |" * 8
    for path in sorted((PROOFS / "pipelines").glob("*.json")):
        found = json.loads(path.read_text("utf-8"))
        counts = [f"{found[name]:,}" for name in ("photos", "images", "values", "differing")]
        cells = [found["name"], found["promise"], *counts, f"{found['largest_difference']:.2g}", found["libraries"]]
        yield "| " + " | ".join(cells) + " |"


def proof(operation: str, like: str) -> list[str]:
    """Images, values, differing, largest difference, and against what; dashes where no sweep has run."""
    path = PROOFS / operation / f"{like or 'any'}.json"
    if not path.exists():
        return ["-"] * 5
    found = json.loads(path.read_text("utf-8"))
    kinds = found["kinds"].values()
    each = f" ({min(kinds):,} or more of each of {len(kinds)} filters and dtypes)" if kinds else ""
    counts = [f"{found['cases']:,}{each}", f"{found['values']:,}", f"{found['differing']:,}"]
    return [*counts, f"{found['largest_difference']:.2g}", f"{found['library']}, {found['platform']}"]


def models() -> str:
    """What becomes of every field of many models, and where exported files give the same bits."""
    lines = [NOTE, "# Models\n", *runtimes(), "", opsets(), _ABOUT_MODELS]
    for name, title in _SETS.items():
        found = json.loads((MODELS / f"{name}.json").read_text("utf-8"))
        rows = found["models"]
        total = {
            key: f"{sum(row[key] for row in rows):,}" for key in ("fields", "lost", "compared", "differing", "exact")
        }
        versions = ", ".join(f"{library} {number}" for library, number in found["versions"].items())
        lines.append(f"## {title}\n")
        lines.append(
            f"{len(rows)} models, {total['fields']} fields, lost {total['lost']}; {total['compared']} outputs compared, differing "
            f"{total['differing']}; the original bytes back from {total['exact']}. Measured with {versions}.\n"
        )
        lines.append(
            "| model | opset | fields | renamed | in the record | lost | outputs, differing | strip | onnx.compose loses | onnx-ir loses |\n"
            "|" + " --- |" * 10
        )
        lines += [model_line(each) for each in grouped(rows)]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def opsets() -> str:
    """What is done where a step needs a higher opset than the model has."""
    wrong = ", ".join(f"`{operator}` below opset {changed}" for operator, changed in sorted(opset.WRONG))
    return _ABOUT_OPSETS.format(first=changes.REVIEWED_FROM, last=changes.REVIEWED_TO, wrong=wrong)


_ABOUT_OPSETS = """## Opsets

Steps need opset 11, some of them more ([steps.md](steps.md) says it of each). A model with a lower number is treated in one of
three ways, and `export` prints which:

- **restamped, proven equal**: the number in the file is raised, no node is touched, and `strip` puts it back, byte for
  byte. It is done only where every operator in the model means the same at both numbers, by a reviewed table of what changed
  between opset {first} and {last}, and where both models, run on seeded inputs, then give equal bits.
- **refused** (exit 4): an operator of the model has another meaning at the higher number; the message names it and
  what changed. Export the model again at a higher opset.
- **upgraded, proven equal**: with `--upgrade-opset` ONNX's own converter may rewrite the model's nodes; both models, run on
  seeded inputs, must give equal bits. The file then holds the rewritten model: `strip` cannot give the original back.
  It is refused where the converter is known to lose something (functions, training information, device
  configurations, sparse initializers, quantization annotations, metadata and denotations) or to get it wrong
  ({wrong}). The hint offers `--upgrade-opset` only where none of this stands in the way.
"""


_SETS = {"awkward": "Awkward models", "light": "The models that come with onnx", "torch": "What torch exports"}

_ABOUT_MODELS = """## What is kept of a model

What it means for you: where *lost* is 0, nothing of your model is gone; where *differing* is 0, it computes what it did; where
*strip* is exact, you get your file back. The other columns say how that is done. "refuses" in the last two is the other tool.

Each model gets steps before every tensor input and behind its last output, twice: under new names, and under the
model's own, so that tensors of the body give up theirs. Every field that is set in the file is then looked up in the new
one: scalars, texts, weights, what this ONNX does not know. Outputs are compared bit for bit with the steps and the model
run one after the other. (`python tests/sweeps/models.py --write`)

- renamed: fields that hold another tensor's name now, under new names and under the model's own.
- in the record: fields that only `onnxprep.undo` holds, because the graph has room for one description of a tensor.
- strip: whether the sha256 of what `onnxprep strip` gives is the original file's.
- the last two columns: fields lost by these tools when they put the same nodes before the model.
"""


def grouped(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows of one network and exporter, which differ in their opset only, are one line."""
    for _, same in groupby(rows, lambda row: row["model"].rpartition("-")[0] if ", " in row["model"] else row["model"]):
        yield list(same)


def model_line(rows: list[dict[str, Any]]) -> str:
    first = rows[0]
    name = first["model"].rpartition("-")[0] if ", " in first["model"] else first["model"]
    opsets = [
        ", ".join(f"{domain} {number}".strip() for domain, number in sorted(row["opset"].items())) for row in rows
    ]
    outputs = f"{sum(row['compared'] for row in rows)}, {sum(row['differing'] for row in rows)}"
    cells = [
        name, opsets[0] if len(opsets) == 1 else ", ".join(opsets), span(row["fields"] for row in rows),
        " / ".join(span(row["renamed"][i] for row in rows) for i in (0, 1)),
        " / ".join(span(row["recorded"][i] for row in rows) for i in (0, 1)), str(sum(row["lost"] for row in rows)),
        f"not compared; of the model itself ONNX Runtime says: {first['not_run']}" if first["not_run"] else outputs,
        "exact" if all(row["exact"] for row in rows) else "not exact", *(theirs(rows, tool) for tool in ("onnx.compose", "onnx-ir")),
    ]  # fmt: skip
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def theirs(rows: list[dict[str, Any]], tool: str) -> str:
    refusals = {row[tool] for row in rows if isinstance(row[tool], str)}
    numbers = [row[tool] for row in rows if isinstance(row[tool], int)]
    return "; ".join([*([span(numbers)] if numbers else []), *sorted(refusals)])


def span(numbers: Iterable[int]) -> str:
    found = sorted(numbers)
    return f"{found[0]:,}" if found[0] == found[-1] else f"{found[0]:,} to {found[-1]:,}"


def runtimes() -> Iterator[str]:
    """The same files in other versions of ONNX Runtime."""
    found = [json.loads(path.read_text("utf-8")) for path in (MODELS / "runtimes").glob("*.json")]
    found.sort(key=lambda each: [int(part) for part in each["onnxruntime"].split(".")])
    yield "## Versions of ONNX Runtime\n"
    yield (
        "Files written with the newest version, run in each; every output is compared bit for bit (`.ci/parity runtimes`). A case is "
        "a step with inputs of the conformance suite, at its lowest opset and at 17, with lengths known and as symbols. "
        "A column is the version that you serve with. *equal*: the file runs there and gives the same bits. *refused*: that version "
        "does not load it, for the reason below the table: as a rule the IR version or opset that the model itself has. "
        "One awkward model is left out: 1.20 and 1.23 run one overload of a function for the other, in that model by itself too.\n"
    )
    yield "| files | " + " | ".join(each["onnxruntime"] for each in found) + " |\n|" + " --- |" * (len(found) + 1)
    for group in sorted({group for each in found for group in each["groups"]}):
        counts = [each["groups"][group] for each in found]
        cells = [", ".join(f"{n:,} {kind}" for kind, n in sorted(c.items(), key=_kind) if n) for c in counts]
        yield f"| {group} | " + " | ".join(cells) + " |"
    yield ""
    for each in found:
        for reason, count in each["refused"].items():
            yield f"- {each['onnxruntime']} refuses {count}: `{reason}`"


def _kind(counted: tuple[str, int]) -> int:
    return ("equal", "differing", "refused").index(counted[0])


def command_line() -> str:
    """Every command's help."""
    lines = [NOTE, "# Command line\n", f"```text\n{help_of(main, 'onnxprep')}\n```\n"]
    for name, command in sorted(main.commands.items()):
        lines.append(f"## `onnxprep {name}`\n\n```text\n{help_of(command, f'onnxprep {name}')}\n```\n")
    return "\n".join(lines)


def help_of(command: click.Command, name: str) -> str:
    with click.Context(command, info_name=name, terminal_width=100, max_content_width=100) as context:
        return command.get_help(context)


def pages() -> dict[str, str]:
    return {
        "steps.md": catalogue(),
        "claims.md": claims(),
        "cli.md": command_line(),
        "models.md": models(),
        "tools.md": other_tools(),
        "schema.json": json.dumps(schema(), indent=2, sort_keys=True) + "\n",
    }


def stale() -> list[str]:
    """The pages whose committed text is not what the code says."""
    return [
        name for name, text in pages().items() if not (FOLDER / name).exists() or (FOLDER / name).read_text() != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv:
        out_of_date = stale()
        sys.exit(f"out of date: {', '.join(out_of_date)}; run python docs/generate.py" if out_of_date else 0)
    for page, content in pages().items():
        (FOLDER / page).write_text(content)
