"""The command line: names and flags in, library calls, text or JSON out. No logic lives here."""

from __future__ import annotations

import click

from onnxprep.cli.group import Group
from onnxprep.cli.inspecting import inspect_model, prove, run, verify
from onnxprep.cli.making import export, strip
from onnxprep.cli.specs import check, new, plan, schema, steps

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Group, context_settings=_HELP)
@click.version_option(package_name="onnxprep", prog_name="onnxprep")
def main() -> None:
    """Put a model's pre- and post-processing inside its ONNX file, bit for bit as the training library computes it.

    Exit codes: 0 done; 2 bad usage, a missing or unreadable file; 3 the spec is wrong; 4 the steps do not fit each
    other or the model; 5 the numbers are not the promised ones; 1 anything unforeseen.
    """


for command in (new, export, check, plan, inspect_model, run, strip, verify, prove, steps, schema):
    main.add_command(command)
