"""Commands that write files: export, strip."""

from __future__ import annotations

import time
from pathlib import Path

import click

from onnxprep.cli.copying import copying
from onnxprep.cli.group import FILE, named_files, say, say_json, tell, with_json
from onnxprep.cli.watch import Watched


@click.command(cls=Watched)
@click.argument("model", type=FILE)
@click.option("--spec", type=FILE, required=True, help="The spec: YAML or JSON.")
@click.option("-o", "--output", type=FILE, help="Where the new file goes.")
@click.option(
    "--split",
    type=FILE,
    metavar="DIR",
    help="Instead of one file, write preprocess.onnx, model.onnx (as it is) and postprocess.onnx into this folder.",
)
@click.option(
    "--golden",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Record this input (.npy or picture) as proof: each plain FILE a sample, each NAME=FILE in all.",
)
@click.option(
    "--expect", multiple=True, metavar="VALUE=T.npy", help="What training made of the golden, for this value."
)
@click.option(
    "--provider",
    multiple=True,
    help="Load the result on this onnxruntime provider, too, and say where the steps run there and how far they are from the CPU's; any number of times.",
)
@click.option("--no-run", is_flag=True, help="Do not load the whole model in onnxruntime.")
@click.option("--strict", is_flag=True, help="What cannot be proven about the fit is an error.")
@click.option(
    "--upgrade-opset",
    is_flag=True,
    help="Allow rewriting the model's body for a higher opset; strip then cannot give the original back.",
)
@click.option("--stack", is_flag=True, help="Keep steps that MODEL has already; without it, the new ones replace them.")
@click.option("--force", is_flag=True, help="Replace OUTPUT, and weights copied beside it, if they exist.")
@with_json
def export(
    model: Path,
    spec: Path,
    output: Path | None,
    split: Path | None,
    golden: tuple[str, ...],
    expect: tuple[str, ...],
    provider: tuple[str, ...],
    no_run: bool,
    strict: bool,
    upgrade_opset: bool,
    stack: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Attach SPEC's steps to MODEL, validate, store the spec and its proof, and write one file.

    Weights in files of their own are referred to where they lie; to another folder they are copied.
    """
    one = click.UsageError("Give one of -o OUTPUT and --split DIR.")
    if output is None:
        if split is None:
            raise one
        for_one_file = {
            "--golden": golden, "--expect": expect, "--provider": provider, "--upgrade-opset": upgrade_opset, "--stack": stack,
        }  # fmt: skip
        for option, value in for_one_file.items():
            if value:
                raise click.UsageError(f"{option} is for one file, and --split writes three.")
        _split(model, spec, split, run=not no_run, strict=strict, force=force, as_json=as_json)
        return
    if split is not None:
        raise one
    start = time.perf_counter()
    from onnxprep.runtime.export import export as export_model
    from onnxprep.runtime.given import GivenFiles

    imported = time.perf_counter() - start
    with copying(silent=as_json) as progress:
        report = export_model(
            model,
            spec,
            output,
            goldens=GivenFiles(golden),
            expect=named_files(expect, "--expect"),
            providers=provider,
            run=not no_run,
            strict=strict,
            upgrade_opset=upgrade_opset,
            stack=stack,
            force=force,
            progress=progress,
        )
    report.seconds = {"import": imported, **report.seconds}
    for line in report.warnings:
        tell(f"warning: {line}")
    if as_json:
        say_json({"ok": True, **vars(report), "out": str(report.out)})
        return
    for line in (*report.plan, *report.contract, *report.goldens, *report.providers, *report.weights):
        say(line)
    say(f"wrote {report.out}: {report.sizes[1]:,} bytes (model {report.sizes[0]:,}), spec {report.digest[:16]}")
    tell("time  " + ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in report.seconds.items()))


def _split(model: Path, spec: Path, folder: Path, *, run: bool, strict: bool, force: bool, as_json: bool) -> None:
    from onnxprep.runtime.split import export_split

    with copying(silent=as_json) as progress:
        report = export_split(model, spec, folder, run=run, strict=strict, force=force, progress=progress)
    for line in report.warnings:
        tell(f"warning: {line}")
    if as_json:
        say_json({"ok": True, **vars(report), "folder": str(folder)})
        return
    for line in (*report.plan, *report.contract, *report.weights):
        say(line)
    for name, what in report.files.items():
        say(f"wrote {folder / name}: {what}")


@click.command()
@click.argument("model", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="Where the original goes.")
@click.option("--force", is_flag=True, help="Replace OUTPUT, and weights copied beside it, if they exist.")
@with_json
def strip(model: Path, output: Path, force: bool, as_json: bool) -> None:
    """Give the original of MODEL back, byte for byte where that was promised.

    Weights in files of their own are referred to where they lie; to another folder they are copied.
    """
    from onnxprep.runtime.build import strip as strip_model

    with copying(silent=as_json) as progress:
        stripped = strip_model(model, output, force=force, progress=progress)
    if as_json:
        say_json(
            {
                "ok": True,
                "out": str(output),
                "exact": stripped.exact,
                "state": stripped.state,
                "reason": stripped.reason,
                "copied": progress.copied,
            }
        )
        return
    what = {"exact": "the original file, byte for byte", "equal": "an equal model"}
    given = what.get(stripped.state, "the model without the steps, which is not the original")
    say(f"wrote {output}: {given}{stripped.layers}")
    for name, size in progress.copied.items():
        say(f"weights: {name}, {size:,} bytes, copied to {output.parent / name}")
    if stripped.reason:
        tell(f"not {'the original' if stripped.state == 'changed' else 'byte for byte'}: {stripped.reason}")
