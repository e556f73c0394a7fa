"""Files at the edge: what is read is never overwritten, what is no array is refused, every file finds its input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto
from small import DECODE, FED, HEAD, POST, SPEC, STEPS, picture, small

import onnxprep
from onnxprep.cli import main
from onnxprep.errors import OnnxprepError, ParityError, UsageError
from onnxprep.graph import metadata
from onnxprep.runtime import golden
from onnxprep.runtime.files import Draft, check_output
from onnxprep.runtime.npy import read_array
from onnxprep.runtime.saving import save_arrays


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, a spec, a picture and a mask, as the current one."""
    monkeypatch.chdir(tmp_path)
    small(tmp_path)
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "fed.yaml").write_text(FED)
    (tmp_path / "post.yaml").write_text(POST)
    np.save("image.npy", picture(tmp_path / "p.png")[None])
    picture(tmp_path / "q.png", 9, 11, seed=2)
    np.save("mask.npy", np.ones((1, 10), np.float32))
    np.save("x.npy", np.ones((1, 3, 8, 8), np.float32))
    return tmp_path


def call(command: str) -> Result:
    return CliRunner().invoke(main, command.split())


def good(command: str) -> str:
    result = call(command)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def refused(command: str, message: str) -> None:
    """Exit 2 with the message, and not one file changed."""
    before = contents()
    result = call(command)
    assert (result.exit_code, type(result.exception)) == (2, SystemExit), (result.output, result.exception)
    assert message in result.stderr, result.stderr
    assert contents() == before


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def samples(path: Path | str) -> list[dict[str, dict[str, object]]]:
    model = onnx.load(path, load_external_data=False)
    stored = {entry.key: entry.value for entry in model.metadata_props}
    return list(json.loads(stored[metadata.GOLDEN])["samples"])


# what is read is not overwritten -----------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["p.png", "mask.npy", "spec.yaml", "model.onnx", "weights.bin", "labels.txt"])
def test_force_replaces_nothing_that_was_read(here: Path, out: str) -> None:
    small(here, outside=True)
    (here / "labels.txt").write_text("".join(f"{k}\n" for k in range(10)))
    (here / "spec.yaml").write_text(f"{SPEC}postprocess:\n  - argmax\n  - labels: {{file: labels.txt}}\n")
    refused(
        f"export model.onnx --spec spec.yaml -o {out} --force --golden p.png --expect logits=mask.npy",
        "is the input too",
    )


def test_a_spec_given_as_text_is_an_input_too(here: Path) -> None:
    with pytest.raises(UsageError, match="is the input too"):
        onnxprep.export("model.onnx", "spec.yaml", "spec.yaml", force=True)
    assert (here / "spec.yaml").read_text() == SPEC
    loaded = onnxprep.Spec.load("spec.yaml")
    assert loaded.read_from == (here / "spec.yaml",)
    assert loaded == onnxprep.Spec.load(SPEC)


def test_strip_does_not_replace_the_weights(here: Path) -> None:
    small(here, outside=True)
    good("export model.onnx --spec spec.yaml -o out.onnx")
    refused("strip out.onnx -o weights.bin --force", "is the input too")


@pytest.mark.parametrize("kind", ["fifo", "link to a fifo", "link to nowhere"])
def test_force_replaces_regular_files_only(here: Path, kind: str) -> None:
    os.mkfifo("fifo")
    out = Path("fifo") if kind == "fifo" else Path("out.onnx")
    if kind != "fifo":
        out.symlink_to("fifo" if kind == "link to a fifo" else "nowhere")
    before = os.lstat(out)
    refused(f"export model.onnx --spec spec.yaml -o {out} --force", "is not a regular file")
    assert os.lstat(out) == before


def test_save_overwrites_no_input(here: Path) -> None:
    good("export model.onnx --spec post.yaml -o out.onnx")
    (here / "softmax.npy").write_bytes((here / "x.npy").read_bytes())
    refused("run out.onnx softmax.npy --save .", "is the input too")
    good("run out.onnx x.npy --save .")
    good("run out.onnx x.npy --save .")
    assert np.load("softmax.npy").shape == (1, 10)


