"""Nothing that a spec or a model names is imported or run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
from attack import EXPORT, OUT, ROOT, Attack, altered, folder
from hostile_specs import GOOD, HEAD
from onnx import ModelProto, helper

OWNED = "open('owned', 'w').close()\n"
WATCHED = """
import json, os, sys
from click.testing import CliRunner
from onnxprep.cli import main
good, hostile = json.loads(sys.argv[1])
for command in good:
    CliRunner().invoke(main, command.split())
os.path.exists('out.onnx') and os.unlink('out.onnx')
before, started, seen = set(sys.modules), [], []
sys.addaudithook(lambda name, args: seen.append(args[0]) if name == 'import' else started.append(name)
                 if name in ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'ctypes.dlopen') else None)
codes = [CliRunner().invoke(main, command.split()).exit_code for command in hostile]
try:
    import evil_control
except ImportError:
    pass
json.dump([sorted(set(sys.modules) - before), started, sorted(set(map(str, seen)) - before), codes], sys.stdout)
"""


ON_SPEC = (
    "check hostile/{}", "plan hostile/{} --model hostile/model.onnx",
    f"export hostile/model.onnx --spec hostile/{{}} -o {OUT} --no-run",
)  # fmt: skip


def evil(text: str) -> str:
    """Module names wherever a spec takes a name."""
    step = "{operation: evil, like: evil, name: evil, inputs: [evil], outputs: [evil], where: caller, parameters: {file: evil.py, module: evil}}"
    return text + f"preprocess: [{step}, evil, {{evil: {{evil: evil}}}}]\nprovenance: {{evil: evil, module: evil.py}}\n"


SPECS = {
    "evil.yaml": evil(HEAD),
    "caller.yaml": GOOD.replace("preprocess:\n", "preprocess:\n  - {operation: evil, where: caller, inputs: [file], outputs: [image]}\n"),
    "system.yaml": HEAD + "preprocess: [{operation: os.system, parameters: {command: touch owned}}]\n",
    "family.yaml": HEAD.replace("torchvision-v1", "evil") + "preprocess: [rescale]\n",
    "object.yaml": "!!python/object/apply:evil.main []\n",
    "plugin.yaml": HEAD + "preprocess: [{evil.Step: {}}, {onnxprep.steps.evil: {}}]\n",
}  # fmt: skip


def put(work: Path) -> None:
    """A folder of files that name modules, and the modules."""
    hostile = work / "hostile"
    hostile.mkdir()
    for name in ("evil.py", "os_system.py", "onnxprep_evil.py"):
        (hostile / name).write_text(OWNED)
    for name, text in SPECS.items():
        (hostile / name).write_text(text)
    for name in ("labels.txt", "input"):
        (hostile / name).write_bytes((work / name).read_bytes())

    def named(model: ModelProto) -> None:
        model.domain = model.producer_name = "evil"
        model.opset_import.add(domain="evil", version=1)
        model.metadata_props.add(key="onnxprep.plugin", value="evil")
        model.graph.node.append(helper.make_node("PyOp", ["a"], ["b"], module="evil", class_name="main", domain="evil"))

    plain = onnx.load(work / "model.onnx")
    named(plain)
    onnx.save(plain, hostile / "model.onnx")
    altered(named)(hostile)


def test_nothing_named_in_a_file_is_imported_or_started() -> None:
    good = [
        "inspect exported.onnx --source", f"strip exported.onnx -o {OUT} --force", "verify exported.onnx", "run exported.onnx input",
        f"{EXPORT} --force", "check spec.yaml --model model.onnx", "check nothing.yaml", "inspect model.onnx", "check labels.txt",
    ]  # fmt: skip
    hostile = [command.format(name) for name in SPECS for command in ON_SPEC]
    hostile += [command.replace("exported.onnx", "hostile/exported.onnx") for command in good[:4]]
    with folder(Attack(put, ())) as work:
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, json.dumps([good, hostile])],
            cwd=work, env={"PYTHONPATH": f"{ROOT}:{work}:{work / 'hostile'}"}, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        imported, started, looked_for, codes = json.loads(done.stdout)
        assert not list(work.rglob("owned"))
    assert len(codes) == len(hostile)
    assert set(codes) <= {0, 2, 3, 4, 5}
    assert looked_for == ["evil_control"]  # which the test itself looks for at the end
    assert not imported
    assert not started
