"""Commands that look at, run or prove: inspect, run, verify, prove."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from onnxprep.cli.group import FILE, say, say_json, say_text, tell, with_json
from onnxprep.cli.watch import Watched


@click.command("inspect")
@click.argument("model", type=FILE)
@click.option("--source", is_flag=True, help="Print our nodes as onnxscript code, too.")
@click.option(
    "--provider",
    multiple=True,
    help="Tell where the steps run on this onnxruntime provider; for one that is not installed, from a table of its kernels.",
)
@with_json
def inspect_model(model: Path, source: bool, provider: tuple[str, ...], as_json: bool) -> None:
    """Print what is inside MODEL: spec, steps, inputs, outputs, proof."""
    from onnxprep.runtime.inspection import inspect, nodes_as_code

    found = inspect(model, provider)
    if as_json:
        say_json(found)
        return
    for key, value in found.items():
        for i, line in enumerate(value if isinstance(value, list) else [value]):
            say(f"{key if i == 0 else '':<10} {line}")
    if source:
        say_text(nodes_as_code(model))


@click.command(cls=Watched)
@click.argument("model", type=FILE)
@click.argument("inputs", nargs=-1, required=True, metavar="[NAME=]FILE...")
@click.option("--provider", multiple=True, help="onnxruntime provider, in order of preference.")
@click.option(
    "--save",
    type=FILE,
    help="Write the outputs into this folder: numbers as NAME.npy, texts as NAME.txt. Never over a file that was read.",
)
@click.option(
    "--draw",
    type=FILE,
    metavar="PICTURE",
    help="Write the picture with what was found on it: boxes with label and score, masks in colours. One FILE only.",
)
@click.option("--force", is_flag=True, help="Replace what --draw names, if it exists. Never a file that was read.")
@with_json
def run(
    model: Path,
    inputs: tuple[str, ...],
    provider: tuple[str, ...],
    save: Path | None,
    draw: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run MODEL on pictures or .npy arrays and print its answers: tables of what was found, and its named outputs.

    Every plain FILE is a run of its own; a NAME=FILE is an input of all of them.
    """
    from onnxprep.runtime.drawing import check_drawing, draw_run
    from onnxprep.runtime.given import GivenFiles
    from onnxprep.runtime.running import as_json_values, run_files, shown
    from onnxprep.runtime.saving import save_arrays

    files = GivenFiles(inputs)
    if draw is not None:
        check_drawing(draw, model, files.paths, force=force)
    results = run_files(model, files, provider, tell)
    if save is not None:
        save_arrays([result.outputs for result in results], save, model, files.paths)
    if draw is not None:
        draw_run(results, model, draw, force=force)
    if as_json:
        say_json([{"input": result.name, "outputs": as_json_values(result.outputs)} for result in results])
        return
    for result in results:
        say(result.name)
        for line in shown(result):
            say(f"  {line}")


@click.command(cls=Watched)
@click.argument("model", type=FILE)
@click.option(
    "--provider",
    multiple=True,
    help="Run the goldens on this onnxruntime provider and compare it with the CPU; any number of times.",
)
@with_json
def verify(model: Path, provider: tuple[str, ...], as_json: bool) -> None:
    """Check MODEL's digests and run its goldens; exit 5 names the first difference."""
    from onnxprep.runtime.verify import verify as verify_model

    checked = verify_model(model, provider)
    if as_json:
        say_json({"ok": True, "checked": checked.lines})
        return
    for line in checked.lines:
        say(line)
    say(f"{model}: ok")


@click.command(cls=Watched)
@click.argument("spec", type=FILE)
@click.option(
    "--strict", is_flag=True, help="A step whose library is not here, or outside of the claim, is exit 5, too."
)
@click.option("--images", type=FILE, help="A folder of pictures (or .npy arrays); without it, some of our own.")
@click.option("--provider", multiple=True, help="onnxruntime provider, in order of preference.")
@with_json
def prove(spec: Path, strict: bool, images: Path | None, provider: tuple[str, ...], as_json: bool) -> None:
    """Compare SPEC's steps before the model with the libraries installed here; exit 5 where a claim does not hold.

    It proves that each step does what it says, not that training did these steps: `export --expect` does that.
    """
    from onnxprep.runtime.prove import lines
    from onnxprep.runtime.prove import prove as prove_spec
    from onnxprep.runtime.samples import built_in, from_folder
    from onnxprep.spec.document import Spec

    loaded = Spec.load(spec)
    inputs = built_in(loaded) if images is None else from_folder(images, loaded)
    proven = prove_spec(loaded, inputs, tell, provider)
    error = proven.problem(strict=strict)
    if as_json:
        failed = {} if error is None else {"exit_code": error.exit_code, "error": error.to_dict()}
        say_json({"ok": error is None, **asdict(proven), **failed})
        click.get_current_context().meta["onnxprep.json"] = False  # said already
    else:
        for line in lines(proven):
            say(line)
    if error is not None:
        raise error
    if not as_json:
        say(f"{spec}: {proven.summary}")