def test_saved_outputs_have_names_of_their_own(here: Path) -> None:
    names = ["a b", "a_b", "a/b", "A_B", "x" * 200, "x" * 201]
    outputs = {name: np.full(1, k) for k, name in enumerate(names)}
    save_arrays([outputs], here / "made", here / "model.onnx", [])
    assert sorted(int(np.load(path)[0]) for path in (here / "made").iterdir()) == [0, 1, 2, 3, 4, 5]
    assert {"a_b.npy", "a_b_2.npy", "a_b_3.npy"} <= {path.name for path in (here / "made").iterdir()}


# arrays ------------------------------------------------------------------------------------------------------------


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + content


def header(shape: str, descr: str = "'|u1'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    "data",
    [
        npy(header("(-2, -3)"), b"123456"), npy(header("(True, True, True, 3)"), b"123"), npy(header("(1.0,)"), b"1"),
        npy(header(f"(0, {10**20}, 4, 3)")), npy(header(f"(0, {2**62}, {2**62})")), npy(header("(2,)", "'|V0'")),
        npy(header("(2,)", "'<U0'")), npy(header("(1,)", "('|u1', (3,))"), b"123"), npy(header("(1,)", "'|V2'"), b"12"),
        npy(header("(1,)", "[('a', '|u1')]"), b"1"), npy(header("(1,)", "'|O'"), b"12345678"),
        npy(header("(1,)", "'<M8[s]'"), b"12345678"), npy(header("(1,)", "'<U1'"), b"\xff\xff\xff\x7f"),
        npy("{'descr': '|u1', 'shape': ("), npy("{'descr': '|u1"), npy("(" * 9000), npy("-" * 9000), npy("-" * 9000 + "1"),
        npy("[" * 900 + "]" * 900), npy("'''"), npy("1L"), npy(""), npy(header("()"), b"1", b"\x09\x00"), b"\x93NUMPY",
        npy(header("(1,)", "'S2'"), b"\xff\xfe"), npy(header("(1,)"), b""), npy(header("(1,)"), b"12"),
        npy(header("(1, )" + ", 1" * 70), b"1"), npy(header("(" + "1, " * 70 + ")"), b"1"),
    ],
    ids=range(29),
)  # fmt: skip
def test_what_is_no_array_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.npy").write_bytes(data)
    with pytest.raises(UsageError, match=r"bad\.npy"):
        read_array(tmp_path / "bad.npy")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", [">f4", "<f4", ">i8", "?", ">U3", "f2", ">c8"])
def test_arrays_are_read_as_numpy_wrote_them(tmp_path: Path, dtype: str, version: tuple[int, int]) -> None:
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    (tmp_path / "a.npy").write_bytes(stream.getvalue())
    made = read_array(tmp_path / "a.npy")
    assert made.dtype.isnative
    assert made.tolist() == array.tolist()


def test_the_order_of_bytes_changes_no_number(here: Path) -> None:
    good("export model.onnx --spec post.yaml -o out.onnx")
    values = np.random.default_rng(3).standard_normal((1, 3, 8, 8)).astype(np.float32)
    pipeline = onnxprep.Pipeline("out.onnx")
    expected = pipeline(x=values)["softmax"]
    np.save("le.npy", values)
    np.save("be.npy", values.astype(">f4"))
    assert pipeline(x=values.astype(">f4"))["softmax"].tobytes() == expected.tobytes()
    good("run out.onnx be.npy --save made")
    assert np.load("made/softmax.npy").tobytes() == expected.tobytes()
    np.save("wanted.npy", expected.astype(">f4"))
    for name in ("le", "be"):
        good(f"export model.onnx --spec post.yaml -o {name}.onnx --golden {name}.npy --expect softmax=wanted.npy")
        onnxprep.verify(f"{name}.onnx")
    assert samples("le.onnx") == samples("be.onnx")


def test_expected_values_may_be_a_list(here: Path) -> None:
    image = np.load("image.npy")
    with pytest.raises(ParityError, match="is not what training made"):
        onnxprep.export("model.onnx", FED, "out.onnx", goldens=[{"image": image}], expect={"logits": [0.0]})
    with pytest.raises(UsageError, match="--expect logits: is no array"):
        onnxprep.export("model.onnx", FED, "out.onnx", goldens=[{"image": image}], expect={"logits": [[0.0], []]})


