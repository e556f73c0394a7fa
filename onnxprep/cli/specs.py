"""Commands about the document: new, check, plan, steps, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxprep.cli.group import FILE, say, say_json, say_text, tell, with_json


@click.command()
@click.argument("preset", required=False)
@with_json
def new(preset: str | None, as_json: bool) -> None:
    """Print a commented spec to start from; without PRESET, the presets there are."""
    from onnxprep.spec import presets

    if preset is None:
        found = {name: presets.summary(name) for name in presets.names()}
        say_json(found) if as_json else say_text("\n".join(f"{name:<22} {text}" for name, text in found.items()))
        return
    text = presets.text(preset)
    say_json({"preset": preset, "spec": text}) if as_json else say_text(text.rstrip())


@click.command()
@click.argument("spec", type=FILE)
@click.option("--model", type=FILE, help="Check that the steps fit this model, too.")
@click.option("--strict", is_flag=True, help="What cannot be proven, and what looks like a mistake, is an error.")
@with_json
def check(spec: Path, model: Path | None, strict: bool, as_json: bool) -> None:
    """Check SPEC: the document, every step's family, and with --model the fit."""
    from onnxprep.spec.document import Spec

    loaded = Spec.load(spec)
    fitted = _fitted(loaded, model, strict=strict)
    families = {entry.name: entry.parameters.get("like", "") for entry in (*loaded.preprocess, *loaded.postprocess)}
    if as_json:
        say_json({"ok": True, "digest": fitted["digest"], "like": families, **fitted})
        return
    for name, like in families.items():
        say(f"{name}: {f'like {like}' if like else 'follows no library'}")
    for line in fitted["contract"]:
        say(line)
    for line in fitted["warnings"]:
        tell(f"warning: {line}")
    joined = "" if model is None else f", joined to {model.name}: digest {fitted['digest'][:16]}"
    say(f"{spec}: ok, {len(families)} steps{joined}")


@click.command()
@click.argument("spec", type=FILE)
@click.option("--model", type=FILE, help="Plan for this model: names, symbols and outputs are then known.")
@with_json
def plan(spec: Path, model: Path | None, as_json: bool) -> None:
    """Print what each step of SPEC does to which tensor."""
    from onnxprep.spec.document import Spec

    fitted = _fitted(Spec.load(spec), model, strict=False)
    if as_json:
        say_json(fitted)
        return
    for line in (*fitted["plan"], *fitted["contract"]):
        say(line)
    if model is None:
        tell("preprocess alone; --model shows the rest")
    for line in fitted["warnings"]:
        tell(f"warning: {line}")


def _fitted(spec: Any, model: Path | None, *, strict: bool) -> dict[str, Any]:
    from onnxprep.spec.plan import lines

    if model is None:
        return {**_alone(spec, strict=strict), "contract": [], "digest": spec.digest}
    from onnxprep.graph.fit import fit
    from onnxprep.runtime.underlying import read_underlying

    below = read_underlying(model)
    fitted = fit(spec, below.model, strict=strict)
    return {
        "plan": lines(fitted.plan),
        "contract": [*fitted.contract.lines, *([below.note] if below.note else [])],
        "warnings": list(fitted.contract.warnings),
        "digest": fitted.spec.digest,
    }


def _alone(spec: Any, *, strict: bool) -> dict[str, Any]:
    from onnxprep.spec.bind import bind_alone
    from onnxprep.spec.lint import lint, refuse_doubts
    from onnxprep.spec.plan import check_frames, lines
    from onnxprep.spec.plan import plan as plan_of

    if not any(entry.where == "graph" for entry in spec.preprocess):
        check_frames(spec, ())
        return {"plan": [], "warnings": []}
    planned = plan_of(bind_alone(spec))
    check_frames(spec, planned.steps)
    doubts = lint(planned)
    if strict:
        refuse_doubts(doubts)
    return {"plan": lines(planned), "warnings": list(doubts)}


@click.command()
@click.argument("name", required=False)
@with_json
def steps(name: str | None, as_json: bool) -> None:
    """List the operations with what they claim; with NAME, one in full."""
    from onnxprep.spec.listing import described, operation

    if name is None:
        listed = described()
        if as_json:
            say_json(listed)
            return
        wide = max(len(item["operation"]) for item in listed)
        for item in listed:
            for claim in item["claims"]:
                say(f"{item['operation']:<{wide}} {claim['like'] or '-':<26} {claim['tolerance']}")
        return
    found = operation(name)
    say_json(found.data) if as_json else say_text(found.text)


@click.command()
@with_json
def schema(as_json: bool) -> None:  # noqa: ARG001  # it is JSON either way
    """Print the JSON Schema of a spec."""
    import json

    from onnxprep.spec.schema import schema as schema_of

    say_text(json.dumps(schema_of(), indent=2, sort_keys=True))
