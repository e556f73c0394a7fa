"""The command line as a projection of the library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from demo import MODEL, PICTURE, SPEC, exported

from onnxprep.cli import main
from onnxprep.cli.group import printable

COMMANDS = {"new", "export", "check", "plan", "inspect", "run", "strip", "verify", "prove", "steps", "schema"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("cli") / "demo.onnx")


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def good(*arguments: str | Path) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def test_the_commands_are_these() -> None:
    assert set(main.commands) == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_and_documents_its_options(name: str) -> None:
    command = main.commands[name]
    assert command.help
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    assert all(getattr(option, "help", None) for option in options)
    assert "Usage" in good(name, "--help")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["steps"], ["new", "minimal"], ["check", str(SPEC)], ["plan", str(SPEC)]]
)
def test_looking_at_documents_imports_no_graph_library(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom onnxprep.cli import main\n"
        f"main({arguments!r}, standalone_mode=False) if {arguments!r} != ['--help'] else None\n"
        "found = {'onnx', 'onnxruntime', 'onnxscript'} & set(sys.modules)\n"
        "sys.stderr.write('imports ' + ', '.join(found) if found else '')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "imports" not in result.stderr


def test_export_prints_plan_contract_and_goldens(tmp_path: Path) -> None:
    lines = good("export", MODEL, "--spec", SPEC, "-o", tmp_path / "out.onnx", "--golden", PICTURE).splitlines()
    assert lines[0].startswith("preprocess[0]   resize")
    assert any("model input pixel_values" in line and "fits" in line for line in lines)
    assert any(line.startswith("golden: image[1, 111, 94, 3]") for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [
        ["new"], ["new", "minimal"], ["check", SPEC], ["check", SPEC, "--model", MODEL], ["plan", SPEC], ["steps"],
        ["plan", SPEC, "--model", MODEL], ["steps", "resize"], ["schema"],
    ],
    ids=lambda arguments: " ".join(Path(str(a)).name for a in arguments),
)  # fmt: skip
def test_documents_as_json(arguments: list[str | Path]) -> None:
    json.loads(good(*arguments, "--json"))


def test_models_as_json(model: Path, tmp_path: Path) -> None:
    assert json.loads(good("inspect", model, "--json"))["strip"] == "gives the original file, byte for byte"
    assert json.loads(good("run", model, PICTURE, "--json"))[0]["outputs"]["labels"][0][0] == "3 blue"
    assert json.loads(good("verify", model, "--json"))["ok"] is True
    assert json.loads(good("strip", model, "-o", tmp_path / "back.onnx", "--json"))["exact"] is True
    report = json.loads(good("export", MODEL, "--spec", SPEC, "-o", tmp_path / "again.onnx", "--json"))
    assert report["ok"] is True
    assert {"import", "read", "emit", "splice", "validate", "write"} <= set(report["seconds"])


def test_errors_as_json_too(tmp_path: Path) -> None:
    result = call("verify", tmp_path / "nothing.onnx", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["problem"] == "no such file or directory"


def test_run_takes_pictures_and_arrays_alike(model: Path, tmp_path: Path) -> None:
    from demo import pixels

    np.save(tmp_path / "picture.npy", pixels()[None])
    (tmp_path / "picture.webp").write_bytes(PICTURE.read_bytes())
    outputs = [
        json.loads(good("run", model, path, "--json"))[0]["outputs"]
        for path in (PICTURE, tmp_path / "picture.npy", tmp_path / "picture.webp", f"image={PICTURE}")
    ]
    assert all(output == outputs[0] for output in outputs)


def test_run_says_when_decoding_is_its_own(model: Path) -> None:
    assert "decoding is not part of this spec" in call("run", model, PICTURE).stderr


def test_run_saves_arrays(model: Path, tmp_path: Path) -> None:
    good("run", model, PICTURE, "--save", tmp_path / "made")
    assert np.load(tmp_path / "made" / "top_k.values.npy").shape == (1, 3)
    assert (tmp_path / "made" / "labels.txt").read_text().startswith("3 blue\n")


def test_inspect_prints_our_nodes_as_code(model: Path) -> None:
    text = good("inspect", model, "--source")
    assert "def onnxprep_pre" in text
    assert "def onnxprep_post" in text


def test_strip_gives_the_original(model: Path, tmp_path: Path) -> None:
    good("strip", model, "-o", tmp_path / "back.onnx")
    assert (tmp_path / "back.onnx").read_bytes() == MODEL.read_bytes()


def test_text_from_a_model_cannot_reach_the_terminal_as_control_codes() -> None:
    assert printable("a\x1b[31mb\x07\u202ec\r") == "a\\x1b[31mb\\x07\\u202ec\\r"
    assert printable("Bär 青い鳥 🐓\nnext") == "Bär 青い鳥 🐓\nnext"


def test_the_docs_follow_from_the_code() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert result.returncode == 0, result.stderr