# which file is for which input -------------------------------------------------------------------------------------


def test_inputs_that_nothing_feeds_are_given_by_name(here: Path) -> None:
    small(here, mask=True)
    good("export model.onnx --spec fed.yaml -o out.onnx --golden image=p.png --golden mask=mask.npy")
    (sample,) = samples("out.onnx")
    assert set(sample["inputs"]) == {"image", "mask"}
    onnxprep.verify("out.onnx")
    assert good("run out.onnx image=p.png mask=mask.npy") == good("run out.onnx mask=mask.npy p.png").replace(
        "mask=mask.npy, p.png", "image=p.png, mask=mask.npy"
    )
    refused("run out.onnx p.png", "cannot be told which input it is for")
    refused("run out.onnx p.png mask=q.png", "a picture does not fit the input")
    refused("run out.onnx image=p.png", "mask: is missing")
    refused("run out.onnx image=p.png maks=mask.npy", "did you mean `mask`?")
    refused("run out.onnx image=p.png image=q.png mask=mask.npy", "image is given twice")
    refused("export model.onnx --spec fed.yaml -o b.onnx --golden p.png", "cannot be told which input it is for")
    refused("export model.onnx --spec fed.yaml -o b.onnx --golden image=p.png", "mask: has no golden input")


def test_a_spec_of_postprocessing_alone_takes_the_models_input(here: Path) -> None:
    good("export model.onnx --spec post.yaml -o out.onnx --golden x.npy")
    good("export model.onnx --spec post.yaml -o named.onnx --golden x=x.npy")
    assert samples("out.onnx") == samples("named.onnx")
    assert good("run out.onnx x.npy").partition("\n")[2] == good("run out.onnx x=x.npy").partition("\n")[2]
    refused("run out.onnx p.png", "x is the model's own input")
    refused("run out.onnx nothing.png", "nothing.png: no such file")


def test_a_decoders_own_input_may_be_named(here: Path) -> None:
    (here / "spec.yaml").write_text(HEAD + DECODE + STEPS)
    good("export model.onnx --spec spec.yaml -o out.onnx --golden file=p.png")
    made = [
        good(f"run out.onnx {item}").partition("\n")[2] for item in ("p.png", "file=p.png", "image=p.png", "image.npy")
    ]
    assert made == made[:1] * 4
    result = call("run out.onnx file=image.npy")
    assert (result.exit_code, "not the content of a picture file" in result.stderr) == (2, True)


def test_several_goldens_are_several_samples(here: Path) -> None:
    good("export model.onnx --spec spec.yaml -o out.onnx --golden p.png --golden q.png")
    assert [sample["inputs"]["image"]["shape"] for sample in samples("out.onnx")] == [[1, 20, 30, 3], [1, 9, 11, 3]]
    refused("export model.onnx --spec spec.yaml -o b.onnx --golden image=p.png --golden image=q.png", "given twice")
    assert good("run out.onnx p.png q.png").count("logits") == 2


def test_a_golden_is_checked_as_a_call_is(here: Path) -> None:
    good("export model.onnx --spec spec.yaml -o out.onnx")
    pipeline = onnxprep.Pipeline("out.onnx")
    image = np.load("image.npy")
    for wrong in (
        {"image": image[0]},
        {"image": image.astype(np.float32)},
        {"imgae": image},
        {"image": image[..., :2]},
    ):
        with pytest.raises(UsageError) as called:
            pipeline(**wrong)
        with pytest.raises(UsageError) as recorded:
            onnxprep.export("model.onnx", SPEC, "b.onnx", goldens=[wrong])
        assert str(called.value) == str(recorded.value)
    assert not Path("b.onnx").exists()


# goldens beside the model ------------------------------------------------------------------------------------------


def big(seed: int = 5) -> dict[str, object]:
    return {"image": np.random.default_rng(seed).integers(0, 256, (1, 800, 900, 3), dtype=np.uint8)}


def test_a_second_export_reuses_the_folders_of_the_first(here: Path) -> None:
    Path("test_data_set_1").mkdir()
    Path("test_data_set_2").symlink_to("nowhere")
    for seed in (5, 6, 6):
        onnxprep.export("model.onnx", SPEC, "out.onnx", goldens=[big(seed), big(seed + 1)], force=True)
        assert sorted(path.name for path in Path().glob("test_data_set_*/*.pb")) == [
            "input_0.pb", "input_0.pb", "output_0.pb", "output_0.pb",
        ]  # fmt: skip
        assert {path.parent.name for path in Path().glob("test_data_set_*/*.pb")} == {
            "test_data_set_0",
            "test_data_set_3",
        }
        onnxprep.verify("out.onnx")
    onnxprep.export("model.onnx", SPEC, "other.onnx", goldens=[big()])
    assert Path("test_data_set_4").is_dir()
    onnxprep.verify("out.onnx")


def test_a_failure_leaves_nothing_beside_the_model(here: Path) -> None:
    before = {*Path().rglob("*")}
    with pytest.raises(ParityError):
        onnxprep.export("model.onnx", SPEC, "out.onnx", goldens=[big()], expect={"logits": [0.0]})
    assert {*Path().rglob("*")} == before
    onnxprep.export("model.onnx", SPEC, "out.onnx", goldens=[big()])
    Path("test_data_set_0/output_0.pb").unlink()
    os.mkfifo("test_data_set_0/output_0.pb")
    kept, before = contents(), {*Path().rglob("*")}
    with pytest.raises(UsageError, match="is not a regular file"):
        onnxprep.export("model.onnx", SPEC, "out.onnx", goldens=[big(6)], force=True)
    assert (contents(), {*Path().rglob("*")}) == (kept, before)


def test_goldens_that_are_damaged_are_parity_errors(here: Path) -> None:
    with pytest.raises(ParityError, match="cannot be read"):
        golden.load("[" * 100_000, here)
    onnxprep.export("model.onnx", SPEC, "out.onnx", goldens=[big()])
    path = Path("test_data_set_0/input_0.pb")
    tensor = TensorProto.FromString(path.read_bytes())
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="p.png")
    path.write_bytes(tensor.SerializeToString())
    with pytest.raises(ParityError, match="refers to another file"):
        onnxprep.verify("out.onnx")


# names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "export {long} --spec spec.yaml -o out.onnx", "export model.onnx --spec {long} -o out.onnx",
        "export model.onnx --spec spec.yaml -o {long}", "export model.onnx --spec spec.yaml -o out.onnx --golden {long}",
        "run {long} p.png", "verify {long}", "inspect {long}", "strip {long} -o out.onnx", "run any.onnx {long}",
        "strip any.onnx -o {long}", "run any.onnx p.png --save {long}",
    ],
)  # fmt: skip
def test_names_that_are_too_long_are_refused(here: Path, command: str) -> None:
    onnxprep.export("model.onnx", SPEC, "any.onnx")
    refused(command.format(long="n" * 300), "file name too long")


def test_a_name_may_be_as_long_as_names_can_be(here: Path) -> None:
    good(f"export model.onnx --spec spec.yaml -o {'n' * 250}.onnx")
    assert len(list(here.glob("n*.onnx"))) == 1
    assert not list(here.glob(".*"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
@pytest.mark.parametrize("command", ["export m\udcff.onnx --spec spec.yaml -o out.onnx", "run m\udcff.onnx p.png",
    "export model.onnx --spec spec.yaml -o o\udcff.onnx", "verify m\udcff.onnx", "strip m\udcff.onnx -o s.onnx"])  # fmt: skip
def test_names_that_are_not_utf8_are_refused(here: Path, command: str) -> None:
    Path("m\udcff.onnx").write_bytes(Path("model.onnx").read_bytes())
    code = "from onnxprep.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code, *command.split()], capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    assert "is not UTF-8" in result.stderr


def test_a_draft_that_cannot_be_removed_hides_no_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"), Draft(tmp_path / "none" / "out.onnx", force=True) as draft:
        draft.write(b"1")
    with Draft(tmp_path / "out.onnx", force=True) as draft:
        draft.path.mkdir()  # what cannot be unlinked
    with pytest.raises(OnnxprepError, match="NUL"):
        check_output(tmp_path / "a\0b", [], force=True)
